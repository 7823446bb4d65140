"""Who may see how the service is doing: its operators, and no one else."""

from __future__ import annotations

import hmac
import ipaddress

from django.http import HttpRequest

from depict_reco.api.addresses import address_of
from depict_reco.conf import settings


def is_operator(request: HttpRequest) -> bool:
    """Whether a request brings the token, comes from a named network, or is of staff."""
    token = settings.OPERATIONS_TOKEN
    given = request.META.get("HTTP_AUTHORIZATION", "")
    if token and hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return True
    if networks := settings.OPERATIONS_NETWORKS:
        address = address_of(request)
        if address is not None and any(
            address in ipaddress.ip_network(network) for network in networks
        ):
            return True
    user = getattr(request, "user", None)  # a project may do without sessions
    return user is not None and user.is_active and user.is_staff
