"""Settings of the servers that the end-to-end tests start; what differs is in the environment."""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url

VAR = Path(os.environ["VAR_DIR"])
SECRET_KEY = "end to end"
ALLOWED_HOSTS = ["127.0.0.1"]
USE_TZ = True
ROOT_URLCONF = "tests.e2e.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "depict_reco",
    "depict_reco.contrib.prometheus",
]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
DATABASES = {
    "default": dj_database_url.parse(
        os.environ["DATABASE_URL"], conn_max_age=60, conn_health_checks=True
    )
}
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    DATABASES["default"]["OPTIONS"] = {"connect_timeout": 2}
else:
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    }
if redis_url := os.environ.get("REDIS_URL"):
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": redis_url,
            "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
        }
    }
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "depict_reco.api.logs.RequestIdFilter"}},
    "formatters": {"json": {"()": "depict_reco.api.logs.JSONFormatter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "filters": ["request_id"],
            "formatter": "json",
        }
    },
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
DEPICT_RECO = {
    "ARTIFACT_DIR": str(VAR / "artifacts"),
    "ARTIFACT_CACHE_DIR": os.environ.get("COPIES_DIR", str(VAR / "copies")),
    "REFRESH_SECONDS": float(os.environ.get("REFRESH_SECONDS", "1")),
    "CHANGES_CACHE": os.environ.get("CHANGES_CACHE", ""),
    "FEED_PACE": float(os.environ.get("FEED_PACE", "1")),
    "OPERATIONS_TOKEN": "let-me-see",
    "RATE_LIMIT_PER_KEY": "1000000/minute",  # never reached, but counted in Redis
}
