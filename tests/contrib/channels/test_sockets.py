from __future__ import annotations

import asyncio
import json
import threading

import pytest
from django.db import OperationalError, connection

from depict_reco.contrib.channels import intake, storing
from depict_reco.models import ApiKey, Event, Refusal, Tenant
from tests.contrib.channels.conftest import Client, run


def stored():
    return sorted(Event.objects.values_list("type", "session_id", "product_id"))


def test_an_event_is_acknowledged_and_stored(market):
    async def visit():
        async with Client() as page:
            await page.send("1a.b", product_id="teapot-1", document_width=800)
            return await page.answers(2)

    assert run(visit()) == [("1a.b", "ack"), ("1a.b", "ok")]
    assert stored() == [("page_view", "s1", "teapot-1")]


def test_a_frame_sent_again_is_stored_once_and_answered_each_time(market):
    async def visit():
        async with Client() as first, Client() as second:
            await first.send("same", product_id="teapot-1")
            await first.send("same", product_id="teapot-1")
            await second.send("same", product_id="teapot-1")
            return await first.answers(4), await second.answers(2)

    first, second = run(visit())
    assert sorted(first) == [("same", "ack")] * 2 + [("same", "ok")] * 2
    assert second == [("same", "ack"), ("same", "ok")]
    assert stored() == [("page_view", "s1", "teapot-1")]


def test_two_frames_are_two_events(market):
    async def visit():
        async with Client() as page:
            await page.send("1", product_id="teapot-1")
            await page.send("2", product_id="teapot-1")
            await page.answers(4)

    run(visit())
    assert stored() == [("page_view", "s1", "teapot-1")] * 2


def test_a_click_over_the_socket_is_a_click(market):
    async def visit():
        async with Client() as page:
            await page.send("1", type="ws_click", recommendation_id="some-display")
            return await page.answers(2)

    assert run(visit()) == [("1", "ack"), ("1", "ok")]
    assert stored() == [("click", "s1", "")]


def test_what_the_client_lets_through_beside_the_contract_is_taken(market):
    async def visit():
        async with Client() as page:
            await page.send("1", transaction_id="o", error_type="e", detail={"a": 1})
            return await page.answers(2)

    assert run(visit()) == [("1", "ack"), ("1", "ok")]
    assert Event.objects.get().transaction_id == ""


REFUSED = {
    "unknown type": {"type": "sneeze"},
    "no market": {"market": None},
    "unknown market": {"market": "no"},
    "unknown tenant": {"tenant": "nobody"},
    "unknown field": {"unheard": "of"},
    "too short": {"dsid": ""},
}


def test_what_can_never_be_stored_is_refused(market):
    async def visit():
        async with Client() as page:
            for why, event in REFUSED.items():
                await page.send(why, **event)
            await page.send("good", product_id="teapot-1")
            return await page.answers(2 * len(REFUSED) + 2)

    answers = run(visit())
    for why in REFUSED:
        assert [status for one, status in answers if one == why] == ["ack", "not-ok"], why
    assert [status for one, status in answers if one == "good"] == ["ack", "ok"]
    assert stored() == [("page_view", "s1", "teapot-1")]
    noted = set(Refusal.objects.values_list("reason", "detail", "market"))
    assert noted == {
        ("invalid", "type: enum", "se"),
        ("invalid", "market: string_type", ""),
        ("unknown_market", "market: unknown_market", "no"),
        ("unknown_tenant", "", "se"),
        ("invalid", "unheard: extra_forbidden", "se"),
        ("invalid", "dsid: string_too_short", "se"),
    }


def test_a_page_sends_nothing_for_another_shop(market):
    Tenant.objects.create(slug="other", name="Other").markets.create(slug="se", currency="SEK")

    async def visit():
        async with Client() as page:
            await page.send("1", tenant="other")
            return await page.answers(2)

    assert run(visit()) == [("1", "ack"), ("1", "not-ok")]
    assert stored() == []


