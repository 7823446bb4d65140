from __future__ import annotations

import json
import logging
import re
import subprocess
import sys

import pytest
from django.test import Client

from depict_reco.api.logs import JSONFormatter, RequestIdFilter
from depict_reco.api.request_ids import current_request_id
from depict_reco.serving.requests import UNKNOWN_TYPE
from depict_reco.signals import request_answered
from depict_reco.tenants.models import ApiKey
from depict_reco.tenants.outages import outages
from tests.conftest import wait_for

MANY = "/v2/recommend/products/products"
BODY = {"tenant": "acme", "market": "se", "type": "popular", "product_ids": [], "limit": 3,
        "session_id": "secret-session", "user_id": "secret-user"}  # fmt: skip


@pytest.fixture
def key(shop):
    return ApiKey.objects.issue(shop.tenant, name="web shop", scopes=["recommend"])[1]


@pytest.fixture
def ask(key):
    def post(body=BODY, path=MANY, *, raises=True, **headers):
        client = Client(headers={"X-API-KEY": key}, raise_request_exception=raises)
        return client.post(path, body, content_type="application/json", headers=headers)

    return post


@pytest.fixture
def exchanges():
    seen = []

    def receive(exchange, **kwargs):
        seen.append(exchange)

    request_answered.connect(receive)
    yield seen
    request_answered.disconnect(receive)


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, logger="depict_reco.requests")
    caplog.handler.addFilter(RequestIdFilter())
    return caplog


