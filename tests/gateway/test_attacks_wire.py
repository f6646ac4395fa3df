"""Over a real socket, with the server as `python -m orderack.gateway` sets it up: what is no HTTP, or never ends."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import structlog
import uvicorn

from orderack.gateway import requests, unread
from orderack.gateway.__main__ import server_of
from orderack.gateway.app import create_app
from orderack.telemetry import logs
from tests.gateway.attack_world import armed_parts
from tests.gateway.conftest import KEY, Gateway

HOST = b"Host: x\r\n"
POST = b"POST /webhooks/email HTTP/1.1\r\n" + HOST
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@dataclass
class Line:
    """A server on a free port."""

    port: int

    async def says(self, *parts: bytes, wait: float = 1.5, pause: float = 0.0) -> bytes:
        """What comes back to these bytes until the server ends the connection, or is silent so long."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        heard = b""
        try:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(pause)
            with contextlib.suppress(ConnectionError, TimeoutError):
                while more := await asyncio.wait_for(reader.read(65_536), wait if heard else 1.5 * max(1, wait)):
                    heard += more
                heard += b"<end>"
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        return heard

    async def status(self, *parts: bytes) -> int:
        """Of the first answer; 0: none."""
        heard = await self.says(*parts, wait=0.05 if len(parts) == 1 else 0.3)
        return int(heard.split(b" ", 2)[1]) if heard.startswith(b"HTTP/1.1 ") else 0


@pytest.fixture
async def line(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Line]:
    monkeypatch.setattr(requests, "PATIENCE", timedelta(seconds=0.5))
    monkeypatch.setattr(unread, "MOMENT", timedelta(seconds=0.2))
    server = server_of(create_app(armed_parts(gateway)), "127.0.0.1", 0, ())
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
    yield Line(server.servers[0].sockets[0].getsockname()[1])
    server.should_exit = True
    await serving


@pytest.fixture
def written(capfd: pytest.CaptureFixture[str]) -> AsyncIterator[pytest.CaptureFixture[str]]:
    """What the process writes, with its own way of writing it."""
    logs.configure()
    yield capfd
    structlog.reset_defaults()


