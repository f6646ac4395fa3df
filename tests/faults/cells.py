"""One send by one worker that dies at one place, in this process: the real activity, ledger, adapter and look-alike.

Death is an error that nothing in the product knows or catches. What a real kill -9 leaves is tried in `make faults`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from orderack.domain.acknowledgement import SendOutcome, SendState
from orderack.embedded.sandbox import Action, Sandbox
from orderack.ports import Idempotency, Message, Sent
from tests.activities.vendors import Vendor, vendor
from tests.activities.world import World
from tests.faults.points import Point, planted
from tests.faults.rig import CLASSES


class Died(BaseException):
    """The worker is gone."""


class Verdict(NamedTuple):
    """What became of one message, by the vendor's own account."""

    taken: int
    state: SendState

    @property
    def lost(self) -> int:
        return int(self.taken == 0 and self.state is not SendState.UNKNOWN)

    @property
    def doubled(self) -> int:
        return max(self.taken - 1, 0)

    @property
    def in_doubt(self) -> int:
        return int(self.state is SendState.UNKNOWN)


@dataclass(frozen=True)
class Bench:
    """What a cell is made of."""

    sandbox: Sandbox
    world: World

    @asynccontextmanager
    async def at(self, letter: str) -> AsyncIterator[Vendor]:
        """A new order and the channel of this class."""
        with pytest.MonkeyPatch.context() as patch:
            name, settings = CLASSES[letter], {"ORDERACK_SMTP_EMAIL_TIMEOUT": "1"}
            async with vendor(name, self.sandbox, self.world, patch, **settings) as made:
                yield made

    async def dies(self, point: Point, letter: str) -> Verdict:
        """A worker dies there; others go on as Temporal asks them to."""
        struck: list[str] = []

        def strike(here: Point, key: str) -> None:
            if here is point and not struck:
                struck.append(key)
                raise Died

        async with self.at(letter) as at:
            with planted(strike):
                try:
                    await at.attempt()
                except Died:
                    await _echo(at)
                outcome = await at.until_it_ends()
            assert struck, f"no send by {at.name} came past {point}"
            return Verdict(len(at.taken()), outcome.state)

    async def cut_off(self, letter: str) -> Verdict:
        """The vendor takes it, and neither its answer nor its report ever comes."""
        async with self.at(letter) as at:
            at.strikes(Action.CUT_OFF_AFTER_ACCEPT)
            await at.attempt()
            assert at.struck() == 1
            outcome = await at.until_it_ends()
            return Verdict(len(at.taken()), outcome.state)

    async def meet(self, letter: str) -> Verdict:
        """Two workers have the same send at the same time, and the way to the vendor is long."""
        async with self.at(letter) as at:
            channel, both = at.world.channels[at.name], asyncio.Barrier(2)
            send, under_way = channel.send, list[int]()

            async def slow(message: Message) -> Sent:
                under_way.append(1)
                if len(under_way) == 1:
                    await asyncio.sleep(0.15)
                return await send(message)

            async def attempt() -> SendOutcome | Exception:
                await both.wait()
                return await at.attempt()

            channel.send = slow  # type: ignore[method-assign]
            await asyncio.gather(attempt(), attempt())
            outcome = await at.until_it_ends()
            return Verdict(len(at.taken()), outcome.state)


async def _echo(at: Vendor) -> None:
    """Vendors that report what they took do so."""
    if at.traits.idempotency is Idempotency.ECHO and at.taken():
        await at.world.echo(at.name, ref=at.ref)
