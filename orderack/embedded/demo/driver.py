"""What a story can do: hand in, signal, decide, look; as a shop, an ERP, an operator and a buyer would."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import uuid4

import httpx
from pydantic import TypeAdapter

from orderack.contracts.journal import Event, Stage
from orderack.contracts.queries import OrderStatus, Timeline
from orderack.contracts.updates import AcceptHandoff, Answer, CancelRequest, ReviewDecision, ReviewVerdict
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import Grade
from orderack.domain.order import Order, OrderRef
from orderack.domain.value import Value
from orderack.embedded.stack import Stack
from orderack.errors import OrderAckError
from orderack.temporal.orders import Orders

PATIENCE = 60.0


class NotAsTold(Exception):
    """The story did not end as it was told."""


class Posted(Value):
    """A message as it lies in the sandbox's mailbox."""

    channel: str
    recipient: str
    subject: str | None = None
    text: str = ""


class Accepted(NamedTuple):
    """One message out to the buyer."""

    kind: Kind
    revision: int
    n: int
    channel: str
    at: datetime


_POSTED: TypeAdapter[list[Posted]] = TypeAdapter(list[Posted])


@dataclass
class Driver:
    """The world's hands. One for all stories."""

    stack: Stack
    orders: Orders
    http: httpx.AsyncClient
    run: str = field(default_factory=lambda: uuid4().hex[:4].upper())

    def number(self, place: int) -> str:
        return f"{self.run}-{100 + place}"

    # -- the shop and the ERP -------------------------------------------------------------------------------------

    async def hand_in(self, order: Order) -> None:
        """POST it to the gateway's intake, as a shop does."""
        answer = await self.http.post(
            f"{self.stack.gateway_url}/intake/{order.store}",
            content=order.model_dump_json(),
            headers={
                "Authorization": f"Bearer {self.stack.secrets.api_key}",
                "Content-Type": "application/json",
            },
        )
        if answer.status_code != httpx.codes.ACCEPTED:
            raise NotAsTold(f"intake answered {answer.status_code}: {answer.text[:300]}")

    async def fault(self, target: str, action: str, match: str, **more: object) -> None:
        """Tell the sandbox to go wrong for one order."""
        fault = {"target": target, "action": action, "match": match, **more}
        (await self.http.post(f"{self.stack.sandbox_url}/faults", json=fault)).raise_for_status()

    async def stock(self, sku: str, verdict: str, expected_on: str) -> None:
        body = {"verdict": verdict, "expected_on": expected_on}
        (await self.http.put(f"{self.stack.sandbox_url}/stock/{sku}", json=body)).raise_for_status()

    async def erp_takes(self, seconds: float) -> None:
        """How long the ERP takes to book what it is given."""
        change = {"books_after": seconds}
        (await self.http.patch(f"{self.stack.sandbox_url}/behaviour", json=change)).raise_for_status()

    async def erp_books(self, order: Order) -> None:
        """The ERP books the order by itself, and signals its receipt."""
        body = {"order": order.model_dump(mode="json"), "revision": 1}
        (await self.http.post(f"{self.stack.sandbox_url}/erp/announce", json=body)).raise_for_status()

    # -- people ---------------------------------------------------------------------------------------------------

    async def decide(self, ref: OrderRef, verdict: ReviewVerdict, **more: object) -> None:
        decision = ReviewDecision.model_validate(
            {"id": uuid4().hex, "verdict": verdict, "by": "order-desk"} | more, from_attributes=True
        )
        reply = await self.orders.decide_review(ref, decision)
        if not reply.accepted:
            raise NotAsTold(f"{verdict} was refused: {reply.message}")

    async def cancel(self, ref: OrderRef, reason: str) -> None:
        reply = await self.orders.cancel(ref, CancelRequest(id=uuid4().hex, reason=reason))
        if not reply.accepted:
            raise NotAsTold(f"the cancellation was refused: {reply.message}")

    async def accept(self, ref: OrderRef) -> None:
        """The team accepts the confirmed revision, by its hash."""
        status = await self.until(ref, lambda s: s.stage is Stage.HANDED_OFF, "be handed off")
        accept = AcceptHandoff(
            id=uuid4().hex, revision=status.revision, content_hash=status.content_hash or "", by="operations-lead"
        )
        reply = await self.orders.accept_handoff(ref, accept)
        if not reply.accepted:
            raise NotAsTold(f"the handoff could not be accepted: {reply.message}")

    async def answer(self, ref: OrderRef, text: str) -> None:
        """The order's owner answers the buyer's question."""
        status = await self.until(ref, lambda s: bool(s.questions), "take the question")
        answer = Answer(id=uuid4().hex, question=status.questions[-1].id, text=text, by="order-desk")
        reply = await self.orders.answer(ref, answer)
        if not reply.accepted:
            raise NotAsTold(f"the answer was refused: {reply.message}")

    async def reads(
        self,
        ref: OrderRef,
        who: str,
        *does: str,
        revision: int = 1,
        after: float = 0,
        fill: Mapping[str, str] | None = None,
    ) -> None:
        """Somebody, or a machine, reads the confirmation of this revision (docs/sandbox.md, Readers)."""
        match = f"{ref}/{revision}/{Kind.CONFIRMATION}"
        reader = {"as": who, "match": match, "does": does, "after": after, "fill": fill or {}}
        answer = await self.http.post(f"{self.stack.sandbox_url}/readers", json=reader)
        if answer.status_code != httpx.codes.OK:
            why = answer.json().get("problem") or answer.text
            raise NotAsTold(f"{who} could not read the confirmation of revision {revision}: {why[:300]}")

    async def affirm(self, ref: OrderRef, revision: int) -> None:
        """The buyer follows the link of the confirmation and affirms."""
        await self.reads(ref, "person", "affirms", revision=revision)

    async def replies(
        self,
        ref: OrderRef,
        text: str = "",
        *,
        channel: str = "twilio_sms",
        deed: str = "write",
        match: str | None = None,
    ) -> None:
        """What the buyer does with the channel's last message about this order (docs/sandbox.md): answers, presses …

        `match`: what to find it by, where the vendor was not given our key.
        """
        reply = {"channel": channel, "match": match or f"{ref}/", "text": text, "deed": deed}
        answer = await self.http.post(f"{self.stack.sandbox_url}/reply", json=reply)
        if answer.status_code != httpx.codes.ACCEPTED:
            raise NotAsTold(f"the buyer could not {deed} by {channel}: {answer.text[:200]}")

    # -- looking --------------------------------------------------------------------------------------------------

    async def status(self, ref: OrderRef) -> OrderStatus | None:
        try:
            return await self.orders.status(ref)
        except OrderAckError:
            return None

    async def timeline(self, ref: OrderRef) -> Timeline:
        return await self.orders.timeline(ref)

    async def until(
        self, ref: OrderRef, holds: Callable[[OrderStatus], bool], what: str, within: float = PATIENCE
    ) -> OrderStatus:
        """Wait for the order to get there. Raises NotAsTold when it does not in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        status = None
        while loop.time() < deadline:
            status = await self.status(ref)
            if status and holds(status):
                return status
            await asyncio.sleep(0.1)
        stands = f"{status.stage}, waits for {status.waiting_for}" if status else "not known to Temporal"
        raise NotAsTold(f"{ref.number} did not {what} within {within:g} s; it stands at: {stands}")

    async def confirmed(self, ref: OrderRef, revision: int = 1) -> OrderStatus:
        def out(status: OrderStatus) -> bool:
            return any(m.kind is Kind.CONFIRMATION and m.revision == revision for m in told(status))

        return await self.until(ref, out, f"be confirmed as revision {revision}")

    async def seen(self, ref: OrderRef, event: Event) -> None:
        """Wait for an entry in the order's timeline."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE
        while loop.time() < deadline:
            if any(entry.event is event for entry in (await self.timeline(ref)).entries):
                return
            await asyncio.sleep(0.1)
        raise NotAsTold(f"{ref.number}: “{event}” did not happen")

    async def posted(self, ref: OrderRef, channel: str) -> None:
        """Wait for a message about the order to lie in this vendor's part of the mailbox."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            if any(post.channel == channel for post in await self.posts(ref)):
                return
            await asyncio.sleep(0.2)
        raise NotAsTold(f"{ref.number}: nothing came by {channel}")

    async def remembered(self, ref: OrderRef, channel: str) -> None:
        """Wait until the order has heard that its buyer wants no more messages by this channel."""
        said = f"by {channel}: {Grade.E0}"
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while asyncio.get_running_loop().time() < deadline:
            if any(entry.note.endswith(said) for entry in (await self.timeline(ref)).entries):
                return
            await asyncio.sleep(0.2)
        raise NotAsTold(f"{ref.number}: the opt-out from {channel} was not heard of")

    async def posts(self, ref: OrderRef) -> Sequence[Posted]:
        """What the sandbox vendors accepted for this order, oldest first."""
        answer = await self.http.get(f"{self.stack.sandbox_url}/mailbox", params={"format": "json", "q": ref.number})
        found = _POSTED.validate_python(answer.json()["messages"])
        return [post for post in reversed(found) if ref.number in f"{post.subject}{post.text}"]


def told(status: OrderStatus) -> list[Accepted]:
    """The buyer's messages that are out, in order."""
    return [
        Accepted(ack.kind, ack.revision, ack.n, send.channel, ack.out_at)
        for ack in status.acknowledgements
        if ack.kind is not Kind.ALERT and ack.out_at
        for send in ack.sends
        if send.state == "accepted"
    ]
