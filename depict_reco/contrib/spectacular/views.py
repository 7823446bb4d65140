"""The OpenAPI document of this app, and the page that shows it."""

from __future__ import annotations

import functools
from typing import Any

from django.apps import apps
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import get_script_prefix
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import (
    OpenApiJsonRenderer,
    OpenApiJsonRenderer2,
    OpenApiYamlRenderer,
    OpenApiYamlRenderer2,
)
from drf_spectacular.settings import SPECTACULAR_DEFAULTS, patched_settings
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

import depict_reco
from depict_reco.contrib.spectacular import extensions  # noqa: F401  registers them
from depict_reco.contrib.spectacular.storefront import COMPONENTS

SIDECAR = "drf_spectacular_sidecar"


def only_ours(endpoints: list[Any]) -> list[Any]:
    """Keep the endpoints of this app, wherever a project mounts them."""
    return [each for each in endpoints if each[3].cls.__module__.startswith("depict_reco.api.")]


DOCUMENT_SETTINGS: dict[str, Any] = {
    "TITLE": "depict_reco",
    "DESCRIPTION": (
        "Product recommendations: the storefront endpoints that Depict's clients speak, and the "
        "management API.\n\nStorefront requests are JSON whatever their content type says. "
        'Errors of the storefront are `{"detail": …}`, with a list of what is wrong for 422. '
        "The management API answers errors as Django REST framework does."
    ),
    "VERSION": depict_reco.__version__,
    "OAS_VERSION": "3.1.0",
    "PREPROCESSING_HOOKS": ["depict_reco.contrib.spectacular.views.only_ours"],
    "APPEND_COMPONENTS": {"schemas": COMPONENTS},
    "COMPONENT_SPLIT_REQUEST": True,
    "SORT_OPERATIONS": False,
    "POSTPROCESSING_HOOKS": [],
}


@functools.lru_cache(maxsize=8)
def document(urlconf: str, script_prefix: str) -> dict[str, Any]:
    """Return the OpenAPI document of the app as a project's URLconf mounts it.

    Nothing of the project's SPECTACULAR_SETTINGS shows in it. It takes a noticeable part of a
    second to make, so it is made once per process.
    """
    neutral = {
        name: value
        for name, value in SPECTACULAR_DEFAULTS.items()
        if not name.startswith("SERVE_") and name != "DEFAULT_GENERATOR_CLASS"
    }
    with patched_settings({**neutral, **DOCUMENT_SETTINGS}), translation.override("en"):
        generated: dict[str, Any] = SchemaGenerator(urlconf=urlconf).get_schema(public=True)
    return generated


class SchemaView(APIView):
    """``/schema/``: the OpenAPI document as YAML, or as JSON with ``?format=json``."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    renderer_classes = (
        OpenApiYamlRenderer,
        OpenApiYamlRenderer2,
        OpenApiJsonRenderer,
        OpenApiJsonRenderer2,
    )
    versioning_class = None
    schema = None  # in no document, whatever schema class the project uses

    def get(self, request: Request) -> Response:
        urlconf = getattr(request, "urlconf", None) or settings.ROOT_URLCONF
        return Response(document(urlconf, get_script_prefix()))


def docs(request: HttpRequest) -> HttpResponse:
    """``/schema/docs/``: the document to browse and to try out, without anything from outside."""
    return render(
        request,
        "depict_reco/api_docs.html",
        {
            "sidecar": apps.is_installed(SIDECAR),
            "signed_in": getattr(getattr(request, "user", None), "is_authenticated", False),
            "csrf_header": settings.CSRF_HEADER_NAME.removeprefix("HTTP_").replace("_", "-"),
        },
    )
