"""The OpenAPI document: as the contract has it, as it was reviewed, and as a page."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client, override_settings
from django.urls import include, path
from drf_spectacular.validation import validate_schema

from depict_reco.contrib.spectacular.views import document

CONTRACT = json.loads(Path(__file__).with_name("contract.json").read_text())
GOLDEN = Path(__file__).with_name("openapi.yml")
UPDATE = "UPDATE_OPENAPI"

PROSE = {"description", "summary", "example", "examples", "tags"}
STOREFRONT = sorted(CONTRACT["paths"])

urlpatterns = [path("reco/", include("depict_reco.urls"))]


def ours() -> dict[str, Any]:
    return document("tests.urls", "/")


def bare(schema: Any, *, names: bool = False) -> Any:
    """Leave out what is said to people only; ``names`` says that the keys are names of fields.

    Numbers that clients send against the contract are taken, and so in the document.
    """
    if isinstance(schema, dict):
        if {"number", "integer"} & set(schema.get("x-depict-observed-types", ())):
            schema = {**schema, "anyOf": [{"type": "number"}, *schema["anyOf"]]}
        return {
            key: bare(value, names=key == "properties")
            for key, value in schema.items()
            if names or (key not in PROSE and not key.startswith("x-"))
        }
    if isinstance(schema, list):
        return [bare(value) for value in schema]
    return schema


def parameters(operation: dict[str, Any]) -> list[Any]:
    return [{"required": False, **bare(each)} for each in operation.get("parameters", [])]


@pytest.mark.parametrize("address", STOREFRONT)
def test_the_storefront_is_as_the_contract_has_it(address):
    mine, theirs = ours()["paths"][address], CONTRACT["paths"][address]
    assert mine.keys() == theirs.keys()
    for method, expected in theirs.items():
        operation = mine[method]
        assert operation["operationId"] == expected["operationId"]
        assert operation["security"] == expected["security"]
        assert operation.get("deprecated") == expected.get("deprecated")
        assert parameters(operation) == parameters(expected)
        assert bare(operation.get("requestBody")) == bare(expected.get("requestBody"))
        answers = operation["responses"]
        assert {code: bare(answers[code]) for code in expected["responses"]} == bare(
            expected["responses"]
        )


def referred(node: Any, document: dict[str, Any], seen: set[str]) -> set[str]:
    """Collect the names of the components that a part of a document refers to."""
    if isinstance(node, dict):
        if "$ref" in node and (name := node["$ref"].rsplit("/", 1)[1]) not in seen:
            seen.add(name)
            referred(document["components"]["schemas"][name], document, seen)
        for value in node.values():
            referred(value, document, seen)
    if isinstance(node, list):
        for value in node:
            referred(value, document, seen)
    return seen


def test_the_storefronts_components_are_as_the_contract_has_them():
    served = [CONTRACT["paths"][address] for address in STOREFRONT]
    names = referred(served, CONTRACT, set())
    assert len(names) == 20
    mine, theirs = ours()["components"]["schemas"], CONTRACT["components"]["schemas"]
    assert {name: bare(mine[name]) for name in names} == {
        name: bare(theirs[name]) for name in names
    }


def test_the_security_schemes_are_as_the_contract_has_them():
    schemes = ours()["components"]["securitySchemes"]

    assert {name: schemes[name] for name in schemes if name.startswith("APIKey")} == CONTRACT[
        "components"
    ]["securitySchemes"]


def test_the_document_is_the_reviewed_one():
    """Run with UPDATE_OPENAPI=1 (``make openapi``) to store the present one, and look at it."""
    text = yaml.safe_dump(ours(), sort_keys=True, allow_unicode=True, width=100)
    if os.environ.get(UPDATE):
        GOLDEN.write_text(text)
    assert yaml.safe_load(GOLDEN.read_text()) == yaml.safe_load(text), "run: make openapi"


def test_the_document_is_valid_and_names_everything_once():
    validate_schema(ours())
    operations = [
        operation for methods in ours()["paths"].values() for operation in methods.values()
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for operation in operations:
        assert operation["description"], operation["operationId"]
        assert {"401", "403"} <= operation["responses"].keys()
        assert {"APIKeyHeader": []} in operation["security"]


@pytest.mark.parametrize(
    ("query", "accept", "content_type"),
    [
        ("", "*/*", "application/vnd.oai.openapi"),
        ("?format=yaml", "*/*", "application/vnd.oai.openapi"),
        ("?format=json", "*/*", "application/vnd.oai.openapi+json"),
        ("", "application/vnd.oai.openapi+json", "application/vnd.oai.openapi+json"),
        ("", "application/json", "application/json"),
    ],
)
def test_the_document_is_served_as_yaml_and_json(client, query, accept, content_type):
    answer = client.get(f"/schema/{query}", HTTP_ACCEPT=accept)

    assert answer.status_code == 200
    assert answer["Content-Type"].split(";")[0] == content_type
    assert yaml.safe_load(answer.content)["info"]["title"] == "depict_reco"


def test_the_projects_own_spectacular_settings_do_not_show(client):
    document.cache_clear()
    with override_settings(
        SPECTACULAR_SETTINGS={"TITLE": "Shop", "PREPROCESSING_HOOKS": ["tests.nowhere.hook"]},
        REST_FRAMEWORK={"DEFAULT_SCHEMA_CLASS": "rest_framework.schemas.openapi.AutoSchema"},
    ):
        answer = client.get("/schema/?format=json")
    document.cache_clear()

    assert answer.json() == json.loads(json.dumps(ours()))


def test_the_document_follows_where_a_project_mounts_the_app():
    with override_settings(ROOT_URLCONF=__name__):
        answer = Client().get("/reco/schema/?format=json").json()

    assert "/reco/v2/recommend/products/products" in answer["paths"]
    assert "/reco/management/v1/products/bulk" in answer["paths"]
    assert answer["paths"]["/reco/management/v1/products"]["get"]["operationId"] == (
        "management_products_list"
    )


def test_the_page_needs_nothing_from_outside_and_no_inline_code(client):
    page = client.get("/schema/docs/").content.decode()

    assert 'src="/static/depict_reco/api_docs.js"' in page
    assert 'src="/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"' in page
    assert 'data-schema="../?format=json"' in page
    assert "//" not in page.replace("<!doctype html>", "")
    assert page.count("<script") == page.count("<script src=") == 2
    assert "<style" not in page
    assert " style=" not in page


def test_the_page_sets_a_cookie_only_for_people_who_are_signed_in(client, admin_client):
    assert not client.get("/schema/docs/").cookies
    assert 'data-csrf-token=""' in client.get("/schema/docs/").content.decode()
    assert 'data-csrf-token=""' not in admin_client.get("/schema/docs/").content.decode()


def test_the_files_of_the_page_are_there():
    from django.contrib.staticfiles import finders

    for name in ("swagger-ui-bundle.js", "swagger-ui.css"):
        assert finders.find(f"drf_spectacular_sidecar/swagger-ui-dist/{name}")
    assert finders.find("depict_reco/api_docs.js")


def test_the_page_without_the_sidecar_says_what_to_do(client, settings):
    settings.INSTALLED_APPS = [
        app for app in settings.INSTALLED_APPS if app != "drf_spectacular_sidecar"
    ]
    page = client.get("/schema/docs/").content.decode()

    assert "add <code>drf_spectacular_sidecar</code> to INSTALLED_APPS" in page
    assert "<script" not in page
