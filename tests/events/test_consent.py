"""What may be kept under a shopper's ids, and what is kept of everybody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from depict_reco.events.consent import Consent, ids_allowed, read_consent, without_ids
from depict_reco.events.digests import all_digests, digest
from depict_reco.events.erase import ErasureRequest, erase
from depict_reco.events.ingest import Ingested, ingest
from depict_reco.events.records import NewEvent
from depict_reco.models import Erasure, Event, Tenant

MAY = datetime(2026, 5, 1, 12, tzinfo=UTC)
EVENT = NewEvent(
    type="purchase",
    time=MAY,
    session_id="s1",
    user_id="u1",
    product_id="pot",
    transaction_id="order-7",
    recommendation_id="r1",
    deduplication_id="d1",
)


def put(market, *events, **options):
    return ingest(events, tenant_pk=market.tenant_id, market_pk=market.pk, **options)


def stored():
    return [
        (event.session_id, event.user_id, event.transaction_id) for event in Event.objects.all()
    ]


@pytest.fixture
def strict(market):
    """A market of a tenant that requires consent."""
    Tenant.objects.update(consent_required=True)
    return market


@pytest.mark.parametrize(
    ("texts", "consent"),
    [
        ((), Consent.UNKNOWN),
        ((None, ""), Consent.UNKNOWN),
        (("maybe",), Consent.UNKNOWN),
        (("unknown",), Consent.UNKNOWN),
        (("granted",), Consent.GRANTED),
        ((" Granted ", None), Consent.GRANTED),
        (("DENIED",), Consent.DENIED),
        (("granted", "denied"), Consent.DENIED),
        (("denied", "granted"), Consent.DENIED),
    ],
)
def test_consent_is_what_was_said(texts, consent):
    assert read_consent(*texts) is consent


@pytest.mark.parametrize(
    ("consent", "required", "allowed"),
    [
        (Consent.GRANTED, True, True),
        (Consent.GRANTED, False, True),
        (Consent.UNKNOWN, True, False),
        (Consent.UNKNOWN, False, True),
        (Consent.DENIED, True, False),
        (Consent.DENIED, False, False),
    ],
)
def test_silence_is_a_no_only_where_consent_is_required(consent, required, allowed):
    assert ids_allowed(consent, required=required) is allowed


@given(
    st.builds(
        NewEvent,
        type=st.just("page_view"),
        time=st.just(MAY),
        session_id=st.text(max_size=20),
        user_id=st.text(max_size=20),
        transaction_id=st.text(max_size=20),
        deduplication_id=st.text(max_size=20),
    )
)
def test_without_ids_nothing_leads_back(event):
    bare = without_ids(event, tenant_pk=1)

    assert (bare.session_id, bare.user_id) == ("", "")
    assert bool(bare.transaction_id) == bool(event.transaction_id)
    assert bare.transaction_id == "" or bare.transaction_id.startswith("~anonymous:")
    assert bare.deduplication_id.startswith("~anonymous:")
    assert without_ids(bare, tenant_pk=1) == bare


def test_a_refusal_keeps_the_event_and_drops_the_shopper(market):
    assert put(market, EVENT, consent=Consent.DENIED) == Ingested(
        stored=1, duplicates=0, erased=0, anonymous=1
    )
    event = Event.objects.get()
    assert (event.session_id, event.user_id) == ("", "")
    assert (event.product_id, event.recommendation_id) == ("pot", "r1")
    assert "order-7" not in event.transaction_id
    assert event.deduplication_id != "d1"


def test_lines_of_an_order_stay_one_order_and_copies_one_event(market):
    other_line = replace(EVENT, product_id="cup", deduplication_id="d2")
    put(market, EVENT, other_line, consent=Consent.DENIED)
    again = put(market, EVENT, consent=Consent.DENIED)

    assert (again.stored, again.duplicates) == (0, 1)
    assert Event.objects.count() == 2
    assert len({order for *_, order in stored()}) == 1


def test_where_consent_is_required_silence_drops_the_shopper(strict):
    put(strict, EVENT)
    put(strict, replace(EVENT, deduplication_id="d2"), consent=Consent.GRANTED)

    assert stored()[0][:2] == ("", "")
    assert stored()[1] == ("s1", "u1", "order-7")


def test_the_requirement_holds_from_the_moment_it_is_made(market):
    put(market, EVENT)
    market.tenant.consent_required = True
    market.tenant.save()
    put(market, replace(EVENT, deduplication_id="d2"))

    assert [session for session, *_ in stored()] == ["s1", ""]


def test_a_closed_tenant_keeps_its_rules(strict):
    strict.tenant.active = False
    strict.tenant.consent_required = True
    strict.tenant.save()
    put(strict, EVENT)

    assert stored()[0][:2] == ("", "")


def test_an_erased_shopper_does_not_come_back_with_what_was_erased(market):
    put(market, EVENT)
    erase(market.tenant, ErasureRequest(ids=("u1",), asked_by="dpo"))

    assert put(market, EVENT) == Ingested(stored=0, duplicates=0, erased=1)
    assert put(market, replace(EVENT, user_id="", session_id="u1")).erased == 1
    assert put(market, replace(EVENT, user_id="u2")).stored == 1
    assert stored() == [("s1", "u2", "order-7")]


def test_what_comes_soon_after_counts_without_ids_and_later_it_is_a_new_shopper(market):
    erase(market.tenant, ErasureRequest(ids=("u1",), asked_by="dpo"))
    erased_at = Erasure.objects.get().asked_at

    def after(hours):
        name = f"after {hours}"
        moment = erased_at + timedelta(hours=hours)
        put(market, replace(EVENT, time=moment, deduplication_id=name))
        return stored()[-1][:2]

    assert after(1) == ("", "")
    assert after(23.9) == ("", "")
    assert after(24.1) == ("s1", "u1")


def test_the_silence_is_a_setting(market, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "ERASED_SILENCE_HOURS": 0}
    erase(market.tenant, ErasureRequest(ids=("u1",), asked_by="dpo"))
    moment = Erasure.objects.get().asked_at + timedelta(seconds=1)
    put(market, replace(EVENT, time=moment))

    assert stored() == [("s1", "u1", "order-7")]


def test_erasures_outlive_a_change_of_the_secret_key(market, settings):
    erase(market.tenant, ErasureRequest(ids=("u1",), asked_by="dpo"))
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"

    assert put(market, EVENT).erased == 1


def test_erasures_of_another_tenant_do_not_matter(market):
    other = Tenant.objects.create(slug="other", name="Other")
    erase(other, ErasureRequest(ids=("u1",), asked_by="dpo"))

    assert put(market, EVENT).stored == 1


def test_digests_differ_by_tenant_key_and_id(settings):
    first = digest("u1", tenant_pk=1)
    assert len({first, digest("u1", tenant_pk=2), digest("u2", tenant_pk=1)}) == 3
    settings.SECRET_KEY_FALLBACKS = ["older", b"oldest"]
    assert len(set(all_digests("u1", tenant_pk=1))) == 3


def test_events_cost_no_query_more_once_the_rules_are_known(
    market, settings, django_assert_num_queries
):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 60.0}
    erase_one = ErasureRequest(ids=("nobody",), asked_by="dpo")
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 0.0}
    erase(market.tenant, erase_one)
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 60.0}
    put(market, EVENT)
    # one statement, in a savepoint where it may be several
    with django_assert_num_queries(1 if connection.vendor == "postgresql" else 3):
        put(market, replace(EVENT, deduplication_id="d2"))
