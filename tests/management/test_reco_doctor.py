from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.utils import timezone

from depict_reco.artifacts import store
from depict_reco.management import doctor
from depict_reco.management.doctor import Finding, Thresholds, examine
from depict_reco.models import (
    ApiKey,
    Artifact,
    CurrentArtifact,
    Event,
    FeedRun,
    Market,
    Product,
    RecommendationType,
    Tenant,
    TrainingRun,
)
from depict_reco.tasks import MarketPlan, create_tenant

pytestmark = pytest.mark.django_db


def codes(**options: object) -> list[str]:
    return [finding.code for finding in examine(**options)]  # type: ignore[arg-type]


def event(
    market: Market, *, product_id: str = "1", days_old: float = 1.0, **fields: object
) -> Event:
    return Event.objects.create(
        tenant=market.tenant,
        market=market,
        type="purchase",
        product_id=product_id,
        time=timezone.now() - timedelta(days=days_old),
        deduplication_id=f"{product_id}-{days_old}-{Event.objects.count()}",
        **fields,
    )


def publish(market: Market, *, window: list[str]) -> Artifact:
    path = f"doctor/{market.tenant_id}-{market.pk}-{Artifact.objects.count()}"
    store.delete(path)
    manifest = store.write(path, {}, {"window": window})
    artifact = Artifact.objects.create(
        market=market, version=str(Artifact.objects.count()), path=path, manifest=manifest
    )
    CurrentArtifact.objects.update_or_create(market=market, defaults={"artifact": artifact})
    return artifact


@pytest.fixture
def market() -> Market:
    """A market in perfect health."""
    plan = MarketPlan(slug="se", currency="SEK", default_locale="sv-SE")
    tenant = create_tenant("acme", markets=[plan]).tenant
    ApiKey.objects.issue(tenant, name="web", scopes=["recommend"])
    market = Market.objects.select_related("tenant").get()
    Product.objects.create(market=market, product_id="1", title="Teapot", sku="s1")
    newest = event(market).time
    publish(market, window=[newest.isoformat(), newest.isoformat()])
    return market


def test_a_healthy_installation_has_no_findings(market: Market) -> None:
    assert examine() == []


def test_an_empty_installation_lacks_a_tenant() -> None:
    assert examine() == [
        Finding(
            code="no_tenant",
            subject="installation",
            message="There is no active tenant.",
            remedy="manage.py reco_create_tenant SLUG --market se:SEK:sv-SE",
        )
    ]


def test_a_new_tenant_is_told_everything_that_comes_next() -> None:
    plan = MarketPlan(slug="se", currency="SEK", default_locale="sv-SE")
    create_tenant("acme", markets=[plan])
    assert [(one.code, one.remedy) for one in examine()] == [
        ("no_key", "manage.py reco_api_keys create acme"),
        ("no_products", "manage.py reco_import_feed acme se SOURCE"),
        ("no_events", "manage.py reco_import_events acme se SOURCE"),
        ("no_artifact", "manage.py reco_train acme se"),
    ]


def test_only_the_named_tenant_is_looked_at(market: Market) -> None:
    Tenant.objects.create(slug="empty", name="Empty")
    assert codes(tenant="acme") == []
    assert "no_market" in codes(tenant="empty")
    assert codes(tenant="nobody") == ["no_tenant"]


def test_inactive_tenants_and_markets_are_left_alone(market: Market) -> None:
    Tenant.objects.create(slug="closed", name="Closed", active=False)
    Market.objects.create(
        tenant=market.tenant, slug="no", currency="NOK", default_locale="nb", active=False
    )
    assert examine() == []


def test_missing_types(market: Market) -> None:
    RecommendationType.objects.filter(name="similar").delete()
    (finding,) = examine()
    assert (finding.code, finding.wrong) == ("types_missing", False)
    assert "similar" in finding.message
    RecommendationType.objects.all().delete()
    (finding,) = examine()
    assert (finding.code, finding.wrong) == ("types_missing", True)


def test_a_storefront_open_to_browsers_needs_no_key(market: Market) -> None:
    ApiKey.objects.all().delete()
    assert codes() == ["no_key"]
    tenant = market.tenant
    tenant.refresh_from_db()
    tenant.origins = ["https://shop.example"]
    tenant.storefront_access = Tenant.StorefrontAccess.OPEN_TO_ORIGINS
    tenant.save()
    assert codes() == []


def test_keys_that_end_or_are_not_used_are_notes(market: Market) -> None:
    now = timezone.now()
    for name, scopes, expires in (
        ("old", ["events"], now - timedelta(days=1)),
        ("soon", ["events"], now + timedelta(days=3)),
        ("later", ["events"], now + timedelta(days=100)),
    ):
        ApiKey.objects.issue(market.tenant, name=name, scopes=scopes, expires_at=expires)
    key, _ = ApiKey.objects.issue(market.tenant, name="idle", scopes=["events"])
    ApiKey.objects.filter(pk=key.pk).update(created_at=now - timedelta(days=2))
    findings = examine()
    assert [(one.code, one.wrong) for one in findings] == [
        ("key_expired", False),
        ("key_expires_soon", False),
        ("key_unused", False),
    ]
    assert [
        name in one.message for name, one in zip(("old", "soon", "idle"), findings, strict=True)
    ]


def test_nothing_to_recommend(market: Market) -> None:
    Product.objects.all().change(in_stock=False)
    assert codes() == ["nothing_to_recommend"]


