"""Where a request comes from, as far as that can be known behind proxies."""

from __future__ import annotations

import ipaddress

from django.http import HttpRequest

from depict_reco.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def address_of(request: HttpRequest) -> Address | None:
    """Return the address of the caller; None where the server does not tell.

    ``X-Forwarded-For`` is written by anybody, so only what the project's own proxies
    (``TRUSTED_PROXIES`` of them) have appended to it is looked at.
    """
    peer = _parsed(request.META.get("REMOTE_ADDR", ""))
    trusted = settings.TRUSTED_PROXIES
    if trusted <= 0:
        return peer
    chain = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    if len(chain) < trusted:
        return peer  # it did not come through all of them
    return _parsed(chain[-trusted]) or peer


def network_of(address: Address) -> str:
    """Return what one subscriber has: an IPv4 address, or the first half of an IPv6 one."""
    if address.version == 6 and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if address.version == 6:
        return str(ipaddress.IPv6Network((address, 64), strict=False))
    return str(address)


def _parsed(text: str) -> Address | None:
    """Read an address, with or without a port, as proxies write it."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
