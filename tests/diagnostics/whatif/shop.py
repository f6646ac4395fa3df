"""A shop's past: made-up orders, decided by the real `assess` on a real ledger, with the journals of their clocks."""

import random
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import event
from temporalio.testing import ActivityEnvironment

from activities.assess import Assess
from orderack.bootstrap import channel_traits, source_answers
from orderack.cli.installed import installed_channels
from orderack.contracts.activities import AssessRequest
from orderack.contracts.journal import ClockName, Entry, Event, Journal, Stage
from orderack.diagnostics.whatif.looks import HISTORY, Chronicle
from orderack.diagnostics.whatif.replay import World
from orderack.diagnostics.whatif.result import Simulation
from orderack.diagnostics.whatif.simulate import Asked, Policies, Simulator
from orderack.domain.assessment import Assessment, Route
from orderack.domain.order import Line, Order
from orderack.domain.receipt import StockVerdict
from orderack.ledger.database import Database, make_engine
from orderack.ledger.past_orders import Span
from orderack.ledger.repository import SqlLedger
from orderack.policy.load import load_policy_file
from orderack.policy.model import Policy
from orderack.ports import Erp, Stock

SHIPPED = Path(__file__).parents[3] / "policy" / "policy.yaml"
MONDAY = datetime(2026, 10, 5, 6, 0, tzinfo=UTC)
CHANNELS = channel_traits()
ANSWERS = source_answers()

Document = dict[str, Any]


def policy(folder: Path, name: str, *edits: Any) -> Policy:
    """The shipped policy, edited, by this name."""
    document: Document = yaml.safe_load(SHIPPED.read_text())
    # A connection, so that something is answered.
    document["stores"]["demo"]["connections"] = {"walmart": {"source": "marketplace"}}
    for edit in edits:
        edit(document)
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(document, sort_keys=False))
    return load_policy_file(file)


@dataclass(frozen=True)
class Step:
    """One look: an order's revision, what a reviewer had waived, and how the ERP answers."""

    order: Order
    revision: int = 1
    waived: tuple[str, ...] = ()
    stock: tuple[Stock, ...] | None = None
    receipt_after: timedelta | None = timedelta(seconds=20)
    """From the submission; None: it has not come."""

    @property
    def now(self) -> datetime:
        return self.order.trigger_at + timedelta(seconds=3 * self.revision)


def steps(count: int, seed: int = 7) -> list[Step]:
    """So many orders, and revisions of some of them."""
    dice = random.Random(seed)
    found: list[Step] = []
    at = MONDAY
    for number in range(count):
        at += timedelta(minutes=dice.choice((7, 40, 90, 240)))
        order = _order(dice, f"N-{number:04}", at, found)
        found.append(Step(order, stock=_stock(dice, order), receipt_after=_receipt(dice)))
        if dice.random() < 0.08:
            changed = order.model_copy(update={"instructions": "leave it at the door"})
            waived = dice.choice(((), ("rule",), ("high_value", "new_client", "rule")))
            found.append(Step(changed, 2, waived, _stock(dice, order), _receipt(dice)))
    return found


def _order(dice: random.Random, number: str, at: datetime, before: Sequence[Step]) -> Order:
    source = dice.choice(("web", "shop", "portal", "email", "crm", "phone", "chat", "pos", "edi", "marketplace"))
    if before and dice.random() < 0.05:  # the same again, by another way
        return before[-1].order.model_copy(update={"number": number, "trigger_at": at, "source": source})
    price, quantity = Decimal(dice.choice((9, 40, 110, 480, 900))), dice.choice((1, 1, 2, 3, 6, 30))
    total, tax = price * quantity, dice.choice((0, 0, 10))
    street = dice.choice(("Hauptstr. 1", "Hauptstraße 1", "Ringweg 9"))
    contacts = {
        "email": dice.choice((f"b{dice.randrange(40)}@example.com", None)),
        "phone": dice.choice(("+49 30 5550 0100", "030 55500100", "0207 946 0958", None)),
        "language": dice.choice(("en", "de", "it")),
    }
    origin = {"system": "walmart"} if source == "marketplace" else None
    partner = {"partner": "walmart", "due_at": at + timedelta(hours=4)} if source == "marketplace" else None
    return Order.model_validate(
        {
            "store": "demo",
            "number": number,
            "source": source,
            "trigger_at": at,
            "customer": {
                "id": f"C-{dice.randrange(30)}",
                "name": "A Buyer",
                "relation": dice.choice(("new", "repeat", "repeat", "repeat", "enterprise")),
            },
            "contacts": contacts,
            "lines": [{"line_id": "1", "sku": dice.choice(("TEA", "MUG")), "quantity": quantity, "unit_price": price}],
            "delivery_address": _address(dice, street),
            "billing_address": _address(dice, "Hauptstraße 1"),
            "payment": {"status": dice.choice(("confirmed", "confirmed", "pending", "flagged")), "terms": "prepaid"},
            "currency": dice.choice(("EUR", "EUR", "EUR", "GBP", "SEK")),
            "totals": {"total": total + tax + dice.choice((0, 0, 0, 5)), "tax": tax},
            "priority": dice.choice(("normal", "normal", "high")),
            "order_type": dice.choice(("standard", "custom")),
            "origin": origin,
            "partner_deadline": partner,
        },
        strict=False,
    )


def _address(dice: random.Random, street: str) -> Document:
    return {
        "street": street,
        "city": "Berlin",
        "postal_code": "10115",
        "country": dice.choice(("DE", "DE", "DE", "GB")),
    }


