"""Links between pages of the admin and out to the shop."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.db import models
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


def list_url(model: type[models.Model], **filters: Any) -> str:
    """Address of the list of a model, filtered."""
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url


def page_url(row: models.Model) -> str:
    """Address of the page of a row."""
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[quote(row.pk)])


def link(url: str, text: Any) -> SafeString:
    return format_html('<a href="{}">{}</a>', url, text)


def page_link(row: models.Model | None) -> Any:
    """Return a link to the page of a row, named by it."""
    return "-" if row is None else link(page_url(row), row)


def is_web_address(url: str) -> bool:
    """Whether a browser may be sent there: never javascript: or data: from a feed."""
    return url.lower().startswith(("https://", "http://"))


def shop_link(url: str, text: Any = "") -> Any:
    """Return a link out to the shop that gives nothing away about the admin."""
    if not is_web_address(url):
        return url
    return format_html(
        '<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>', url, text or url
    )


def picture(url: str, *, css_class: str) -> Any:
    """Return an image of the shop, loaded when it is scrolled to, without a referrer."""
    if not is_web_address(url):
        return ""
    return format_html(
        '<img src="{}" class="{}" alt="" loading="lazy" referrerpolicy="no-referrer">',
        url,
        css_class,
    )