def test_without_consent_an_event_counts_and_names_nobody(market):
    async def visit():
        async with Client() as page, Client(query="consent=denied") as shy:
            await page.send("1", product_id="teapot-1")
            await shy.send("2", product_id="teapot-2")
            return await page.answers(2) + await shy.answers(2)

    assert run(visit()) == [("1", "ack"), ("1", "ok"), ("2", "ack"), ("2", "ok")]
    assert stored() == [("page_view", "", "teapot-2"), ("page_view", "s1", "teapot-1")]


# the database is slow, or away


async def in_thread(function):
    """Ask the database from within a test's coroutine."""

    def ask():
        try:
            return function()
        finally:
            connection.close()  # of this thread alone

    return await asyncio.to_thread(ask)


@pytest.fixture
def go_on(monkeypatch):
    """Nothing is stored until this is set."""
    go_on = threading.Event()
    accept = storing.accept_events

    def slowly(*args, **kwargs):
        assert go_on.wait(20)
        return accept(*args, **kwargs)

    monkeypatch.setattr(storing, "accept_events", slowly)
    return go_on


def test_a_slow_database_is_covered_by_an_acknowledgement(market, go_on, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "SOCKET_ACK_SECONDS": 0.05}

    async def visit():
        async with Client() as page, Client() as other:
            await page.send("1", product_id="teapot-1")
            before = await page.answers(1)
            await other.send("2", product_id="teapot-2")
            before += await other.answers(1)
            assert await page.is_silent()
            assert await in_thread(stored) == []
            go_on.set()
            return before, await page.answers(1) + await other.answers(1)

    assert run(visit()) == ([("1", "ack"), ("2", "ack")], [("1", "ok"), ("2", "ok")])
    assert stored() == [("page_view", "s1", "teapot-1"), ("page_view", "s1", "teapot-2")]


def test_nothing_is_acknowledged_that_a_database_which_is_away_does_not_take(
    market, monkeypatch, settings
):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "SOCKET_ACK_SECONDS": 0.2}
    accept, attempts, back = storing.accept_events, [], threading.Event()

    def sometimes(events, **kwargs):
        attempts.append(len(events))
        if not back.is_set():
            raise OperationalError("gone")
        return accept(events, **kwargs)

    monkeypatch.setattr(storing, "accept_events", sometimes)

    async def visit():
        async with Client() as page:
            await page.send("1", product_id="teapot-1")
            silent = await page.is_silent(seconds=0.5)
            await page.send("1", product_id="teapot-1")  # as it does after five seconds
            async with Client() as again:  # and over each new socket
                await again.send("1", product_id="teapot-1")
                silent = silent and await again.is_silent(seconds=0.3)
                back.set()
                return silent, await page.answers(4), await again.answers(2)

    silent, first, second = run(visit())
    assert silent
    assert sorted(first) == [("1", "ack"), ("1", "ack"), ("1", "ok"), ("1", "ok")]
    assert second == [("1", "ack"), ("1", "ok")]
    assert set(attempts) == {1}, "a frame that came again was held twice"
    assert stored() == [("page_view", "s1", "teapot-1")]


def test_the_same_frame_of_another_page_is_a_frame_of_its_own(market, monkeypatch):
    accept, sizes, both = storing.accept_events, [], threading.Event()

    def later(events, **kwargs):
        assert both.wait(20)
        sizes.append(len(events))
        return accept(events, **kwargs)

    monkeypatch.setattr(storing, "accept_events", later)

    async def visit():
        async with Client() as page, Client(query="consent=denied") as shy:
            await page.send("1", product_id="teapot-1")
            await shy.send("1", product_id="teapot-1")
            await page.is_silent()
            both.set()
            return await page.answers(2) + await shy.answers(2)

    assert run(visit()) == [("1", "ack"), ("1", "ok")] * 2
    assert sizes == [1, 1]


def test_a_database_that_takes_few_at_a_time_gets_few(market, monkeypatch, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "RETRY_SECONDS": 0.01}
    accept, sizes = storing.accept_events, []

    def few(events, **kwargs):
        sizes.append(len(events))
        if len(events) > 2:
            raise OperationalError("canceling statement due to statement timeout")
        return accept(events, **kwargs)

    monkeypatch.setattr(storing, "accept_events", few)

    async def visit():
        async with Client() as page:
            for number in range(20):
                await page.send(str(number), product_id=f"teapot-{number}")
            return await page.answers(40)

    assert sorted(run(visit())) == sorted(
        (str(number), status) for number in range(20) for status in ("ack", "ok")
    )
    assert max(sizes) > 2
    assert len(stored()) == 20


