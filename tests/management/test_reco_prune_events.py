from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.utils import timezone

from depict_reco import tasks
from depict_reco.analytics.rollup import RollupResult
from depict_reco.checks import check_retention, check_settings
from depict_reco.management.doctor import examine
from depict_reco.models import Erasure, Event, Tenant
from tests.shop import add_event

pytestmark = pytest.mark.django_db


def run(*arguments):
    out, errors = StringIO(), StringIO()
    call_command("reco_prune_events", *arguments, stdout=out, stderr=errors)
    return out.getvalue(), errors.getvalue()


@pytest.fixture
def old(shop, settings):
    """A shop that keeps views for 600 days, with a view and a purchase of 700."""
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "EVENT_RETENTION_DAYS": {"page_view": 600}}
    moment = timezone.now() - timedelta(days=700)
    add_event(shop, "teapot-1", time=moment)
    add_event(shop, "teapot-1", time=moment, type="purchase")
    return shop


@pytest.mark.usefixtures("old")
def test_it_says_what_went():
    would = "acme/se: 1 events would be deleted (1 page_view).\n"
    assert run("acme", "--dry-run") == (would, "")
    assert run("acme") == ("acme/se: 1 events deleted (1 page_view).\n", "")
    assert run("acme", "se") == ("acme/se: 0 events deleted.\n", "")
    assert [event.type for event in Event.objects.all()] == ["purchase"]


@pytest.mark.usefixtures("old")
def test_what_cannot_be_counted_yet_is_not_deleted(monkeypatch):
    waiting = RollupResult(events=0, seconds=0.1, waiting=True)
    monkeypatch.setattr(tasks, "roll_up", lambda: waiting)
    with pytest.raises(CommandError, match="events of acme/se cannot all be counted"):
        run("acme")
    assert Event.objects.count() == 2
    assert run("acme", "--dry-run")[0].startswith("acme/se: 1 events would be deleted")


@pytest.mark.usefixtures("old")
def test_it_is_json_on_request():
    (row,) = json.loads(run("acme", "--json")[0])
    assert (row["market"], row["rows"], row["deleted"]) == ("acme/se", {"page_view": 1}, 1)
    assert list(row["kept_since"]) == ["page_view"]
    assert row["dry_run"] is False


@pytest.mark.usefixtures("shop")
def test_without_days_it_says_how_to_set_them():
    out, _errors = run("acme")
    assert out.startswith("Events of acme are kept for ever. Set EVENT_RETENTION_DAYS")


def test_what_trainings_still_need_goes_with_a_word(old):
    Tenant.objects.update(retention_days={"page_view": 30})
    _out, errors = run("acme")
    assert errors == (
        "Note: trainings read events of 540 days, and of these types fewer are kept: "
        "page_view for 30.\n"
    )
    (finding,) = [one for one in examine() if one.code == "retention_short"]
    assert not finding.wrong
    assert "page_view for 30" in finding.message


@pytest.mark.usefixtures("old")
def test_days_that_cannot_be_read_delete_nothing():
    Tenant.objects.update(retention_days={"views": 1})
    with pytest.raises(CommandError, match="'views' is no type of event"):
        run("acme")
    assert "retention_unclear" in [finding.code for finding in examine()]
    assert Event.objects.count() == 2


def test_the_doctor_tells_of_interrupted_erasures(shop):
    Erasure.objects.create(
        tenant=shop.tenant, asked_by="x", channel="command", given=1,
        asked_at=timezone.now() - timedelta(hours=2),
    )  # fmt: skip
    (finding,) = [one for one in examine() if one.code == "erasure_unfinished"]
    assert finding.remedy == "manage.py reco_erase_shopper acme --resume"


def test_the_setting_is_checked(settings):
    def found(**days):
        settings.DEPICT_RECO = {"EVENT_RETENTION_DAYS": days}
        return [(one.id, one.level) for one in (*check_settings(), *check_retention())]

    assert found() == []
    assert found(page_view=600) == []
    assert found(page_view=100) == [("depict_reco.W006", checks.WARNING)]
    assert found(views=10) == [("depict_reco.E003", checks.ERROR)]
    assert found(page_view="10") == [("depict_reco.E003", checks.ERROR)]
