"""What an erasure takes of the raw material of the counters, and what it leaves."""

from __future__ import annotations

from depict_reco.analytics.rollup import rebuild, roll_up
from depict_reco.analytics.steps import MarketStep
from depict_reco.events.erase import ErasureRequest
from depict_reco.models import CountedClick, Credit, DailyCounter, Event
from depict_reco.tasks import erase_shopper


def figures():
    names = ("day", "type_name", "position", "clicks", "direct_orders", "direct_revenue")
    return sorted(DailyCounter.objects.live().values_list(*names), key=str)


def visit(shopping):
    rec = shopping.shown("teapot-1")
    shopping.click(rec)
    shopping.buy("teapot-1", price="100")


def test_raw_material_goes_and_figures_stay_until_they_are_computed_anew(shopping):
    visit(shopping)
    ids = {name for row in Event.objects.values_list("session_id", "user_id") for name in row}
    roll_up()
    before = figures()
    assert (CountedClick.objects.count(), Credit.objects.count()) == (1, 1)

    tenant = Event.objects.first().tenant
    done = erase_shopper(tenant, ErasureRequest(ids=tuple(ids - {""}), asked_by="dpo"))

    assert not Event.objects.exists()
    assert (CountedClick.objects.count(), Credit.objects.count()) == (0, 0)
    assert done.erasure.rows == {
        "click": 1, "purchase": 1, "analytics.credit": 1, "analytics.counted_click": 1,
    }  # fmt: skip
    roll_up()
    assert figures() == before
    rebuild()
    assert [row[3:] for row in figures() if any(row[3:])] == []


def test_computed_anew_the_figures_are_those_of_the_others(shopping):
    visit(shopping)
    roll_up()
    rebuild()
    alone = figures()
    first = Event.objects.order_by("pk").values_list("session_id", flat=True).first()
    other = Event.objects.filter(session_id=first).first()
    Event.objects.create(
        tenant=other.tenant, market=other.market, type="click", time=other.time,
        session_id="another", product_id=other.product_id, deduplication_id="another",
        recommendation_id=other.recommendation_id,
    )  # fmt: skip
    roll_up()
    assert figures() != alone

    erase_shopper(other.tenant, ErasureRequest(ids=("another",), asked_by="dpo"))
    rebuild()
    assert figures() == alone


def test_a_step_that_has_read_what_is_erased_meanwhile_is_done_again(shopping, monkeypatch):
    visit(shopping)
    add_to = MarketStep.add_to

    def erased_meanwhile(step, deltas):
        monkeypatch.setattr(MarketStep, "add_to", add_to)
        add_to(step, deltas)
        erase_shopper(shopping.market.tenant, ErasureRequest(ids=("ann",), asked_by="dpo"))

    monkeypatch.setattr(MarketStep, "add_to", erased_meanwhile)
    roll_up()
    assert (CountedClick.objects.count(), Credit.objects.count()) == (0, 0)
    assert figures() == []
