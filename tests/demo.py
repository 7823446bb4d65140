"""The demo, prepared and served as its README says, for tests that look at it from outside."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A served demo."""

    url: str
    prepared: dict[str, Any]
    seconds: float
    """What its preparation cost of one core, whatever else that was doing."""
    folder: Path


def demo_command(*words: str, folder: Path) -> dict[str, Any]:
    """What to run the demo with: a folder of its own, and none of the suite's settings."""
    drop = {"DJANGO_SETTINGS_MODULE", "DATABASE_URL", "REDIS_URL", "DEBUG", "SECRET_KEY"}
    return {
        "args": [sys.executable, "manage.py", "demo", "--json", *words],
        "cwd": ROOT,
        "env": {k: v for k, v in os.environ.items() if k not in drop} | {"VAR_DIR": str(folder)},
        "text": True,
    }


@contextmanager
def served_demo(folder: Path) -> Iterator[Demo]:
    """Prepare the demo once, then serve it from a second run."""
    before = os.times()
    first = subprocess.run(**demo_command("--no-serve", folder=folder), capture_output=True)
    assert first.returncode == 0, first.stderr
    after = os.times()
    seconds = after.children_user + after.children_system
    seconds -= before.children_user + before.children_system
    port, socket_port = free_ports()
    serve = demo_command("--port", str(port), folder=folder)
    serve["env"]["SOCKET_PORT"] = str(socket_port)
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(**serve, stdout=subprocess.PIPE, stderr=log) as server,
    ):
        try:
            assert server.stdout is not None
            prepared = json.loads(server.stdout.readline())
            assert prepared == json.loads(first.stdout), "a second run reuses what stands"
            url = f"http://127.0.0.1:{port}"
            _wait_for(url)
            yield Demo(url=url, prepared=prepared, seconds=seconds, folder=folder)
        finally:
            server.terminate()


def free_ports() -> tuple[int, int]:
    """Return two ports that nobody listens on: for the pages, and for the WebSocket."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=30).close()  # noqa: S310
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
