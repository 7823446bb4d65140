"""Bodies are accepted exactly when the JSON Schema of the contract accepts them."""

from __future__ import annotations

import copy
import json
import os
import random
from pathlib import Path

import jsonschema
import pytest
from django.test import Client
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from rest_framework.exceptions import ValidationError

from depict_reco.api import serializers
from depict_reco.api.parsers import loads

CONTRACT = json.loads(Path(__file__).with_name("contract.json").read_text())
SHARED = Path(__file__).parents[3] / "shared" / "contract" / "openapi.json"

BODIES = {
    "GeneralRecommendRequest": "/v2/recommend/products/general",
    "RecommendRequest": "/v2/recommend/products/product",
    "CategoryRecommendRequest": "/v2/recommend/products/category",
    "RecommendForManyRequest": "/v2/recommend/products/products",
    "RecommendRequestV3": "/v3/recommend/products",
    "GetDisplaysRequestV3": "/v3/get-displays",
}
EXAMPLES = 170
MUTANTS = 20  # 6 bodies x 170 examples x (1 + 20) = 21,420 cases
THROUGH_THE_VIEW = 40  # of each example's many cases, one in so many


def request_schema(name):
    """The schema that requests are held against: v3 requests may have unknown fields."""
    schema = copy.deepcopy(CONTRACT["components"]["schemas"][name])
    if name.endswith("V3"):
        del schema["additionalProperties"]
    return schema


def validator(name):
    return jsonschema.Draft202012Validator(request_schema(name))


def values_of(schema):
    """A strategy of values that a schema, of the kinds that the contract uses, accepts."""
    if "anyOf" in schema:
        return st.one_of([values_of(option) for option in schema["anyOf"]])
    if "allOf" in schema:
        return values_of(schema["allOf"][0])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        return st.from_regex("x?(SEK|EUR)x?", fullmatch=True)
    kind = schema["type"]
    if kind == "number":
        least = schema.get("minimum")
        return st.floats(least, allow_nan=False, allow_infinity=False) | st.integers(least, 2**60)
    if kind == "null":
        return st.none()
    if kind == "string":
        return st.text(min_size=schema.get("minLength", 0))
    if kind == "integer":
        whole = st.integers(schema.get("minimum"), schema.get("maximum"))
        return whole | whole.map(float)
    if kind == "array":
        least, most = schema.get("minItems", 0), schema.get("maxItems", 150)
        return st.lists(values_of(schema["items"]), min_size=least, max_size=most)
    if "properties" not in schema:
        return st.dictionaries(st.text(), values_of(schema["additionalProperties"]))
    fields = {name: values_of(field) for name, field in schema["properties"].items()}
    required = set(schema["required"])
    return st.fixed_dictionaries(
        {name: field for name, field in fields.items() if name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )


anything = st.dictionaries(
    st.text(),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    ),
    max_size=5,
)

NEAR_MISSES = [
    None, True, False, 0, 1, 2, 5.0, 1e2, 128, 128.0, 128.5, 129, -1, -0.0, 0.5, 1e-9, 1e300,
    -1e300, 10**19, 10**40, -(10**40), 2**63, "", " ", "5", "true", "null", "\0", "😀", "é" * 300,
    "\u2028", [], [[]], [""], ["a"], [None], [1], [True], ["a", 5], ["x"] * 50, ["x"] * 51, {},
    {"a": "b"}, {"a": 1}, {"a": None}, {"": ""}, {"a": {"b": "c"}}, {"😀": "\0"}, [{"a": []}],
]  # fmt: skip
STRAY_NAMES = ["x", "", "Tenant", "tenant ", "non_field_errors", "\0", "😀", "metadata", "limit",
               "product_id", "product_ids", "category_id", "merchant", "tenant", "dsid",
               "session_id", "locale", "__proto__", "self", "data"]  # fmt: skip


def near_miss(rng):
    return copy.deepcopy(rng.choice(NEAR_MISSES))


