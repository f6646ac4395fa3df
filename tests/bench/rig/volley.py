"""Requests over so many connections at once, by a client of a few lines: the load must not be what is measured."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Shot:
    """One request, whole."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def bytes(self, host: str) -> bytes:
        head = {"Host": host, "Content-Type": "application/json", **self.headers, "Content-Length": str(len(self.body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"POST {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + self.body


@dataclass(frozen=True)
class Volley:
    """How it went: answers a second, how long each took, and how often which status came."""

    per_second: float
    seconds: tuple[float, ...]
    statuses: Mapping[int, int]


async def fire(port: int, shots: Iterator[Shot], connections: int, seconds: float) -> Volley:
    """Keep so many connections busy for so long. Raises ConnectionError when the server hangs up."""
    began, took, statuses = time.monotonic(), list[float](), dict[int, int]()

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() - began < seconds:
            request = next(shots).bytes(f"127.0.0.1:{port}")
            sent = time.monotonic()
            writer.write(request)
            status = await _answer(reader)
            took.append(time.monotonic() - sent)
            statuses[status] = statuses.get(status, 0) + 1
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(one() for _ in range(connections)))
    return Volley(len(took) / (time.monotonic() - began), tuple(took), statuses)


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    await reader.readexactly(int(fields["content-length"]))
    return int(first.split()[1])
