from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from depict_reco.models import Artifact, TrainingRun
from depict_reco.training import memory

pytestmark = pytest.mark.django_db


def evaluate(**options):
    out = StringIO()
    call_command("reco_evaluate", "acme", "se", stdout=out, **options)
    return out.getvalue()


def test_the_model_is_measured_beside_what_is_simpler(busy_shop):
    tables = json.loads(evaluate(json=True))
    assert set(tables) == {"next", "basket"}
    for methods in tables.values():
        assert list(methods) == ["model", "popular", "co-occurrence"]
        asked = {measures["questions"] for measures in methods.values()}
        assert len(asked) == 1
        assert asked.pop() > 0
        assert methods["model"]["hr@5"] > methods["popular"]["hr@5"]


def test_the_table_has_a_row_per_method(busy_shop):
    lines = evaluate(questions=20).splitlines()
    assert lines[0].startswith("next: ")
    assert lines[1].split() == ["hr@5", "hr@10", "hr@20", "mrr@20", "ndcg@20", "coverage"]
    assert [line.split()[0] for line in lines[2:5]] == ["model", "popular", "co-occurrence"]


def test_nothing_is_stored(busy_shop):
    evaluate(questions=20)
    assert not Artifact.objects.exists()
    assert not TrainingRun.objects.exists()


def test_too_little_to_measure_on_is_said(shop):
    with pytest.raises(CommandError, match="acme/se has too few sessions to measure on"):
        evaluate()


def test_what_does_not_fit_into_memory_is_refused(busy_shop, monkeypatch):
    monkeypatch.setattr(memory, "available_mb", lambda: 100)

    with pytest.raises(CommandError, match="The training of acme/se needs about"):
        evaluate()
