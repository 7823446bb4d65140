from __future__ import annotations

from datetime import timedelta
from unittest import mock

import numpy as np
import pytest
from django.db import OperationalError
from django.utils import timezone

from depict_reco.engine.model import ShopModel, Weights
from depict_reco.exceptions import TrainingError, TrainingRunningError
from depict_reco.models import Market, Product, TrainingRun
from depict_reco.training import trainer
from depict_reco.training.pace import Pace
from depict_reco.training.trainer import finish_run, heartbeat, start_run, train, tuning_seconds
from tests.shop import add_event, add_product

pytestmark = pytest.mark.django_db

Status = TrainingRun.Status


def stale(run):
    old = timezone.now() - TrainingRun.SILENCE - timedelta(seconds=1)
    TrainingRun.objects.filter(pk=run.pk).update(heartbeat_at=old)


# Training


def test_a_training_knows_what_it_was_made_of(busy_shop):
    trained = train(busy_shop)

    assert trained.n_events == busy_shop.events.count()
    assert trained.n_unknown == 0
    assert trained.window == (
        busy_shop.events.order_by("time").first().time,
        busy_shop.events.order_by("time").last().time,
    )
    assert trained.model.n_items == len(trained.item_ids) == 29


def test_accuracy_is_measured_on_what_was_held_out(busy_shop):
    measured = train(busy_shop).accuracy

    assert measured.keys() == {"next", "basket"}
    for question in measured.values():
        assert question["questions"] > 0
        for measure in ("hr@5", "hr@10", "hr@20", "mrr@20", "ndcg@20", "coverage", "fallback"):
            assert 0.0 <= question[measure] <= 1.0
    # the small shop can be foreseen: teacups go with teapots
    assert measured["basket"]["hr@5"] > 0.9


def test_questions_are_about_items_that_were_not_seen_yet(busy_shop):
    """One product looked at again and again is no question, and wins no points."""
    before = train(busy_shop).accuracy["next"]["questions"]
    newest = busy_shop.events.order_by("-time").first().time
    for number in range(200):
        for minute, product in enumerate(("teapot-1", "teapot-2", "teapot-1", "teapot-2")):
            add_event(
                busy_shop, product, session_id=f"again-{number}",
                time=newest + timedelta(hours=number, minutes=minute),
            )  # fmt: skip

    questions = train(busy_shop).accuracy["next"]["questions"]

    # of the newest tenth of 380 sessions the newer half: one question each, not three
    assert 0 < questions <= 20 + before


def test_the_weights_that_were_learned_are_those_of_the_model(busy_shop):
    learned = Weights(
        next_items=tuple(0.25 for _ in Weights().next_items),
        complements=tuple(0.75 for _ in Weights().complements),
    )
    with mock.patch.object(trainer, "tuned_weights", return_value=learned):
        model = train(busy_shop).model

    assert model.weights == learned
    assert model.settings()["weights"]["next_items"] == learned.next_items


def test_training_twice_gives_the_same_model(busy_shop):
    one, two = train(busy_shop), train(busy_shop)

    assert one.model.weights == two.model.weights
    assert one.accuracy == two.accuracy
    assert one.item_ids == two.item_ids
    arrays = two.model.arrays()
    for name, array in one.model.arrays().items():
        np.testing.assert_array_equal(array, arrays[name], err_msg=name)


def test_without_events_the_texts_are_learned(shop):
    trained = train(shop)

    assert (trained.n_events, trained.accuracy, trained.window) == (0, {}, ())
    assert trained.model.weights == Weights()
    item = trained.item_ids.index("teapot-1")
    alike = trained.model.substitutes(np.array([item], dtype=np.int32))
    best = trained.item_ids[alike.items[alike.scores.argmax()]]
    assert best.startswith("teapot-")


def test_with_few_events_nothing_is_measured(shop):
    add_event(shop, "teapot-1", session_id="s")

    trained = train(shop)

    assert (trained.n_events, trained.accuracy) == (1, {})


def test_without_products_there_is_nothing_to_train(shop):
    Product.objects.all().delete()

    with pytest.raises(TrainingError, match=r"acme/se has no products.*reco_import_feed acme se"):
        train(shop)


def test_one_product_is_enough(shop):
    Product.objects.all().delete()
    add_product(shop, "only")

    assert train(shop).item_ids == ["only"]


@pytest.mark.parametrize("fixture", ["shop", "busy_shop"])
def test_progress_only_grows_from_0_to_1(fixture, request):
    steps = []
    train(
        request.getfixturevalue(fixture),
        pace=Pace(progress=lambda stage, share: steps.append((stage, share))),
    )

    shares = [share for _, share in steps]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert 0.9 < shares[-1] <= 1.0
    assert all(stage for stage, _ in steps)


def test_the_events_of_the_window_are_read(busy_shop, settings):
    settings.DEPICT_RECO |= {"TRAINING_WINDOW_DAYS": 10}

    assert 0 < train(busy_shop).n_events < busy_shop.events.count() / 2


def test_the_model_is_one_of_the_engine(busy_shop):
    assert isinstance(train(busy_shop).model, ShopModel)


# The time of tuning


@pytest.fixture
def pace():
    pace = Pace()
    pace.durations = {"reading events": 500.0, "options": 30.0, "trial": 270.0}
    return pace


