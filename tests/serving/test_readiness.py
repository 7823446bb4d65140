from __future__ import annotations

from unittest import mock

from django.db import OperationalError, connections

from depict_reco.models import Market
from depict_reco.serving.readiness import warm_up
from tests.serving.asking import ask


def test_a_warm_process_asks_for_changes_only(trained_shop, django_assert_num_queries):
    Market.objects.create(
        tenant=trained_shop.tenant, slug="us", currency="USD", default_locale="en-US"
    )
    assert warm_up() == 2

    with django_assert_num_queries(1):  # the tenants, since REFRESH_SECONDS is 0 here
        assert ask("cross_sell", "teapot-1", limit=1) == ["teacup-1"]


def test_without_a_database_a_process_starts_cold(shop, lasting_outage):
    with mock.patch.object(connections["default"], "cursor", side_effect=OperationalError("gone")):
        assert warm_up() == 0
    lasting_outage()
    assert warm_up() == 1
