"""The WebSocket ``/ws/create-events``, by which Depict's client tells what shoppers do.

Needs the extra ``websocket`` and, beside the WSGI workers, an ASGI server; see docs/deployment.md.
"""
