"""A vendor on a real socket: it keeps every request's bytes and gives the answers it was told to give."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pydantic import JsonValue


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, with the body as given."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CutOff:
    """The connection is reset once the request has been read."""


@dataclass(frozen=True)
class Silence:
    """The connection stays open and nothing comes."""


Reaction = Answer | CutOff | Silence


def json_answer(status: int, body: JsonValue, headers: Mapping[str, str] | None = None) -> Answer:
    """An answer in JSON."""
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})


@dataclass(frozen=True)
class Received:
    """One request as it came off the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    raw: bytes


class Peer:
    """`url` is where it listens. Reactions are used up in order; the last one stays."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.aside: Callable[[Received], Reaction | None] | None = None
        """Answers what a test is not about (a look-up before the request that counts); that is not in `received`."""
        self.url = ""
        self._reactions: list[Reaction] = []

    def will(self, *reactions: Reaction) -> None:
        """React like this from now on."""
        self._reactions = list(reactions)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            request = await _read(reader)
            reaction = self.aside(request) if self.aside else None
            if reaction is None:
                self.received.append(request)
                reaction = self._reactions.pop(0) if len(self._reactions) > 1 else self._reactions[0]
            if isinstance(reaction, Answer):
                writer.write(_written(reaction))
                await writer.drain()
            elif isinstance(reaction, Silence):
                await reader.read()
            else:
                writer.transport.abort()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body, head + body)


def _written(answer: Answer) -> bytes:
    headers = {"Content-Length": str(len(answer.body)), "Connection": "close", **answer.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Answer\r\n{head}\r\n".encode() + answer.body


@asynccontextmanager
async def running_peer() -> AsyncIterator[Peer]:
    """A peer on a free port of this machine, ended with the block."""
    peer = Peer()
    server = await asyncio.start_server(peer.handle, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield peer


async def closed_port() -> int:
    """A port on which nobody listens."""
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


class SmtpPeer:
    """A mail server on a real socket. `replies` overrides its answer by verb; at `cut_off_at` it hangs up instead.

    The verb of the message itself, once its final dot came, is `.`.
    """

    def __init__(self, replies: Mapping[str, str] | None = None, cut_off_at: str = "", extensions: Sequence[str] = ()):
        self._replies = {"greeting": "220 peer ready", "DATA": "354 go on", "QUIT": "221 bye", **(replies or {})}
        self._cut_off_at = cut_off_at
        self._extensions = extensions
        self.dialogue: list[str] = []
        self.mails: list[bytes] = []
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            writer.write(self._reply("greeting"))
            while line := (await reader.readline()).decode("latin-1").rstrip("\r\n"):
                verb = line.partition(" ")[0].upper()
                self.dialogue.append(line)
                if not self._answered(writer, verb):
                    return
                if verb == "DATA" and self._replies["DATA"].startswith("354"):
                    self.mails.append((await reader.readuntil(b"\r\n.\r\n"))[:-3])
                    if not self._answered(writer, "."):
                        return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _answered(self, writer: asyncio.StreamWriter, verb: str) -> bool:
        if verb == self._cut_off_at:
            writer.transport.abort()
            return False
        writer.write(self._reply(verb))
        return True

    def _reply(self, verb: str) -> bytes:
        if verb == "EHLO":
            lines = ["peer", *self._extensions]
            return "".join(f"250{'-' if n < len(lines) else ' '}{line}\r\n" for n, line in enumerate(lines, 1)).encode()
        return f"{self._replies.get(verb, '250 2.0.0 OK')}\r\n".encode()


@asynccontextmanager
async def running_smtp(peer: SmtpPeer) -> AsyncIterator[SmtpPeer]:
    """The mail server on a free port of this machine, ended with the block."""
    server = await asyncio.start_server(peer.handle, "127.0.0.1", 0)
    peer.port = server.sockets[0].getsockname()[1]
    async with server:
        yield peer
