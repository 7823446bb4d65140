"""Recommendation ids: what was shown, written into the id itself, so that nothing is stored.

An id is one AES block in the shape of a UUID. It holds, from the highest bit::

    24 zero bits   prove that the id is ours: a made-up one decrypts to something else
    34 bits        primary key of the product
    20 bits        primary key of the recommendation type
    25 bits        minute since 2025-01-01 00:00 UTC (enough until 2088)
     7 bits        position, 0 is first
     4 bits        variant of an experiment
    14 bits        random, the same for all ids of one answer

The key is derived from ``SECRET_KEY``; ids made under one of ``SECRET_KEY_FALLBACKS`` are read
too. AES on single blocks is right here: every block differs, and order leaks nothing.
"""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings as django_settings

_EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
_PRODUCT, _TYPE, _MINUTE, _POSITION, _VARIANT, _NONCE = 34, 20, 25, 7, 4, 14
_BLOCK_LENGTH = 16
_HEX_LENGTH = 2 * _BLOCK_LENGTH
_BEHIND_POSITION = _VARIANT + _NONCE
_BEHIND_PRODUCT = _TYPE + _MINUTE + _POSITION + _BEHIND_POSITION
"""Bits that come after these fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What a recommendation id stands for."""

    product_pk: int
    type_pk: int
    position: int
    """0 is the first display of its answer."""
    variant: int
    time: datetime
    """When it was answered, to the minute."""


def recommendation_ids(
    product_pks: Sequence[int], *, type_pk: int, now: datetime, variant: int = 0
) -> list[str]:
    """Return a new id for each display of an answer, in their order."""
    return ids_of(recommendation_blocks(product_pks, type_pk=type_pk, now=now, variant=variant))


def recommendation_blocks(
    product_pks: Sequence[int], *, type_pk: int, now: datetime, variant: int = 0
) -> bytes:
    """Return the blocks of new ids, one behind the other; ``ids_of`` makes texts of them."""
    minute = max(0, int((now - _EPOCH).total_seconds()) // 60)  # a clock may be wrong
    same = (type_pk << _MINUTE | minute) << _POSITION + _VARIANT + _NONCE
    same |= variant << _NONCE | random.getrandbits(_NONCE)
    blocks = [
        (pk << _BEHIND_PRODUCT | same | position << _BEHIND_POSITION).to_bytes(_BLOCK_LENGTH)
        for position, pk in enumerate(product_pks)
    ]
    return _encryptor(django_settings.SECRET_KEY).update(b"".join(blocks))


def ids_of(blocks: bytes) -> list[str]:
    """Return the texts of ids: 8, 4, 4, 4 and 12 digits."""
    digits = blocks.hex()
    return [
        f"{digits[at : at + 8]}-{digits[at + 8 : at + 12]}-{digits[at + 12 : at + 16]}-"
        f"{digits[at + 16 : at + 20]}-{digits[at + 20 : at + _HEX_LENGTH]}"
        for at in range(0, len(digits), _HEX_LENGTH)
    ]


def read_recommendation_id(text: str) -> Recommendation | None:
    """Return what an id stands for, or None for one that is not ours; never raises."""
    digits = text.replace("-", "")
    if len(digits) != _HEX_LENGTH or not digits.isascii():
        return None
    try:
        block = bytes.fromhex(digits)
    except ValueError:
        return None
    if len(block) != _BLOCK_LENGTH:  # blanks among the digits, which fromhex() skips
        return None
    for secret in (django_settings.SECRET_KEY, *django_settings.SECRET_KEY_FALLBACKS):
        value = int.from_bytes(_cipher(secret).decryptor().update(block))
        if value >> (_PRODUCT + _TYPE + _MINUTE + _POSITION + _VARIANT + _NONCE) == 0:
            return _unpack(value)
    return None


def _unpack(value: int) -> Recommendation:
    def take(bits: int) -> int:
        nonlocal value
        field = value & ((1 << bits) - 1)
        value >>= bits
        return field

    take(_NONCE)
    variant, position, minute = take(_VARIANT), take(_POSITION), take(_MINUTE)
    type_pk, product_pk = take(_TYPE), take(_PRODUCT)
    return Recommendation(
        product_pk=product_pk,
        type_pk=type_pk,
        position=position,
        variant=variant,
        time=_EPOCH + timedelta(minutes=minute),
    )


def _encryptor(secret: str | bytes) -> CipherContext:
    """Return what encrypts whole blocks, which it does one by one; each thread has its own."""
    kept = _of_this_thread()
    if getattr(kept, "secret", None) != secret:
        kept.encryptor, kept.secret = _cipher(secret).encryptor(), secret
    encryptor: CipherContext = kept.encryptor
    return encryptor


@functools.cache
def _of_this_thread() -> threading.local:
    return threading.local()


@functools.lru_cache(maxsize=8)
def _cipher(secret: str | bytes) -> Cipher[modes.ECB]:
    material = secret if isinstance(secret, bytes) else secret.encode()
    key = HKDF(
        algorithm=SHA256(), length=16, salt=None, info=b"depict_reco recommendation id"
    ).derive(material)
    return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305  single blocks, see above