def test_what_a_closed_page_has_sent_is_stored(market, monkeypatch):
    accept, closed = storing.accept_events, threading.Event()

    def later(*args, **kwargs):
        assert closed.wait(20)
        return accept(*args, **kwargs)

    monkeypatch.setattr(storing, "accept_events", later)

    async def visit():
        async with Client() as page:
            await page.send("1", product_id="teapot-1")
            asyncio.get_running_loop().call_later(0.05, closed.set)

    run(visit())
    assert stored() == [("page_view", "s1", "teapot-1")]


def test_only_so_much_is_held_and_the_rest_is_left_to_the_client(market, go_on, settings):
    settings.DEPICT_RECO = {
        **settings.DEPICT_RECO, "SOCKET_EVENTS_HELD": 2, "SOCKET_ACK_SECONDS": 0.05,
    }  # fmt: skip

    async def visit():
        async with Client() as page:
            for number in range(3):
                await page.send(str(number), product_id=f"teapot-{number}")
            answers = await page.answers(2)
            assert await page.is_silent()
            go_on.set()
            answers += await page.answers(2)
            await page.send("2", product_id="teapot-2")
            return sorted(answers), await page.answers(2)

    held, again = run(visit())
    assert held == [("0", "ack"), ("0", "ok"), ("1", "ack"), ("1", "ok")]
    assert again == [("2", "ack"), ("2", "ok")]
    assert [product for _, _, product in stored()] == ["teapot-0", "teapot-1", "teapot-2"]


def test_only_so_many_bytes_are_held(market, go_on, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "SOCKET_BYTES_HELD": 100_000}
    many = json.dumps([{}] * 15_000)  # takes 25 times as much room once it is read

    async def visit():
        async with Client() as page:
            for number in range(4):
                text = f'{{"id": "{number}", "event": {{"variant_ids": {many}}}}}'
                await page.send_text(text)
            await page.send("small", product_id="teapot-1")
            await page.is_silent()
            go_on.set()
            answers = await page.answers(4)
            assert await page.is_silent()
            return sorted(answers)

    assert run(visit()) == [("0", "ack"), ("0", "not-ok"), ("small", "ack"), ("small", "ok")]


def test_one_event_that_cannot_be_stored_holds_up_no_other(market, monkeypatch, caplog):
    accept = storing.accept_events

    def picky(events, **kwargs):
        if any(event.product_id == "bad" for event in events):
            raise ValueError("no")
        return accept(events, **kwargs)

    monkeypatch.setattr(storing, "accept_events", picky)

    async def visit():
        async with Client() as page:
            for product in ("teapot-1", "bad", "teapot-2"):
                await page.send(product, product_id=product)
            return await page.answers(6)

    answers = run(visit())
    assert {one for one in answers if one[1] != "ack"} == {
        ("teapot-1", "ok"), ("bad", "not-ok"), ("teapot-2", "ok"),
    }  # fmt: skip
    assert [product for _, _, product in stored()] == ["teapot-1", "teapot-2"]
    assert "cannot be stored" in caplog.text


def test_an_error_that_nobody_expects_loses_no_batch(market, monkeypatch, settings, caplog):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "RETRY_SECONDS": 0.01}
    store, sizes = intake.store_frames, []

    def strange(frames):
        sizes.append(len(frames))
        if any(frame.id == "bad" for frame in frames):
            raise RuntimeError("strange")
        return store(frames)

    monkeypatch.setattr(intake, "store_frames", strange)

    async def visit():
        async with Client() as page:
            for name in ("1", "2", "bad", "3", "4"):
                await page.send(name, product_id=f"teapot-{name}")
            return await page.answers(10)

    answers = run(visit())
    assert {one for one in answers if one[1] != "ack"} == {
        ("1", "ok"), ("2", "ok"), ("bad", "not-ok"), ("3", "ok"), ("4", "ok"),
    }  # fmt: skip
    assert [product for _, _, product in stored()] == [
        "teapot-1",
        "teapot-2",
        "teapot-3",
        "teapot-4",
    ]
    assert len(sizes) < 30, "it is tried without end"
    assert "could not be stored" in caplog.text


