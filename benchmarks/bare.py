"""A bare Django worker: what a process weighs before anything of ours is in it."""

import os

import dj_database_url
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    SECRET_KEY="benchmarks",  # noqa: S106 - of a scratch market
    ROOT_URLCONF="benchmarks.bare",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    DATABASES={"default": dj_database_url.parse(os.environ["DATABASE_URL"])},
)


def answer(request: HttpRequest) -> HttpResponse:
    """Ask the database for nothing and answer nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return HttpResponse(b'{"displays":[]}', content_type="application/json")


urlpatterns = [path("v2/recommend/products/products", answer)]
application = get_wsgi_application()
