"""A sandbox, a gateway that records what is posted to it, and the vendors' own API descriptions."""

import asyncio
import socket
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from orderack.embedded.sandbox import Behaviour, Sandbox, SandboxState
from orderack.embedded.sandbox.server import serving

SPECS = Path(__file__).resolve().parents[4] / "shared" / "specs" / "messaging"


@dataclass(frozen=True)
class Received:
    """One request as the gateway got it."""

    url: str
    path: str
    headers: httpx.Headers
    body: bytes
    method: str = "POST"


@dataclass
class Gateway:
    """Records every request; answers as `redirects`, `pages` and `statuses` (in turn) say, else 200."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    pages: dict[str, str] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: Request) -> Response:
        path = request.url.path
        headers, body = httpx.Headers(request.headers.items()), await request.body()
        self.received.append(Received(str(request.url), path, headers, body, request.method))
        self._news.set()
        status = self.statuses.pop(0) if self.statuses else 200
        if path in self.redirects:
            return RedirectResponse(self.redirects[path], 303)
        page = HTMLResponse(self.pages.get(path, ""), status, {"Referrer-Policy": "no-referrer"})
        return page if path in self.pages else Response(status_code=status)

    async def wait_for(self, count: int, path: str = "/") -> list[Received]:
        """The requests below `path`, as soon as there are `count` of them."""
        async with asyncio.timeout(60):
            while len(found := [one for one in self.received if one.path.startswith(path)]) < count:
                self._news.clear()
                await self._news.wait()
        return found


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    gateway = Gateway()
    app = Starlette(routes=[Route("/{path:path}", gateway.take, methods=["GET", "HEAD", "POST"])])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        gateway.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with serving(app, listening):
            yield gateway


@pytest.fixture
async def sandbox(gateway: Gateway) -> AsyncIterator[Sandbox]:
    state = SandboxState(behaviour=Behaviour(delivered_after=0.02, books_after=0.02), callback_base=gateway.url)
    async with Sandbox.start(state=state) as running:
        yield running


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """A client without any vendor's credentials."""
    async with httpx.AsyncClient(base_url=sandbox.url, timeout=5, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait until a condition holds, a minute at most: a busy machine may need it."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():  # noqa: ASYNC110 - what is waited for has no event of its own
                await asyncio.sleep(0.01)

    return wait


@dataclass(frozen=True)
class Description:
    """A vendor's own OpenAPI description, and where it says the service is."""

    openapi: OpenAPI
    host: str
    prefix: str

    def request(self, request: httpx.Request) -> MockRequest:
        content_type = request.headers.get("content-type", "")
        path = urlsplit(str(request.url)).path.removeprefix(self.prefix)
        return MockRequest(
            self.host,
            request.method.lower(),
            path,
            args=dict(request.url.params),
            headers=dict(request.headers),
            data=request.content,
            content_type=content_type.split(";")[0],
        )

    def accepts(self, request: httpx.Request) -> bool:
        """Whether the description allows this request."""
        with warnings.catch_warnings():
            # openapi-core cannot check OAuth 2 (Slack); our own tests of strangers do
            warnings.filterwarnings("ignore", "Unsupported scheme type")
            return not self.openapi.unmarshal_request(self.request(request)).errors

    def check(self, response: httpx.Response) -> None:
        """Raise unless the description allows this answer to its request."""
        answer = MockResponse(
            response.content,
            response.status_code,
            dict(response.headers),
            response.headers.get("content-type", "").split(";")[0],
        )
        self.openapi.validate_response(self.request(response.request), answer)


@pytest.fixture(scope="session")
def description() -> Callable[[str, str, str], Description]:
    """Load `vendor/file`; the test is skipped where the descriptions are not at hand."""

    def load(file: str, host: str, prefix: str) -> Description:
        if not (SPECS / file).exists():
            pytest.skip("the vendors' API descriptions are not beside this checkout")
        return Description(OpenAPI.from_file_path(str(SPECS / file)), host, prefix)

    return load
