"""What an ASGI server runs: pages and API as under WSGI, and the WebSocket for events."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
http = get_asgi_application()

# after the line above, which loads the apps
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from depict_reco.contrib.channels.urls import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter({"http": http, "websocket": URLRouter(websocket_urlpatterns)})
