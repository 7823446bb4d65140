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
    ports = free_port(), free_port()
    processes = []
    try:
        servers = _web_servers(installation, folder, ports)
        processes += servers
        port = _start_nginx(folder, ports, processes)
        yield Deployment(
            folder=folder, port=port, gunicorn=servers[0], granian=servers[1], ports=ports,
            key=installation.keys["acme"],
        )  # fmt: skip
    finally:
        for process in reversed(processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _web_servers(installation, folder, ports):
    settings = replaced(
        snippet("production.py"),
        {"/srv/reco/models": str(installation.folder / "artifacts"),
         "/srv/reco/copies": str(installation.folder / "copies"),
         "600/minute": "20/day"},
    )  # fmt: skip
    (folder / "production.py").write_text(settings, "utf-8")
    gunicorn = {"127.0.0.1:8000": f"{HOST}:{ports[0]}", "workers = 4": "workers = 2"}
    (folder / "gunicorn.conf.py").write_text(replaced(snippet("gunicorn.conf.py"), gunicorn))
    granian = {"--port 8000": f"--port {ports[1]}", "--workers 4": "--workers 2"}
    (folder / "granian.sh").write_text("exec " + replaced(snippet("granian.sh"), granian))
    environment = {
        **os.environ, "DJANGO_SETTINGS_MODULE": "production", "PYTHONPATH": f"{folder}:{ROOT}",
        "PATH": f"{BIN}:{os.environ['PATH']}", "DATABASE_URL": installation.postgres.url,
        "REDIS_URL": installation.redis.url, "SECRET_KEY": "end to end",
        "OPERATIONS_TOKEN": "let-me-see", "VAR_DIR": str(folder / "var"),
    }  # fmt: skip
    started = []
    for number, command in enumerate(
        (["gunicorn", "-c", str(folder / "gunicorn.conf.py"), "example_project.wsgi"],
         ["sh", str(folder / "granian.sh")])
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


def _start_nginx(folder, ports, processes):
    port = free_port()
    site = replaced(
        snippet("nginx.conf"),
        {"listen 443 ssl": f"listen {HOST}:{port} ssl", "/srv/reco": str(folder),
         "/var/log/nginx": str(folder), "127.0.0.1:8000": f"{HOST}:{ports[0]}",
         "127.0.0.1:8001": f"{HOST}:{ports[1]}"},
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
    wait_until(lambda: "in-the-log" in log.read_text(), seconds=5, what="the line is written")

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


def test_killed_workers_and_a_reload_cost_no_answer(deployment):
    with Questions(deployment) as questions:
        for server in (deployment.gunicorn, deployment.granian):
            before = children(server)
            os.kill(before[0], signal.SIGKILL)
            wait_until(
                lambda server=server, before=before: len(set(children(server)) - {before[0]}) >= 2,
                seconds=15,
                what="a new worker",
            )
        before = set(children(deployment.gunicorn))
        deployment.gunicorn.send_signal(signal.SIGHUP)
        wait_until(
            lambda: (
                len(children(deployment.gunicorn)) == 2
                and not before & set(children(deployment.gunicorn))
            ),
            seconds=30,
            what="all workers are new",
        )
    assert set(questions.statuses) == {200}
    assert len(questions.statuses) > 20


# The other files


def test_the_unit_of_systemd(installation):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    unit = installation.folder / "depict-reco.service"
    changes = {"/srv/reco/venv/bin/gunicorn": str(BIN / "gunicorn")}
    unit.write_text(replaced(snippet("depict-reco.service"), changes))
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
