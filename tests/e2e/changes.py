"""The ways in which a shop's staff changes products, each as it is really done.

``Staff`` runs them, in a process that answers nobody.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.test import Client

from depict_reco.models import ApiKey, Market, Product
from depict_reco.tasks import import_feed

API = "/management/v1/products"


def change(way: str, product_id: str, **fields: Any) -> None:
    """Change fields of a product: title, price, in_stock, hidden."""
    product = _product(product_id)
    if way == "orm":
        Product.objects.filter(pk=product.pk).change(**fields)
    elif way == "api":
        _sent(_keyed().patch(f"{API}/{product.pk}", fields, "application/json"), 200)
    elif way == "bulk api":
        rows = [{"product_id": product_id, **fields}]
        answer = _keyed().post(
            f"{API}/bulk", {"market": "se", "products": rows}, "application/json"
        )
        _sent(answer, 200)
        assert answer.json()["updated"] == 1, answer.json()
    elif way == "feed":
        row = {"product_id": product_id, "title": product.title, **fields}
        assert _import([row]).updated == 1
    else:
        assert way == "admin"
        client = _signed_in()
        url = f"/admin/depict_reco/product/{product.pk}/change/"
        form = client.get(url).context_data["adminform"].form
        values = {name: form[name].value() for name in form.fields} | fields
        boxes = {name: "on" for name, value in values.items() if value is True}
        texts = {name: value for name, value in values.items() if value not in (None, True, False)}
        _sent(client.post(url, texts | boxes), 302)


def delete(way: str, product_id: str) -> None:
    """Delete a product; a feed cannot but leave it out."""
    product = _product(product_id)
    if way == "orm":
        Product.objects.filter(pk=product.pk).delete()
    elif way == "api":
        _sent(_keyed().delete(f"{API}/{product.pk}"), 204)
    elif way == "bulk api":
        body = {"market": "se", "product_ids": [product_id]}
        _sent(_keyed().post(f"{API}/bulk-delete", body, "application/json"), 200)
    elif way == "feed":
        others = Product.objects.filter(market=product.market, active=True).exclude(pk=product.pk)
        rows = list(others.values("product_id", "title"))
        assert _import(rows, full=True).deactivated == 1
    else:
        assert way == "admin"
        url = f"/admin/depict_reco/product/{product.pk}/delete/"
        _sent(_signed_in().post(url, {"post": "yes"}), 302)


def _product(product_id: str) -> Product:
    return Product.objects.get(market__tenant__slug="acme", product_id=product_id)


def _import(rows: list[dict[str, Any]], *, full: bool = False) -> Any:
    path = Path(os.environ["VAR_DIR"]) / "changes.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return import_feed(str(path), market=Market.objects.get(tenant__slug="acme"), full=full)


def _keyed() -> Client:
    tenant = Market.objects.get(tenant__slug="acme").tenant
    _, secret = ApiKey.objects.issue(tenant, name="staff", scopes=["catalog"])
    return Client(SERVER_NAME="127.0.0.1", headers={"X-API-KEY": secret})


def _signed_in() -> Client:
    client = Client(SERVER_NAME="127.0.0.1")
    user, _ = get_user_model().objects.get_or_create(
        username="staff", defaults={"is_staff": True, "is_superuser": True}
    )
    client.force_login(user)
    return client


def _sent(answer: Any, status: int) -> None:
    assert answer.status_code == status, (answer.status_code, answer.content[-3000:])
