"""The settings of the app: one dict, ``DEPICT_RECO``, in which every key has a default.

``conf.settings.NAME`` is the project's value as it stands: nothing is captured at import, and what
was read is read anew when Django tells that the dict was set (``override_settings`` does).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from django.conf import settings as django_settings
from django.core.signals import setting_changed


class Settings:
    """The defaults; a string under each says what it does."""

    ARTIFACT_DIR: str = ""
    """Folder of the trained models. Empty: ``depict_reco_artifacts`` in ``BASE_DIR``."""

    ARTIFACT_STORAGE: str = ""
    """Alias in Django's ``STORAGES`` to keep models in (a bucket, say) instead of ARTIFACT_DIR."""

    ARTIFACT_CACHE_DIR: str = ""
    """Folder of what the processes of a machine share: catalogues, and the models that they map.

    Empty: one in the system's temp folder.
    """

    ARTIFACT_VERSIONS_KEPT: int = 5
    """Model versions kept per market, the served one included, to roll back to."""

    REFRESH_SECONDS: float = 1.0
    """Seconds after which a process asks the database what has changed, with one query."""

    CHANGES_CACHE: str = ""
    """Alias in Django's ``CACHES`` of a shared cache, Redis say, that tells of changes at once.

    Processes look into it up to 20 times a second, to ask the database sooner. Empty: none.
    """

    SERVED_WRITE_SECONDS: float = 60.0
    """Seconds between writes of how many displays were sent; 0: they are not counted."""

    RETRY_SECONDS: float = 2.0
    """Seconds between attempts to reach a database or cache that does not answer."""

    RECOMMENDATION_ID_PARAMETER: str = "recommendation_id"
    """Query parameter that carries the recommendation id in ``page_url``; empty: none is added."""

    DISPLAY_ATTRIBUTES: tuple[str, ...] = ()
    """Custom attributes of products that are copied into their displays."""

    DEFAULT_TENANT: str = ""
    """Slug of the tenant that the template tag asks about unless told; empty: the only one."""

    DEFAULT_MARKET: str = ""
    """Slug of the market that it asks about, likewise."""

    MAX_BODY_BYTES: int = 1_048_576
    """Largest request body that the storefront endpoints read, in bytes; more is answered 413."""

    MAX_EVENTS_PER_REQUEST: int = 1000
    """Most events that one request may bring; more is answered 422."""

    MAX_EVENT_REQUESTS: int = 16
    """Requests with events that a process works on at once; further ones are answered 503."""

    EVENT_PATIENCE_SECONDS: float = 5.0
    """Seconds that PostgreSQL may take to store a request's events; then it is answered 503."""

    PAGES_MAY_WITHDRAW: bool = True
    """Whether ``product_unavailable`` without a key takes products out of answers."""

    PAGES_WITHDRAW_SHARE: float = 0.02
    """Share of a market's products that may be out in that way because of the last day's events.

    Ten may always. With a key all may.
    """

    EVENT_RATE_LIMIT_PER_KEY: str = ""
    """Most requests with events with one key, such as ``600/minute``; empty: as many as come."""

    EVENT_RATE_LIMIT_PER_ADDRESS: str = ""
    """Most requests with events without a key from one address, likewise."""

    MANAGEMENT_MAX_BODY_BYTES: int = 16_777_216
    """Largest request body that the management API reads, in bytes; more is answered 413."""

    HISTORY_LENGTH: int = 50
    """Newest events of a shopper that a recommendation looks at."""

    RANKINGS_KEPT: int = 5000
    """Rankings that a process keeps per market for questions that come again; 0: none.

    They go with every change of the catalogue or the model, and none depends on a shopper.
    """

    RATE_LIMIT_PER_KEY: str = ""
    """Most storefront requests with one key, such as ``600/minute``; empty: as many as come."""

    RATE_LIMIT_PER_ADDRESS: str = ""
    """Most storefront requests without a key from one address, likewise."""

    RATE_LIMIT_CACHE: str = "default"
    """Alias in Django's ``CACHES`` of the cache that requests are counted in."""

    TRUSTED_PROXIES: int = 0
    """Proxies of yours in front, each of which adds the caller to ``X-Forwarded-For``."""

    SOCKET_EVENTS_HELD: int = 10_000
    """Most events from WebSockets that a process keeps while the database does not take them."""

    SOCKET_BYTES_HELD: int = 16_777_216
    """Most bytes that these may have, likewise."""

    SOCKET_ACK_SECONDS: float = 4.0
    """Seconds after which an event from a WebSocket is acknowledged if it is not stored yet.

    Depict's client sends again after five, and what is acknowledged it never sends again.
    """

    SOCKET_EVENTS_PER_MINUTE: int = 600
    """Most frames that one WebSocket may send in a minute; it is closed for good after more."""

    SOCKET_MALFORMED_FRAMES: int = 10
    """Most messages without id or event that one WebSocket may send, likewise."""

    OPERATIONS_TOKEN: str = ""
    """Bearer token that opens metrics and the details of readiness; empty: none does."""

    OPERATIONS_NETWORKS: tuple[str, ...] = ()
    """Networks, such as ``10.0.0.0/8``, whose addresses may see the same without a token."""

    READY_MAX_MODEL_AGE_HOURS: float = 0.0
    """Age of a model from which on readiness says degraded; 0: never."""

    READY_MAX_FEED_AGE_HOURS: float = 0.0
    """Hours since the last good feed run from which on readiness says degraded; 0: never."""

    FEED_MAX_BYTES: int = 2_147_483_648
    """Largest feed read from an address, unpacked, in bytes."""

    FEED_TIMEOUT_SECONDS: float = 30.0
    """Seconds that the server of a feed may keep silent."""

    FEED_MAX_SECONDS: float = 3600.0
    """Seconds that reading a feed from an address may take in all."""

    FEED_ALLOW_PRIVATE_ADDRESSES: bool = False
    """Whether feeds may be fetched from loopback, link-local and private addresses."""

    FEED_MAX_DEACTIVATED_SHARE: float = 0.5
    """Share of a market's active products that a full feed may take away (0 to 1)."""

    FEED_PACE: float = 1.0
    """Share of its time that a feed import works, and leaves database and web servers alone else.

    A quarter, say, where they share a machine that has little to spare.
    """

    IMPORT_BATCH_SIZE: int = 1000
    """Rows written in one transaction by imports."""

    EVENT_RETENTION_DAYS: Mapping[str, int] = {}
    """Days that ``reco_prune_events`` keeps events, by type; ``*``: of all other types.

    Types that are not named are kept for ever. A tenant can have days of its own.
    """

    ERASED_SILENCE_HOURS: float = 24.0
    """Hours after an erasure in which events of the shopper's ids are stored without them."""

    TRAINING_WINDOW_DAYS: int = 540
    """Days of events, back from the newest, that a training reads."""

    TRAINING_MEMORY_MB: int = 0
    """Megabytes that a training may take. 0: what the machine and its control groups have left."""

    TUNING_SHARE: float = 0.2
    """Share of a training's time that goes into tuning, where that is more than a minute."""

    GATE_TOLERANCE: float = 0.1
    """How much worse than the served model a new one may be, as a share of HR@20 and MRR@20."""

    API_AUTHENTICATION_CLASSES: tuple[str, ...] = (
        "depict_reco.api.authentication.QueryKeyAuthentication",
        "depict_reco.api.authentication.HeaderKeyAuthentication",
        "depict_reco.api.authentication.CookieKeyAuthentication",
    )
    """Dotted paths of the authentication classes of the API, in the order they are asked."""


class _Live:
    """The settings in force. A request reads a dozen: Django is asked for each once."""

    def __getattr__(self, name: str) -> Any:
        own = getattr(django_settings, "DEPICT_RECO", {})
        default = getattr(Settings, name)  # raises for what is no setting
        value = self.__dict__[name] = own.get(name, default)
        return value

    def forget(self, *, setting: str, **_: object) -> None:
        """Read all anew if it is our dict that was set."""
        if setting == "DEPICT_RECO":
            self.__dict__.clear()


_live = _Live()
setting_changed.connect(_live.forget)
settings = cast(Settings, _live)


def defaults() -> dict[str, Any]:
    """Return every known key with its default."""
    return {name: value for name, value in vars(Settings).items() if name.isupper()}


def artifact_dir() -> Path:
    """Return the folder that models are kept in when no storage is named."""
    if settings.ARTIFACT_DIR:
        return Path(settings.ARTIFACT_DIR)
    return Path(getattr(django_settings, "BASE_DIR", "") or ".") / "depict_reco_artifacts"


def debug() -> bool:
    """Return whether the project is being developed, so that its pages may tell what is wrong."""
    return bool(django_settings.DEBUG)
