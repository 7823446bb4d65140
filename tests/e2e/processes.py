"""The real processes of a small installation: PostgreSQL, Redis, web servers, staff."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], Any], *, seconds: float, what: str) -> float:
    """Wait for something to become true; return how long that took."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.03)
    return time.monotonic() - start


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


class Postgres:
    """A cluster of its own in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self._bin = newest_postgres()
        self._folder = folder / "postgres"
        self._folder.mkdir()
        self.port = free_port()
        self.url = f"postgres://postgres@{HOST}:{self.port}/reco"
        if os.getuid() == 0:
            shutil.chown(self._folder, "postgres")
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "--no-sync")

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def start(self) -> None:
        options = (
            f"-p {self.port} -k {self._folder} -c listen_addresses={HOST} -c fsync=off "
            "-c max_connections=50 -c shared_buffers=16MB"
        )
        log = str(self._folder / "log")
        self._run("pg_ctl", "-D", self._data, "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once, whoever is connected."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "fast", "stop")

    def freeze(self) -> None:
        """Let it hang: whoever asks waits."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        first = int((Path(self._data) / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for pid in (first, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def make_database(self) -> None:
        self._run("createdb", "-h", HOST, "-p", str(self.port), "-U", "postgres", "reco")

    def clean_up(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "stop", check=False)

    def _run(self, name: str, *words: str, check: bool = True) -> None:
        command = [str(self._bin / name), *words]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", check=False
        )
        assert done.returncode == 0 or not check, done.stderr.decode()


def newest_postgres() -> Path | None:
    """Return the folder of PostgreSQL's programs, if it is on this machine and may be run."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if not found or (os.getuid() == 0 and not _has_user("postgres")):
        return None
    return found[-1].parent


def _has_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


class Redis:
    """A server of its own that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://{HOST}:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", HOST, "--save", ""],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )
        wait_until(lambda: listens(self.port), seconds=10, what="Redis listens")

    def stop(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def clean_up(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()


class WebServer:
    """gunicorn with one worker process, so that it is known which process answers."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.port = free_port()
        self._log = (folder / f"{name}.log").open("w")
        self._environment = {**environment, "MALLOC_ARENA_MAX": "2"}  # as docs/deployment.md has it
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "tests.e2e.wsgi", "-w", "1", "-k", "gthread",
             "--threads", "6", "-b", f"{HOST}:{self.port}", "--keep-alive", "60",
             "--log-level", "warning"],
            cwd=ROOT, env=self._environment, stderr=self._log,
        )  # fmt: skip
        wait_until(lambda: listens(self.port), seconds=30, what=f"{self.name} listens")

    @property
    def pid(self) -> int:
        """The process id of the server itself."""
        assert self._process is not None
        return self._process.pid

    @property
    def own_megabytes(self) -> float:
        """The memory of the worker that it shares with nobody and that is no file's."""
        status = Path(f"/proc/{self.worker}/status").read_text()
        return int(status.partition("RssAnon:")[2].split()[0]) / 1024

    @property
    def worker(self) -> int:
        """The process id of the worker."""
        pid = self.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def kill_worker(self) -> None:
        worker = self.worker
        assert worker > 0, f"{self.name} has no worker"  # 0 would be the tests' own group
        os.kill(worker, signal.SIGKILL)

    def clean_up(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
        self._log.close()


class SocketServer:
    """uvicorn with one process, for WebSockets."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.port = free_port()
        self.more: list[str] = []
        """Further options."""
        self._log = (folder / f"{name}.log").open("w")
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ws://{HOST}:{self.port}/ws/create-events"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "tests.e2e.asgi:application", "--host", HOST,
             "--port", str(self.port), "--lifespan", "off", "--log-level", "warning",
             "--ws", "websockets-sansio", "--ws-max-size", "65536",
             "--ws-per-message-deflate", "false", "--timeout-graceful-shutdown", "10",
             *self.more],
            cwd=ROOT, env=self._environment, stderr=self._log,
        )  # fmt: skip
        wait_until(lambda: listens(self.port), seconds=30, what=f"{self.name} listens")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def clean_up(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(20)
        self._log.close()


class Staff:
    """Somebody who changes things; see worker.py."""

    def __init__(self, environment: dict[str, str], *, niceness: int = 0) -> None:
        self._process = subprocess.Popen(
            ["nice", "-n", str(niceness), sys.executable, "-m", "tests.e2e.worker"],
            cwd=ROOT, env={"OPENBLAS_NUM_THREADS": "1", **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def do(self, code: str) -> Any:
        """Run some lines and return what they call ``result``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(code) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def clean_up(self) -> None:
        self._process.kill()
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
