from __future__ import annotations

import json
from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from depict_reco.analytics import rollup as rollups
from depict_reco.models import DailyCounter, Event, Rollup
from tests.analytics.shopping import DAY, Shopping


def run(*arguments):
    out = StringIO()
    call_command("reco_rollup", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def shopping(shop):
    return Shopping(shop)


def test_counts_what_has_come(shopping):
    shopping.buy("teapot-1")
    assert run().startswith("Events counted: 1, in ")
    assert json.loads(run("--json"))["events"] == 0
    assert DailyCounter.objects.get().other_orders == 1


def test_rebuilds_the_days_since(shopping):
    shopping.buy("teapot-1", order="1")
    shopping.buy("teapot-1", order="2", after=DAY)
    run()
    Event.objects.all().delete()
    run("--rebuild", "--since", "2026-06-02")
    assert DailyCounter.objects.get().day == date(2026, 6, 1)
    assert Rollup.objects.get().closed_before == date(2026, 6, 2)


def test_rebuilds_by_itself_only_the_days_that_pruning_left_whole(shopping, settings):
    shopping.buy("teapot-1")
    run()
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "EVENT_RETENTION_DAYS": {"purchase": 1}}
    Event.objects.all().delete()
    run("--rebuild")
    assert DailyCounter.objects.get().day == date(2026, 6, 1)
    tenant_pk = shopping.market.tenant_id
    assert Rollup.objects.get().closed_before_of(tenant_pk) > date(2026, 6, 1)
    assert Rollup.objects.get().closed_before_of(tenant_pk + 1) is None


def test_says_that_events_are_left_for_the_next_time(shop, monkeypatch):
    monkeypatch.setattr(rollups, "settled_mark", lambda using, patience: None)
    assert "left for the next time" in run()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--since", "2026-06-02"], "give both"), (["--rebuild", "--since", "June"], "is no day")],
)
def test_mistakes_are_explained(db, arguments, words):
    with pytest.raises(CommandError, match=words):
        run(*arguments)
