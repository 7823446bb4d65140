"""Fetching feeds from a real server on this machine."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from depict_reco.exceptions import AddressNotAllowedError, FeedError
from depict_reco.feeds import addresses
from depict_reco.feeds.addresses import without_password
from depict_reco.feeds.download import parse
from depict_reco.feeds.sources import open_source

FEED = b"id,title\n1,Shirt\n"
Answer = Callable[[BaseHTTPRequestHandler], None]


def send(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def serving(
    answer: Answer, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    """Serve; yield the server's address and the requests that it gets."""
    requests: list[BaseHTTPRequestHandler] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            requests.append(self)
            answer(self)

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def private_addresses(settings):
    settings.DEPICT_RECO = {"FEED_ALLOW_PRIVATE_ADDRESSES": True}


def configure(settings, **values: object) -> None:
    settings.DEPICT_RECO = {"FEED_ALLOW_PRIVATE_ADDRESSES": True, **values}


def fetch(url: str, **known: str) -> bytes:
    with open_source(url, **known) as opened:
        assert opened.stream is not None
        return opened.stream.read()


def test_a_feed_is_read_with_what_tells_its_version():
    with serving(lambda h: send(h, FEED, ETag='"v1"', Last_Modified="Mon")) as (url, requests):
        with open_source(url + "/feed?a=b c#part") as opened:
            assert (opened.etag, opened.last_modified, opened.size) == ('"v1"', "Mon", len(FEED))
            assert opened.stream is not None
            assert opened.stream.read() == FEED
            assert opened.position() == len(FEED)
        (request,) = requests
        assert request.path == "/feed?a=b%20c"
        assert request.headers["Host"] == url.removeprefix("http://")
        assert request.headers["User-Agent"].startswith("depict-reco/")
        assert "If-None-Match" not in request.headers


def test_a_feed_that_has_not_changed_is_not_sent_again():
    with serving(lambda h: send(h, b"", 304)) as (url, requests):
        with open_source(url, etag='"v1"', last_modified="Mon") as opened:
            assert opened.stream is None
        assert requests[0].headers["If-None-Match"] == '"v1"'
        assert requests[0].headers["If-Modified-Since"] == "Mon"


@pytest.mark.parametrize("times", [1, 2])
def test_packed_feeds_and_packed_answers(times):
    body = FEED
    for _ in range(times):
        body = gzip.compress(body)
    with serving(lambda h: send(h, body, Content_Encoding="gzip")) as (url, _):
        assert fetch(url) == FEED


def test_an_encoding_that_was_not_asked_for():
    with (
        serving(lambda h: send(h, FEED, Content_Encoding="br")) as (url, _),
        pytest.raises(FeedError, match="sent the feed as 'br'"),
    ):
        fetch(url)


@pytest.mark.parametrize(
    ("status", "message"), [(404, "answered 404"), (500, "answered 500"), (206, "answered 206")]
)
def test_other_answers_are_errors(status, message):
    with (
        serving(lambda h: send(h, b"no", status)) as (url, _),
        pytest.raises(FeedError, match=message),
    ):
        fetch(url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status):
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/old/feed":
            send(handler, b"", status, Location="../new")
        else:
            send(handler, FEED if handler.path == "/new" else b"wrong")

    with serving(answer) as (url, _):
        assert fetch(url + "/old/feed") == FEED


def test_redirects_have_an_end():
    with serving(lambda h: send(h, b"", 302, Location="/again")) as (url, requests):
        with pytest.raises(FeedError, match="redirects more than 5 times"):
            fetch(url)
        assert len(requests) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x/y", "gopher://x"])
def test_redirects_lead_to_web_addresses_only(target):
    with (
        serving(lambda h: send(h, b"", 302, Location=target)) as (url, _),
        pytest.raises(FeedError, match="is not an http or https address"),
    ):
        fetch(url)


