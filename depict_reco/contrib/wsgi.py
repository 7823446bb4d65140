"""Answers in one piece, for servers that send those sooner.

granian sends a list of bytes at once, with its length, and whatever else an application returns
piece by piece. In the project's ``wsgi.py``::

    application = in_one_piece(get_wsgi_application())
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def in_one_piece(application: Application) -> Application:
    """Return a Django application that hands each body over as a list; streams stay streams."""

    def whole(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        response: Any = application(environ, start_response)
        if getattr(response, "streaming", True):  # as is what a server wraps files in
            return response
        try:
            return [response.content]
        finally:
            response.close()  # which nobody does to a list

    return whole
