from __future__ import annotations

import logging
import os
from unittest import mock

import pytest
from django.core.cache import caches
from django.db import connections

from depict_reco.tenants.outages import Outage, Outages
from tests.conftest import wait_for

REDIS_NOBODY_SERVES = {
    "gone": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
    }
}


class Server:
    """A server that is away until told otherwise."""

    def __init__(self):
        self.away = True
        self.asked = 0
        self.changes = 0

    def probe(self):
        self.asked += 1
        if self.away:
            raise OSError("refused")

    def note(self):
        self.changes += 1


@pytest.fixture
def server():
    server = Server()
    yield server
    server.away = False


def test_an_outage_lasts_until_the_server_answers(server, caplog):
    caplog.set_level(logging.WARNING, logger="depict_reco.tenants.outages")
    outage = Outage("archive", server.probe, server.note)
    assert (outage.lasts, outage.seconds) == (False, 0.0)

    outage.begin()
    outage.begin()
    wait_for(lambda: server.asked >= 3)
    assert outage.lasts
    assert outage.seconds > 0
    assert server.changes == 1

    server.away = False
    wait_for(lambda: not outage.lasts)
    assert outage.seconds == 0.0
    wait_for(lambda: server.changes == 2)

    def said():
        # threads of other tests may still have something to say of the database
        return [message for message in caplog.messages if "archive" in message]

    wait_for(lambda: len(said()) == 2)
    assert said()[0] == "The archive does not answer; going on without it."
    assert said()[1].startswith("The archive answers again after ")


def test_it_is_asked_every_few_seconds_and_not_more_often(server, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "RETRY_SECONDS": 0.3}
    outage = Outage("database", server.probe, server.note)

    outage.begin()
    wait_for(lambda: server.asked == 2)
    assert 0.28 < outage.seconds < 2


def test_an_outage_may_come_again(server):
    outage = Outage("database", server.probe, server.note)
    for _ in range(2):
        server.away = True
        outage.begin()
        assert outage.lasts
        server.away = False
        wait_for(lambda: not outage.lasts)


def test_a_forked_process_asks_for_itself(server):
    outage = Outage("database", server.probe, server.note)
    outage.begin()
    child = os.fork()
    if child == 0:
        server.away = False
        try:
            wait_for(lambda: not outage.lasts)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert outage.lasts


def test_what_is_away_has_a_name(server):
    outages = Outages()
    outages.database = Outage("database", server.probe, outages._note)
    assert outages.names == ()

    outages.database.begin()
    assert outages.names == ("database",)
    server.away = False
    wait_for(lambda: outages.names == ())


def test_a_cache_that_is_away(settings, monkeypatch):
    settings.CACHES = {**settings.CACHES, **REDIS_NOBODY_SERVES}
    outages = Outages()
    assert outages.cache("gone") is outages.cache("gone")
    assert outages.cache("default") is not outages.cache("gone")

    outages.cache("gone").begin()
    outages.cache("gone")._prober.join(0.1)
    assert outages.cache("gone").lasts
    assert outages.names == ("cache",)

    monkeypatch.setattr(type(caches["gone"]), "get", lambda *_: None)
    wait_for(lambda: outages.names == ())


@pytest.mark.django_db
def test_the_database_is_asked_over_a_connection_of_its_own(monkeypatch):
    monkeypatch.undo()  # the suite keeps probes away from its database
    from depict_reco.tenants import outages as module

    module.outages.cache_clear()
    outage = module.outages().database
    with mock.patch.object(connections["default"], "cursor", side_effect=OSError("not this one")):
        outage.begin()
        wait_for(lambda: not outage.lasts)
