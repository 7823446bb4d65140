"""Settings of the Django project that the benchmarks serve: what a storefront needs, no more.

``DATABASE_URL``  where the scratch market is kept
``BENCH_DIR``     folder of its models and caches
``RANKINGS_KEPT`` as the setting of this name; 0: every ranking is made anew; default: its own
``BINDING``       ``client`` for a database without the OPTIONS that docs/serving.md recommends
``MIDDLEWARE``    ``example`` for what Django's project template has; default: none, see
                  docs/serving.md
"""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url

BENCH_DIR = Path(os.environ.get("BENCH_DIR") or Path(__file__).parent / "var")
SECRET_KEY = "benchmarks"  # noqa: S105 - of a scratch market
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "depict_reco.urls"
WSGI_APPLICATION = "benchmarks.wsgi.application"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "depict_reco",
]
MIDDLEWARE = (
    [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    if os.environ.get("MIDDLEWARE") == "example"
    else []
)
DATABASES = {
    "default": dj_database_url.parse(os.environ["DATABASE_URL"], conn_max_age=None)
    if os.environ.get("DATABASE_URL")
    else {"ENGINE": "django.db.backends.dummy"}
}
is_postgresql = DATABASES["default"]["ENGINE"].endswith("postgresql")
if is_postgresql and os.environ.get("BINDING") != "client":
    # the shopper's history is one short question: planning it anew takes longer than answering it
    DATABASES["default"].setdefault("OPTIONS", {}).update(
        server_side_binding=True, prepare_threshold=1
    )
DEPICT_RECO = {
    "ARTIFACT_DIR": str(BENCH_DIR / "artifacts"),
    "ARTIFACT_CACHE_DIR": str(BENCH_DIR / "cache"),
}
if os.environ.get("RANKINGS_KEPT"):
    DEPICT_RECO["RANKINGS_KEPT"] = int(os.environ["RANKINGS_KEPT"])