def mutate(rng, body):
    """Return a copy of a body with one to three small things changed."""
    body = copy.deepcopy(body)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        act = rng.random()
        if act < 0.03:
            return rng.choice([near_miss(rng), [body]])
        if act < 0.15 and body:
            del body[rng.choice(list(body))]
        elif act < 0.3:
            body[rng.choice(STRAY_NAMES)] = near_miss(rng)
        elif act < 0.45:
            change_inside(rng, body)
        elif body:
            body[rng.choice(list(body))] = near_miss(rng)
    return body


def change_inside(rng, body):
    containers = [value for value in body.values() if isinstance(value, list | dict)]
    if not containers:
        body["limit"] = near_miss(rng)
        return
    container = rng.choice(containers)
    value = near_miss(rng)
    if isinstance(container, dict):
        container[rng.choice(STRAY_NAMES)] = value
    elif container and rng.random() < 0.5:
        container[rng.randrange(len(container))] = value
    else:
        container.append(value)


def accepts(serializer, body):
    try:
        serializer.run_validation(loads(json.dumps(body).encode()))
    except ValidationError:
        return False
    return True


@pytest.fixture
def post(bazaar, asked, monkeypatch, settings):
    """Send a body as a page of an open shop would; only its own tenant is asked about."""
    settings.DEPICT_RECO = {**settings.DEPICT_RECO, "REFRESH_SECONDS": 3600}
    monkeypatch.setattr("depict_reco.api.views.displays_of", lambda **values: b'{"displays":[]}')
    client = Client(headers={"origin": "https://bazaar.example"})

    def send(path, body):
        return client.post(path, json.dumps(body), content_type="text/plain")

    return send


@pytest.mark.parametrize("name", BODIES)
def test_serializers_accept_exactly_what_the_contract_accepts(name, post):
    schema = validator(name)
    serializer = getattr(serializers, f"{name}Serializer")()
    counts = {True: 0, False: 0, "sent": 0}

    def check(body, *, send):
        expected = schema.is_valid(body)
        assert accepts(serializer, body) == expected, body
        counts[expected] += 1
        if send:
            counts["sent"] += 1
            check_through_the_view(post, name, body, expected)

    @hypothesis_settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        body=values_of(request_schema(name)) | anything,
        seed=st.integers(0, 2**64),
    )
    def run(body, seed):
        rng = random.Random(seed)
        check(body, send=rng.random() < 1 / THROUGH_THE_VIEW)
        for _ in range(MUTANTS):
            check(mutate(rng, body), send=rng.random() < 1 / THROUGH_THE_VIEW)

    run()
    assert counts[True] + counts[False] >= 20_000 / len(BODIES)
    assert counts[True] > 300
    assert counts[False] > 1000
    assert counts["sent"] > 30


def check_through_the_view(post, name, body, expected):
    """The endpoint agrees: 422 when refused, else 200, or 401 for a shop that is not open."""
    response = post(BODIES[name], body)
    if not expected:
        assert response.status_code == 422, body
        for entry in response.json()["detail"]:
            assert entry["loc"][0] == "body"
            assert entry["msg"]
            assert entry["type"]
        return
    slug = body["merchant" if name.endswith("V3") else "tenant"]
    assert response.status_code == (200 if slug == "bazaar" else 401), body
    if slug != "bazaar":
        body = {**body, "merchant" if name.endswith("V3") else "tenant": "bazaar"}
        assert post(BODIES[name], body).status_code == 200, body


@pytest.mark.parametrize("name", BODIES)
def test_declared_fields_are_those_of_the_contract(name):
    schema = CONTRACT["components"]["schemas"][name]
    fields = getattr(serializers, f"{name}Serializer")().fields

    assert set(fields) == set(schema["properties"])
    assert {key for key, field in fields.items() if field.required} == set(schema["required"])


def test_the_stored_contract_is_the_shared_one():
    shared = Path(os.environ.get("DEPICT_RECO_CONTRACT", SHARED))
    if not shared.exists():
        pytest.skip("the shared contract is not at hand; set DEPICT_RECO_CONTRACT to its file")

    assert json.loads(shared.read_text()) == CONTRACT
