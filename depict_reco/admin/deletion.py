"""What goes with a row when it is deleted, counted instead of loaded."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_permission_codename
from django.db import models
from django.http import HttpRequest
from django.utils.text import capfirst

from depict_reco.admin.paginators import COUNT_LIMIT, count_up_to

NAMED = 100


def deleted_objects(
    rows: Any, request: HttpRequest
) -> tuple[list[str], dict[str, int | str], set[str], list[str]]:
    """Return what Django's delete pages ask for, without reading every row that would go.

    Rights are those of the user (``delete_event``), not of the admin pages: events can be
    deleted with their tenant although no page deletes one event.
    """
    first = next(iter(rows[:1]), None)
    if first is None:
        return [], {}, set(), []
    model: type[models.Model] = type(first)
    pks = [row.pk for row in rows[:NAMED]] if isinstance(rows, list) else rows.order_by()
    names = [f"{capfirst(model._meta.verbose_name)}: {row}" for row in rows[:NAMED]]
    counts: dict[str, int | str] = {}
    lacking: set[str] = set()
    for related, queryset in _going_with(model, pks).items():
        if count := count_up_to(queryset):
            title = str(related._meta.verbose_name_plural)
            counts[title] = count if count <= COUNT_LIMIT else f"> {COUNT_LIMIT:,}"
            if not _may_delete(request, related):
                lacking.add(str(related._meta.verbose_name))
    if not _may_delete(request, model):
        lacking.add(str(model._meta.verbose_name))
    own = len(rows) if isinstance(rows, list) else count_up_to(rows)
    return names, {str(model._meta.verbose_name_plural): own, **counts}, lacking, []


def _going_with(
    model: type[models.Model], rows: Any
) -> dict[type[models.Model], models.QuerySet[Any]]:
    """Return, per model that cascades from these rows, its rows, by the shortest way to them."""
    found: dict[type[models.Model], models.QuerySet[Any]] = {}
    todo: list[tuple[type[models.Model], str]] = [(model, "")]
    while todo:
        current, path = todo.pop(0)
        for relation in current._meta.related_objects:
            related = relation.related_model
            if getattr(relation, "on_delete", None) is not models.CASCADE or isinstance(
                related, str
            ):
                continue
            way = relation.field.name + (f"__{path}" if path else "")
            if related in found or related is model or related._meta.auto_created:
                continue
            found[related] = related._base_manager.filter(**{f"{way}__in": rows})
            todo.append((related, way))
    return found


def _may_delete(request: HttpRequest, model: type[models.Model]) -> bool:
    codename = get_permission_codename("delete", model._meta)
    return request.user.has_perm(f"{model._meta.app_label}.{codename}")