def test_the_newest_run_of_each_feed_counts(market: Market) -> None:
    now = timezone.now()

    def run(source: str, status: str, *, hours: float, message: str = "") -> None:
        FeedRun.objects.create(
            market=market,
            source=source,
            status=status,
            message=message,
            started_at=now - timedelta(hours=hours),
        )

    run("a.csv", "failed", hours=30)
    run("a.csv", "succeeded", hours=1)
    run("b.csv", "succeeded", hours=30)
    run("c.csv", "failed", hours=2, message="no such file")
    findings = {one.code: one for one in examine()}
    assert sorted(findings) == ["feed_failed", "feed_stale"]
    assert findings["feed_failed"].remedy == "manage.py reco_import_feed acme se c.csv"
    assert "no such file" in findings["feed_failed"].message
    assert findings["feed_stale"].remedy == "manage.py reco_import_feed acme se b.csv"


def test_old_events_are_stale_from_the_given_age_on(market: Market) -> None:
    assert codes(thresholds=Thresholds(event_age=timedelta(hours=23))) == ["events_stale"]
    assert codes(thresholds=Thresholds(event_age=timedelta(hours=25))) == []


def test_events_of_unknown_products(market: Market) -> None:
    for number in range(3):
        event(market, product_id="", sku="s1", days_old=1.1 + number / 10)
    assert codes() == []
    event(market, product_id="", sku="unknown", days_old=1.5)
    assert codes() == []  # one of five
    event(market, product_id="unknown", days_old=1.6)
    (finding,) = examine()
    assert finding.code == "unknown_products"
    assert finding.message.startswith("2 of the newest 6 events")


def test_events_without_a_product_say_nothing_about_ids(market: Market) -> None:
    Event.objects.update(product_id="")
    assert codes() == []


def test_a_failed_training(market: Market) -> None:
    TrainingRun.objects.create(market=market, status="failed", message="disk full")
    (finding,) = examine()
    assert finding.code == "training_failed"
    assert finding.message == "The last training failed: disk full"
    TrainingRun.objects.create(market=market, status="published")
    assert codes() == []


def test_a_broken_artifact_is_rolled_back_or_trained_again(market: Market) -> None:
    first = Artifact.objects.get()
    store.storage().delete(f"{first.path}/{store.MANIFEST}")
    (finding,) = examine()
    assert (finding.code, finding.remedy) == ("artifact_broken", "manage.py reco_train acme se")
    second = publish(market, window=first.manifest["window"])
    assert codes() == []
    store.delete(second.path)
    (finding,) = examine()
    assert finding.remedy == "manage.py reco_artifacts rollback acme se"


def test_a_model_that_events_have_left_behind(market: Market) -> None:
    two_days_old = (timezone.now() - timedelta(days=3)).isoformat()
    publish(market, window=[two_days_old, two_days_old])
    assert codes(thresholds=Thresholds(training_lag=timedelta(days=2.5))) == []
    assert codes(thresholds=Thresholds(training_lag=timedelta(days=1.5))) == ["artifact_stale"]
    publish(market, window=[])
    (finding,) = examine()
    assert finding.code == "artifact_stale"
    assert "knows is none" in finding.message


def test_unapplied_migrations_are_the_only_finding(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Behind:
        def __init__(self, connection: object) -> None:
            self.loader = self
            self.graph = self

        def leaf_nodes(self, app: str) -> list[tuple[str, str]]:
            return [(app, "0002_more")]

        def migration_plan(self, nodes: list[tuple[str, str]]) -> list[tuple[str, bool]]:
            return [(".".join(node), False) for node in nodes]

    monkeypatch.setattr(doctor, "MigrationExecutor", Behind)
    Tenant.objects.all().delete()
    (finding,) = examine()
    assert (finding.code, finding.remedy) == ("migrations", "manage.py migrate")
    assert "depict_reco.0002_more" in finding.message


def test_errors_of_the_system_checks_are_findings(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = [
        checks.Error("broken", hint="mend it", id="shop.E001"),
        checks.Warning("doubtful", id="shop.W001"),
    ]
    monkeypatch.setattr(checks, "run_checks", lambda **_: problems)
    (finding,) = examine()
    assert (finding.code, finding.message, finding.remedy) == (
        "check",
        "shop.E001: broken",
        "mend it",
    )


def test_the_command_ends_well_when_nothing_is_wrong(market: Market) -> None:
    out = StringIO()
    call_command("reco_doctor", stdout=out, no_color=True)
    assert out.getvalue() == "Nothing is wrong.\n"


def test_the_command_fails_when_something_is_wrong(market: Market) -> None:
    CurrentArtifact.objects.all().delete()
    out = StringIO()
    with pytest.raises(SystemExit) as failure:
        call_command("reco_doctor", "acme", stdout=out, no_color=True)
    assert failure.value.code == 1
    assert out.getvalue() == (
        "wrong  acme/se: No model is published; nothing learned is served.\n"
        "       → manage.py reco_train acme se\n"
        "1 wrong\n"
    )


def test_the_command_prints_json(market: Market) -> None:
    out = StringIO()
    call_command("reco_doctor", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"ok": True, "findings": []}
    RecommendationType.objects.filter(name="similar").delete()
    out = StringIO()
    call_command("reco_doctor", "--json", stdout=out)
    report = json.loads(out.getvalue())
    assert report["ok"] is True
    assert report["findings"][0]["code"] == "types_missing"
    assert sorted(report["findings"][0]) == ["code", "message", "remedy", "subject", "wrong"]


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "1e99"])
def test_the_command_refuses_odd_numbers_of_days(text: str) -> None:
    with pytest.raises(CommandError, match="no number of days above zero"):
        call_command("reco_doctor", f"--event-days={text}")
