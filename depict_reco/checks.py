"""System checks: settings that cannot work, and installations that will disappoint.

docs/checks.md has a paragraph for each.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.utils.module_loading import import_string
from rest_framework.authentication import BaseAuthentication

from depict_reco.api.throttling import parse_rate
from depict_reco.conf import artifact_dir, defaults
from depict_reco.engine import blending
from depict_reco.events.retention import by_type, days_complaint, shortcomings
from depict_reco.serving import filling
from depict_reco.tenants.models import Tenant

TAG = "depict_reco"
"""``manage.py check --tag depict_reco`` runs these checks alone."""

_PER_PROCESS_CACHES = {
    "django.core.cache.backends.dummy.DummyCache",
    "django.core.cache.backends.locmem.LocMemCache",
}
_RANGES: dict[str, tuple[float, float]] = {
    "TRAINING_MEMORY_MB": (0, float("inf")),
    "TUNING_SHARE": (0, 0.9),
    "GATE_TOLERANCE": (0, 1),
    "REFRESH_SECONDS": (0, float("inf")),
    "HISTORY_LENGTH": (0, float("inf")),
    "RANKINGS_KEPT": (0, float("inf")),
    "ERASED_SILENCE_HOURS": (0, float("inf")),
    "SERVED_WRITE_SECONDS": (0, float("inf")),
    "TRUSTED_PROXIES": (0, float("inf")),
    "READY_MAX_MODEL_AGE_HOURS": (0, float("inf")),
    "READY_MAX_FEED_AGE_HOURS": (0, float("inf")),
    "FEED_MAX_DEACTIVATED_SHARE": (0, 1),
    "FEED_PACE": (0.01, 1),
}
"""Numbers that may be 0 or have an upper bound; all others must be above 0."""
_LIMITS_PER_KEY = ("RATE_LIMIT_PER_KEY", "EVENT_RATE_LIMIT_PER_KEY")
_LIMITS_PER_ADDRESS = ("RATE_LIMIT_PER_ADDRESS", "EVENT_RATE_LIMIT_PER_ADDRESS")
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9_.~-]*")


@register(TAG)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Report keys of DEPICT_RECO that are not known, and values that cannot work."""
    given = getattr(django_settings, "DEPICT_RECO", {})
    if not isinstance(given, Mapping):
        return [_error(1, "DEPICT_RECO is not a dict.", hint='Write DEPICT_RECO = {"KEY": value}.')]
    known = defaults()
    messages: list[CheckMessage] = []
    for key, value in given.items():
        if key not in known:
            messages.append(_unknown_key(key, known=list(known)))
        elif complaint := _complaint(key, value, default=known[key]):
            messages.append(
                _error(
                    3,
                    f"DEPICT_RECO[{key!r}] is {value!r}, but must be {complaint}.",
                    hint=f"The default is {known[key]!r}.",
                )
            )
    return messages


@register(TAG)
def check_authentication_classes(**kwargs: Any) -> list[CheckMessage]:
    """Report dotted paths in API_AUTHENTICATION_CLASSES that lead to no authentication class."""
    paths = _value("API_AUTHENTICATION_CLASSES")
    messages: list[CheckMessage] = []
    for path in paths or ():
        try:
            found = import_string(path)
        except ImportError as error:
            problem = f"cannot be imported: {error}"
        else:
            if isinstance(found, type) and issubclass(found, BaseAuthentication):
                continue
            problem = "is no authentication class of Django REST framework."
        messages.append(
            _error(
                4,
                f"{path!r} in DEPICT_RECO['API_AUTHENTICATION_CLASSES'] {problem}",
                hint="Name subclasses of rest_framework.authentication.BaseAuthentication.",
            )
        )
    return messages


@register(TAG)
def check_artifact_storage(**kwargs: Any) -> list[CheckMessage]:
    """Report a storage that does not exist, and folders that trained models cannot go into."""
    alias = _value("ARTIFACT_STORAGE")
    if alias:
        if alias in django_settings.STORAGES:
            return []
        hint = f"STORAGES has {', '.join(map(repr, django_settings.STORAGES))}."
        return [_error(5, f"DEPICT_RECO['ARTIFACT_STORAGE'] names no storage: {alias!r}.", hint)]
    if _value("ARTIFACT_DIR") is None or _is_writable(artifact_dir()):
        return []
    return [
        _warning(
            1,
            f"This process cannot write to {artifact_dir()}, the folder of trained models.",
            hint="Training will fail here; serving will not. Set DEPICT_RECO['ARTIFACT_DIR'] to a "
            "folder that the process which trains may write to, or silence this where none does.",
        )
    ]


