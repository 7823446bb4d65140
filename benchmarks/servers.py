"""Starting a server, driving it with wrk, weighing it."""

from __future__ import annotations

import http.client
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from itertools import count
from pathlib import Path

HOST = "127.0.0.1"
PATH = "/v2/recommend/products/products"
_BIN = Path(sys.executable).parent
_SEEDS = count(1)
"""No two runs ask the same questions in the same order: what one had kept would help the next."""

_LUA = """
local bodies = {}
for line in io.lines(os.getenv("BODIES")) do bodies[#bodies + 1] = line end
math.randomseed(tonumber(os.getenv("SEED")))
local rate = tonumber(os.getenv("RATE") or "0")
if rate > 0 then
  -- requests are due at even intervals, whatever the answers take; what is late is not made up for
  local ffi = require("ffi")
  ffi.cdef("typedef struct {long s; long ns;} moment; int clock_gettime(int, moment *);")
  local moment, due = ffi.new("moment"), 0
  delay = function()
    ffi.C.clock_gettime(1, moment)
    local now = tonumber(moment.s) * 1000 + tonumber(moment.ns) / 1e6
    due = math.max(due + 1000 / rate, now)
    return due - now
  end
end
local headers = {["Content-Type"] = "application/json", ["X-API-KEY"] = os.getenv("API_KEY")}
request = function()
  return wrk.format("POST", nil, headers, bodies[math.random(#bodies)])
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What wrk saw."""

    rate: float
    """Requests per second."""
    p50: float
    """Milliseconds."""
    p99: float
    errors: int
    cpu: float
    """Processor time of the server per request, in microseconds; a busy machine blurs it least."""


def versions() -> str:
    """Return the versions of what is measured."""
    names = ("Django", "djangorestframework", "granian", "gunicorn", "fastapi", "uvicorn")
    found = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    return f"Python {platform.python_version()}, {found}"


def command(server: str, app: str, port: int, *, workers: int = 1) -> list[str]:
    """Return the command line of a server."""
    at = ["--host", HOST, "--port", str(port)]
    one = str(workers)
    known = {
        "granian-wsgi": ["granian", "--interface", "wsgi", "--workers", one, "--no-access-log",
                         "--blocking-threads", "1", "--log-level", "warning", *at, app],
        "granian-asgi": ["granian", "--interface", "asgi", "--workers", one, "--no-access-log",
                         "--log-level", "warning", *at, app],
        "gunicorn": ["gunicorn", "-w", one, "-b", f"{HOST}:{port}", "--log-level", "warning", app],
        "gunicorn-gthread": ["gunicorn", "-w", one, "-k", "gthread", "--threads", "4", "-b",
                             f"{HOST}:{port}", "--log-level", "warning", app],
        "uvicorn": ["uvicorn", "--workers", one, "--no-access-log", "--log-level", "warning",
                    *at, app],
    }  # fmt: skip
    name, *rest = known[server]
    return [str(_BIN / name), *rest]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(arguments: Sequence[str], environment: Mapping[str, str], port: int) -> Iterator[int]:
    """Start a server, wait until it listens, yield its process id and stop it in the end."""
    with subprocess.Popen(
        arguments, env={**os.environ, **environment}, start_new_session=True
    ) as process:
        try:
            _wait(process, port)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with {process.returncode}.")
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"{process.args!r} does not listen.")


def ask(port: int, body: str, key: str) -> bytes:
    """Ask once; raise unless the answer is 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=120)
    connection.request("POST", PATH, body, {"X-API-KEY": key, "Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {answer[:500]!r}")
    return answer


def drive(
    server: tuple[int, int],
    *,
    connections: int,
    seconds: float,
    bodies: Path,
    key: str,
    rate: float = 0.0,
) -> Load:
    """Let wrk ask a server (port, process) as fast as it can, or so many times a second."""
    port, pid = server
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:  # several may drive at once
        script.write(_LUA)
        script.flush()
        before = processor_seconds(pid)
        done = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", "-s", script.name,
             f"http://{HOST}:{port}{PATH}"],
            env={**os.environ, "BODIES": str(bodies), "API_KEY": key, "RATE": str(rate),
                 "SEED": str(next(_SEEDS))},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        spent = processor_seconds(pid) - before
    text = done.stdout
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    broken = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    return Load(
        rate=float(_found(r"Requests/sec:\s+([\d.]+)", text)),
        p50=_milliseconds(_found(r"\n\s+50%\s+(\S+)", text)),
        p99=_milliseconds(_found(r"\n\s+99%\s+(\S+)", text)),
        errors=int(refused[1] if refused else 0) + sum(map(int, broken.groups() if broken else ())),
        cpu=1e6 * spent / max(1, int(_found(r"(\d+) requests in", text))),
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise SystemExit(f"wrk said something else:\n{text}")
    return match[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[unit]


def processor_seconds(pid: int) -> float:
    ticks = 0
    for one in workers_of(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def workers_of(pid: int) -> list[int]:
    """Return a server's process and all below it."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    below = [int(child) for child in children.read_text().split()] if children.exists() else []
    return [pid, *(one for child in below for one in workers_of(child))]


def proportional_megabytes(pid: int) -> float:
    """Return the memory of a server and its workers; what n processes share counts 1/n for each."""
    total = 0
    for one in workers_of(pid):
        text = Path(f"/proc/{one}/smaps_rollup").read_text()
        total += int(_found(r"Pss:\s+(\d+) kB", text))
    return total / 1024


def write_bodies(path: Path, bodies: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(body) + "\n" for body in bodies))
