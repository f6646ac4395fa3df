"""One reader's requests to the gateway, with the headers it really sends, and the record of them."""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urljoin, urlsplit

import httpx

from orderack.embedded.sandbox.mail_clients import Fetch, MailClient
from orderack.embedded.sandbox.markup import Form, Markup, read_html

REDIRECTS = 5


class Visit:
    """Requests of one mail client. Whatever leads away from the gateway is not followed."""

    def __init__(self, client: MailClient, gateway: str) -> None:
        self.fetched: list[Fetch] = []
        self._client = client
        self._home = _origin(gateway)
        self._http = httpx.AsyncClient(timeout=10, trust_env=False)
        del self._http.headers["User-Agent"]  # a client without a name sends none, not the library's
        self._address = ""
        self._referrer_policy = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def leads_home(self, url: str) -> bool:
        """Whether it is the gateway's address."""
        return _origin(url) == self._home

    async def load(self, images: Sequence[str]) -> None:
        """The images, all at once, as mail clients do."""
        headers = _named(self._client.image_agent) | dict(self._client.image_headers)
        await asyncio.gather(*(self._fetch("GET", url, headers) for url in images if self.leads_home(url)))

    async def open_all(self, links: Sequence[str]) -> None:
        """Every link in one go, once for each of the machine's passes."""
        for method, agent in self._client.passes:
            ours = [url for url in links if self.leads_home(url)]
            await asyncio.gather(*(self._follow(method, url, _named(agent)) for url in ours))

    async def open_page(self, url: str) -> Markup:
        """Follow a link to the page behind it. Raises ValueError when there is none."""
        return self._page(await self._follow("GET", url, self._browser("cross-site")))

    async def post(self, form: Form, pairs: Sequence[tuple[str, str]]) -> Markup:
        """Send a form of the page that is open. Raises ValueError when it is not taken."""
        if form.method != "post":
            raise ValueError("a form that changes something must be posted")
        # a page that asks for no referrer gets the origin `null` (Fetch standard, "append a request Origin header")
        origin = "null" if self._referrer_policy == "no-referrer" else self._home
        headers = self._browser("same-origin") | {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": origin,
        }
        target = urljoin(self._address, form.action or self._address)
        return self._page(await self._follow("POST", target, headers, urlencode(pairs).encode()))

    def _browser(self, site: str) -> dict[str, str]:
        agent = self._client.passes[-1][1]
        return _named(agent) | dict(self._client.page_headers) | {"Accept-Language": "en", "Sec-Fetch-Site": site}

    def _page(self, answer: httpx.Response) -> Markup:
        self._address = str(answer.url)
        self._referrer_policy = answer.headers.get("referrer-policy", "")
        if not answer.is_success:
            raise ValueError(f"the page answered {answer.status_code}")
        return read_html(answer.text)

    async def _follow(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> httpx.Response:
        """The answer at the end of the redirects, or the first that leads away."""
        answer = await self._fetch(method, url, headers, body)
        for _ in range(REDIRECTS):
            target = urljoin(str(answer.url), answer.headers.get("location", ""))
            if not answer.is_redirect or not self.leads_home(target):
                break
            if method == "POST":
                headers = {name: value for name, value in headers.items() if name not in ("Content-Type", "Origin")}
                method = "GET"
            answer = await self._fetch(method, target, headers)
        return answer

    async def _fetch(self, method: str, url: str, headers: Mapping[str, str], body: bytes = b"") -> httpx.Response:
        try:
            answer = await self._http.request(method, url, headers=dict(headers), content=body or None)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ValueError(f"the gateway did not answer: {type(error).__name__}") from None
        self.fetched.append(Fetch(method=method, url=url, status=answer.status_code))
        return answer


def _named(agent: str) -> dict[str, str]:
    return {"User-Agent": agent} if agent else {}


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
