"""What stands for an id that must not be kept: a digest that only this installation can make.

The key comes from ``SECRET_KEY``, so that nobody who reads the database can find out whose digest
it is by trying customer numbers. Digests made under one of ``SECRET_KEY_FALLBACKS`` still count.
"""

from __future__ import annotations

import functools
import hashlib

from django.conf import settings as django_settings

_LENGTH = 16


def digest(text: str, *, tenant_pk: int) -> str:
    """Return the digest of an id of a tenant: 32 hexadecimal digits."""
    return _digest(text, tenant_pk=tenant_pk, secret=django_settings.SECRET_KEY)


def all_digests(text: str, *, tenant_pk: int) -> list[str]:
    """Return the digests of an id under the present key and under those before it."""
    secrets = (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS)
    return [_digest(text, tenant_pk=tenant_pk, secret=secret) for secret in secrets]


def _digest(text: str, *, tenant_pk: int, secret: str | bytes) -> str:
    content = f"{tenant_pk}\0{text}".encode()
    return hashlib.blake2b(content, key=_key(secret), digest_size=_LENGTH).hexdigest()


@functools.lru_cache(maxsize=8)
def _key(secret: str | bytes) -> bytes:
    material = secret if isinstance(secret, bytes) else secret.encode()
    return hashlib.blake2b(material, person=b"reco_shopper_ids", digest_size=32).digest()
