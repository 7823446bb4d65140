"""Whether what a shopper does may be kept under the shopper's ids."""

from __future__ import annotations

import enum
from dataclasses import replace

from depict_reco.events.digests import digest
from depict_reco.events.records import NewEvent, derived_deduplication_id

CONSENT_PARAMETER = "consent"
"""Query parameter of the endpoints, and key of a recommend request's ``metadata``."""

_MARK = "~anonymous:"


class Consent(enum.Enum):
    """What the shopper said, as far as the caller tells."""

    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"


def read_consent(*texts: str | None) -> Consent:
    """Return what a caller says of consent in one place or several; a refusal goes first.

    Anything but ``granted`` and ``denied``, in whatever case, says nothing.
    """
    said = {text.strip().lower() for text in texts if text}
    if Consent.DENIED.value in said:
        return Consent.DENIED
    return Consent.GRANTED if Consent.GRANTED.value in said else Consent.UNKNOWN


def ids_allowed(consent: Consent, *, required: bool) -> bool:
    """Whether a shopper's ids may be stored and history be read.

    ``required`` says that the tenant takes silence for a no.
    """
    return consent is Consent.GRANTED or (consent is Consent.UNKNOWN and not required)


def without_ids(event: NewEvent, *, tenant_pk: int) -> NewEvent:
    """Return an event that still counts, and leads to nobody.

    Session and user are gone. An order's number, which leads to a customer in the shop's own
    books, becomes a digest: equal for the lines of one order, so that it is counted once. So
    does the deduplication id, which a client may have made of the session's. Done twice, it
    changes nothing more.
    """
    own = event.deduplication_id or derived_deduplication_id(event)
    return replace(
        event,
        session_id="",
        user_id="",
        dsid=None,
        transaction_id=masked(event.transaction_id, tenant_pk=tenant_pk),
        deduplication_id=masked(own, tenant_pk=tenant_pk),
    )


def masked(name: str, *, tenant_pk: int) -> str:
    """Return the digest that stands for an order's number or a deduplication id."""
    if not name or name.startswith(_MARK):
        return name
    return _MARK + digest(name, tenant_pk=tenant_pk)
