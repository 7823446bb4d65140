"""What makes a WSGI application answer sooner.

In the project's ``wsgi.py``::

    application = in_one_piece(get_wsgi_application())
    settle()
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import Any

from django.urls import get_resolver

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def in_one_piece(application: Application) -> Application:
    """Return a Django application that hands each body over as a list; streams stay streams.

    granian sends a list of bytes at once, with its length, and whatever else an application returns
    piece by piece.
    """

    def whole(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        response: Any = application(environ, start_response)
        if getattr(response, "streaming", True):  # as is what a server wraps files in
            return response
        try:
            return [response.content]
        finally:
            response.close()  # which nobody does to a list

    return whole


def settle() -> None:
    """Load what requests need of the project, and keep the garbage collector from looking at it.

    Now and then the collector goes over everything that is there, a hundred thousand objects of a
    Django project, and all requests wait for it: 50 ms instead of 4. To be called once, when
    the application has been made.
    """
    _ = get_resolver().url_patterns  # made when they are first asked for, which imports all views
    gc.collect()
    gc.freeze()