def test_a_redirect_to_a_private_address_is_refused(settings, monkeypatch):
    """The first host is taken for a public one; the second is what it is."""
    real = addresses.is_public
    public = iter([True])
    monkeypatch.setattr(addresses, "is_public", lambda ip: next(public, False) or real(ip))
    settings.DEPICT_RECO = {}
    inner: list[BaseHTTPRequestHandler]
    with (
        serving(lambda h: send(h, FEED)) as (private, inner),
        serving(lambda h: send(h, b"", 302, Location=private)) as (url, requests),
    ):
        with pytest.raises(AddressNotAllowedError, match="which is not a public address"):
            fetch(url)
        assert (len(requests), len(inner)) == (1, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
def test_this_machine_is_refused(host, settings):
    settings.DEPICT_RECO = {}
    with pytest.raises(AddressNotAllowedError):
        fetch(f"http://{host}:9/feed")


def test_the_address_that_was_checked_is_the_one_that_is_used(monkeypatch):
    """A name that leads elsewhere the second time is not asked a second time."""
    with serving(lambda h: send(h, FEED)) as (url, requests):
        port = int(url.rpartition(":")[2])
        asked: list[str] = []

        def resolve_once(host: str, *args: object, **kwargs: object) -> list[tuple]:
            asked.append(host)
            if host == "127.0.0.1":  # the connection resolves the numbers that it was given
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
            target = "127.0.0.1" if asked.count(host) == 1 else "203.0.113.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (target, port))]

        monkeypatch.setattr(socket, "getaddrinfo", resolve_once)
        assert fetch(f"http://shop.example:{port}/") == FEED
        assert asked.count("shop.example") == 1
        assert requests[0].headers["Host"] == f"shop.example:{port}"


def test_credentials_go_to_their_own_server_only():
    with serving(lambda h: send(h, FEED)) as (other, others):

        def answer(handler: BaseHTTPRequestHandler) -> None:
            send(handler, b"", 302, Location="/b" if handler.path == "/a" else other)

        with serving(answer) as (url, requests):
            assert fetch(url.replace("://", "://us%40er:p%3Ass@") + "/a") == FEED
            sent = [request.headers["Authorization"] for request in requests]
            assert sent == ["Basic dXNAZXI6cDpzcw=="] * 2
            assert others[0].headers["Authorization"] is None


def test_size_is_limited(settings):
    configure(settings, FEED_MAX_BYTES=1000)
    with (
        serving(lambda h: send(h, b"x" * 1001)) as (url, _),
        pytest.raises(FeedError, match=r"more than 1,000 bytes \(FEED_MAX_BYTES\)"),
    ):
        fetch(url)
    with serving(lambda h: send(h, b"x" * 1000)) as (url, _):
        assert len(fetch(url)) == 1000


def test_size_is_limited_where_it_is_not_announced(settings):
    configure(settings, FEED_MAX_BYTES=1000)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(b"x" * 5000)
        handler.close_connection = True

    with serving(answer) as (url, _), pytest.raises(FeedError, match="more than 1,000 bytes"):
        fetch(url)


def test_an_archive_does_not_unpack_without_end(settings):
    configure(settings, FEED_MAX_BYTES=1_000_000)
    bomb = gzip.compress(gzip.compress(b"\0" * 50_000_000))
    assert len(bomb) < 10_000
    with (
        serving(lambda h: send(h, bomb)) as (url, _),
        pytest.raises(FeedError, match="more than 1,000,000 bytes"),
    ):
        fetch(url)


def test_an_answer_that_is_cut_off():
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(FEED)
        handler.close_connection = True

    with serving(answer) as (url, _), pytest.raises(FeedError, match="The connection broke"):
        fetch(url)


def test_an_archive_that_is_cut_off():
    body = gzip.compress(FEED * 100)[:-10]
    with serving(lambda h: send(h, body)) as (url, _), pytest.raises(FeedError, match="cut short"):
        fetch(url)


def test_a_server_that_keeps_silent(settings):
    configure(settings, FEED_TIMEOUT_SECONDS=0.2)
    release = threading.Event()
    with serving(lambda h: (release.wait(5), send(h, FEED))[1]) as (url, _):
        started = time.monotonic()
        with pytest.raises(FeedError, match="does not answer"):
            fetch(url)
        assert time.monotonic() - started < 3
        release.set()


def test_a_server_that_drips(settings):
    configure(settings, FEED_MAX_SECONDS=0.3)
    stop = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not stop.wait(0.02):
            try:
                handler.wfile.write(b"x")
                handler.wfile.flush()
            except OSError:
                break
        handler.close_connection = True

    with serving(answer) as (url, _):
        started = time.monotonic()
        try:
            with pytest.raises(FeedError, match=r"more than 0.3 seconds \(FEED_MAX_SECONDS\)"):
                fetch(url)
        finally:
            stop.set()
        assert time.monotonic() - started < 3


def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(FeedError, match=r"'127\.0\.0\.1' cannot be reached: "):
        fetch(f"http://127.0.0.1:{port}/")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of shop.example with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        signed.public_bytes(encoding)
        + key.private_bytes(encoding, form, serialization.NoEncryption())
    )
    return path


def test_a_server_must_prove_to_be_the_host_of_the_address(certificate, monkeypatch):
    """Although it is the checked address that is connected to, not the host's name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    monkeypatch.setattr("depict_reco.feeds.download.resolve", lambda *_: ["127.0.0.1"])
    with serving(lambda h: send(h, FEED), context) as (url, requests):
        port = url.rpartition(":")[2]
        with pytest.raises(FeedError, match="certificate verify failed"):
            fetch(f"https://shop.example:{port}/")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert fetch(f"https://shop.example:{port}/") == FEED
        with pytest.raises(FeedError, match=r"other\.example"):
            fetch(f"https://other.example:{port}/")
        assert len(requests) == 1


@pytest.mark.parametrize("url", ["http://", "ftp://x/y", "http://[::1", "http://a:b:c/", "x"])
def test_what_is_no_web_address(url):
    with pytest.raises(FeedError, match="is not a"):
        parse(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@shop.example:8/feed?x=1", "https://***@shop.example:8/feed?x=1"),
        ("https://token@shop.example/feed", "https://***@shop.example/feed"),
        ("https://shop.example/@feed", "https://shop.example/@feed"),
        ("https://shop.example/f?token=a%20b&page=2", "https://shop.example/f?token=***&page=2"),
        (
            "https://shop.example/f?x=1&API_KEY=abc#top",
            "https://shop.example/f?x=1&API_KEY=***#top",
        ),
        ("https://shop.example/f?sv=1;sig=a/b", "https://shop.example/f?sv=1;sig=***"),
        (
            "https://shop.example/f?monkey=1&keyword=tea",
            "https://shop.example/f?monkey=1&keyword=tea",
        ),
        ("https://shop.example/f?x=", "https://shop.example/f?x="),
        ("feeds/a@b.csv", "feeds/a@b.csv"),
        ("http://[::1", "http://[::1"),
    ],
)
def test_credentials_are_not_shown(url, shown):
    assert without_password(url) == shown
