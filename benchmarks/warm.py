"""Configuration of gunicorn: each worker loads all markets before its first request."""

import os
from pathlib import Path
from typing import Any


def post_worker_init(worker: Any) -> None:
    from django.db import connections

    from depict_reco.serving.readiness import warm_up

    warm_up()
    connections.close_all()
    if folder := os.environ.get("WARM_DIR"):  # for who waits until all of them are ready
        (Path(folder) / str(os.getpid())).touch()
