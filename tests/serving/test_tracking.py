from __future__ import annotations

import random
import re
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from depict_reco.serving.tracking import read_recommendation_id, recommendation_ids

NOW = datetime(2026, 5, 17, 12, 34, 56, tzinfo=UTC)
SHAPE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@hypothesis_settings(deadline=None)
@given(
    product_pk=st.integers(0, 2**34 - 1),
    type_pk=st.integers(0, 2**20 - 1),
    variant=st.integers(0, 2**4 - 1),
    minute=st.integers(0, 2**25 - 1),
    position=st.integers(0, 127),
)
def test_an_id_says_what_was_put_into_it(product_pk, type_pk, variant, minute, position):
    time = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)

    ids = recommendation_ids(
        [1] * position + [product_pk], type_pk=type_pk, now=time, variant=variant
    )
    found = read_recommendation_id(ids[-1])

    assert SHAPE.fullmatch(ids[-1])
    assert found.product_pk == product_pk
    assert found.type_pk == type_pk
    assert found.variant == variant
    assert found.position == position
    assert found.time == time


def test_the_time_is_kept_to_the_minute():
    [text] = recommendation_ids([7], type_pk=3, now=NOW)

    assert read_recommendation_id(text).time == datetime(2026, 5, 17, 12, 34, tzinfo=UTC)


def test_a_clock_that_runs_in_the_past_is_no_error():
    [text] = recommendation_ids([7], type_pk=3, now=datetime(1999, 1, 1, tzinfo=UTC))

    assert read_recommendation_id(text).time == datetime(2025, 1, 1, tzinfo=UTC)


def test_ids_of_one_answer_differ_even_for_the_same_product():
    ids = recommendation_ids([7] * 128, type_pk=3, now=NOW)

    assert len(set(ids)) == 128


def test_ids_of_two_answers_differ():
    answers = {recommendation_ids([7], type_pk=3, now=NOW)[0] for _ in range(50)}

    assert len(answers) > 40


def test_an_id_is_read_in_capitals_and_without_hyphens():
    [text] = recommendation_ids([7], type_pk=3, now=NOW)

    assert read_recommendation_id(text.upper().replace("-", "")).product_pk == 7


def test_ids_made_under_an_earlier_secret_key_are_read(settings):
    settings.SECRET_KEY = "old"
    [text] = recommendation_ids([7], type_pk=3, now=NOW)

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["older", "old"]
    assert read_recommendation_id(text).product_pk == 7

    settings.SECRET_KEY_FALLBACKS = []
    assert read_recommendation_id(text) is None


def test_a_secret_key_may_be_bytes(settings):
    settings.SECRET_KEY = b"\xff\x00bytes"
    [text] = recommendation_ids([7], type_pk=3, now=NOW)

    assert read_recommendation_id(text).product_pk == 7


def test_foreign_ids_are_not_ours():
    assert not [x for x in (str(uuid.uuid4()) for _ in range(1000)) if read_recommendation_id(x)]


def test_one_flipped_bit_and_it_is_no_longer_ours():
    [text] = recommendation_ids([7], type_pk=3, now=NOW)
    value = int(text.replace("-", ""), 16)

    flipped = [f"{value ^ (1 << bit):032x}" for bit in range(128)]

    assert [x for x in flipped if read_recommendation_id(x)] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        " " * 32,  # no digits at all
        "00 " + "0" * 29,  # fromhex() skips blanks: 15 bytes
        "\t" * 16 + "0" * 16,
        "g" * 32,
        "٣" * 32,  # digits, but not hexadecimal ones of ASCII
        "\ud800" * 32,
        "\0" * 32,
        "🐻" * 32,
        "-" * 100_000,
        "0" * 33,
        "0" * 100_000,
    ],
)
def test_odd_texts_are_not_ours(text):
    assert read_recommendation_id(text) is None


@hypothesis_settings(deadline=None)
@given(st.one_of(st.text(), st.text(alphabet="0123456789abcdefABCDEF- \n\t_x", max_size=40)))
def test_no_text_ever_raises(text):
    assert read_recommendation_id(text) is None


@hypothesis_settings(deadline=None)
@given(st.binary(min_size=16, max_size=16))
def test_random_blocks_are_not_ours(block):
    # one in 2**24 would be: far beyond what this test draws
    assert read_recommendation_id(block.hex()) is None


def test_no_order_can_be_read_from_ids():
    numbers = random.Random(0).sample(range(10**6), 50)
    by_number = [recommendation_ids([n], type_pk=1, now=NOW)[0] for n in sorted(numbers)]

    assert by_number != sorted(by_number)