@pytest.mark.parametrize(
    "given", ["a", "7f3c-01:e/x+y=z@w._", "A" * 128, "00-4bf92f3577b34da6a3ce929d0e0e4736-01"]
)
def test_a_well_formed_id_is_kept(ask, given):
    assert ask(**{"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", [None, "", " ", "a b", "A" * 129, "x\n", "é", "<b>", '"', "a,b"])
def test_any_other_is_replaced(ask, given):
    headers = {} if given is None else {"X-Request-ID": given}
    first, second = ask(**headers), ask(**headers)

    assert re.fullmatch("[0-9a-f]{16}", first.headers["X-Request-ID"])
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


def test_refusals_and_the_management_api_have_one_as_well(client, db):
    for path in (MANY, "/management/v1/products"):
        response = client.get(path, headers={"X-Request-ID": "abc"})
        assert (response.status_code >= 400, response.headers["X-Request-ID"]) == (True, "abc")
    assert current_request_id.get() == ""


def test_one_line_for_each_request(ask, log):
    ask(**{"X-Request-ID": "abc"})

    (record,) = log.records
    assert re.fullmatch(rf"POST {MANY} 200 \d+\.\d ms", record.getMessage())
    assert (record.name, record.levelname, record.request_id) == (
        "depict_reco.requests", "INFO", "abc",
    )  # fmt: skip
    facts = {
        name: getattr(record, name)
        for name in ("endpoint", "method", "status", "tenant", "market", "type", "displays",
                     "sources", "key_name")
    }  # fmt: skip
    assert facts == {
        "endpoint": "recommend-for-products",
        "method": "POST",
        "status": 200,
        "tenant": "acme",
        "market": "se",
        "type": "popular",
        "displays": 3,
        "sources": {"catalogue": 3},
        "key_name": "web shop",
    }


def test_a_type_that_does_not_exist_says_so(ask, log):
    ask({**BODY, "type": "nothing"})

    assert (log.records[0].error, log.records[0].displays) == (UNKNOWN_TYPE, 0)


def test_a_line_of_the_log_does_not_grow_with_what_was_asked(ask, log):
    ask({**BODY, "market": "m" * 101, "type": "t" * 60_000})
    ask({**BODY, "market": "m" * 100, "type": "t" * 100})

    for record in log.records:
        assert (record.tenant, record.market, record.type) == ("acme", "m" * 100, "t" * 100)


@pytest.mark.parametrize("level", [logging.INFO, logging.ERROR])
def test_nothing_of_a_person_and_no_secret_is_logged(ask, key, caplog, monkeypatch, level):
    caplog.set_level(level, logger="depict_reco.requests")
    ask(path=f"{MANY}?api_key={key}")
    monkeypatch.setattr("depict_reco.api.views.recommend", fail)
    with pytest.raises(RuntimeError):
        ask(path=f"{MANY}?api_key={key}")

    assert caplog.records
    for record in caplog.records:
        if record.name == "depict_reco.requests":
            everything = JSONFormatter().format(record)
            for word in ("secret-session", "secret-user", "127.0.0.1", key):
                assert word not in everything


def fail(*_, **known):
    raise RuntimeError("a fault in the engine")


def test_a_failure_is_logged_with_its_context(ask, log, exchanges, monkeypatch):
    monkeypatch.setattr("depict_reco.api.views.recommend", fail)
    with pytest.raises(RuntimeError):
        ask(**{"X-Request-ID": "abc"})

    record = next(one for one in log.records if one.name == "depict_reco.requests")
    assert (record.levelname, record.status, record.request_id) == ("ERROR", 500, "abc")
    assert "a fault in the engine" in JSONFormatter().format(record)
    django_record = next(one for one in log.records if one.name == "django.request")
    assert django_record.request_id == "abc"
    assert [exchange.status for exchange in exchanges] == [500]


def test_the_page_of_a_failure_has_the_id_of_its_request(ask, monkeypatch):
    monkeypatch.setattr("depict_reco.api.views.recommend", fail)

    answer = ask(raises=False, **{"X-Request-ID": "abc"})

    assert (answer.status_code, answer.headers["X-Request-ID"]) == (500, "abc")
    assert b"a fault in the engine" not in answer.content


def test_the_log_is_off_unless_it_is_enabled(ask, caplog):
    ask()

    assert caplog.records == []


def test_the_signal_tells_what_was_asked_and_answered(ask, exchanges):
    ask()
    ask({**BODY, "more": 1})

    good, bad = exchanges
    assert (good.status, good.endpoint, good.degraded) == (200, "recommend-for-products", ())
    assert (good.question.limit, good.answer.sources) == (3, ("catalogue",) * 3)
    assert good.key.name == "web shop"
    assert 0 < good.seconds < 5
    assert (bad.status, bad.question, bad.answer) == (422, None, None)


def test_a_receiver_that_fails_does_no_harm(ask, exchanges):
    def broken(exchange, **kwargs):
        raise RuntimeError("metrics")

    request_answered.connect(broken)
    try:
        assert ask().status_code == 200
    finally:
        request_answered.disconnect(broken)
    assert len(exchanges) == 1


def test_an_answer_says_what_it_had_to_do_without(ask, exchanges, log, lasting_outage):
    assert "X-Degraded" not in ask().headers

    outages().database.begin()
    assert ask().headers["X-Degraded"] == "database"
    assert exchanges[1].degraded == ("database",)
    assert [getattr(one, "degraded", None) for one in log.records
            if one.name == "depict_reco.requests"] == [None, ["database"]]  # fmt: skip

    lasting_outage()
    wait_for(lambda: outages().names == ())
    assert "X-Degraded" not in ask().headers


# Formatter and filter by themselves


def record_of(message="hello %s", *args, **extra):
    logger = logging.getLogger("shop.test")
    return logger.makeRecord(
        "shop.test", logging.WARNING, "file.py", 1, message, args or ("there",), None, extra=extra
    )


def test_a_record_becomes_one_line_of_json():
    record = record_of(product="é", price=object, request_id="abc")
    line = JSONFormatter().format(record)

    assert "\n" not in line
    found = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", found.pop("time"))
    assert found == {
        "level": "WARNING",
        "logger": "shop.test",
        "message": "hello there",
        "request_id": "abc",
        "product": "é",
        "price": "<class 'object'>",
    }


def test_an_exception_is_part_of_the_line():
    record = record_of()
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record.exc_info = sys.exc_info()

    line = JSONFormatter().format(record)
    assert "\n" not in line
    assert "ValueError: two\nlines" in json.loads(line)["exception"]


def test_outside_of_requests_there_is_no_id():
    record = record_of()
    assert RequestIdFilter().filter(record)
    assert record.request_id == ""
    assert "request_id" not in json.loads(JSONFormatter().format(record))


def test_a_project_may_name_them_in_its_settings():
    """Logging is set up before the apps are ready; nothing may need a model by then."""
    code = (
        "from django.conf import settings\n"
        "settings.configure(LOGGING={'version': 1,"
        " 'filters': {'id': {'()': 'depict_reco.api.logs.RequestIdFilter'}},"
        " 'formatters': {'json': {'()': 'depict_reco.api.logs.JSONFormatter'}},"
        " 'handlers': {'err': {'class': 'logging.StreamHandler', 'filters': ['id'],"
        " 'formatter': 'json'}}, 'root': {'handlers': ['err']}},"
        " INSTALLED_APPS=['django.contrib.auth', 'django.contrib.contenttypes', 'depict_reco'])\n"
        "import django, logging; django.setup(); logging.warning('ready')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stderr)["message"] == "ready"