# who may open a socket, and for how long


async def code_for(**how):
    async with Client(**how) as page:
        return await page.close_code()


async def is_welcome(**how):
    async with Client(**how) as page:
        await page.send("1", product_id="teapot-1")
        return await page.answers(2) == [("1", "ack"), ("1", "ok")]


def test_other_origins_are_sent_away_for_good(market):
    for origin in ("", "null", "https://elsewhere.example", "http://shop.example"):
        assert run(code_for(origin=origin)) == 4100, origin


def test_a_key_opens_from_anywhere(market, secret):
    assert run(is_welcome(origin="", query=f"api_key={secret}"))
    assert run(is_welcome(origin="https://elsewhere.example", cookie=f"X-API-KEY={secret}"))


def test_a_wrong_key_does_not_open_even_from_the_shops_origin(market, secret):
    assert run(code_for(query="api_key=reco_wrong")) == 4100
    assert run(code_for(cookie=f"X-API-KEY={secret[:-1]}")) == 4100


def test_a_key_needs_the_scope(market):
    secret = ApiKey.objects.issue(market.tenant, name="other", scopes=["recommend"])[1]
    assert run(code_for(origin="", query=f"api_key={secret}")) == 4100


def test_a_shop_that_wants_keys_gets_no_keyless_events(market, secret):
    market.tenant.storefront_access = "key"
    market.tenant.save()
    assert run(code_for()) == 4100
    assert run(is_welcome(query=f"api_key={secret}"))


def test_a_revoked_key_sends_nothing_more(market, secret):
    key = ApiKey.objects.get()

    async def visit():
        async with Client(query=f"api_key={secret}") as page:
            await page.send("1", product_id="teapot-1")
            first = await page.answers(2)
            await in_thread(key.revoke)
            await page.send("2", product_id="teapot-2")
            return first[-1], (await page.answers(2))[-1]

    assert run(visit()) == (("1", "ok"), ("2", "not-ok"))


def test_while_the_database_is_away_at_the_start_pages_come_back(market, monkeypatch):
    def away(*_):
        raise OperationalError("gone")

    monkeypatch.setattr("depict_reco.tenants.directory.Directory.is_open_origin", away)
    assert run(code_for()) == 1013


NOISE = (
    " ", "hello", "[]", "3", "null", '{"id": "1"}', '{"event": {}}', '{"id": 1, "event": {}}',
    '{"id": "", "event": {}}', '{"id": "1", "event": []}', "[" * 5000,
    '{"id": "1", "event": {"url": "' + "x" * 65_536 + '"}}',
)  # fmt: skip


def test_noise_is_borne_a_few_times(market, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "SOCKET_MALFORMED_FRAMES": len(NOISE) + 1}

    async def visit():
        async with Client() as page:
            for text in NOISE:
                await page.send_text(text)
            await page.send_bytes(b"\x00\xff")
            await page.send("1", product_id="teapot-1")
            answers = await page.answers(2)
            await page.send_text("once too often")
            return answers, await page.close_code()

    assert run(visit()) == ([("1", "ack"), ("1", "ok")], 4100)


def test_a_flood_ends_the_socket(market, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "SOCKET_EVENTS_PER_MINUTE": 3}

    async def visit():
        async with Client() as page:
            for number in range(3):
                await page.send(str(number), product_id="teapot-1")
            await page.answers(6)
            await page.send("4", product_id="teapot-1")
            return await page.close_code()

    assert run(visit()) == 4100
    assert len(stored()) == 3


def test_opening_counts_as_a_request_of_its_address(market, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "EVENT_RATE_LIMIT_PER_ADDRESS": "2/day"}
    assert [run(is_welcome(address="198.51.100.7")) for _ in range(2)] == [True, True]
    assert run(code_for(address="198.51.100.7")) == 1013  # it may come back, unlike after 4100
    assert run(is_welcome(address="198.51.100.8"))
