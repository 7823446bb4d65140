from __future__ import annotations

import gc
import io
import sys

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import clear_url_caches, path

from depict_reco.contrib.wsgi import in_one_piece, settle

urlpatterns = [
    path("whole", lambda request: HttpResponse(b"body", status=418, headers={"X-One": "1"})),
    path("stream", lambda request: StreamingHttpResponse(iter([b"a", b"b"]))),
    path("file", lambda request: FileResponse(io.BytesIO(b"file"))),
]
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture(autouse=True)
def connections_stay():
    """As Django's own test client has it."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def finished():
    """How many requests have come to an end."""
    ends = []

    def note(**kwargs):
        ends.append(kwargs)

    request_finished.connect(note)
    yield ends
    request_finished.disconnect(note)


def ask(name, **environ):
    begun = []
    environ |= {
        "REQUEST_METHOD": "GET", "PATH_INFO": f"/{name}", "SERVER_NAME": "testserver",
        "SERVER_PORT": "80", "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http",
    }  # fmt: skip
    body = in_one_piece(WSGIHandler())(environ, lambda *started: begun.append(started))
    [(status, headers)] = begun
    return status, dict(headers), body


def test_a_body_is_a_list_and_its_request_at_an_end(finished):
    status, headers, body = ask("whole")
    assert (status.split()[0], headers["X-One"], body) == ("418", "1", [b"body"])
    assert len(finished) == 1


def test_a_stream_stays_one_and_its_request_open(finished):
    _, _, body = ask("stream")
    assert not isinstance(body, list)
    assert finished == []
    assert list(body) == [b"a", b"b"]
    body.close()
    assert len(finished) == 1


def test_a_file_is_left_to_the_server(finished):
    wrapped = []

    def wrap(file, size=None):
        wrapped.append(file.read())
        file.close()  # which ends the request
        return [b"sent by the server"]

    _, _, body = ask("file", **{"wsgi.file_wrapper": wrap})
    assert (wrapped, body) == ([b"file"], [b"sent by the server"])
    assert len(finished) == 1


def test_what_is_loaded_is_out_of_the_collectors_sight():
    clear_url_caches()
    frozen = gc.get_freeze_count()
    try:
        settle()
        assert gc.get_freeze_count() > frozen + 10_000
        assert len(gc.get_objects()) < 10_000
        assert gc.isenabled()
    finally:
        gc.unfreeze()


@pytest.mark.urls("tests.contrib.late_urls")
def test_views_are_imported_before_the_first_request():
    clear_url_caches()
    sys.modules.pop("tests.contrib.late_urls", None)
    try:
        settle()
    finally:
        gc.unfreeze()
    assert "tests.contrib.late_urls" in sys.modules
