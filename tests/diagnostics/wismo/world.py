"""Orders and tickets made by a known rule: which orders are asked about, and how much oftener where they were held."""

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from orderack.domain.order import OrderRef
from orderack.ports.helpdesk import Ticket
from orderack.ports.wismo import NamedOrder, WatchedOrder

SINCE = datetime(2026, 3, 2, tzinfo=UTC)
ASKING = (
    "Where is my order {}?",
    "I placed order {} and have not received any confirmation",
    "Hi, has order {} been shipped yet?",
    "Wo bleibt meine Bestellung {}?",
    "Où est ma commande {} ?",
    "¿Dónde está mi pedido {}?",
)
NOT_ASKING = (
    "I would like to return order {}",
    "Where is my invoice for {}?",
    "Please change the address of order {}",
    "Bitte stornieren Sie die Bestellung {}",
    "Merci de m'envoyer une facture pour {}",
)


@dataclass(frozen=True)
class Rule:
    """How often orders are asked about."""

    base: float = 0.04
    held: float = 1.0
    """Times as often where the order was held."""
    told_late: float = 1.0
    confirmed_early: float = 1.0
    escalated: float = 1.0


@dataclass
class Book:
    """The ledger's part, from memory: the same answers as the real one gives (tests/ledger/test_wismo.py)."""

    orders: list[WatchedOrder] = field(default_factory=list)
    emails: dict[OrderRef, str] = field(default_factory=dict)
    open: set[OrderRef] = field(default_factory=set)

    async def watched_orders(self, since: datetime, until: datetime, store: str | None) -> Sequence[WatchedOrder]:
        return [one for one in self.orders if since <= one.trigger_at < until and store in (None, one.ref.store)]

    async def named_orders(
        self, words: Collection[str], emails: Collection[str], store: str | None
    ) -> Sequence[NamedOrder]:
        return [
            NamedOrder(goes_by, one.ref, one.trigger_at, one.ref in self.open)
            for one in self.orders
            if store in (None, one.ref.store)
            for goes_by in (one.ref.number, self.emails.get(one.ref, ""))
            if goes_by in words or (goes_by and goes_by in emails)
        ]


@dataclass(frozen=True)
class World:
    """What happened, and the truth about it."""

    book: Book
    tickets: Sequence[Ticket]
    of_order: dict[str, OrderRef]
    """Ticket that asks → the order that it is about."""
    until: datetime


def a_world(seed: int, rule: Rule, orders: int = 2_400, days: int = 30, since: datetime = SINCE) -> World:
    """Orders of so many days; some days their ERP is slow, so that more are told late, held and escalated."""
    chance = random.Random(seed)
    book = Book()
    slow = [chance.random() < 0.25 for _ in range(days)]
    for place in range(orders):
        at = since + timedelta(days=days * place / orders) + timedelta(seconds=chance.uniform(0, 60))
        order = _an_order(chance, f"{50_000 + place}", at, slow[(at - since).days % days])
        book.orders.append(order)
        book.emails[order.ref] = f"buyer{place}@example.com"
    until = since + timedelta(days=days)
    tickets, of_order = _tickets(chance, book, rule, until)
    return World(book, tickets, of_order, until)


def _an_order(chance: random.Random, number: str, at: datetime, slow: bool) -> WatchedOrder:
    wait = chance.lognormvariate(6.5 if slow else 4.0, 1.0)
    told_after = chance.uniform(1, 50) if chance.random() > 0.08 else chance.uniform(70, 400)
    early = chance.random() < 0.1
    return WatchedOrder(
        ref=OrderRef(store=chance.choice(("north", "south")), number=number),
        source=chance.choice(("storefront", "storefront", "email", "edi")),
        trigger_at=at,
        told_at=at + timedelta(seconds=told_after),
        promised_at=at + timedelta(seconds=60),
        confirmed_at=at + timedelta(seconds=wait * 0.5 if early else wait + 2),
        erp_receipt_at=at + timedelta(seconds=wait),
        held=wait > 900,
        escalated=wait > 900 and chance.random() < 0.6,
    )


def _tickets(
    chance: random.Random, book: Book, rule: Rule, until: datetime
) -> tuple[Sequence[Ticket], dict[str, OrderRef]]:
    tickets: list[Ticket] = []
    of_order: dict[str, OrderRef] = {}
    for order in book.orders:
        if chance.random() < min(0.9, _probability(order, rule)):
            tickets.append(_a_ticket(chance, len(tickets), order, book, ASKING))
            if tickets[-1].created_at < until:
                of_order[tickets[-1].id] = order.ref
        if chance.random() < 0.03:
            tickets.append(_a_ticket(chance, len(tickets), order, book, NOT_ASKING))
    return [ticket for ticket in tickets if ticket.created_at < until], of_order


def _probability(order: WatchedOrder, rule: Rule) -> float:
    found = rule.base
    assert order.told_at is not None
    assert order.promised_at is not None
    assert order.confirmed_at is not None
    assert order.erp_receipt_at is not None
    for true, times in (
        (order.held, rule.held),
        (order.told_at > order.promised_at, rule.told_late),
        (order.confirmed_at < order.erp_receipt_at, rule.confirmed_early),
        (order.escalated, rule.escalated),
    ):
        found *= times if true else 1.0
    return found


def _a_ticket(chance: random.Random, place: int, order: WatchedOrder, book: Book, sentences: Sequence[str]) -> Ticket:
    numbered = chance.random() < 0.6
    words = chance.choice(sentences).format(order.ref.number if numbered else "").replace("  ", " ")
    return Ticket(
        id=f"T-{place}",
        created_at=order.trigger_at + timedelta(seconds=chance.uniform(600, 60_000)),
        subject=words if chance.random() < 0.5 else "Question",
        text=words,
        email=book.emails[order.ref] if not numbered or chance.random() < 0.5 else None,
    )
