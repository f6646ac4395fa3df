"""A mailbox: as much of IMAP4rev1 (RFC 3501) as a client needs that logs in, looks into one folder and fetches.

Orders that are placed here arrive as mails that a buyer's mail program might have written.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from orderack.domain.order import Order
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Target
from orderack.embedded.sandbox.letters import TO, letter
from orderack.embedded.sandbox.look_alike import LookAlike, ShopDeed
from orderack.embedded.sandbox.state import SandboxState

USER = TO
HOST = "mx.shop.example"
"""The server that receives its mail, as it names itself in Authentication-Results."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_WORDS = re.compile(rb'"((?:[^"\\]|\\.)*)"|(\([^()]*\)|[^\s"]+)')
_PART = re.compile(rb"BODY\.PEEK\[\]<0\.(\d+)>")


@dataclass
class Kept:
    """One mail in the folder."""

    uid: int
    at: datetime
    raw: bytes
    flags: set[str] = field(default_factory=set)


class ImapMailbox(LookAlike):
    """One mailbox with one folder, INBOX."""

    target: ClassVar[Target] = Target.IMAP
    source: ClassVar[str] = "imap"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self.password = secrets.token_hex(12)
        self.validity = 1
        self.mails: list[Kept] = []
        self.commands: list[str] = []
        """What clients asked for, without their password."""
        self.port = 0

    def routes(self) -> Sequence[BaseRoute]:
        return ()

    def connection(self, url: str) -> Mapping[str, str]:
        return {
            "host": "127.0.0.1",
            "port": str(self.port),
            "user": USER,
            "password": self.password,
            "tls": "false",
            "authentication_server": HOST,
        }

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        """The buyer writes a mail; what happens to it later nobody writes to a mailbox."""
        if deed in (ShopDeed.PLACE, ShopDeed.CHANGE):
            self.arrive(_arrived(order, len(self.mails) + 1))
        return ()

    def arrive(self, raw: bytes, at: datetime | None = None) -> int:
        """A mail comes in; its UID."""
        uid = max((mail.uid for mail in self.mails), default=0) + 1
        self.mails.append(Kept(uid, at or datetime.now(UTC), raw))
        return uid

    def made_anew(self) -> None:
        """The server is rebuilt: the mails have other UIDs."""
        self.validity += 1
        for place, mail in enumerate(self.mails):
            mail.uid = place + 101

    def refused(self, code: str | None) -> Response:
        return PlainTextResponse("no", 400)

    def throttled(self, retry_after: int) -> Response:
        return PlainTextResponse("no", 429)

    def failed(self, status: int) -> Response:
        return PlainTextResponse("no", status)

    def too_large(self) -> Response:
        return PlainTextResponse("no", 413)

    @asynccontextmanager
    async def listening(self, host: str) -> AsyncIterator[None]:
        """Serve on a free port until the block ends."""
        clients: set[asyncio.StreamWriter] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            clients.add(writer)
            try:
                await _Session(self, reader, writer).run()
            except (ConnectionError, asyncio.IncompleteReadError, ValueError):
                pass
            finally:
                clients.discard(writer)
                writer.close()

        server = await asyncio.start_server(serve, host, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for writer in tuple(clients):
                writer.close()


class _Session:
    """One client."""

    def __init__(self, mailbox: ImapMailbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._mailbox, self._reader, self._writer = mailbox, reader, writer
        self._known = self._open = self._writable = False

    async def run(self) -> None:
        self._say(b"* OK IMAP4rev1 ready")
        while line := await self._reader.readline():
            tag, words = line.split()[0], [a or b for a, b in _WORDS.findall(line.strip())][1:]
            verb = words[0].upper().decode()
            if verb == "UID":
                verb, words = f"UID {words[1].upper().decode()}", words[1:]
            shown = verb if verb == "LOGIN" else b" ".join([verb.encode(), *words[1:]]).decode(errors="replace")
            self._mailbox.commands.append(shown)
            fault = self._mailbox.state.faults.take(Target.IMAP, Operation.LOOKUP, shown).answer
            if fault is not None and fault.action in (Action.CUT_OFF_BEFORE, Action.HANG):
                return
            if fault is not None and fault.action is not Action.SLOW:
                self._say(tag + b" NO [UNAVAILABLE] try again later")
                continue
            await asyncio.sleep((fault.seconds or 0.0) if fault else 0.0)
            if not await self._answer(verb, tag, words[1:]):
                return

    async def _answer(self, verb: str, tag: bytes, words: list[bytes]) -> bool:
        if verb == "CAPABILITY":
            self._say(b"* CAPABILITY IMAP4rev1")
        elif verb == "LOGIN":
            self._known = [word.decode() for word in words] == [USER, self._mailbox.password]
            if not self._known:
                self._say(tag + b" NO [AUTHENTICATIONFAILED] Invalid credentials")
                return True
        elif verb in ("SELECT", "EXAMINE") and self._known:
            if words != [b"INBOX"]:
                self._say(tag + b" NO [NONEXISTENT] no such folder")
                return True
            self._select(verb)
        elif verb.startswith("UID ") and self._open:
            {"UID SEARCH": self._search, "UID FETCH": self._fetch, "UID STORE": self._store}[verb](words)
        elif verb == "LOGOUT":
            self._say(b"* BYE")
        elif verb != "NOOP":
            self._say(tag + b" BAD not now, or no such command")
            return True
        self._say(tag + b" OK done")
        await self._writer.drain()
        return verb != "LOGOUT"

    def _select(self, verb: str) -> None:
        self._open, self._writable = True, verb == "SELECT"
        self._say(f"* {len(self._mailbox.mails)} EXISTS".encode())
        self._say(f"* OK [UIDVALIDITY {self._mailbox.validity}] ok".encode())
        if not self._writable:
            self._say(b"* OK [READ-ONLY] ok")

    def _search(self, words: list[bytes]) -> None:
        mails = self._mailbox.mails
        if words[0] == b"SINCE":
            day, month, year = words[1].decode().split("-")
            since = datetime(int(year), MONTHS.index(month) + 1, int(day), tzinfo=UTC)
            mails = [mail for mail in mails if mail.at >= since]
        elif words[0] == b"UID":
            mails = self._of(words[1])
        self._say(b" ".join([b"* SEARCH", *(str(mail.uid).encode() for mail in mails)]))

    def _of(self, named: bytes) -> list[Kept]:
        """`5:*` names the last mail even where its UID is smaller."""
        first, _, last = named.decode().partition(":")
        top = max((mail.uid for mail in self._mailbox.mails), default=0)
        ends = sorted((int(first), top if last == "*" else int(last or first)))
        return [mail for mail in self._mailbox.mails if ends[0] <= mail.uid <= ends[1]]

    def _fetch(self, words: list[bytes]) -> None:
        asked = _PART.search(b" ".join(words[1:]))
        for mail in self._of(words[0]):
            at = mail.at.astimezone(UTC)
            day = f"{at.day:02d}-{MONTHS[at.month - 1]}-{at.year} {at:%H:%M:%S} +0000"
            body = mail.raw[: int(asked[1])] if asked else b""
            head = f'* {mail.uid} FETCH (UID {mail.uid} RFC822.SIZE {len(mail.raw)} INTERNALDATE "{day}" '
            self._writer.write(head.encode() + f"BODY[]<0> {{{len(body)}}}\r\n".encode() + body + b")\r\n")

    def _store(self, words: list[bytes]) -> None:
        if not self._writable:
            raise ValueError("the folder is open for reading only")
        for mail in self._of(words[0]):
            mail.flags |= set(words[2].decode().strip("()").split())

    def _say(self, line: bytes) -> None:
        self._writer.write(line + b"\r\n")


def _arrived(order: Order, count: int) -> bytes:
    """As the receiving server leaves it in the mailbox."""
    mail = letter(order, count)
    domain = mail["From"].addresses[0].domain
    return f"Authentication-Results: {HOST}; dmarc=pass header.from={domain}\r\n".encode() + mail.as_bytes()


LOOK_ALIKE = ImapMailbox
