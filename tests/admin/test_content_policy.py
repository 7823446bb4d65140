"""The pages with scripts, in a real browser, under a strict content security policy."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer

from depict_reco.models import DailyCounter, Event, Rollup
from tests.admin.conftest import build_shop

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
POLICY = "default-src 'self'; script-src 'self'; style-src 'self'; report-uri /csp-report"
REPORTS: list[str] = []

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium"),
    pytest.mark.django_db(transaction=True),
]


def strictly(get_response):
    """Sign everybody in, send the policy, and write down what breaks it."""

    def middleware(request):
        if request.path == "/csp-report":
            REPORTS.append(json.loads(request.body)["csp-report"]["violated-directive"])
            return HttpResponse(status=204)
        if request.path == "/inline":
            response = HttpResponse("<script>document.title = 'ran'</script>")
        else:
            request.user = User.objects.get(username="root")
            response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    return middleware


@pytest.fixture
def look(settings, tmp_path):
    """Open a page in a browser; return what is there once its scripts have run."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.strictly"]
    settings.ALLOWED_HOSTS = ["*"]
    User.objects.create_superuser("root")
    REPORTS.clear()
    server = LiveServer("127.0.0.1")  # the fixture's may have started without the middleware

    def open_page(path: str) -> str:
        done = subprocess.run(
            [
                BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
                "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync",
                f"--user-data-dir={tmp_path / 'browser'}", "--virtual-time-budget=5000",
                "--dump-dom", server.url + path,
            ],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    yield open_page
    server.stop()


def test_the_browser_reports_what_breaks_the_policy(look):
    assert "ran" not in look("/inline").partition("<title>")[2]
    assert REPORTS == ["script-src-elem"]


def test_tracking_status_keeps_the_policy(look):
    shop = build_shop("acme")
    Event.objects.update(time=timezone.now(), received_at=timezone.now())
    page = look(f"/admin/depict_reco/trackingstatus/?market={shop.market.pk}")

    assert "Live: events appear as they arrive." in page.partition('id="reco-live-status"')[2]
    assert REPORTS == []


def test_results_keep_the_policy(look):
    shop = build_shop("acme")
    today = timezone.now().date()
    rollup = Rollup.objects.create(live=True, time_zone="UTC", advanced_at=timezone.now())
    DailyCounter.objects.bulk_create(
        DailyCounter(
            rollup=rollup, market=shop.market, day=today - timedelta(days=ago),
            type_pk=shop.kind.pk, type_name="similar", position=1, currency="SEK",
            visible=100, clicks=5 + ago, direct_orders=1, direct_revenue=Decimal(99),
        )
        for ago in range(5)
    )  # fmt: skip
    page = look(f"/admin/depict_reco/results/?market={shop.market.pk}")

    assert page.count("<canvas") == 5
    assert REPORTS == []
