import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.e2e.project")

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

http = get_asgi_application()

from depict_reco.contrib.channels.urls import websocket_urlpatterns  # noqa: E402  needs the apps

application = ProtocolTypeRouter({"http": http, "websocket": URLRouter(websocket_urlpatterns)})
