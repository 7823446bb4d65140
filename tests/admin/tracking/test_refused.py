from __future__ import annotations

from datetime import timedelta

import pytest

from depict_reco.admin.tracking.refused import _advice
from depict_reco.admin.tracking.sample import take_sample
from depict_reco.events.models import RefusalReason
from depict_reco.events.refusals import note_refusal
from depict_reco.models import Market, Refusal, Tenant
from tests.admin.tracking.conftest import NOW


def seen(ago: float = 60) -> None:
    Refusal.objects.update(last_seen_at=NOW - timedelta(seconds=ago))


def test_refused_requests_are_told_with_the_field_that_was_wrong(market, found):
    note_refusal(
        RefusalReason.INVALID, tenant_pk=market.tenant_id, market="se", detail="*.type: enum",
        times=1200,
    )  # fmt: skip
    note_refusal(RefusalReason.INVALID, tenant_pk=market.tenant_id, detail="body: json_invalid")
    seen()
    findings = found()

    assert list(findings) == ["refused_invalid"]
    assert findings["refused_invalid"].title.replace("\u202f", " ") == (
        "Requests with wrong fields were refused (422): 1,201 times, "
        "last on May 1, 2026, 11:59 a.m."
    )
    assert set(findings["refused_invalid"].examples) == {
        "*.type: enum · market se",
        "body: json_invalid",
    }


def test_a_market_that_does_not_exist(market, found):
    note_refusal(RefusalReason.UNKNOWN_MARKET, tenant_pk=market.tenant_id, market="sweden")
    seen()
    finding = found()["refused_unknown_market"]

    assert finding.examples == ("market sweden",)
    assert "Call setMarket with one of: se." in finding.advice


def test_refusals_without_a_shop_are_told_and_those_of_others_are_not(market, found):
    other = Tenant.objects.create(slug="rival", name="Rival")
    Market.objects.create(tenant=market.tenant, slug="no", currency="NOK", default_locale="nb")
    note_refusal(RefusalReason.NO_KEY, detail="origin https://shop.example")
    note_refusal(RefusalReason.FORBIDDEN, tenant_pk=other.pk)
    note_refusal(RefusalReason.INVALID, tenant_pk=market.tenant_id, market="no")
    seen()
    findings = found()

    assert list(findings) == ["refused_no_key"]
    assert findings["refused_no_key"].examples == ("origin https://shop.example",)


def test_what_was_refused_long_ago_is_past(market, found):
    note_refusal(RefusalReason.INVALID, tenant_pk=market.tenant_id)
    seen(ago=8 * 86_400)
    assert found() == {}


@pytest.mark.parametrize("reason", RefusalReason.values)
def test_every_reason_has_its_words(market, found, reason):
    note_refusal(reason, tenant_pk=market.tenant_id)
    seen()
    [finding] = found().values()

    assert finding.code == f"refused_{reason}"
    assert not finding.title.startswith(reason)
    assert finding.advice == _advice(reason, take_sample(market, now=NOW)) != ""
