"""The mailbox: an SMTP server that takes mail for everyone and keeps it for the web view."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as EMAIL
from typing import ClassVar
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session

from orderack.embedded.sandbox.faults import Action, Fault, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import KEY_HEADER
from orderack.embedded.sandbox.state import SandboxState

SIZE_MAX = 30 * 1024 * 1024


class Mailbox:
    """aiosmtpd's handler: one message accepted is one entry per recipient. Faults strike at the end of DATA."""

    target: ClassVar[Target] = Target.SMTP

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        message = message_from_bytes(_bytes(envelope.content), _class=EmailMessage, policy=EMAIL)
        text, html = _body(message, "plain") or "", _body(message, "html")
        readable = "\n".join((*envelope.rcpt_tos, *(f"{k}: {v}" for k, v in message.items()), text, html or ""))
        plan = self._state.faults.take(self.target, Operation.SEND, readable)
        fault = plan.answer
        if fault is not None and fault.action in INSTEAD:
            self._state.log.count(self.target, Operation.SEND, fault.action)
            return await INSTEAD[fault.action](server, fault)
        provider_id = self._record(envelope, message, text, html, plan)
        if fault is not None:
            return await SPOILED[fault.action](server, fault)
        return f"250 2.0.0 Ok: queued as {provider_id}"

    def _record(self, envelope: Envelope, message: EmailMessage, text: str, html: str | None, plan: Plan) -> str:
        provider_id = str(message.get("Message-ID", "")).strip() or f"<no-message-id-{id(envelope):x}>"
        key = message.get(KEY_HEADER)
        for recipient in envelope.rcpt_tos:
            self._state.log.accept(
                self.target,
                Operation.SEND,
                provider_id=provider_id,
                recipient=recipient,
                key=str(key) if key else None,
                faults=plan.actions,
            )
            self._state.outbox.put(
                self.target,
                recipient=recipient,
                sender=envelope.mail_from or "",
                provider_id=provider_id,
                subject=str(message.get("Subject", "")),
                text=text,
                html=html,
                key=str(key) if key else None,
                headers=tuple((name, str(value)) for name, value in message.items()),
            )
        return provider_id


async def _cut(server: SMTP, fault: Fault) -> str:
    _abort(server)
    return "421 4.4.2 never seen: the connection is closed"


async def _hang(server: SMTP, fault: Fault) -> str:
    never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    return await never  # aiosmtpd cancels it when the client is gone


async def _slow(server: SMTP, fault: Fault) -> str:
    await asyncio.sleep(fault.seconds or 0.0)
    return "250 2.0.0 Ok: queued"


def _says(line: Callable[[Fault], str]) -> Callable[[SMTP, Fault], Awaitable[str]]:
    async def say(server: SMTP, fault: Fault) -> str:
        return line(fault)

    return say


INSTEAD: Mapping[Action, Callable[[SMTP, Fault], Awaitable[str]]] = {
    Action.REFUSE: _says(lambda fault: f"{fault.code or '550'} 5.1.1 No such user here"),
    Action.THROTTLE: _says(lambda fault: f"450 4.7.1 Too many messages, try again in {fault.retry_after} seconds"),
    Action.FAIL: _says(lambda fault: "451 4.3.0 Requested action aborted: local error in processing"),
    Action.CUT_OFF_BEFORE: _cut,
    Action.HANG: _hang,
}
SPOILED: Mapping[Action, Callable[[SMTP, Fault], Awaitable[str]]] = {
    Action.SLOW: _slow,
    Action.CUT_OFF_AFTER_ACCEPT: _cut,
    Action.NONSENSE: _says(lambda fault: "It works!"),
}


class Postbox:
    """The listening server. Runs on the caller's loop, so that it shares the state without a lock."""

    def __init__(self, state: SandboxState) -> None:
        self._handler = Mailbox(state)
        self._sessions: WeakSet[SMTP] = WeakSet()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (a free one for 0). Raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    def _session(self) -> SMTP:
        session = SMTP(
            self._handler,
            hostname="sandbox.invalid",
            enable_SMTPUTF8=True,
            data_size_limit=SIZE_MAX,
            loop=asyncio.get_running_loop(),
        )
        self._sessions.add(session)
        return session

    async def stop(self) -> None:
        """Stop listening and drop what is connected."""
        if self._server is None:
            return
        self._server.close()
        for session in self._sessions:
            _abort(session)
        await self._server.wait_closed()


def _abort(session: SMTP) -> None:
    if isinstance(session.transport, asyncio.WriteTransport):
        session.transport.abort()


def _bytes(content: bytes | str | None) -> bytes:
    return content if isinstance(content, bytes) else (content or "").encode()


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, UnicodeError):  # a charset that does not exist: a mailbox shows what it can
        return _bytes(part.get_payload(decode=True)).decode(errors="replace")  # type: ignore[arg-type]
