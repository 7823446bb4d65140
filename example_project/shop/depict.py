"""Depict's own client as the shop's storefront: whether it is built, and where its WebSocket is."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from importlib.util import find_spec

from django.conf import settings
from django.contrib.staticfiles import finders

FORM = "depict"
"""Namespace of the pages whose rows the client fills."""

BUILD = "npm --prefix tests/e2e/browser run shop"
"""What fetches and bundles the client: it is Depict's, and not ours to ship."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What a page has to know of the client."""

    built: bool
    socket_port: int
    command: str = BUILD

    @classmethod
    def here(cls) -> Client:
        """Return how things are on this machine."""
        return cls(
            built=finders.find("depict/react.js") is not None,
            socket_port=settings.SOCKET_PORT,  # type: ignore[misc]
        )


def serve_socket(port: int) -> str:
    """Serve the WebSocket for events from a thread of this process; return what to say of it.

    In production it has a process of its own (docs/websocket.md).
    """
    if not all(map(find_spec, ("channels", "uvicorn", "websockets"))):
        return "No WebSocket, which Depict's client needs for events: pip install '.[websocket]'"
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        return f"No WebSocket on port {port} (SOCKET_PORT in the environment): {error.strerror}"
    threading.Thread(target=_serve, args=[listening], daemon=True).start()
    return f"Serving ws://localhost:{port}/ws/create-events, too."


def _serve(listening: socket.socket) -> None:
    import uvicorn
    from channels.routing import ProtocolTypeRouter, URLRouter

    from depict_reco.contrib.channels.urls import websocket_urlpatterns

    config = uvicorn.Config(
        ProtocolTypeRouter({"websocket": URLRouter(websocket_urlpatterns)}),
        ws="websockets-sansio",
        ws_max_size=65536,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        log_level="warning",
    )
    uvicorn.Server(config).run(sockets=[listening])