def get(path: bytes, *headers: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"".join(header + b"\r\n" for header in headers) + b"\r\n"


UNSOUND: list[tuple[bytes, set[int]]] = [
    (POST + b"Content-Length: -1\r\n\r\nabc", {400}),
    (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", {400}),
    (POST + b"Content-Length: 1e9\r\n\r\nab", {400}),
    (POST + b"Content-Length: \xd9\xa1\r\n\r\na", {400}),
    (POST + b"Content-Length: 3, 3\r\n\r\nabc", {400, 401}),
    (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400, 401}),
    (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {400, 501}),
    (POST + CHUNKED + b"zz\r\n", {400}),
    (POST + CHUNKED + b"1" * 100_000, {400}),
    (POST + b"Content-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: x\r\n\r\n", {401}),
    (POST + b"x-time: \xff\xb2\r\nx-signature: \xe9\r\nContent-Length: 0\r\n\r\n", {401}),
    (POST + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b", {415}),
    (get(b"/o/\xff\xfe"), {400}),
    (get(b"/o/%ff%fe%00%ed%a0%80"), {404}),
    (get(b"/" + b"a" * 8_192), {404}),
    (get(b"/l/" + b"a" * 60_000), {404}),
    (get(b"/t/" + b"a" * 60_000), {200}),
    (get(b"/" + b"a" * 600_000), {400, 0}),
    (get(b"/healthz", *[b"X-A: " + b"a" * 8_000] * 80), {400, 0}),
    (get(b"/healthz", b"X-A: a\r\n  folded"), {200, 400}),
    (get(b"/healthz", b"X-A: \x00"), {400}),
    (get(b"/healthz", b"Host: y"), {400}),
    (b"GET /healthz HTTP/1.1\r\n\r\n", {400}),
    (b"GET /healthz\r\n\r\n", {400}),
    (get(b"//evil.example/healthz"), {404}),
    (get(b"http://evil.example/healthz"), {404}),
    (get(b"/healthz/"), {404}),
    (get(b"/./healthz"), {404}),
    (get(b"/o/../healthz"), {422}),
    (get(b"/o/x", b"Upgrade: websocket", b"Connection: upgrade", b"Sec-WebSocket-Version: 13"), {404}),
    (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", {404}),
    (b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n", {404}),
    (b"TRACE /healthz HTTP/1.1\r\n" + HOST + b"X-Api-Key: mine\r\n\r\n", {405}),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", {400, 0}),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, 404}),
]


async def test_what_is_no_sound_request_is_refused(line: Line) -> None:
    for sent, statuses in UNSOUND:
        assert await line.status(sent) in statuses, sent[:80]
    assert await line.status(get(b"/healthz")) == 200


async def test_a_body_that_stops_coming_ends_the_connection(line: Line) -> None:
    began = time.perf_counter()
    heard = await line.says(POST + b"Content-Length: 100\r\n\r\nabc", wait=5)
    assert heard.startswith(b"HTTP/1.1 408 ")
    assert heard.endswith(b"<end>")
    assert time.perf_counter() - began < 3


async def test_a_body_that_drips_has_no_longer(line: Line) -> None:
    began = time.perf_counter()
    heard = await line.says(POST + b"Content-Length: 100\r\n\r\n", *[b"x"] * 60, wait=5, pause=0.05)
    assert b"HTTP/1.1 20" not in heard  # what we said may have been lost: it was still sending
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    "head",
    [
        POST + b"Content-Length: 99999999999\r\n\r\n",
        b"POST /intake/demo HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999\r\n\r\n",
        b"POST /nowhere HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999\r\n\r\n",
    ],
)
async def test_a_body_without_end_is_cut_off(line: Line, head: bytes) -> None:
    async with asyncio.timeout(20):
        assert b"HTTP/1.1 20" not in await line.says(head, *[b"x" * 65_536] * 500)


async def test_chunks_without_end_are_cut_off(line: Line) -> None:
    async with asyncio.timeout(20):
        chunks = [b"10000\r\n" + b"x" * 65_536 + b"\r\n"] * 500
        assert b"HTTP/1.1 20" not in await line.says(POST + CHUNKED, *chunks)


@pytest.mark.parametrize(("size", "key", "status"), [(400_000, KEY, 413), (400_000, "", 401), (2_000_000, KEY, 413)])
async def test_who_sends_too_much_hears_so(line: Line, size: int, key: str, status: int) -> None:
    head = b"POST /intake/demo HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\nX-Api-Key: " + key.encode()
    assert await line.status(head + b"\r\nContent-Length: %d\r\n\r\n" % size, b" " * size) == status


async def test_who_hangs_up_in_the_middle_is_no_failure_of_ours(
    line: Line, written: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", line.port)
        writer.write(POST + b"Content-Length: 100\r\n\r\nabc")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()
    await asyncio.sleep(0.1)
    out = "".join(written.readouterr())
    assert "Traceback" not in out
    assert "unexpected" not in out


async def test_the_server_writes_no_address_down(line: Line, written: pytest.CaptureFixture[str]) -> None:
    for path in (b"/o/a-token-that-is-secret", b"/l/a-token-that-is-secret", b"/orders/demo/secret-number?x=secret"):
        await line.status(get(path, b"X-Api-Key: secret-key"))
    await line.status(POST + b"Content-Length: 6\r\n\r\nsecret")
    assert "secret" not in "".join(written.readouterr())


def test_the_server_is_one_that_keeps_its_headers_short() -> None:
    """h11 has a bound for a request's head; httptools has none, and would be taken if it were installed."""
    config = server_of(lambda: None, "127.0.0.1", 0, ()).config  # type: ignore[arg-type,return-value]
    assert config.http == "h11"
    assert not config.access_log
    assert isinstance(config, uvicorn.Config)
