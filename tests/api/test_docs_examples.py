"""The examples of docs/api.md, tried on the small shop that they speak of."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.test import Client, RequestFactory

from depict_reco.models import ApiKey
from depict_reco.urls import event_urlpatterns, serving_urlpatterns

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
CALLS = re.findall(
    r'^curl -H "X-API-KEY: \$KEY" "?http://localhost:8000(\S+?)"?(?: -d \'\s*([\[{].*?[\]}])\')?$',
    TEXT,
    flags=re.M | re.S,
)


@pytest.fixture
def client(trained_shop):
    scopes = ["recommend", "events", "export"]
    secret = ApiKey.objects.issue(trained_shop.tenant, name="docs", scopes=scopes)[1]
    return Client(headers={"X-API-KEY": secret})


def test_every_endpoint_has_an_example():
    paths = {path.partition("?")[0].removeprefix("/") for path, _ in CALLS}

    known = {str(pattern.pattern) for pattern in serving_urlpatterns + event_urlpatterns}
    assert len(CALLS) == TEXT.count("\ncurl ") == 11
    # an older name, and the same addresses with a slash
    assert paths == {name for name in known if not name.endswith("/")} - {"v2/track"}


@pytest.mark.parametrize(("path", "body"), CALLS)
def test_an_example_is_answered(client, path, body):
    if body:
        response = client.post(path, body, content_type="application/x-www-form-urlencoded")
        answer = json.loads(response.content)
        assert answer.get("displays") or answer == {"accepted": 1, "duplicates": 0}
    else:
        response = client.get(path)
        assert response.json()
    assert response.status_code == 200


def test_the_view_of_the_host_project_works(client):
    code = re.search(r"```python\n(from rest_framework\.response.*?)```", TEXT, flags=re.S)[1]
    names: dict = {}
    exec(code, names)  # noqa: S102  our own documentation

    request = RequestFactory().get(
        "/prices", headers={"X-API-KEY": client.defaults["HTTP_X_API_KEY"]}
    )
    response = names["Prices"].as_view()(request)

    assert response.status_code == 200
    assert {"product_id", "price"} == set(response.data[0])
    assert len(response.data) > 20


def test_every_type_of_error_is_explained(client):
    body = {"tenant": 1, "dsid": "", "limit": 1.5, "metadata": 1, "product_ids": 1, "extra": 1}
    bodies = [b"", b"[]", b"{", json.dumps(body), '{"limit": 0}', '{"limit": 500}', '{"limit": ""}']
    paths = ["/v2/recommend/products/products"] * len(bodies) + ["/v3/get-displays"] * 2
    bodies += ['{"product_ids": []}', json.dumps({"product_ids": ["x"] * 51})]

    event = {"tenant": "acme", "market": "se", "type": "click"}
    orders = {**event, "events": [{"transaction_id": "o", "currency": "?", "products": []},
                                  {"event_type": "?"}]}  # fmt: skip
    del orders["type"]
    bodies += [json.dumps([{**event, "type": "?"}]), json.dumps([{**event, "market": "?"}])]
    bodies += [json.dumps(orders)]
    paths += ["/create-events"] * 2 + ["/v2/create-events"]

    told = set()
    for path, raw in zip(paths, bodies, strict=True):
        response = client.post(path, raw, content_type="text/plain")
        told |= {entry["type"] for entry in response.json()["detail"]}

    table = TEXT.partition("| `type` | meaning |")[2].partition("\n\n")[0]
    explained = {
        name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert told == explained
