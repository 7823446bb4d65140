"""Web origins, as browsers send them in the ``Origin`` header."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")


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
        host = _host(parts.hostname or "")
    except ValueError:
        raise ValueError(advice) from None
    if (
        parts.scheme not in _DEFAULT_PORTS
        or parts.path not in ("", "/")
        or parts.query
        or parts.fragment
        or parts.username is not None
    ):
        raise ValueError(advice)
    suffix = "" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{host}{suffix}"


def _host(name: str) -> str:
    """Return a host name as it stands in an address, or raise ValueError."""
    if ":" in name and "%" not in name:  # browsers take no zone
        return f"[{ipaddress.IPv6Address(name)}]"
    host = name.encode("idna").decode()  # UnicodeError is a ValueError
    if not _HOST.fullmatch(host):
        raise ValueError(name)
    return host