def test_tuning_gets_its_share_of_the_time(pace, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "TUNING_SHARE": 0.2}

    # a quarter of reading, trial and a fit that takes as long, less what the options took
    assert tuning_seconds(pace) == pytest.approx((500 + 270 + 270) / 4 - 30)


def test_a_short_training_may_tune_for_a_minute(pace, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "TUNING_SHARE": 0.0}

    assert tuning_seconds(pace) == 60.0


@pytest.mark.parametrize(
    ("seconds", "questions"), [(1e9, 2000), (301.0, 2000), (299.0, 1000), (80.0, 500), (1.0, 250)]
)
def test_as_many_questions_are_asked_as_the_time_allows(monkeypatch, seconds, questions):
    """A hundred questions take ten seconds, and they are asked one and a half times."""
    monkeypatch.setattr(trainer, "tuned_weights", lambda *a, **kw: None)
    clock = iter([100.0, 110.0])
    monkeypatch.setattr(trainer, "perf_counter", lambda: next(clock))

    assert trainer._affordable(None, None, seconds) == questions


def test_tuning_asks_no_more_than_that(busy_shop, monkeypatch):
    asked = []

    def tuned(model, split, *, everything=False, limit):
        asked.append((everything, limit))
        return Weights()

    monkeypatch.setattr(trainer, "tuned_weights", tuned)
    monkeypatch.setattr(trainer, "_affordable", lambda *a: 500)

    trained = train(busy_shop)

    assert asked == [(False, 250), (True, 500)]
    assert trained.tuning["questions"] == 500


# Runs


def test_a_run_says_who_works_at_what(shop):
    run = start_run(shop)

    assert (run.status, run.stage, run.market) == (Status.RUNNING, "starting", shop)
    host, _, pid = run.worker.rpartition(":")
    assert host
    assert pid.isdigit()
    assert list(TrainingRun.objects.alive()) == [run]


def test_a_second_training_of_a_market_is_refused_with_who_is_at_it(shop):
    run = start_run(shop)
    TrainingRun.objects.update(stage="baskets")

    with pytest.raises(TrainingRunningError) as caught:
        start_run(shop)

    message = str(caught.value)
    assert f"{run.started_at:%H:%M} UTC on {run.worker} (stage: baskets)" in message
    assert "10 minutes after its last sign of life" in message
    assert TrainingRun.objects.count() == 1


def test_markets_are_trained_beside_each_other(shop):
    other = Market.objects.create(
        tenant=shop.tenant, slug="us", currency="USD", default_locale="en"
    )
    start_run(shop)

    assert start_run(other).status == Status.RUNNING


@pytest.mark.parametrize("status", [Status.PUBLISHED, Status.SUCCEEDED, Status.FAILED])
def test_a_finished_training_is_in_nobodys_way(shop, status):
    finish_run(start_run(shop), status)

    assert start_run(shop).status == Status.RUNNING


def test_a_dead_training_is_closed_and_taken_over(shop):
    dead = start_run(shop)
    stale(dead)

    run = start_run(shop)

    dead.refresh_from_db()
    assert (run.status, dead.status) == (Status.RUNNING, Status.FAILED)
    assert dead.message == "Interrupted: the process gave no further sign of life."
    assert dead.finished_at is not None


def test_signs_of_life_are_noted_now_and_then(shop, django_assert_num_queries):
    run = start_run(shop)
    stale(run)
    heard = []
    note = heartbeat(run, lambda stage, share: heard.append((stage, share)))

    with django_assert_num_queries(1):
        note("sessions", 0.1)
        note("baskets", 0.2)
        note("linear model", 0.3)

    assert heard == [("sessions", 0.1), ("baskets", 0.2), ("linear model", 0.3)]
    stored = TrainingRun.objects.alive().get()
    assert stored.stage == "sessions"


def test_a_training_that_was_taken_over_stops(shop):
    slept = start_run(shop)
    note = heartbeat(slept, lambda stage, share: None)
    stale(slept)
    start_run(shop)

    with pytest.raises(TrainingError, match="taken over"):
        note("baskets", 0.5)


def test_a_training_whose_market_is_removed_stops(shop):
    run = start_run(shop)
    note = heartbeat(run, lambda stage, share: None)
    shop.tenant.delete()

    with pytest.raises(TrainingError, match="removed"):
        note("baskets", 0.5)
    finish_run(run, Status.FAILED, message="removed")
    assert not TrainingRun.objects.exists()


def test_a_locked_database_does_not_end_a_training(shop, caplog):
    caplog.set_level("INFO", logger="depict_reco")
    run = start_run(shop)
    note = heartbeat(run, lambda stage, share: None)

    with mock.patch(
        "django.db.models.query.QuerySet.update", side_effect=OperationalError("locked")
    ):
        note("baskets", 0.5)

    assert "locked" in caplog.text


def test_a_finished_run_keeps_what_came_of_it(shop):
    run = start_run(shop)
    finish_run(run, Status.PUBLISHED, message="Artifact v1", events=5, metrics={"next": {}})

    run.refresh_from_db()
    assert (run.status, run.message, run.events) == (Status.PUBLISHED, "Artifact v1", 5)
    assert run.metrics == {"next": {}}
    assert run.finished_at >= run.started_at
