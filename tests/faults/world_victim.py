"""`python -m tests.faults.world_victim FOLDER gateway|cli …`: that program, which dies where it is told to.

FOLDER/armed/<point>-<n> arms a place; whoever passes it takes the file away and ends itself with kill -9. What it
leaves is the proof: FOLDER/fired/<point>-<n>. One file kills one process, once.
"""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from signal import SIGKILL
from typing import ParamSpec, Protocol, TypeVar
from unittest.mock import patch

from sqlalchemy.ext.asyncio import AsyncSession

from orderack.domain.order import OrderRef
from orderack.gateway import announce, webhooks
from orderack.gateway.parts import GatewayParts
from orderack.ledger import inbox
from orderack.ledger.repository import SqlLedger
from orderack.ports import ChannelEvent, InboxEvent
from orderack.temporal.orders import Orders

P = ParamSpec("P")
R = TypeVar("R")


class Patch(Protocol):
    """What `unittest.mock.patch` makes."""

    def start(self) -> object: ...

    def stop(self) -> object: ...


ARMED, FIRED = "armed", "fired"


class Place(StrEnum):
    """Where it can die (reliability.md §3.1)."""

    UNCOMMITTED = "F8"
    """Verified; the inbox row is written and not committed."""
    UNANSWERED = "F9"
    """Committed; the sender has no answer."""
    UNDELIVERED = "F10"
    """Answered 2xx; Temporal was not told."""
    UNMARKED = "F11"
    """Temporal was told; the row is not marked."""
    BETWEEN_ROWS = "F12"
    """The sweep has marked one row and not looked at the next."""
    CLI_BEFORE = "F14-before"
    """The operator's request has not left."""
    CLI_AFTER = "F14-after"
    """It is done; the operator has not seen the answer."""


def arm(folder: Path, place: Place) -> Path:
    """The next to pass there dies; the file that will prove it."""
    for name in (ARMED, FIRED):
        (folder / name).mkdir(exist_ok=True)
    name = f"{place}-{time.time_ns()}"
    (folder / ARMED / name).touch()
    return folder / FIRED / name


class Victim:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def strike(self, place: Place) -> None:
        for armed in (self._folder / ARMED).glob(f"{place}-*"):
            try:
                armed.rename(self._folder / FIRED / armed.name)
            except FileNotFoundError:
                continue  # another took it
            os.kill(os.getpid(), SIGKILL)

    def before(self, place: Place, call: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        async def struck(*args: P.args, **kwargs: P.kwargs) -> R:
            self.strike(place)
            return await call(*args, **kwargs)

        return struck

    def after(self, place: Place, call: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        async def struck(*args: P.args, **kwargs: P.kwargs) -> R:
            result = await call(*args, **kwargs)
            self.strike(place)
            return result

        return struck

    # -- where ----------------------------------------------------------------------------------------------------

    def gateway(self) -> list[Patch]:
        """F8 to F12; what was patched, and is in force."""
        write = inbox.receive

        async def receive(
            session: AsyncSession,
            source: str,
            external_id: str,
            kind: str,
            ref: OrderRef | None,
            body: str,
            now: datetime,
        ) -> InboxEvent:
            row = await write(session, source, external_id, kind, ref, body, now)
            await session.flush()
            self.strike(Place.UNCOMMITTED)
            return row

        patches: list[Patch] = [
            patch.object(inbox, "receive", receive),
            patch.object(SqlLedger, "receive", self.after(Place.UNANSWERED, SqlLedger.receive)),
            patch.object(SqlLedger, "announced", self.before(Place.UNMARKED, SqlLedger.announced)),
            patch.object(announce, "_settle", self.after(Place.BETWEEN_ROWS, announce._settle)),
            patch.object(webhooks, "take", self._undelivered()),
        ]
        for one in patches:
            one.start()
        return patches

    def _undelivered(self) -> Callable[[GatewayParts, str, ChannelEvent], Awaitable[webhooks.Taken]]:
        """An event that Temporal cannot be told of now is answered 200 all the same: die once that is out."""
        take = webhooks.take

        async def taken(parts: GatewayParts, channel: str, event: ChannelEvent) -> webhooks.Taken:
            found = await take(parts, channel, event)
            if found is webhooks.Taken.WAITING:
                asyncio.get_running_loop().call_later(0.5, self.strike, Place.UNDELIVERED)
            return found

        return taken

    def cli(self) -> None:
        """F14, around every request and signal of an operator's command."""
        for name in ("cancel", "decide_review", "settle_send", "receipt", "change"):
            both = self.after(Place.CLI_AFTER, self.before(Place.CLI_BEFORE, getattr(Orders, name)))
            patch.object(Orders, name, both).start()


def main() -> None:
    folder, what, *words = sys.argv[1:]
    victim = Victim(Path(folder))
    sys.argv = [what, *words]
    if what == "gateway":
        from orderack.gateway.__main__ import main as gateway

        victim.gateway()
        gateway()
    else:
        from orderack.cli.main import main as cli

        victim.cli()
        cli()


if __name__ == "__main__":
    main()
