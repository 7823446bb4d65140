"""The address of the WebSocket, for the URLRouter of a project's ``asgi.py``."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, path

try:
    from depict_reco.contrib.channels.sockets import EventSocket
except ModuleNotFoundError as error:
    if error.name != "channels":
        raise
    raise ImproperlyConfigured(
        "The WebSocket needs Django Channels: pip install 'depict-reco[websocket]'."
    ) from error

websocket_urlpatterns: list[URLPattern] = [
    path("ws/create-events", EventSocket.as_asgi(), name="create-events-socket")
]