@register(TAG)
def check_rate_limit_cache(**kwargs: Any) -> list[CheckMessage]:
    """Report a cache for counting requests that does not exist."""
    alias = _value("RATE_LIMIT_CACHE")
    if alias is None or alias in django_settings.CACHES:
        return []
    hint = f"CACHES has {', '.join(map(repr, django_settings.CACHES))}."
    return [_error(6, f"DEPICT_RECO['RATE_LIMIT_CACHE'] names no cache: {alias!r}.", hint)]


@register(TAG)
def check_changes_cache(**kwargs: Any) -> list[CheckMessage]:
    """Report a cache for word of changes that does not exist, or that no other process sees."""
    alias = _value("CHANGES_CACHE")
    if not alias:
        return []
    if alias not in django_settings.CACHES:
        hint = f"CACHES has {', '.join(map(repr, django_settings.CACHES))}."
        return [_error(7, f"DEPICT_RECO['CHANGES_CACHE'] names no cache: {alias!r}.", hint)]
    if django_settings.CACHES[alias].get("BACKEND") not in _PER_PROCESS_CACHES:
        return []
    return [
        _warning(
            7,
            f"DEPICT_RECO['CHANGES_CACHE'] is {alias!r}, a cache of each process for itself: no "
            "other process hears of a change.",
            hint="Name a shared cache, such as Redis, or leave the setting out: changes then "
            "take up to REFRESH_SECONDS.",
        )
    ]


@register(TAG, Tags.security, deploy=True)
def check_proxies(**kwargs: Any) -> list[CheckMessage]:
    """Warn of a limit per address where all requests may come from the address of a proxy."""
    limits = [name for name in _LIMITS_PER_ADDRESS if _value(name)]
    if not limits or _value("TRUSTED_PROXIES"):
        return []
    return [
        _warning(
            4,
            f"DEPICT_RECO[{limits[0]!r}] is set, and DEPICT_RECO['TRUSTED_PROXIES'] is "
            "0: behind a proxy all shoppers have one address.",
            hint="Set TRUSTED_PROXIES to the number of your proxies, or silence this if browsers "
            "reach this server directly.",
        )
    ]


@register(TAG, Tags.database, deploy=True)
def check_database_patience(**kwargs: Any) -> list[CheckMessage]:
    """Warn of a PostgreSQL database that a request would wait for without end."""
    database = django_settings.DATABASES.get("default", {})
    options = database.get("OPTIONS") or {}
    if "postgresql" not in database.get("ENGINE", "") or "connect_timeout" in options:
        return []
    return [
        _warning(
            5,
            "The database has no connect_timeout: where its machine is gone, a request may wait "
            "for it for minutes.",
            hint="Set OPTIONS to {'connect_timeout': 2, 'tcp_user_timeout': 5000} in DATABASES.",
        )
    ]


@register(TAG, Tags.caches, deploy=True)
def check_shared_cache(**kwargs: Any) -> list[CheckMessage]:
    """Warn of a default cache that each process of the site has for itself."""
    backend = django_settings.CACHES.get("default", {}).get("BACKEND")
    if backend not in _PER_PROCESS_CACHES:
        return []
    return [
        _warning(
            2,
            "The default cache is one of each process: with several workers, each counts request "
            "limits for itself.",
            hint="Use a shared cache, such as Redis, in CACHES; silence this if the site runs in "
            "one process.",
        )
    ]


@register(TAG, Tags.security, deploy=True)
def check_authentication(**kwargs: Any) -> list[CheckMessage]:
    """Warn of an API that knows nobody."""
    if _value("API_AUTHENTICATION_CLASSES") not in ((), []):
        return []
    return [
        _warning(
            3,
            "DEPICT_RECO['API_AUTHENTICATION_CLASSES'] is empty: the API accepts no key, and only "
            "pages of shops that are open to their origins get an answer.",
            hint="Leave the setting out to accept keys in the query, a header or a cookie.",
        )
    ]


