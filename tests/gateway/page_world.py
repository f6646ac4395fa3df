"""A buyer before the order's page: what is in the record, what the order says of itself, and forms that are sent."""

import html
import re
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import httpx

from orderack.contracts.journal import Journal, Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind, SendKey, SendOutcome, SendState
from orderack.domain.evidence import EvidenceFact
from orderack.domain.order import Order, PaymentStatus
from orderack.domain.receipt import LineVerdict, StockVerdict
from orderack.domain.response import answer_lines
from orderack.domain.store import PageRules
from orderack.ports import Message, Rendered, StoredRevision
from tests.gateway.conftest import Gateway
from tests.temporal.server import now
from tests.workflows.orders import a_decision, a_receipt, an_assessment, an_order


async def stored(gateway: Gateway, order: Order, revision: int = 1, stage: Stage = Stage.CONFIRMED) -> None:
    """The revision as the record holds it."""
    assessment = an_assessment(order, revision, a_decision())
    kept = StoredRevision(order=order, revision=revision, content_hash=order.content_hash, assessment=assessment)
    await gateway.ledger.save_revision(kept, "print", Journal(ref=order.ref, stage=stage, revision=revision))


async def said(
    gateway: Gateway, order: Order, kind: Kind = Kind.CONFIRMATION, revision: int = 1, channel: str = "email"
) -> str:
    """A message that went out; the hash of what was sent."""
    key = SendKey(ref=order.ref, revision=revision, kind=kind, n=1, channel=channel)
    content = Rendered(subject=f"Subject {kind} {revision}", text=f"Text {kind} {revision} <b>&</b>")
    message = Message(key=key, recipient="ada@example.com", kind=kind, language="en", content=content)
    await gateway.ledger.claim(key, message, gateway.clock(), timedelta(minutes=1))
    outcome = SendOutcome(channel=channel, state=SendState.ACCEPTED, provider_id=f"p-{key}")
    return (await gateway.ledger.finish(key, outcome, gateway.clock())).body_sha256


def confirmed(order: Order, **more: object) -> OrderStatus:
    """Confirmed, with the second line on backorder."""
    receipt = a_receipt(order, now())
    late = LineVerdict(line_id="2", verdict=StockVerdict.BACKORDERED, expected_on=date(2027, 3, 4))
    receipt = receipt.model_copy(update={"lines": (receipt.lines[0], late)})
    status = OrderStatus(
        ref=order.ref,
        stage=Stage.HANDED_OFF,
        revision=1,
        content_hash=order.content_hash,
        confirmed_revision=1,
        confirmed_at=now(),
        erp_document_id="SO-77",
        payment=PaymentStatus.CONFIRMED,
        promise_on=date(2027, 3, 4),
        answers=answer_lines(order, receipt),
    )
    return status.model_copy(update=more)


def received(order: Order, **more: object) -> OrderStatus:
    """In hand, and nothing confirmed."""
    known = OrderStatus(ref=order.ref, stage=Stage.AWAITING_ERP, revision=1, content_hash=order.content_hash)
    return known.model_copy(update=more)


@dataclass
class Buyer:
    """Holds the link that came by e-mail."""

    gateway: Gateway
    order: Order
    via: str = "email"
    role: str = "buyer"
    forms: int = 0

    @cached_property
    def token(self) -> str:
        to = "+15005550006" if self.via == "text" else "ada@example.com"
        return self.gateway.parts.links.token(self.order.ref, self.role, self.via, to)

    async def opens(self, **headers: str) -> httpx.Response:
        return await self.gateway.http.get(f"/o/{self.token}", headers=headers)

    async def reads(self) -> str:
        return words(await self.opens())

    async def sends(self, action: str, revision: int | str = 1, form: str = "", **fields: str) -> httpx.Response:
        """Fill in that form and press its button; each time it is another form, unless the test says which."""
        self.forms += 1
        body = {"revision": str(revision), "form": form or f"form-{self.forms}"} | fields
        return await self.gateway.http.post(f"/o/{self.token}/{action}", data=body)

    async def sent(self, action: str, **fields: str) -> str:
        """The page after a form that was taken."""
        answer = await self.sends(action, **fields)
        assert answer.status_code == 303, words(answer)
        return words(await self.gateway.http.get(answer.headers["location"]))

    async def facts(self) -> list[EvidenceFact]:
        return list(await self.gateway.ledger.evidence(self.order.ref))

    def stands(self, status: OrderStatus) -> None:
        """The order says this of itself from now on."""
        self.gateway.orders.standing[self.order.ref] = status

    def rules(self, **rules: object) -> None:
        """The store's rules for its page."""
        stores = self.gateway.parts.stores
        assert isinstance(stores, dict)
        stores["demo"] = stores["demo"].model_copy(update={"page": PageRules.model_validate(rules)})


def words(response: httpx.Response) -> str:
    """What a person reads in it: no tags, no style, single spaces."""
    body = re.sub(r"<style>.*?</style>|<select.*?</select>", " ", response.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


async def a_buyer(gateway: Gateway, **content: object) -> Buyer:
    """Before a confirmed order."""
    order = an_order("1001", now()).model_copy(update=content)
    await stored(gateway, order)
    await said(gateway, order)
    buyer = Buyer(gateway, order)
    buyer.stands(confirmed(order))
    return buyer
