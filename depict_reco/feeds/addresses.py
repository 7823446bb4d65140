"""To which machines feeds may be fetched from: public ones, unless the settings say otherwise."""

from __future__ import annotations

import ipaddress
import socket

from depict_reco.conf import settings
from depict_reco.exceptions import AddressNotAllowedError, FeedError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


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
