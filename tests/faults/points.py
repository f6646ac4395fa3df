"""The places in a send at which a worker can die (reliability.md §3.1), wrapped from outside the product.

`planted(strike)` calls `strike(point, key)` at each place that a send passes; what happens there is the caller's:
a launcher kills its own process, a test raises an error that nothing catches.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import count
from unittest.mock import patch

import httpx
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails

from orderack.domain.acknowledgement import SendKey, SendOutcome
from orderack.ledger import sends
from orderack.ledger.repository import SqlLedger
from orderack.ports import ClaimResult, Message, StoredSend, Terms


class Point(StrEnum):
    """In the order in which a send passes them."""

    BEFORE_CLAIM = "F1"
    """The claim is written and not committed."""
    CLAIMED = "F2"
    """Committed; nothing has left."""
    HALF_WRITTEN = "F3"
    """Half of the request is on the line."""
    UNREAD = "F4"
    """The provider has accepted; its answer is not read."""
    UNRECORDED = "F5"
    """The answer is read; the ledger does not know it."""
    UNREPORTED = "F6"
    """The ledger knows; Temporal was not told that the activity is done."""
    UNTOLD = "F7"
    """Temporal knows; the order's own code has not run yet. The key is the workflow's id and which result it is."""


Strike = Callable[[Point, str], None]

SENDS = ("/message/push", "/messages/send", "/mail/send", "/Messages.json")
"""How the paths of the requests end that send, by the vendors used here: none of signing in or looking up."""

_sending: ContextVar[str] = ContextVar("sending", default="")
"""The key of the send under way in this task."""


@contextmanager
def planted(strike: Strike) -> Iterator[None]:
    """Wrap all places until the block ends."""
    with ExitStack() as patches:
        for plant in (_claim, _finish, _http, _smtp, _workflow):
            plant(patches, strike)
        yield


def _claim(patches: ExitStack, strike: Strike) -> None:
    written, committed = sends.claim, SqlLedger.claim

    async def write(
        session: AsyncSession,
        key: SendKey,
        message: Message,
        now: datetime,
        lease: timedelta,
        terms: Terms | None = None,
    ) -> ClaimResult:
        result = await written(session, key, message, now, lease, terms)
        await session.flush()
        strike(Point.BEFORE_CLAIM, str(key))
        return result

    async def commit(
        self: SqlLedger, key: SendKey, message: Message, now: datetime, lease: timedelta, terms: Terms | None = None
    ) -> ClaimResult:
        _sending.set(str(key))
        result = await committed(self, key, message, now, lease, terms)
        if result.mine:
            strike(Point.CLAIMED, str(key))
        return result

    patches.enter_context(patch.object(sends, "claim", write))
    patches.enter_context(patch.object(SqlLedger, "claim", commit))


def _finish(patches: ExitStack, strike: Strike) -> None:
    recorded = SqlLedger.finish

    async def record(self: SqlLedger, key: SendKey, outcome: SendOutcome, now: datetime) -> StoredSend:
        strike(Point.UNRECORDED, str(key))
        stored = await recorded(self, key, outcome, now)
        strike(Point.UNREPORTED, str(key))
        return stored

    patches.enter_context(patch.object(SqlLedger, "finish", record))


class _Halved(httpx.AsyncByteStream):
    """Half of a body, and then what strikes."""

    def __init__(self, body: bytes, strike: Strike, key: str) -> None:
        self._body = body
        self._strike = strike
        self._key = key

    async def __aiter__(self) -> AsyncIterator[bytes]:
        half = len(self._body) // 2
        yield self._body[:half]
        self._strike(Point.HALF_WRITTEN, self._key)
        yield self._body[half:]


def _http(patches: ExitStack, strike: Strike) -> None:
    handle = httpx.AsyncHTTPTransport.handle_async_request

    async def over(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        key = _sending.get()
        if not key or not request.url.path.endswith(SENDS):
            return await handle(self, request)
        request.stream = _Halved(request.content, strike, key)
        response = await handle(self, request)
        strike(Point.UNREAD, key)
        return response

    patches.enter_context(patch.object(httpx.AsyncHTTPTransport, "handle_async_request", over))


def _smtp(patches: ExitStack, strike: Strike) -> None:
    write, data = SMTPProtocol.write, SMTPProtocol.execute_data_command

    def halves(self: SMTPProtocol, content: bytes) -> None:
        if content.endswith(b"\r\n.\r\n"):
            write(self, content[: len(content) // 2])
            strike(Point.HALF_WRITTEN, _sending.get())
            content = content[len(content) // 2 :]
        write(self, content)

    async def handed_over(self: SMTPProtocol, message: bytes, **more: float | None) -> SMTPResponse:
        answer = await data(self, message, **more)
        strike(Point.UNREAD, _sending.get())
        return answer

    patches.enter_context(patch.object(SMTPProtocol, "write", halves))
    patches.enter_context(patch.object(SMTPProtocol, "execute_data_command", handed_over))


def _workflow(patches: ExitStack, strike: Strike) -> None:
    create = UnsandboxedWorkflowRunner.create_instance

    def create_instance(self: UnsandboxedWorkflowRunner, det: WorkflowInstanceDetails) -> WorkflowInstance:
        instance = create(self, det)
        activate, results = instance.activate, count(1)

        def told(act: WorkflowActivation) -> WorkflowActivationCompletion:
            done = (job.resolve_activity for job in act.jobs if job.HasField("resolve_activity"))
            for number in [next(results) for activity in done if not activity.is_local]:
                if not act.is_replaying:
                    strike(Point.UNTOLD, f"{det.info.workflow_id}/{number}")
            return activate(act)

        vars(instance)["activate"] = told
        return instance

    patches.enter_context(patch.object(UnsandboxedWorkflowRunner, "create_instance", create_instance))
