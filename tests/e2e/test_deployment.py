"""The files of docs/deployment.md, started with other ports and folders, asked through nginx."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from websockets.sync.client import connect

from tests.e2e.installation import MANY
from tests.e2e.processes import HOST, ROOT, free_port, listens, newest_postgres, wait_until

pytestmark = pytest.mark.faults

DOCUMENT = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
ORIGIN = "https://shop.example"
QUESTION = {"tenant": "acme", "market": "se", "type": "popular", "product_ids": [], "limit": 20}
NGINX = """
daemon off;
pid nginx.pid;
error_log error.log;
events {{}}
http {{
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    {root}
    include site.conf;
}}
"""


def snippet(name: str) -> str:
    """Return the text of a file in the document."""
    found = re.search(rf"<!-- file: {re.escape(name)} -->\n```\w+\n(.*?)```", DOCUMENT, flags=re.S)
    assert found is not None, name
    return found[1]


def replaced(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@dataclass
class Deployment:
    """gunicorn and granian behind nginx."""

    folder: Path
    port: int
    gunicorn: subprocess.Popen[bytes]
    granian: subprocess.Popen[bytes]
    ports: tuple[int, int]
    key: str
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]]
    """All that is to be ended."""

    def restart_gunicorn(self) -> None:
        command = ["gunicorn", "-c", "gunicorn.conf.py", "-b", f"{HOST}:{self.ports[0]}",
                   "example_project.wsgi"]  # fmt: skip
        with (self.folder / "again.log").open("w") as log:
            self.gunicorn = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        self.processes.append(self.gunicorn)

    def ask(
        self, method: str = "POST", path: str = MANY, body: object = QUESTION, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        context = ssl.create_default_context(cafile=str(self.folder / "tls/fullchain.pem"))
        connection = http.client.HTTPSConnection(
            "localhost", self.port, context=context, timeout=30
        )
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(
                method, path, sent, {"Host": "reco.example", "X-API-KEY": self.key, **given}
            )
            response = connection.getresponse()
            return response, response.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def deployment(installation):
    if shutil.which("nginx") is None or shutil.which("openssl") is None:
        pytest.skip("nginx and openssl are not installed here")
    folder = installation.folder / "deployment"
    (folder / "tls").mkdir(parents=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "tls/key.pem",
         "-out", folder / "tls/fullchain.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    ports = free_port(), free_port(), free_port()
    processes = []
    try:
        environment = _environment(installation, folder)
        servers = _web_servers(installation, folder, ports, environment)
        processes += servers
        port = _start_nginx(folder, ports, processes)
        yield Deployment(
            folder=folder, port=port, gunicorn=servers[0], granian=servers[1], ports=ports[:2],
            key=installation.keys["acme"], environment=environment, processes=processes,
        )  # fmt: skip
    finally:
        for process in reversed(processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _settings(installation):
    return replaced(
        snippet("production.py"),
        {"/srv/reco/models": str(installation.folder / "artifacts"),
         "/srv/reco/copies": str(installation.folder / "copies"),
         "600/minute": "20/day"},
    )  # fmt: skip


def _environment(installation, folder):
    return {
        **os.environ, "DJANGO_SETTINGS_MODULE": "production", "PYTHONPATH": f"{folder}:{ROOT}",
        "PATH": f"{BIN}:{os.environ['PATH']}", "DATABASE_URL": installation.postgres.url,
        "REDIS_URL": installation.redis.url, "SECRET_KEY": "end to end",
        "OPERATIONS_TOKEN": "let-me-see", "VAR_DIR": str(folder / "var"),
    }  # fmt: skip


def _web_servers(installation, folder, ports, environment):
    (folder / "production.py").write_text(_settings(installation), "utf-8")
    gunicorn = {"workers = 4": "workers = 2"}
    (folder / "gunicorn.conf.py").write_text(replaced(snippet("gunicorn.conf.py"), gunicorn))
    granian = {"--port 8000": f"--port {ports[1]}", "--workers 4": "--workers 2"}
    (folder / "granian.sh").write_text("exec " + replaced(snippet("granian.sh"), granian))
    started = []
    for number, command in enumerate(
        (["gunicorn", "-c", "gunicorn.conf.py", "-b", f"{HOST}:{ports[0]}",
          "example_project.wsgi"],
         ["sh", str(folder / "granian.sh")],
         _socket_command(ports[2]))
    ):  # fmt: skip
        with (folder / f"web{number}.log").open("w") as log:
            started.append(
                subprocess.Popen(
                    command, cwd=folder, env=environment, stdout=log, stderr=log,
                    start_new_session=True,
                )
            )  # fmt: skip
    for port in ports:
        wait_until(lambda port=port: listens(port), seconds=40, what="the web servers listen")
    return started


def _socket_command(port):
    found = re.search(
        r"ExecStart=(.*?[^\\])\n", snippet("depict-reco-sockets@.service"), flags=re.S
    )
    assert found is not None
    changes = {"\\\n": "", "%i": str(port), "/srv/reco/current/bin/uvicorn": "uvicorn"}
    return replaced(found[1], changes).split()


def _start_nginx(folder, ports, processes):
    port = free_port()
    site = replaced(
        snippet("nginx.conf"),
        {"listen 443 ssl": f"listen {HOST}:{port} ssl", "/srv/reco": str(folder),
         "/var/log/nginx": str(folder), "127.0.0.1:8000": f"{HOST}:{ports[0]}",
         "127.0.0.1:8001": f"{HOST}:{ports[1]}", "127.0.0.1:8010": f"{HOST}:{ports[2]}",
         "127.0.0.1:8011": f"{HOST}:{ports[2]}"},
    )  # fmt: skip
    (folder / "site.conf").write_text(site)
    main = NGINX.format(root="")
    if os.getuid() == 0:
        main = "user root;\n" + main  # the folder of the test is nobody else's
    (folder / "main.conf").write_text(main)
    command = ["nginx", "-p", str(folder), "-c", "main.conf", "-e", str(folder / "error.log")]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr
    processes.append(subprocess.Popen(command))
    wait_until(lambda: listens(port), seconds=10, what="nginx listens")
    return port


def test_a_question_through_nginx(deployment):
    response, body = deployment.ask(Origin=ORIGIN, X_Request_ID="from-the-page")

    assert response.status == 200, body
    assert len(json.loads(body)["displays"]) == 20
    assert response.getheader("X-Request-ID") == "from-the-page"
    assert response.getheader("Cache-Control") == "private, no-store"
    assert response.msg.get_all("Access-Control-Allow-Origin") == [ORIGIN]
    assert response.msg.get_all("Access-Control-Allow-Credentials") == ["true"]
    assert "Origin" in ", ".join(response.msg.get_all("Vary"))
    assert re.fullmatch("[0-9a-f]{32}", deployment.ask()[0].getheader("X-Request-ID"))


def test_a_browser_asks_first(deployment):
    response, _ = deployment.ask(
        "OPTIONS", body=b"", Origin=ORIGIN, Access_Control_Request_Method="POST"
    )
    assert response.status == 200
    assert response.msg.get_all("Access-Control-Allow-Origin") == [ORIGIN]
    assert response.getheader("Access-Control-Allow-Methods") == "POST, GET, OPTIONS"


def test_a_socket_through_nginx(deployment):
    context = ssl.create_default_context(cafile=str(deployment.folder / "tls/fullchain.pem"))
    event = {"tenant": "acme", "market": "se", "type": "page_view", "dsid": "through-nginx"}
    with connect(
        f"wss://localhost:{deployment.port}/ws/create-events",
        ssl=context, origin=ORIGIN, open_timeout=30,
    ) as page:  # fmt: skip
        page.send(json.dumps({"id": "1", "event": event}))
        answers = [json.loads(page.recv(timeout=30)) for _ in range(2)]
    assert answers == [{"id": "1", "status": "ack"}, {"id": "1", "status": "ok"}]


def test_answers_are_packed_and_large_bodies_refused(deployment):
    response, body = deployment.ask(Accept_Encoding="gzip")
    assert response.getheader("Content-Encoding") == "gzip"
    assert len(body) < 6000

    assert deployment.ask(body=b"x" * 1_100_000)[0].status == 413


def test_operations_are_for_the_machines_themselves(deployment):
    token = {"Authorization": "Bearer let-me-see"}
    for path in ("/metrics", "/readyz", "/healthz"):
        assert deployment.ask("GET", path, b"", **token)[0].status == 404
        for port in deployment.ports:
            connection = http.client.HTTPConnection(HOST, port, timeout=30)
            connection.request("GET", path, headers=token)
            assert connection.getresponse().status == 200, path
            connection.close()


def test_the_log_holds_no_key(deployment):
    deployment.ask(path=f"{MANY}?api_key={deployment.key}", X_Request_ID="in-the-log")
    log = deployment.folder / "reco.log"
    wait_until(lambda: "in-the-log" in log.read_text(), seconds=30, what="the line is written")

    assert f"POST {MANY} 200" in log.read_text()
    assert deployment.key not in log.read_text()


def test_a_caller_is_known_by_its_address_behind_nginx(deployment):
    """What a caller writes into X-Forwarded-For makes no difference."""
    answers = [
        deployment.ask(Origin=ORIGIN, X_API_KEY="", X_Forwarded_For=f"198.51.100.{number}")[0]
        for number in range(22)
    ]
    assert [answer.status for answer in answers] == [200] * 20 + [429] * 2
    assert 0 < int(answers[-1].getheader("Retry-After")) <= 86_400
    assert answers[-1].getheader("Access-Control-Allow-Origin") == ORIGIN


class Questions:
    """A thread that asks through nginx, one question after the other."""

    def __init__(self, deployment):
        self.statuses: list[int] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask, args=(deployment,))

    def _ask(self, deployment):
        while not self._stop.is_set():
            self.statuses.append(deployment.ask()[0].status)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(30)


def children(process):
    path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


def test_killed_workers_cost_no_answer(deployment):
    with Questions(deployment) as questions:
        for server in (deployment.gunicorn, deployment.granian):
            before = children(server)
            os.kill(before[0], signal.SIGKILL)
            wait_until(
                lambda server=server, before=before: len(set(children(server)) - {before[0]}) >= 2,
                seconds=30,
                what="a new worker",
            )
            asked = len(questions.statuses)
            wait_until(
                lambda asked=asked: len(questions.statuses) > asked + 10,
                seconds=30,
                what="answers afterwards",
            )
    assert set(questions.statuses) == {200}


SLOW = """
import time
from example_project.wsgi import application
from depict_reco.serving import readiness
readiness.warm_up = lambda: time.sleep(7)
"""


def test_a_worker_that_loads_for_longer_than_the_timeout_is_not_killed(installation, tmp_path):
    port = free_port()
    (tmp_path / "production.py").write_text(_settings(installation))
    (tmp_path / "slow.py").write_text(SLOW)
    changes = {"timeout = 30\ng": "timeout = 2\ng", "workers = 4": "workers = 1"}
    (tmp_path / "slow.conf.py").write_text(replaced(snippet("gunicorn.conf.py"), changes))
    command = ["gunicorn", "-c", "slow.conf.py", "-b", f"{HOST}:{port}", "slow:application"]
    with (
        (tmp_path / "slow.log").open("w") as log,
        subprocess.Popen(
            command, cwd=tmp_path, env=_environment(installation, tmp_path), stdout=log, stderr=log
        ) as server,
    ):
        try:
            wait_until(lambda: listens(port), seconds=40, what="gunicorn listens")
            connection = http.client.HTTPConnection(HOST, port, timeout=60)
            connection.request("GET", "/healthz")
            assert connection.getresponse().status == 200
            connection.close()
        finally:
            server.terminate()
    assert "TIMEOUT" not in (tmp_path / "slow.log").read_text()


def test_a_server_after_the_other_is_started_anew_without_a_gap(deployment):
    """As upgrade.sh does it; gunicorn, since the other has no second self here."""
    with Questions(deployment) as questions:
        deployment.gunicorn.terminate()
        deployment.gunicorn.wait(40)
        before = len(questions.statuses)
        wait_until(
            lambda: len(questions.statuses) > before + 10, seconds=30, what="the other answers"
        )
        deployment.restart_gunicorn()
        wait_until(lambda: listens(deployment.ports[0]), seconds=40, what="it listens again")
        before = len(questions.statuses)
        wait_until(lambda: len(questions.statuses) > before + 10, seconds=30, what="both answer")
    assert set(questions.statuses) == {200}


STUBS = {
    "systemctl": 'echo "$@ with $(readlink current)" >> did',
    "curl": 'echo asked >> asked; [ "$(wc -l < asked)" -ge "${READY_AFTER:-3}" ] && rm asked',
}


@pytest.fixture
def machine(tmp_path):
    """A folder with two environments and with programs that write down what they are asked."""
    for name in ("venv-1.4", "venv-1.5"):
        (tmp_path / name / "bin").mkdir(parents=True)
        python = tmp_path / name / "bin/python"
        python.write_text(f'#!/bin/sh\necho "{name} $@" >> did\n')
        python.chmod(0o755)
    (tmp_path / "stubs").mkdir()
    for name, text in STUBS.items():
        (tmp_path / "stubs" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "stubs" / name).chmod(0o755)
    (tmp_path / "current").symlink_to(tmp_path / "venv-1.4")
    script = replaced(snippet("upgrade.sh"), {"cd /srv/reco": f"cd {tmp_path}", "sleep 1": "true"})
    (tmp_path / "upgrade.sh").write_text(script)
    return tmp_path


def upgrade(machine, **environment):
    command = ["sh", str(machine / "upgrade.sh"), str(machine / "venv-1.5")]
    path = f"{machine / 'stubs'}:{os.environ['PATH']}"
    return subprocess.run(
        command, env={**os.environ, "PATH": path, **environment}, capture_output=True, text=True
    )


def test_an_upgrade_starts_one_server_after_the_other(machine):
    done = upgrade(machine)

    assert done.returncode == 0, done.stderr
    new = machine / "venv-1.5"
    assert (machine / "current").readlink() == new
    assert (machine / "did").read_text().splitlines() == [
        "venv-1.5 manage.py migrate --no-input",
        f"restart depict-reco@8000 with {new}",
        f"restart depict-reco@8001 with {new}",
        "venv-1.5 manage.py reco_doctor",
    ]


def test_an_upgrade_stops_where_a_server_is_not_ready(machine):
    done = upgrade(machine, READY_AFTER="1000000")

    assert (done.returncode, done.stderr) == (1, "port 8000 is not ready\n")
    assert len((machine / "did").read_text().splitlines()) == 2


# The other files


@pytest.mark.parametrize(
    ("name", "server"),
    [("depict-reco@.service", "gunicorn"), ("depict-reco-sockets@.service", "uvicorn")],
)
def test_the_units_of_systemd(installation, name, server):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    unit = installation.folder / name
    program = f"/srv/reco/current/bin/{server}"
    unit.write_text(replaced(snippet(name), {program: str(BIN / server)}))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    about_it = [line for line in done.stderr.splitlines() if "depict-reco" in line]
    assert (done.returncode, about_it) == (0, []), done.stderr


def test_postgresql_takes_its_settings(installation):
    settings = installation.folder / "postgresql.conf"
    settings.write_text(snippet("postgresql.conf"))
    settings.chmod(0o644)
    command = [
        str(newest_postgres() / "postgres"), "-D", str(installation.folder / "postgres/data"),
        "-c", f"config_file={settings}", "-C", "max_connections",
    ]  # fmt: skip
    if os.getuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")

    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "200", "")


def test_redis_takes_its_settings(installation):
    file, port = installation.folder / "redis.conf", free_port()
    file.write_text(snippet("redis.conf"))
    with subprocess.Popen(
        ["redis-server", str(file), "--port", str(port), "--bind", HOST], stdout=subprocess.DEVNULL
    ) as server:
        try:
            wait_until(lambda: listens(port), seconds=10, what="Redis listens")
            client = redis.Redis(HOST, port)
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-ttl"}
            client.close()
        finally:
            server.terminate()
