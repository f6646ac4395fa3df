"""The world around a buyer: orders are handed in over HTTP, links come out of the mailbox."""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from pydantic import TypeAdapter

from orderack.contracts.journal import Stage
from orderack.contracts.queries import AcknowledgementStatus, OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import Grade
from orderack.domain.order import Order, OrderRef
from orderack.domain.value import Value
from orderack.embedded.demo.driver import Driver, NotAsTold
from orderack.embedded.demo.orders import an_order


def of_confirmation(status: OrderStatus, revision: int = 1) -> AcknowledgementStatus:
    """The confirmation of that revision, as the order itself tells it."""
    return next(
        each for each in status.acknowledgements if each.kind is Kind.CONFIRMATION and each.revision == revision
    )


def delivered(revision: int) -> Callable[[OrderStatus], bool]:
    """The confirmation is out, its delivery is reported, and the handoff is made: nothing else is under way."""

    def holds(status: OrderStatus) -> bool:
        return (
            status.stage is Stage.HANDED_OFF
            and status.confirmed_revision == revision
            and of_confirmation(status, revision).grade is Grade.E2
        )

    return holds


class Mail(Value):
    """A message in the sandbox's mailbox, with what only mail has."""

    channel: str
    html: str | None = None


_MAILS: TypeAdapter[list[Mail]] = TypeAdapter(list[Mail])


@dataclass
class Shop:
    """Takes orders, and waits for them to get somewhere."""

    driver: Driver
    places: "count[int]" = field(default_factory=lambda: count(1))

    def order(self) -> Order:
        """One like no other."""
        place = next(self.places)
        return an_order(self.driver.number(place), place)

    async def confirmed(self, order: Order) -> str:
        """Hand it in, wait until the buyer has its confirmation; the link in that mail."""
        await self.driver.hand_in(order)
        await self.driver.until(order.ref, delivered(1), "be confirmed and delivered")
        return await self.link(order.ref)

    async def link(self, ref: OrderRef) -> str:
        """The link to the buyer's page in the latest message to the buyer."""
        ours = re.compile(re.escape(self.driver.stack.gateway_url) + r"/[^\s<>\"']+")
        for post in reversed(await self.driver.posts(ref)):
            if post.channel != "slack" and (found := ours.search(post.text)):
                return found.group()
        raise NotAsTold("no message had a link to the order's page")

    async def mail(self, ref: OrderRef) -> str:
        """The latest mail to the buyer, as HTML."""
        stack = self.driver.stack
        answer = await self.driver.http.get(f"{stack.sandbox_url}/mailbox", params={"format": "json", "q": ref.number})
        found = _MAILS.validate_python(answer.json()["messages"])
        return next(mail.html for mail in found if mail.html and mail.channel != "slack")

    @asynccontextmanager
    async def slow_erp(self) -> AsyncIterator[None]:
        """Meanwhile the ERP takes its time, so that what is not confirmed yet can be looked at."""
        await self.driver.erp_takes(6)
        try:
            yield
        finally:
            await self.driver.erp_takes(0)

    async def alerted(self, ref: OrderRef, about: str) -> None:
        """Wait until the order's owner has an alert that has this word in it."""
        await self._posted(ref, about, to_the_owner=True)

    async def told(self, ref: OrderRef, words: str) -> None:
        """Wait until the buyer has a message with these words."""
        await self._posted(ref, words, to_the_owner=False)

    async def _posted(self, ref: OrderRef, words: str, *, to_the_owner: bool) -> None:
        for _ in range(200):
            if any(
                (post.channel == "slack") is to_the_owner and words in post.text
                for post in await self.driver.posts(ref)
            ):
                return
            await asyncio.sleep(0.1)
        raise NotAsTold(f"no message said “{words}”")

    async def operates(self, *command: str) -> None:
        """An operator runs `orderack` with these words."""
        process = await asyncio.create_subprocess_exec(
            Path(sys.executable).with_name("orderack"), *command, env=self.driver.stack.environment, stdout=PIPE
        )
        await process.communicate()
        if process.returncode:
            raise NotAsTold(f"`orderack {' '.join(command)}` ended with {process.returncode}")

    async def status(self, ref: OrderRef) -> OrderStatus:
        return await self.driver.orders.status(ref)
