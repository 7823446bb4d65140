"""Events are accepted exactly when the contract, with what clients really send, accepts them."""

from __future__ import annotations

import copy
import json
import random

import jsonschema
import pytest
from django.test import Client
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from depict_reco.api.event_serializers import TrackV2RequestSerializer
from depict_reco.api.event_views import CreateEventsView
from depict_reco.models import Event
from tests.api.test_contract_agreement import (
    CONTRACT,
    accepts,
    anything,
    mutate,
    near_miss,
    values_of,
)

PATHS = {"Event": "/create-events", "TrackV2Request": "/v2/create-events"}
SERIALIZERS = {"Event": CreateEventsView.serializer, "TrackV2Request": TrackV2RequestSerializer()}
LET_THROUGH = ("transaction_id", "error_type", "detail")
"""Fields of an event that the contract refuses, and that Depict's client may send all the same."""
STRAY = ["event_type", "type", "products", "currency", "unavailability_type",
         "product_id", "sku", "price", "quantity", "market", "tenant", "dsid", *LET_THROUGH,
         "document_width", "variant_ids", "entity_identifiers"]  # fmt: skip
TELLING = [None, "purchase", "transaction_mapping", "product_unavailable", "missing", "SEK",
           "AED", "xx", "click", "ws_click", 1, 0, -0.5, "1", "x", [], {}, True]  # fmt: skip
EXAMPLES = 120
MUTANTS = 25  # 2 bodies x 120 examples x (1 + 25) = 6,240 cases
THROUGH_THE_VIEW = 40


def whole(schema):
    """A schema without references, that allows the numbers which clients are known to send."""
    if isinstance(schema, list):
        return [whole(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return whole(CONTRACT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    if {"number", "integer"} & set(schema.get("x-depict-observed-types", ())):
        schema = {"anyOf": [*schema["anyOf"], {"type": "number"}]}
    return {key: whole(value) for key, value in schema.items()}


def schema_of(name):
    path = CONTRACT["paths"][PATHS[name]]["post"]["requestBody"]
    return whole(path["content"]["application/json"]["schema"])


def with_let_through(name, schema):
    """A schema with the one exception from the contract."""
    schema = copy.deepcopy(schema)
    if name == "Event":
        event = schema["items"]
        assert event["additionalProperties"] is False
        assert not set(LET_THROUGH) & set(event["properties"])
        event["properties"] |= {field: {} for field in LET_THROUGH}
    return schema


def objects_in(node):
    """Yield the objects of a body, outer ones first."""
    if isinstance(node, dict):
        yield node
    for inner in node.values() if isinstance(node, dict) else node:
        if isinstance(inner, dict | list):
            yield from objects_in(inner)


def altered(rng, body):
    """Return a copy of a body with small things changed in one of its objects, or around it."""
    body = copy.deepcopy(body)
    objects = list(objects_in(body)) if isinstance(body, dict | list) else []
    if not objects or rng.random() < 0.05:
        return rng.choice([near_miss(rng), [body], {"events": body}])
    inside = rng.choice(objects)
    if rng.random() < 0.5:
        inside[rng.choice(STRAY)] = rng.choice(TELLING)
        return body
    changed = mutate(rng, inside)
    inside.clear()
    inside.update(changed if isinstance(changed, dict) else {"x": changed})
    return body


def aimed(name, body):
    """The body, about a shop and market that there are."""
    if name == "Event":
        return [{**event, "tenant": "bazaar", "market": "de"} for event in body]
    return {**body, "tenant": "bazaar", "market": "de"}


@pytest.mark.parametrize("name", PATHS)
def test_bodies_are_accepted_exactly_when_the_contract_accepts_them(name, bazaar, settings):
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 3600}
    client = Client(headers={"origin": "https://bazaar.example"})
    schema = schema_of(name)
    validator = jsonschema.Draft202012Validator(with_let_through(name, schema))
    counts = {True: 0, False: 0, "sent": 0}

    def check(body, *, send):
        expected = validator.is_valid(body)
        assert accepts(SERIALIZERS[name], body) == expected, body
        counts[expected] += 1
        if not send:
            return
        counts["sent"] += 1
        sent = aimed(name, body) if expected else body
        answer = client.post(PATHS[name], json.dumps(sent), content_type="text/plain")
        assert answer.status_code == (200 if expected else 422), (sent, answer.content)

    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(body=values_of(schema) | anything, seed=st.integers(0, 2**64))
    def run(body, seed):
        rng = random.Random(seed)
        check(body, send=rng.random() < 0.3)
        for _ in range(MUTANTS):
            check(altered(rng, body), send=rng.random() < 1 / THROUGH_THE_VIEW)

    run()
    assert counts[True] > 200
    assert counts[False] > 1000
    assert counts["sent"] > 30
    assert Event.objects.exists()


@pytest.mark.parametrize("field", LET_THROUGH)
@pytest.mark.parametrize("value", ["o-1", "", 1, None, {"a": []}], ids=repr)
def test_what_the_client_lets_through_is_taken_and_not_read(field, value, bazaar):
    event = {"tenant": "bazaar", "market": "de", "type": "page_view", "product_id": "p"}
    client = Client(headers={"origin": "https://bazaar.example"})
    body = json.dumps([{**event, field: value}])
    answer = client.post("/create-events", body, content_type="text/plain")
    assert answer.json() == {"accepted": 1, "duplicates": 0}
    assert Event.objects.get().transaction_id == ""
    body = json.dumps([{**event, field: value, "other": 1}])
    answer = client.post("/create-events", body, content_type="text/plain")
    assert [one["loc"][-1] for one in answer.json()["detail"]] == ["other"]


@pytest.mark.parametrize("name", ["Event", "UserTransactionMappingEvent", "PurchaseEvent",
                                  "PurchasedProduct", "ProductUnavailableEvent",
                                  "TrackV2Request"])  # fmt: skip
def test_declared_fields_are_those_of_the_contract(name):
    from depict_reco.api import event_serializers

    schema = CONTRACT["components"]["schemas"][name]
    fields = getattr(event_serializers, f"{name}Serializer")().fields

    assert set(fields) == set(schema["properties"])
    assert {key for key, field in fields.items() if field.required} == set(schema["required"])