@register(TAG, deploy=True)
def check_compiled(**kwargs: Any) -> list[CheckMessage]:
    """Warn of an installation in which Python and numpy have to do what can be compiled."""
    if blending.compiled is not None and filling.compiled is not None:
        return []
    return [
        _warning(
            8,
            "What can be compiled is not: answers are the same, and take up to twice the "
            "processor time.",
            hint="Install depict_reco again where a C compiler and the headers of Python are, or "
            "from a wheel of this platform.",
        )
    ]


@register(TAG)
def check_retention(**kwargs: Any) -> list[CheckMessage]:
    """Warn of events that go before everything that reads them has done so."""
    days = _value("EVENT_RETENTION_DAYS")
    if not days or _value("TRAINING_WINDOW_DAYS") is None:
        return []
    window = Tenant._meta.get_field("attribution_window_days").default
    return [
        _warning(
            6,
            f"DEPICT_RECO['EVENT_RETENTION_DAYS'] is short: {text}.",
            hint="Keep these events longer, shorten what reads them, or silence this if it is "
            "meant so.",
        )
        for text in shortcomings(by_type(days), attribution_days=window)
    ]


def _value(key: str) -> Any:
    """Return the value of a key, or None where another check has found fault with it."""
    given = getattr(django_settings, "DEPICT_RECO", {})
    if not isinstance(given, Mapping):
        return None
    default = defaults()[key]
    value = given.get(key, default)
    return None if _complaint(key, value, default=default) else value


def _unknown_key(key: Any, *, known: list[str]) -> CheckMessage:
    close = difflib.get_close_matches(str(key).upper(), known, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "docs/settings.md lists the keys."
    return _error(2, f"DEPICT_RECO has no setting {key!r}.", hint)


def _complaint(key: str, value: Any, *, default: Any) -> str | None:
    """Return what a value must be, if it is not."""
    if isinstance(default, bool):
        return None if isinstance(value, bool) else "True or False"
    if isinstance(default, int | float):
        return _number_complaint(key, value, whole=isinstance(default, int))
    if key == "EVENT_RETENTION_DAYS":
        problem = days_complaint(value)
        return f"days by type of event: {problem}" if problem else None
    if isinstance(default, tuple):
        is_list = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        fits = is_list and all(isinstance(item, str) and item for item in value)
        if key == "OPERATIONS_NETWORKS":
            return None if fits and all(map(_is_network, value)) else "a list of networks"
        return None if fits else "a list of strings"
    if key == "RECOMMENDATION_ID_PARAMETER":
        is_name = isinstance(value, str) and _PARAMETER_NAME.fullmatch(value)
        return None if is_name else "a name of letters, digits and . _ ~ -, or empty"
    if key in (*_LIMITS_PER_KEY, *_LIMITS_PER_ADDRESS):
        return None if _is_rate(value) else "a rate such as '600/minute', or empty"
    kinds: tuple[type, ...] = (str, Path) if key.endswith("_DIR") else (str,)
    return None if isinstance(value, kinds) else "a string"


def _number_complaint(key: str, value: Any, *, whole: bool) -> str | None:
    kind = "a whole number" if whole else "a number"
    is_number = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
    if key not in _RANGES:
        return None if is_number and 0 < value < float("inf") else f"{kind} above 0"
    low, high = _RANGES[key]
    if is_number and low <= value <= high and value != float("inf"):
        return None
    return f"{kind} from {low} to {high}" if high < float("inf") else f"{kind} from {low} on"


def _is_rate(value: Any) -> bool:
    try:
        parse_rate(value)
    except (TypeError, ValueError):
        return False
    return isinstance(value, str)


def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        return False
    return True


def _is_writable(folder: Path) -> bool:
    """Whether a folder can be written to, or made if it is not there yet."""
    for candidate in (folder, *folder.absolute().parents):
        if candidate.exists():
            return candidate.is_dir() and os.access(candidate, os.W_OK | os.X_OK)
    return False


def _error(number: int, message: str, hint: str) -> CheckMessage:
    return Error(message, hint=_with_anchor(hint, f"E{number:03}"), id=f"depict_reco.E{number:03}")


def _warning(number: int, message: str, hint: str) -> CheckMessage:
    return Warning(
        message, hint=_with_anchor(hint, f"W{number:03}"), id=f"depict_reco.W{number:03}"
    )


def _with_anchor(hint: str, number: str) -> str:
    return f"{hint} See docs/checks.md#depict_reco{number.lower()}"
