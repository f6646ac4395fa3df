"""What all look-alikes have in common: a request meets its fault, before and after it is accepted."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from hmac import compare_digest
from typing import ClassVar, Protocol, runtime_checkable
from urllib.parse import unquote_plus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from orderack.domain.order import Order
from orderack.embedded.sandbox.answers import CutOff, Late, Silence, nonsense
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Fault, Operation, Plan, Target
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState

Handler = Callable[[Request, Plan], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]

KEY_FIELD = "orderack_key"
"""What our adapters call the send's key where a vendor carries one: argument, query parameter, metadata field."""
KEY_HEADER = "X-Orderack-Key"

BODY_LIMIT = 30 * 1024 * 1024
"""Bytes. SendGrid's limit of a message; more than any other vendor here takes."""


class Deed(StrEnum):
    """What a buyer can do with a message."""

    WRITE = "write"
    PRESS = "press"
    """The button by which a message is affirmed."""
    READ = "read"
    OPT_OUT = "opt_out"


class ShopDeed(StrEnum):
    """What happens to an order in a vendor's shop."""

    PLACE = "place"
    CHANGE = "change"
    """It is edited there, by the buyer or by the shop; the order is given as it is then."""
    PAY = "pay"
    CANCEL = "cancel"


class LookAlike(ABC):
    """One vendor: its routes, and its words for no."""

    target: ClassVar[Target]
    source: ClassVar[str] = ""
    """Our source (`orderack/sources/<source>.py`) whose orders are made here; empty: none are."""
    channel: ClassVar[str] = ""
    """Our channel whose buyers act on this vendor's messages; empty: none do."""

    def __init__(self, state: SandboxState) -> None:
        self.state = state

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """The vendor's paths, below its base URL."""

    def environment(self, url: str) -> Mapping[str, str]:
        """The settings that point our adapters at this look-alike, which is mounted at `url`."""
        return {}

    def connection(self, url: str) -> Mapping[str, str]:
        """The settings of a store's connection to `source` (field → value), mounted at `url`."""
        return {}

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """What the vendor posts to us when the buyer does that with this message. None: it reports no such thing."""
        return None

    async def words(self, request: Request) -> str:
        """All that a fault's `match` can be found in."""
        return await readable(request)

    @abstractmethod
    def refused(self, code: str | None) -> Response:
        """The vendor's permanent no, with its own code."""

    @abstractmethod
    def throttled(self, retry_after: int) -> Response:
        """The vendor's 429."""

    @abstractmethod
    def failed(self, status: int) -> Response:
        """The vendor's own breakdown."""

    @abstractmethod
    def too_large(self) -> Response:
        """The vendor's answer to a body over the limit."""

    def endpoint(self, operation: Operation, handler: Handler) -> Endpoint:
        """Let `handler` answer, unless a fault answers instead of it or spoils its answer."""

        async def answer(request: Request) -> Response:
            if len(await request.body()) > BODY_LIMIT:
                return self.too_large()
            plan = self.state.faults.take(self.target, operation, await self.words(request))
            fault = plan.answer
            if fault is not None and fault.action in INSTEAD:
                self.state.log.count(self.target, operation, fault.action)
                return INSTEAD[fault.action](self, fault)
            response = await handler(request, plan)
            if response.status_code >= 400:
                self.state.log.count(self.target, operation, str(response.status_code))
            return response if fault is None else SPOILED[fault.action](response, fault)

        return answer


@runtime_checkable
class Sells(Protocol):
    """A vendor at which orders are made: those of our source `source`."""

    target: ClassVar[Target]
    source: ClassVar[str]

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        """Let it happen to this order, which the vendor then has in its own words; what it posts of it, in order.

        `order` is ours and whole; the vendor makes of it what its own form of an order can hold. A vendor that posts
        nothing, and is polled, gives it out from then on. Raises KeyError for an order that is not there.
        """
        ...


@runtime_checkable
class Listens(Protocol):
    """A vendor that speaks no HTTP and has a port of its own."""

    def listening(self, host: str) -> AbstractAsyncContextManager[None]:
        """Serve on a free port until the block ends."""
        ...


def bearer(request: Request, token: str) -> bool:
    """Whether the request carries this bearer token."""
    given = request.headers.get("authorization", "")
    return compare_digest(given.encode(), f"Bearer {token}".encode())


async def readable(request: Request) -> str:
    """Path, query, idempotency key and body, unquoted."""
    body = (await request.body()).decode(errors="replace")
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    parts = (
        unquote_plus(str(request.url)),
        request.headers.get("idempotency-key", ""),
        unquote_plus(body) if form else body,
    )
    return "\n".join(parts)


INSTEAD: Mapping[Action, Callable[[LookAlike, Fault], Response]] = {
    Action.REFUSE: lambda vendor, fault: vendor.refused(fault.code),
    Action.THROTTLE: lambda vendor, fault: vendor.throttled(fault.retry_after or 0),
    Action.FAIL: lambda vendor, fault: vendor.failed(fault.status),
    Action.CUT_OFF_BEFORE: lambda vendor, fault: CutOff(),
    Action.HANG: lambda vendor, fault: Silence(),
}
"""The request never reaches the vendor's logic: nothing is accepted."""

SPOILED: Mapping[Action, Callable[[Response, Fault], Response]] = {
    Action.SLOW: lambda response, fault: Late(response, fault.seconds or 0.0),
    Action.CUT_OFF_AFTER_ACCEPT: lambda response, fault: CutOff(),
    Action.NONSENSE: lambda response, fault: nonsense(),
}
"""The vendor has done its work; the client does not get to know, or not in time."""
