"""The secrets of API keys: how they are made, checked and digested.

A secret reads ``reco_`` + 32 base-62 characters (190 random bits) + 6 characters of checksum.
The prefix lets secret scanners find a leaked key, the checksum refuses a mistyped one before any
query, and only a SHA-256 digest is kept: with that much randomness it cannot be turned around.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "reco_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}", flags=re.ASCII)


def generate() -> str:
    """Return a new secret."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return f"{PREFIX}{body}{_checksum(body)}"


def is_well_formed(secret: str) -> bool:
    """Whether a string can be a secret at all: right prefix, length and checksum."""
    if not _SHAPE.fullmatch(secret):
        return False
    body = secret[len(PREFIX) :]
    return _checksum(body[:_RANDOM_LENGTH]) == body[_RANDOM_LENGTH:]


def digest(secret: str) -> str:
    """Return the hexadecimal SHA-256 digest under which a secret is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def hint(secret: str) -> str:
    """Return the beginning of a secret, enough for a person to recognise it."""
    return secret[: len(PREFIX) + 4]


def _checksum(body: str) -> str:
    value = zlib.crc32(body.encode())
    characters = []
    for _ in range(_CHECKSUM_LENGTH):
        value, remainder = divmod(value, len(_ALPHABET))
        characters.append(_ALPHABET[remainder])
    return "".join(characters)
