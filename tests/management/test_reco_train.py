from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from depict_reco.artifacts.gate import Gate, Verdict
from depict_reco.management.commands import reco_train
from depict_reco.models import Artifact, CurrentArtifact, Market, Product, Tenant, TrainingRun
from tests.shop import add_product

pytestmark = pytest.mark.django_db


def train(*arguments, **options):
    out, err = StringIO(), StringIO()
    call_command("reco_train", *arguments, stdout=out, stderr=err, **options)
    return out.getvalue()


@pytest.fixture
def two_markets(shop):
    us = Market.objects.create(
        tenant=shop.tenant, slug="us", currency="USD", default_locale="en-US"
    )
    add_product(us, "american")
    Market.objects.create(
        tenant=shop.tenant, slug="old", currency="USD", default_locale="en", active=False
    )
    return shop


def test_a_market_is_trained_measured_and_served(busy_shop):
    text = train("acme", "se")

    run = TrainingRun.objects.get()
    assert CurrentArtifact.objects.get().artifact.training_run == run
    assert text.startswith(f"acme/se: published, 29 products, {run.events} events, ")
    basket = run.metrics["basket"]
    assert f"basket: HR@20 {basket['hr@20']:.3f}, MRR@20 {basket['mrr@20']:.3f}" in text
    assert f"({basket['questions']} questions)" in text


def test_without_events_the_command_says_that_nothing_was_measured(shop):
    assert "0 events" in (text := train("acme", "se"))
    assert "Too few sessions to measure accuracy." in text


def test_all_active_markets_are_trained_when_none_is_named(two_markets):
    text = train("acme")

    assert [line.split(":")[0] for line in text.splitlines()] == ["acme/se", "acme/us"]
    assert CurrentArtifact.objects.count() == 2


def test_a_closed_market_is_trained_when_it_is_named(two_markets):
    add_product(Market.objects.get(slug="old"), "x")

    assert train("acme", "old").startswith("acme/old: published")


def test_a_model_can_be_kept_for_later(shop):
    assert "succeeded, not published" in train("acme", "se", "--no-publish")
    assert Artifact.objects.exists()
    assert not CurrentArtifact.objects.exists()


def test_the_report_is_json(busy_shop):
    [report] = json.loads(train("acme", "--json"))

    run = TrainingRun.objects.get()
    assert report == {
        "market": "se",
        "run": run.pk,
        "status": "published",
        "artifact": Artifact.objects.get().version,
        "products": 29,
        "events": run.events,
        "message": run.message,
        "accuracy": run.metrics,
        "seconds": round((run.finished_at - run.started_at).total_seconds(), 1),
        "durations": run.durations,
    }


def test_a_worse_model_is_told_with_both_figures_and_what_to_do(busy_shop, monkeypatch):
    train("acme", "se")
    worse = Verdict(worse="worse than v1: next: HR@20 0.100 against 0.400")
    monkeypatch.setattr(Gate, "__call__", lambda gate, trial: setattr(gate, "verdict", worse))

    text, before = train("acme", "se"), CurrentArtifact.objects.get().artifact

    newest = Artifact.objects.newest_first().first()
    assert text.startswith("acme/se: succeeded, not published, 29 products")
    assert text.endswith(
        f"\nArtifact {newest.version}, worse than v1: next: HR@20 0.100 against 0.400. "
        "Publish it all the same: --force.\n"
    )
    assert before != newest

    text = train("acme", "se", "--force")
    assert text.startswith("acme/se: published")
    assert text.endswith("0.100 against 0.400.\n")


@pytest.mark.parametrize("as_json", [True, False])
def test_one_market_that_fails_does_not_keep_the_others_from_being_trained(two_markets, as_json):
    Product.objects.filter(market=two_markets).delete()
    out = StringIO()

    with pytest.raises(CommandError, match=r"acme/se has no products\. Import its product feed"):
        call_command("reco_train", "acme", stdout=out, json=as_json)

    assert CurrentArtifact.objects.get().market.slug == "us"
    if as_json:
        assert [report["market"] for report in json.loads(out.getvalue())] == ["us"]
    else:
        assert out.getvalue().startswith("acme/us: published")


def test_the_whole_error_is_shown_on_request(shop, monkeypatch):
    def failing(*args, **kwargs):
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(reco_train, "train_market", failing)

    with pytest.raises(CommandError, match="acme/se: inside"):
        train("acme", "se")
    with pytest.raises(ZeroDivisionError):
        train("acme", "se", traceback=True)


def test_a_training_that_is_at_work_is_told(shop):
    TrainingRun.objects.create(market=shop, worker="elsewhere:1", stage="baskets")

    with pytest.raises(CommandError, match=r"is running since .* on elsewhere:1 \(stage: baskets"):
        train("acme", "se")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope"], "There is no tenant 'nope'. Known: acme."),
        (["acme", "nope"], "acme has no market 'nope'. Known: se."),
    ],
)
def test_unknown_names_are_told_with_the_known_ones(shop, arguments, message):
    with pytest.raises(CommandError, match=message):
        train(*arguments)


def test_a_tenant_without_markets_is_told(db):
    Tenant.objects.create(slug="bare", name="Bare")

    with pytest.raises(CommandError, match="bare has no active market"):
        train("bare")


class Terminal(StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("verbosity", "shown"), [(1, True), (0, False)])
def test_progress_is_shown_on_a_terminal(shop, monkeypatch, verbosity, shown):
    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)

    train("acme", "se", verbosity=verbosity)

    assert ("acme/se" in screen.getvalue()) is shown


def test_progress_stays_out_of_files(shop, capsys):
    train("acme", "se")

    assert capsys.readouterr().err == ""
