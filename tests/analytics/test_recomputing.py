"""Whatever the order of arrival and the steps, the counters are those of one full computation."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import permutations, product

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depict_reco.analytics import rollup as rollups
from depict_reco.analytics.deltas import SUMS
from depict_reco.analytics.rollup import rebuild, roll_up
from depict_reco.models import CountedClick, Credit, DailyCounter, Event, Rollup
from tests.analytics.shopping import MONDAY, Shopping

PRODUCTS = ("teapot-1", "bear-s", "bear-l")
NAMES = st.sampled_from(["", "ann", "bob"])

ACTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["element_visible", "click", "click", "page_view", "add_to_cart", "purchase",
             "purchase", "return", "transaction_mapping"]
        ),
        "hours": st.integers(0, 24 * 3),
        "session_id": NAMES,
        "user_id": NAMES,
        "dsid": st.sampled_from([None, None, "ann"]),
        "product_id": st.sampled_from(["", *PRODUCTS]),
        "shown": st.sampled_from([None, *range(4)]),
        "order": st.sampled_from(["", "1", "2"]),
        "quantity": st.integers(1, 3),
        "currency": st.sampled_from(["", "", "EUR"]),
        "step_after": st.booleans(),
    }
)  # fmt: skip

HOURS = {"click": 0, "purchase": 1, "return": 2}


def _act(type: str, shopper: str) -> dict:
    return {
        "type": type, "hours": HOURS[type], "session_id": shopper, "user_id": "", "dsid": None,
        "product_id": "teapot-1", "shown": 0 if type == "click" else None, "order": "1",
        "quantity": 2 if type == "purchase" else 1, "currency": "",
    }  # fmt: skip


def figures():
    """Return all counters that are not zero throughout."""
    rows = DailyCounter.objects.live().values_list(
        "market", "day", "type_pk", "position", "variant", "currency", *SUMS
    )
    return sorted(row for row in rows if any(row[6:]))


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    acts=st.lists(ACTS, min_size=1, max_size=14),
    batch_size=st.integers(1, 5),
    shuffle=st.randoms(use_true_random=False),
)
def test_any_steps_and_any_order_come_to_what_one_computation_comes_to(
    shopping, monkeypatch, acts, batch_size, shuffle
):
    ids = _begin(shopping)
    monkeypatch.setattr(rollups, "BATCH_SIZE", batch_size)
    for act in acts:
        _store(shopping, act, ids)
        if act["step_after"]:
            roll_up()
    roll_up()
    step_by_step = figures()
    monkeypatch.setattr(rollups, "BATCH_SIZE", 5000)
    rebuild()
    assert figures() == step_by_step
    _clear()
    shuffle.shuffle(acts)
    for act in acts:
        _store(shopping, act, ids)
    roll_up()
    assert figures() == step_by_step


def test_so_it_is_with_every_way_that_two_shoppers_meet_at_one_order(shopping):
    """A click, an order and a return arrive in any order, each of either shopper."""
    for types in permutations(HOURS):
        for shoppers in product(("ann", "bob"), repeat=3):
            ids = _begin(shopping)
            acts = [_act(*act) for act in zip(types, shoppers, strict=True)]
            for act in acts:
                _store(shopping, act, ids)
                roll_up()
            step_by_step = figures()
            rebuild()
            assert figures() == step_by_step, list(zip(types, shoppers, strict=True))


def _begin(shopping: Shopping) -> list[str]:
    shopping.market.tenant.attribution_window_days = 2
    shopping.market.tenant.save()
    _clear()
    return _ids(shopping)


def _clear() -> None:
    for model in (DailyCounter, Credit, CountedClick, Rollup, Event):
        model.objects.all().delete()


def _ids(shopping: Shopping) -> list[str]:
    shopping.time = MONDAY
    return [
        shopping.shown(product, type=type, position=position)
        for product in PRODUCTS[:2]
        for type, position in (("similar", 0), ("cross_sell", 4))
    ]


def _store(shopping: Shopping, act: dict, ids: list[str]) -> None:
    sold = act["type"] in ("purchase", "return")
    shown = act["shown"]
    Event.objects.create(
        tenant_id=shopping.market.tenant_id,
        market=shopping.market,
        type=act["type"],
        time=MONDAY + timedelta(hours=act["hours"]),
        session_id=act["session_id"],
        user_id=act["user_id"],
        dsid=act["dsid"],
        product_id=act["product_id"],
        quantity=act["quantity"],
        price=Decimal("9.90") if sold else None,
        currency=act["currency"],
        transaction_id=act["order"],
        recommendation_id="" if shown is None or act["type"] == "return" else ids[shown],
        deduplication_id=str(Event.objects.count()),
    )
