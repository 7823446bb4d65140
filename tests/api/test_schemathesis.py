"""Whatever a client sends, the answer is one that the OpenAPI document foresees, and no 500.

``SCHEMATHESIS_EXAMPLES`` is the number of requests per operation.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from depict_reco.models import ApiKey, Erasure
from depict_reco.serving.defaults import add_default_types
from tests.api.management.conftest import Shop, make_shop

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "25"))
NAMES = {"tenant": "acme", "merchant": "acme", "market": "se", "type": "similar"}
"""What names the shop in requests, so that they get beyond the first refusal."""

ABOUT_ACCEPTANCE = [negative_data_rejection, positive_data_acceptance]
"""Left out: a schema cannot say which rows there are, ``aim`` mends bad requests, and what the
storefront accepts is held to the contract by tests of its own."""

schema = schemathesis.openapi.from_wsgi("/schema/?format=json", get_wsgi_application())
schema.config.generation.update(with_security_parameters=False)


@pytest.fixture
def shop(db: None, tmp_path: Path) -> Shop:
    shop = make_shop("acme")
    add_default_types(shop.tenant)
    path = tmp_path / "feed.csv"
    path.write_text("product_id,title,price\ncup,Cup,9.90\n")
    type(shop.rows["feeds"]).objects.update(source=str(path), full=False)
    shop.rows["erasures"] = Erasure.objects.create(
        tenant=shop.tenant, asked_by="somebody", channel=Erasure.Channel.API, given=1
    )
    return shop


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """Keep the connection, and with it the test's transaction, from request to request."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def headers(shop: Shop) -> dict[str, str]:
    scopes = list(ApiKey.Scope.values)
    _, secret = ApiKey.objects.issue(shop.tenant, name="schemathesis", scopes=scopes)
    return {"X-API-KEY": secret}


def aim(case: schemathesis.Case, shop: Shop) -> None:
    """Point every other request at rows that there are."""
    if len(repr((case.body, case.query, case.path_parameters))) % 2:
        return
    for event in case.body if isinstance(case.body, list) else ():
        if isinstance(event, dict):
            event.update(tenant="acme", market="se")
    for place in (case.body, case.query):
        if isinstance(place, dict):
            place.update({name: value for name, value in NAMES.items() if name in place})
    if case.path_parameters and "id" in case.path_parameters:
        resource = case.path.removeprefix("/management/v1/").split("/")[0]
        case.path_parameters["id"] = shop.rows[resource].pk


@pytest.mark.slow
@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_foreseen(case: schemathesis.Case, shop: Shop, headers: dict[str, str]):
    aim(case, shop)
    case.call_and_validate(headers=headers, excluded_checks=ABOUT_ACCEPTANCE)
