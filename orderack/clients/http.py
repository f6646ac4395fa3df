"""HTTP to a vendor: one connection pool per adapter, and one place that says what a failure means.

The outcome table is reliability.md §4.2: what never left is Unavailable, what was cut off after it left is
InDoubt, 429 was not done and names its own delay. Nothing is retried here, no redirect is followed.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from types import MappingProxyType
from typing import Annotated, TypeVar
from urllib.parse import quote

import httpx
from pydantic import AfterValidator, BaseModel, ValidationError

from orderack.domain.acknowledgement import Reason
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable

Clock = Callable[[], datetime]
OwnWait = Callable[[httpx.Response], timedelta | None]
M = TypeVar("M", bound=BaseModel)

TOTAL_SECONDS = 18.0
"""The whole exchange; below the 30 s that an activity's attempt may take, so that two attempts never overlap."""
LONGEST_WAIT = timedelta(hours=1)
"""A vendor that asks for more is asked again after this."""
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
WRONG_KEY_OR_URL = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 405, 407})
"""Statuses that no other message would fare better with."""
_IN_DOUBT = frozenset({408})


def utc_now() -> datetime:
    """The clock that adapters use outside tests."""
    return datetime.now(UTC)


def _without_query(record: logging.LogRecord) -> bool:
    """httpx logs each request's URL; what its query asks for may be a buyer's address, or a token."""
    if isinstance(record.args, tuple):
        record.args = tuple(arg.copy_with(query=None) if isinstance(arg, httpx.URL) else arg for arg in record.args)
    return True


logging.getLogger("httpx").addFilter(_without_query)


def segment(text: str) -> str:
    """One path segment (or header part), percent-encoded so that no id can forge another's path."""
    encoded = quote(text, safe="")
    # a server may resolve `.` and `..` before it decodes, so the dots of these two are encoded as well
    return encoded.replace(".", "%2E") if encoded in {".", ".."} else encoded


def _http_url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.query or url.fragment:
        raise ValueError("not an http(s) URL without login, query and fragment")
    return text.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_http_url)]
"""A vendor's base URL as a setting; our paths are appended to it."""


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


@cache
def _authorities() -> ssl.SSLContext:
    """Whom this process believes. Reading them costs 25 ms: once, not once for each adapter."""
    return httpx.create_ssl_context()


class Http:
    """One vendor's base URL, login and connection pool."""

    def __init__(
        self,
        vendor: str,
        base_url: BaseUrl,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        repeatable: bool = False,
        clock: Clock = utc_now,
        own_wait: OwnWait = lambda response: None,
    ) -> None:
        """`repeatable`: every request carries a key or only reads, so what would be in doubt is Unavailable.

        `own_wait`: where a throttled answer names its delay in no header, but in the vendor's own form.
        """
        self.vendor = vendor
        self._repeatable = repeatable
        self.clock = clock
        self._own_wait = own_wait
        self._base_url = base_url
        self._home = _origin(httpx.URL(base_url))
        self._client = httpx.AsyncClient(
            headers=dict(headers),
            timeout=httpx.Timeout(10.0, connect=5.0, pool=2.0),
            follow_redirects=False,
            verify=_authorities(),
        )

    def __repr__(self) -> str:
        return f"Http({self.vendor})"

    async def send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        auth: tuple[str, str] | None = None,
        reads_429: bool = False,
        reads: Collection[int] = (),
    ) -> httpx.Response:
        """Send once and read the whole answer.

        Returns 2xx and the refusals that only the adapter can read (4xx). Raises Refused for a path that is none at
        this vendor, Unavailable when the request certainly was not done, InDoubt (Unavailable where it is repeatable)
        when it may have been: timeout, reset, 408, 5xx. `reads_429`: the adapter reads a 429 itself, for not each of
        them is about the rate.
        `reads`: other statuses that mean something else with this vendor, and are returned as they are.
        """
        url = self._address(path)
        try:
            request = self._client.build_request(method, url, content=content, headers=dict(headers))
            async with asyncio.timeout(TOTAL_SECONDS):
                response = await self._client.send(request, auth=httpx.BasicAuth(*auth) if auth else None)
        except _NEVER_LEFT as error:
            raise Unavailable(f"{self.vendor} cannot be reached ({type(error).__name__})") from None
        except (httpx.LocalProtocolError, UnicodeEncodeError):  # a line end in a key, for one
            raise Misconfigured(f"{self.vendor}: the key cannot be sent as it is set") from None
        except (httpx.HTTPError, TimeoutError) as error:
            word = type(error).__name__
            raise self._doubt(f"{self.vendor} did not answer after the request went out ({word})") from None
        if response.status_code in reads:
            return response
        if reads_429 and response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            return response
        return self._answered(response)

    def _address(self, path: str) -> httpx.URL:
        """Below the base URL, whatever an id or a next page says: no login goes to another host."""
        try:
            url = httpx.URL(f"{self._base_url}{path}")
        except (httpx.InvalidURL, UnicodeEncodeError):
            url = None
        if url is None or _origin(url) != self._home:
            raise Refused(f"{self.vendor} can have nothing of that name: it makes no address", Reason.OTHER)
        return url

    def limiting(self, response: httpx.Response) -> Unavailable:
        """What a 429 about the rate is for us, with the delay that it names."""
        return Unavailable(f"{self.vendor} is limiting our rate (429)", self._wait(response))

    def _answered(self, response: httpx.Response) -> httpx.Response:
        status = response.status_code
        if status == httpx.codes.TOO_MANY_REQUESTS:
            raise self.limiting(response)
        if status >= 500 or status in _IN_DOUBT:
            raise self._doubt(f"{self.vendor} answered {status}: it may have been done", self._wait(response))
        return response

    def _wait(self, response: httpx.Response) -> timedelta | None:
        wait = retry_after(response.headers, self.clock())
        own = self._own_wait(response) if wait is None else None
        return wait if own is None else min(max(own, timedelta(0)), LONGEST_WAIT)

    def _doubt(self, message: str, wait: timedelta | None = None) -> InDoubt | Unavailable:
        return Unavailable(message, wait) if self._repeatable else InDoubt(message)

    def ours_to_mend(self, response: httpx.Response, setting: str) -> None:
        """Raise Misconfigured for the answers that mean a wrong key or a wrong URL, and return for all others."""
        if response.status_code in WRONG_KEY_OR_URL:
            raise Misconfigured(f"{self.vendor} answered {response.status_code}: check {setting}")

    def read(self, model: type[M], response: httpx.Response) -> M:
        """The body of a 2xx answer. Raises InDoubt (Unavailable) when it is not what the vendor documents."""
        try:
            return model.model_validate_json(response.content)
        except ValidationError:
            message = f"{self.vendor} answered {response.status_code} with a body that says nothing"
            raise self._doubt(message) from None

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._client.aclose()


def retry_after(headers: httpx.Headers, now: datetime) -> timedelta | None:
    """The delay a throttled answer names: Retry-After in seconds or as a date, or X-RateLimit-Reset (epoch seconds)."""
    wait = _delay(headers.get("retry-after", ""), now)
    if wait is None:
        wait = _until_epoch(headers.get("x-ratelimit-reset", ""), now)
    return None if wait is None else min(max(wait, timedelta(0)), LONGEST_WAIT)


def _delay(text: str, now: datetime) -> timedelta | None:
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), LONGEST_WAIT.total_seconds()))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) - now


def _until_epoch(text: str, now: datetime) -> timedelta | None:
    if not (text.isascii() and text.isdigit()):
        return None
    return timedelta(seconds=min(int(text[:12]), 253_402_300_799)) - timedelta(seconds=now.timestamp())
