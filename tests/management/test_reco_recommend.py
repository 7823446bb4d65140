from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from depict_reco.serving.recommend import recommend
from depict_reco.serving.requests import RecommendRequest
from tests.shop import add_event

pytestmark = pytest.mark.django_db


def run(tmp_path, lines, **options):
    source, target = tmp_path / "requests.jsonl", tmp_path / "answers.jsonl"
    source.write_text("\n".join(lines), encoding="utf-8")
    out, err = StringIO(), StringIO()
    try:
        call_command(
            "reco_recommend", "acme", "se", type="popular", input=str(source), output=str(target),
            stdout=out, stderr=err, **options,
        )  # fmt: skip
    finally:
        answers = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    return answers, out.getvalue(), err.getvalue()


def shown(answer):
    return [display["product_id"] for display in answer["displays"]]


def test_each_line_is_answered_in_its_place(trained_shop, tmp_path):
    lines = ['{"limit": 2}', "", '{"product_ids": ["p1"], "type": "similar", "limit": 3}']
    answers, out, _ = run(tmp_path, lines)
    assert [len(answer["displays"]) for answer in answers] == [2, 3]
    expected = recommend(
        RecommendRequest(tenant="acme", market="se", type="similar", product_ids=("p1",), limit=3)
    )
    assert shown(answers[1]) == list(expected.product_ids)
    assert out == "2 answered (0 of them empty), 0 rejected.\n"


def test_options_stand_in_for_what_a_line_leaves_out(trained_shop, tmp_path):
    answers, _, err = run(tmp_path, ["{}", '{"limit": 1}'], limit=4, debug=True, json=True)
    assert [len(answer["displays"]) for answer in answers] == [4, 1]
    assert {display["logic"] for display in answers[0]["displays"]} <= {"popular", "catalogue"}
    assert json.loads(err) == {"answered": 2, "rejected": 0, "empty": 0}


def test_explanations_stand_beside_each_display(trained_shop, tmp_path):
    lines = ['{"product_id": "teapot-1", "type": "cross_sell", "limit": 1}', '{"limit": 1}']
    answers, _, _ = run(tmp_path, lines, explain=True)
    (reason,) = answers[0]["displays"][0]["explanation"]
    assert reason.pop("part") in ("linear", "baskets")
    assert 0.5 < reason.pop("share") <= 1.0
    assert reason == {"text": "bought together in 12 of 12 baskets", "source": "complements"}
    assert answers[1]["displays"][0]["explanation"] == [
        {"text": "popular in this market", "share": 1.0, "source": "popular", "part": "popular"}
    ]


def test_explaining_changes_nothing_else(trained_shop, tmp_path):
    lines = ['{"product_ids": ["teapot-1"], "type": "similar"}', '{"type": "nonsense"}']
    plain, out, _ = run(tmp_path, lines)
    explained, told, _ = run(tmp_path, lines, explain=True)
    assert told == out
    for answer in (*plain, *explained):
        for display in answer["displays"]:
            for name in ("recommendation_id", "page_url"):
                del display[name]
    assert all(display.pop("explanation") for display in explained[0]["displays"])
    assert explained == plain


def test_what_named_shoppers_will_buy_again(trained_shop, tmp_path):
    add_event(trained_shop, "puzzle-1", type="purchase", user_id="me")
    add_event(trained_shop, "puzzle-2", type="purchase", user_id="you")
    lines = ['{"user_id": "me", "type": "buy_again"}', '{"user_id": "you", "type": "buy_again"}']
    answers, _, _ = run(tmp_path, lines, limit=26, debug=True)
    mine, yours = (
        {x["product_id"] for x in answer["displays"] if x["logic"] == "buy_again"}
        for answer in answers
    )
    assert mine - yours == {"puzzle-1"}
    assert yours - mine == {"puzzle-2"}


def test_a_bad_line_loses_no_good_one(trained_shop, tmp_path):
    lines = ['{"limit": "5"}', "nonsense", '{"market": "no"}', "[]", '{"limit": 1}']
    with pytest.raises(CommandError, match="4 lines are no valid requests"):
        run(tmp_path, lines)
    text = (tmp_path / "answers.jsonl").read_text(encoding="utf-8")
    answers = [json.loads(line) for line in text.splitlines()]
    assert [entry["type"] for entry in answers[0]["detail"]] == ["int_type"]
    assert [entry["type"] for entry in answers[1]["detail"]] == ["json_invalid"]
    assert answers[2] == {"detail": "This asks another market than acme/se."}
    assert [entry["type"] for entry in answers[3]["detail"]] == ["model_attributes_type"]
    assert len(answers[4]["displays"]) == 1


def test_a_missing_file_and_an_unknown_market_are_said(trained_shop, tmp_path):
    with pytest.raises(CommandError, match="No such file"):
        call_command("reco_recommend", "acme", "se", type="popular", input=str(tmp_path / "no"))
    with pytest.raises(CommandError, match="acme has no market 'xx'"):
        call_command("reco_recommend", "acme", "xx", type="popular")
    with pytest.raises(CommandError, match="There is no tenant 'nobody'"):
        call_command("reco_recommend", "nobody", "se", type="popular")
