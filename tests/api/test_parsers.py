from __future__ import annotations

import io
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.api import parsers
from depict_reco.api.errors import BodyTooLargeError, InvalidRequestError
from depict_reco.api.parsers import JSONBodyParser, loads, loads_with_json, read_body

VALID = [
    (b"{}", {}),
    (b" \t\r\n[1] \n", [1]),
    (b"null", None),
    (b"-0", 0),
    (b"1e2", 100.0),
    (b"1E-400", 0.0),
    (b"18446744073709551615", 2**64 - 1),
    (b"18446744073709551616", 2.0**64),
    (b"-9223372036854775808", -(2**63)),
    (b"-9223372036854775809", -(2.0**63)),
    (b"1" * 30, 1.111111111111111e29),
    (b"0." + b"1" * 5000, 0.1111111111111111),
    (b'{"a":1,"a":2}', {"a": 2}),
    (b'"\\u0000\\ud83d\\ude00\\/"', "\0😀/"),
    ('"😀\u2028\x7f"'.encode(), "😀\u2028\x7f"),
    (b'"\\\\ud800"', "\\ud800"),
    (b'"\\\\\\ud83d\\ude00"', "\\😀"),
    (b"[" * 100 + b"]" * 100, None),
    (b'["' + b"[" * 500 + b'"]', ["[" * 500]),
    (b'["\\"' + b"[" * 500 + b'"]', ['"' + "[" * 500]),
    (b"[" + b",".join([b"{}"] * 500) + b"]", [{}] * 500),
    (b"[" + b",".join([b"[[]]"] * 500) + b"]", [[[]]] * 500),
]
INVALID = [
    b" ",
    b"{",
    b"[1,]",
    b'{"a":1,}',
    b"{'a':1}",
    b"{a:1}",
    b"NaN",
    b"[Infinity]",
    b"[-Infinity]",
    b"1e400",
    b"-1e400",
    b"1" * 400,
    b"1" * 5000,
    b"01",
    b"1.",
    b".5",
    b"+1",
    b"0x1",
    b"true false",
    b"{}\0",
    b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"),
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\\ud800"',
    b'"\\udc00"',
    b'"\\ud800\\\\udc00"',
    b'"\\ud800\\u0041"',
    b'{"\\udbff":1}',
    b'{"a":"\\ud800","a":1}',
    b'"\x01"',
    b'"a\nb"',
    b'"\\x41"',
    b'"\\u00e"',
    b'"',
    b"// no\n{}",
    b"[" * 101 + b"]" * 101,
    b"[" * 10_000 + b"]" * 10_000,
    b"[" * 10_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b'[{"a":' * 51 + b"1" + b"}]" * 51,
]


def outcome(parse, body):
    try:
        return True, repr(parse(body))
    except ValueError:
        return False, ""


@pytest.fixture(params=[loads, loads_with_json], ids=["orjson", "json"])
def parse(request):
    return request.param


def test_orjson_is_used_where_it_is_installed():
    assert loads.__name__ == "loads_with_orjson"


def test_the_standard_library_is_used_where_it_is_not(monkeypatch):
    monkeypatch.setattr(parsers.importlib.util, "find_spec", lambda name: None)

    assert parsers._choose() is loads_with_json


@pytest.mark.parametrize(("body", "value"), VALID)
def test_json_is_read(parse, body, value):
    parsed = parse(body)

    if value is not None:
        assert parsed == value
        assert type(parsed) is type(value)


@pytest.mark.parametrize("body", INVALID, ids=lambda body: repr(body[:20]))
def test_what_is_not_json_is_refused(parse, body):
    with pytest.raises(ValueError):
        parse(body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(value=json_values, ascii=st.booleans())
def test_both_parsers_agree_on_written_values(value, ascii):
    body = json.dumps(value, ensure_ascii=ascii).encode(errors="surrogatepass")

    assert outcome(loads, body) == outcome(loads_with_json, body)


PIECES = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b'"a"', b"\\", b"\\u", b"d8", b"00", b"dc00",
    b"\\ud83d", b"\\ude00", b"1", b"0", b"-", b".", b"e", b"E", b"+", b"true", b"null", b"NaN",
    b" ", b"\n", b"\0", b"\x0b", b"\xff", b"\xc3\xa9", b"\xed\xa0\x80", b"9" * 40, b"1e309",
]  # fmt: skip


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12))
def test_both_parsers_agree_on_any_text(pieces):
    body = b"".join(pieces)

    assert outcome(loads, body) == outcome(loads_with_json, body)


@given(kinds=st.lists(st.sampled_from([(b"[", b"]"), (b'{"a":', b"}")]), min_size=95, max_size=105))
def test_the_depth_limit_is_exact(kinds):
    body = b"".join(a for a, _ in kinds) + b"1" + b"".join(b for _, b in reversed(kinds))

    assert outcome(loads, body)[0] == outcome(loads_with_json, body)[0] == (len(kinds) <= 100)


def test_orjson_alone_would_go_deeper():
    """Why the depth is checked after orjson too."""
    assert orjson.loads(b"[" * 101 + b"]" * 101)


class Stream(io.BytesIO):
    """A body that notes how much of it is asked for at once and in all."""

    largest = 0

    def read(self, size=-1, /):
        self.largest = max(self.largest, size if size >= 0 else 10**12)
        return super().read(size)


def test_a_body_of_the_limit_is_read():
    assert read_body(io.BytesIO(b"x" * 10), limit=10) == b"x" * 10


def test_a_body_above_the_limit_is_refused_and_not_held():
    stream = Stream(b"x" * 50_000_000)

    with pytest.raises(BodyTooLargeError) as refusal:
        read_body(stream, limit=1000)

    assert refusal.value.status_code == 413
    assert stream.largest <= 65_536
    assert stream.tell() == 50_000_000, "the client could not send it to its end"


def test_patience_with_an_endless_body_ends():
    class Endless:
        given = 0

        def read(self, size, /):
            self.given += size
            return b"x" * size

    stream = Endless()
    with pytest.raises(BodyTooLargeError):
        read_body(stream, limit=1000)

    assert stream.given < 70_000_000


def test_the_limit_is_a_setting(settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "MAX_BODY_BYTES": 5}

    assert JSONBodyParser().parse(io.BytesIO(b"12345")) == 12345
    with pytest.raises(BodyTooLargeError):
        JSONBodyParser().parse(io.BytesIO(b"123456"))


def test_an_empty_body_is_a_missing_one():
    with pytest.raises(InvalidRequestError) as refusal:
        JSONBodyParser().parse(io.BytesIO(b""))

    assert refusal.value.entries == [{"loc": ["body"], "msg": "Field required", "type": "missing"}]


@pytest.mark.parametrize(("body", "position"), [(b'{"a": x}', 6), (b'"\xff"', 0), (b"[1 2]", 3)])
def test_the_place_of_a_fault_is_told(body, position):
    with pytest.raises(InvalidRequestError) as refusal:
        JSONBodyParser().parse(io.BytesIO(body))

    assert refusal.value.entries == [
        {"loc": ["body", position], "msg": "JSON decode error", "type": "json_invalid"}
    ]
