"""Addresses of feeds: which machines they may lead to, and how they are shown.

Feeds are fetched from public machines only, unless the settings say otherwise.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit, urlunsplit

from depict_reco.conf import settings
from depict_reco.exceptions import AddressNotAllowedError, FeedError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SECRET_PARAMETER = re.compile(
    r"((?:^|[&;])(?:[^=&;]*[_.-])?"
    r"(?:auth|credential|api-?key|key|pass|password|passwd|pwd|secret|sig|signature|token)=)[^&;]+",
    flags=re.IGNORECASE,
)


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, to connect to these and no others.

    All of them must be allowed, so that a name cannot lead to a public address when it is
    checked and to a private one when it is used.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise FeedError(f"The host {host!r} is not known.") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not settings.FEED_ALLOW_PRIVATE_ADDRESSES:
        for address in addresses:
            if not is_public(ipaddress.ip_address(address)):
                raise AddressNotAllowedError(
                    f"{host!r} is at {address}, which is not a public address "
                    "(FEED_ALLOW_PRIVATE_ADDRESSES allows such)."
                )
    return addresses


def is_public(address: IPAddress) -> bool:
    """Whether an address is one of the public internet, and no other one dressed up as such."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo is not None:
            return False
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved


def without_password(url: str) -> str:
    """Return an address as it may be shown and kept, without passwords and tokens."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if not parts.scheme or not parts.netloc:
        return url
    netloc = "***@" + parts.netloc.rpartition("@")[2] if "@" in parts.netloc else parts.netloc
    query = _SECRET_PARAMETER.sub(r"\1***", parts.query)
    return urlunsplit(parts._replace(netloc=netloc, query=query))
