from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.tenants import secrets


def test_a_secret_has_the_prefix_enough_randomness_and_a_checksum():
    secret = secrets.generate()

    assert re.fullmatch(r"reco_[0-9A-Za-z]{38}", secret)
    assert 62**32 >= 2**160
    assert secrets.is_well_formed(secret)
    assert len({secrets.generate() for _ in range(1000)}) == 1000


def test_a_known_secret():
    secret = "reco_" + "0" * 32 + "Iryjw2"

    assert secrets.is_well_formed(secret)
    assert secrets.hint(secret) == "reco_0000"
    assert secrets.digest(secret) == hashlib.sha256(secret.encode()).hexdigest()


@pytest.mark.parametrize("position", [5, 20, 36, 37, 42])
def test_one_wrong_character_is_noticed(position):
    secret = secrets.generate()
    other = "a" if secret[position] != "a" else "b"

    assert not secrets.is_well_formed(secret[:position] + other + secret[position + 1 :])


def test_two_swapped_characters_are_noticed():
    secret = "reco_" + "0" * 32 + "Iryjw2"

    assert not secrets.is_well_formed("reco_" + "0" * 32 + "rIyjw2")
    assert not secrets.is_well_formed(secret.upper())


@pytest.mark.parametrize("text", ["", "reco_", "reco_" + "0" * 38, "٣" * 43, "\ud800" * 43])
def test_what_is_no_secret(text):
    assert not secrets.is_well_formed(text)
    assert not secrets.is_well_formed(secrets.generate() + (text or "0"))


@given(st.text())
def test_any_text_is_refused(text):
    assert not secrets.is_well_formed(text)