def _stock(dice: random.Random, order: Order) -> tuple[Stock, ...] | None:
    verdict = dice.choice((StockVerdict.AVAILABLE,) * 8 + (StockVerdict.BACKORDERED, StockVerdict.UNAVAILABLE))
    if dice.random() < 0.05:
        return None
    day = (order.trigger_at + timedelta(days=6)).date() if verdict is StockVerdict.BACKORDERED else None
    return tuple(Stock(line_id=line.line_id, verdict=verdict, expected_on=day) for line in order.lines)


def _receipt(dice: random.Random) -> timedelta | None:
    return dice.choice((timedelta(seconds=20),) * 40 + (timedelta(minutes=7), timedelta(minutes=20)))


class Answering:
    """An ERP that answers for stock as the step says."""

    name = "sandbox"

    def __init__(self) -> None:
        self.stock: tuple[Stock, ...] | None = None

    async def availability(self, _: Sequence[Line]) -> Sequence[Stock]:
        if self.stock is None:
            raise TimeoutError
        return self.stock


Decided = Mapping[tuple[str, int], Assessment]


async def live(ledger: SqlLedger, in_force: Policy, past: Sequence[Step], went: Decided | None = None) -> Decided:
    """What the real `assess` decides of each step under this policy, in turn; the ledger has it all.

    `went`: the orders go on as these decisions let them, so that the queue and the ERP are what they were then.
    """
    erp: Any = Answering()
    erps: Mapping[str, Erp] = {"sandbox": erp}
    activity = Assess(ledger, lambda: in_force, erps, CHANNELS, ANSWERS)
    environment, found = ActivityEnvironment(), {}
    for step in past:
        erp.stock = step.stock
        request = AssessRequest(
            order=step.order, revision=step.revision, now=step.now, waived=step.waived, journal=_accepted(step)
        )
        assessed: Assessment = await environment.run(activity.assess, request)
        key = (step.order.number, step.revision)
        found[key] = assessed
        await ledger.write(_afterwards(step, went[key] if went else assessed))
    return found


def _accepted(step: Step) -> Journal:
    entries = [_entry(step, 1, Event.ORDER_ACCEPTED)]
    if step.revision > 1 and step.waived:
        names = ", ".join(step.waived)
        entries.append(_entry(step, 2, Event.REVIEW_OPENED, names, revision=1))
        entries.append(_entry(step, 3, Event.REVIEW_DECIDED, "approve", revision=1, owner="grace"))
    return _journal(step, Stage.ASSESSING, entries)


def _afterwards(step: Step, assessed: Assessment) -> Journal:
    """The ERP's submission and receipt with their clock, as the workflow writes them."""
    start, due_at = step.now, step.now + assessed.decision.levels.erp_receipt_within
    clock: Document = {"clock": ClockName.ERP_RECEIPT, "due_at": due_at}
    entries = [
        _entry(step, 11, Event.SUBMITTED_TO_ERP, "sandbox"),
        _entry(step, 12, Event.CLOCK_STARTED, **clock),
    ]
    if step.receipt_after is not None:
        at = start + step.receipt_after
        late = at > due_at
        entries.append(_entry(step, 13, Event.ERP_RECEIPT, f"SO-{step.order.number}", at=at))
        entries.append(
            _entry(step, 14, Event.CLOCK_BREACHED if late else Event.CLOCK_MET, at=due_at if late else at, **clock)
        )
        entries.append(_entry(step, 15, Event.CONFIRMED, at=at))
    stage = Stage.REVIEW if assessed.decision.route is Route.REVIEW else Stage.HANDED_OFF  # the one fills the queue
    return _journal(step, stage, entries)


def _entry(step: Step, seq: int, event: Event, note: str = "", **more: Any) -> Entry:
    return Entry(
        seq=100 * step.revision + seq,
        event=event,
        note=note,
        **{"at": step.now, "revision": step.revision, **more},
    )


def _journal(step: Step, stage: Stage, entries: Sequence[Entry]) -> Journal:
    return Journal(ref=step.order.ref, stage=stage, revision=step.revision, entries=tuple(entries))


@asynccontextmanager
async def a_ledger(template: Path, folder: Path, name: str) -> AsyncIterator[SqlLedger]:
    """A fresh SQLite ledger that waits for no disk."""
    shutil.copy(template, folder / f"{name}.db")
    engine = make_engine(f"sqlite+aiosqlite:///{folder}/{name}.db")
    event.listen(engine.sync_engine, "connect", lambda made, _: made.execute("PRAGMA synchronous=OFF"))
    ledger = SqlLedger(Database(engine))
    yield ledger
    await ledger.aclose()


async def simulated(ledger: SqlLedger, in_force: Policy, new: Policy, *older: Policy, **more: Any) -> Simulation:
    """The simulation over everything in the ledger, as the command makes it, every change listed."""
    now = datetime.now(UTC)
    asked = Asked(
        **{"file": "new", "since": MONDAY - timedelta(days=1), "until": now + timedelta(days=1), "every": True, **more}
    )
    policies = Policies(in_force, new, {one.version: one for one in older})
    async with ledger.past_orders(Span(asked.since, asked.until, asked.store)) as past:
        chronicle = Chronicle(await past.earlier(HISTORY), await past.latencies(HISTORY))
        times = await past.times()
        simulator = Simulator(policies, World(chronicle, installed_channels(), ANSWERS), asked)
        async for revision in past.revisions():
            simulator.take(revision, times[revision.ref].reviews if revision.ref in times else ())
        return simulator.result(times, await past.without_content())


def concerned(found: Simulation) -> set[tuple[str, int]]:
    """The revisions of which anything is said to be different."""
    return {(one.order.removeprefix("demo/"), one.revision) for one in found.every}
