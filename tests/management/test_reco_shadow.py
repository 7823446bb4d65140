from __future__ import annotations

import gzip
import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depict_reco.management.shadow import compare

SIMILAR = {"tenant": "old-name", "market": "SE", "type": "similar", "product_id": "teapot-1"}


def displays(*ids):
    return {"displays": [{"product_id": name, "title": "x"} for name in ids]}


def variants(*ids):
    shown = [[{"product_id": "other"}, {"product_id": name, "sku": f"s-{name}"}] for name in ids]
    return {"displays": [{"variant_index": 1, "variant_displays": pair} for pair in shown]}


@pytest.fixture
def shadow(shop, tmp_path):
    def run(*records, options=(), packed=False):
        lines = [one if isinstance(one, str) else json.dumps(one) for one in records]
        data = "\n".join(lines).encode()
        path = tmp_path / "recorded"
        path.write_bytes(gzip.compress(data) if packed else data)
        out, errors = StringIO(), StringIO()
        call_command("reco_shadow", "acme", "se", str(path), *options, stdout=out, stderr=errors)
        return out.getvalue(), errors.getvalue()

    return run


def figures(output, kind="similar"):
    return json.loads(output)["types"][kind]


def test_recorded_answers_of_both_hosts(shadow):
    out, _errors = shadow(
        {
            "request": {**SIMILAR, "limit": 4},
            "ours": displays("teapot-2", "teapot-3", "teacup-1", "teacup-2"),
            "theirs": displays("teapot-3", "teapot-2", "glove-1", "vanished"),
        },
        {
            "request": {**SIMILAR, "limit": 4},
            "ours": displays("teapot-2", "teapot-3"),
            "theirs": displays(),
        },
        options=["--json", "--k", "4"],
    )
    found = figures(out)
    assert found["overlap"] == 0.25  # 2 of 4, and 0 of 2
    assert 0 < found["rbo"] < 0.3
    assert found["coverage"] == {"ours": round(4 / 26, 4), "theirs": round(4 / 26, 4)}
    assert found["empty"] == {"ours": 0.0, "theirs": 0.5}
    assert found["fill"] == {"ours": 0.75, "theirs": 0.5}
    assert found["unknown_named_most"] == {"vanished": 1}
    assert json.loads(out)["asked_now"] == 0


def test_members_of_one_group_are_one_product_whatever_the_form(shadow):
    out, _errors = shadow(
        {
            "request": {"merchant": "x", "market": "x", "locale": "sv-SE", "type": "similar"},
            "ours": displays("bear-s", "teapot-1"),
            "theirs": variants("bear-l", "teapot-1"),
        },
        options=["--json"],
        packed=True,
    )
    assert (figures(out)["overlap"], figures(out)["rbo"]) == (1.0, 1.0)


def test_without_a_recorded_answer_the_engine_is_asked(shadow):
    out, _errors = shadow({"request": SIMILAR, "theirs": displays("teapot-2")}, options=["--json"])
    body = json.loads(out)
    assert body["asked_now"] == 1
    assert figures(out)["fill"]["ours"] == 1.0
    assert figures(out)["empty"]["ours"] == 0.0


def test_bad_lines_are_named_and_skipped(shadow):
    good = {"request": SIMILAR, "theirs": displays("teapot-2"), "ours": displays("teapot-2")}
    out, errors = shadow(
        "{",
        good,
        "[]",
        {"theirs": displays()},
        {"request": {"type": 1}, "theirs": displays()},
        {"request": SIMILAR},
        {"request": SIMILAR, "theirs": {"displays": [{"title": "x"}]}},
        "",
    )
    assert [line.split(":")[0] for line in errors.splitlines()] == [
        "Line 1", "Line 3", "Line 4", "Line 5", "Line 6", "... and 1 more bad lines."
    ]  # fmt: skip
    assert "request.type: input should be a valid string" in errors
    assert out.splitlines()[0] == (
        "acme/se: 1 requests compared, 6 lines skipped; 26 products can be recommended."
    )
    assert "  overlap@10   100.0%" in out.splitlines()


def test_nothing_to_compare_is_a_failure(shadow):
    with pytest.raises(CommandError, match="Not one line"):
        shadow("x")
    with pytest.raises(CommandError, match="No such file"):
        call_command("reco_shadow", "acme", "se", "/no/such/file")
    for options in (["--k", "0"], ["--p", "1"], ["--p", "x"]):
        with pytest.raises(CommandError):
            shadow("x", options=options)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["request", "theirs", "ours", "displays", "product_id", "type", "merchant",
                 "variant_displays", "variant_index"]
            ),
            inner,
            max_size=4,
        ),
        max_leaves=12,
    )
)  # fmt: skip
def test_no_line_ends_a_comparison(shop, record):
    found = compare(shop, [json.dumps(record).encode(), b"\xff"], k=5, p=0.9)
    assert found.rejected >= 1
    assert found.rejected + sum(tally.requests for tally in found.tallies.values()) == 2
