"""Fetch a feed over http(s): streamed, limited in size and time, from public addresses only."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urljoin

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError

from depict_reco import __version__
from depict_reco.conf import settings
from depict_reco.exceptions import FeedError
from depict_reco.feeds.addresses import resolve, without_password

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request goes."""

    scheme: str
    host: str
    port: int
    path: str
    credentials: str = ""

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """An answer that is being read; ``body`` is None when the feed has not changed."""

    body: Body | None
    size: int | None
    etag: str
    last_modified: str


class Body(io.RawIOBase):
    """The bytes of an answer as they were sent, up to the limits."""

    def __init__(self, response: urllib3.BaseHTTPResponse, *, deadline: float) -> None:
        self._response = response
        self._deadline = deadline
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if time.monotonic() > self._deadline:
            raise FeedError(
                f"The feed took more than {settings.FEED_MAX_SECONDS:g} seconds (FEED_MAX_SECONDS)."
            )
        try:
            data = self._response.read1(len(buffer), decode_content=False)
        except (HTTPError, OSError) as error:
            raise FeedError(f"The connection broke: {_reason(error)}.") from None
        buffer[: len(data)] = data
        self.count += len(data)
        check_size(self.count)
        return len(data)


def check_size(count: int) -> None:
    """Raise FeedError when a feed has more bytes than allowed."""
    if count > settings.FEED_MAX_BYTES:
        raise FeedError(
            f"The feed has more than {settings.FEED_MAX_BYTES:,} bytes (FEED_MAX_BYTES)."
        )


@contextmanager
def download(url: str, *, etag: str = "", last_modified: str = "") -> Iterator[Download]:
    """Open a feed at an address; ``etag`` and ``last_modified`` ask for it only if it changed."""
    deadline = time.monotonic() + settings.FEED_MAX_SECONDS
    target = parse(url)
    headers = {
        "User-Agent": f"depict-reco/{__version__}",
        "Accept": "*/*",
        "Accept-Encoding": "gzip",
    }
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    credentials = target.credentials
    origin = target.origin
    for _ in range(MAX_REDIRECTS + 1):
        with _request(target, headers, credentials if target.origin == origin else "") as response:
            location = response.headers.get("Location")
            if response.status in _REDIRECTS and location:
                url = urljoin(url, location)
                target = parse(url)
                continue
            yield _checked(response, deadline)
            return
    raise FeedError(f"The address redirects more than {MAX_REDIRECTS} times.")


def parse(url: str) -> Target:
    """Take an address apart; raises FeedError for one that is not http(s)."""
    try:
        parts = urllib3.util.parse_url(url)
    except HTTPError:
        raise FeedError(f"{without_password(url)!r} is not a web address.") from None
    if parts.scheme not in _PORTS or not parts.host:
        raise FeedError(f"{without_password(url)!r} is not an http or https address.")
    return Target(
        scheme=parts.scheme,
        host=parts.host.strip("[]"),
        port=parts.port or _PORTS[parts.scheme],
        path=parts.request_uri,
        credentials=unquote(parts.auth or ""),
    )


@contextmanager
def _request(
    target: Target, headers: dict[str, str], credentials: str
) -> Iterator[urllib3.BaseHTTPResponse]:
    """Send a request to an address of the target that was checked just now."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    port = "" if target.port == _PORTS[target.scheme] else f":{target.port}"
    headers = {**headers, "Host": host + port}
    if credentials:
        headers.update(urllib3.make_headers(basic_auth=credentials))
    failure: Exception | None = None
    for address in resolve(target.host, target.port):
        with _pool(target, address) as pool:
            try:
                response = pool.urlopen(
                    "GET",
                    target.path,
                    headers=headers,
                    redirect=False,
                    retries=False,
                    assert_same_host=False,
                    preload_content=False,
                    decode_content=False,
                )
            except NewConnectionError as error:
                failure = error  # the next address may be reachable
                continue
            except (HTTPError, OSError) as error:
                raise FeedError(f"{target.host!r} does not answer: {_reason(error)}.") from None
            try:
                yield response
            finally:
                response.close()
            return
    raise FeedError(f"{target.host!r} cannot be reached: {_reason(failure)}.")


def _pool(target: Target, address: str) -> urllib3.HTTPConnectionPool:
    """A connection to an address that speaks, and proves itself, as the target's host."""
    timeout = urllib3.Timeout(settings.FEED_TIMEOUT_SECONDS)
    if target.scheme == "http":
        return urllib3.HTTPConnectionPool(address, target.port, timeout=timeout)
    return urllib3.HTTPSConnectionPool(
        address,
        target.port,
        timeout=timeout,
        server_hostname=target.host,
        assert_hostname=target.host,
        cert_reqs="CERT_REQUIRED",
    )


def _checked(response: urllib3.BaseHTTPResponse, deadline: float) -> Download:
    etag = response.headers.get("ETag", "")
    last_modified = response.headers.get("Last-Modified", "")
    if response.status == 304:
        return Download(body=None, size=None, etag=etag, last_modified=last_modified)
    if response.status != 200:
        raise FeedError(f"The server answered {response.status} {response.reason or ''}".strip())
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise FeedError(f"The server sent the feed as {encoding!r}, which was not asked for.")
    length = response.headers.get("Content-Length", "")
    size = int(length) if length.isdecimal() else None
    check_size(size or 0)
    return Download(
        body=Body(response, deadline=deadline), size=size, etag=etag, last_modified=last_modified
    )


def _reason(error: Exception | None) -> str:
    """What went wrong, without the library's words for where."""
    text = str(error).rpartition("): ")[2] or type(error).__name__
    return text.rstrip(".")
