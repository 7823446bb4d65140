"""Web origins, as browsers send them in the ``Origin`` header."""

from __future__ import annotations

from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


def normalize_origin(text: str) -> str:
    """Return the form in which a browser sends an origin: lower case, no default port, no path.

    Raises ValueError, with advice, for anything that is not an http(s) origin.
    """
    advice = f"{text!r} is not an origin; write it like https://shop.example"
    if not isinstance(text, str):
        raise ValueError(advice)
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError(advice) from None
    if (
        parts.scheme not in _DEFAULT_PORTS
        or not parts.hostname
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or parts.username is not None
    ):
        raise ValueError(advice)
    try:
        host = parts.hostname.encode("idna").decode() if ":" not in parts.hostname else None
    except UnicodeError:
        raise ValueError(advice) from None
    host = host or f"[{parts.hostname}]"
    suffix = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{suffix}"
