"""“Holding” under another level: an order that the ERP had booked by then would have been confirmed, not held."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.diagnostics.whatif import clocks
from orderack.diagnostics.whatif.result import Level
from orderack.domain.acknowledgement import Kind, SendKey, SendOutcome, SendState
from orderack.domain.receipt import ErpReceipt
from orderack.ledger.repository import SqlLedger
from orderack.ports import Message, Rendered
from tests.diagnostics.whatif.shop import Document, Step, _entry, _journal, live, policy, simulated, steps

ORDERS = 240
LEVEL, SOON = timedelta(minutes=15), timedelta(seconds=3)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Went:
    """How one order went, from its trigger on."""

    booked: timedelta
    """When the ERP did."""
    heard: timedelta
    """When its receipt reached us, were it not asked."""
    pushed: bool
    """It came in the end by a webhook or a look, and stands in the inbox; else only the question brought it."""

    @property
    def confirmed(self) -> timedelta:
        """Under the level of then: the ERP is asked before `holding` goes out."""
        return LEVEL + SOON if self.booked <= LEVEL < self.heard else self.heard

    def unknown(self, level: timedelta) -> bool:
        """The ERP had booked it by then and its receipt left no time of booking: the model takes it for held."""
        known = LEVEL if self.booked <= LEVEL < self.heard else self.heard
        return not self.pushed and self.booked <= level < known

    def held(self, level: timedelta) -> bool:
        """What really goes out: the oracle."""
        return self.booked > level


def one_level(minutes: int) -> Callable[[Document], None]:
    """The same for every order: no rule has a level of its own."""

    def edit(document: Document) -> None:
        document["service_levels"]["hold_after"] = f"{minutes}m"
        for rule in document["rules"]:
            rule["then"].get("service_levels", {}).pop("hold_after", None)

    return edit


def went(dice: random.Random) -> Went:
    """Most receipts come within seconds of the booking; one in three is lost on its way or late."""
    booked = timedelta(seconds=dice.choice((20, 60, 240, 500, 700, 840, 920, 1_300, 2_000)) + dice.random())
    late = dice.random() < 0.33
    return Went(booked, booked + (dice.choice((3, 9, 30)) * MINUTE if late else SOON), not late or dice.random() < 0.7)


async def happened(ledger: SqlLedger, folder: Path) -> Mapping[str, Went]:
    """The shop's orders on the ledger with their clocks, receipts and holding messages; those that may be told."""
    dice = random.Random(3)
    made = [step for step in steps(ORDERS) if step.revision == 1]
    ways = [went(dice) for _ in made]
    made = [
        Step(step.order, stock=step.stock, receipt_after=step.order.trigger_at + way.confirmed - step.now)
        for step, way in zip(made, ways, strict=True)
    ]
    decided = await live(ledger, policy(folder, "in_force", one_level(15)), made)
    told = {}
    for step, way in zip(made, ways, strict=True):
        silent = decided[step.order.number, 1].decision.withhold_updates
        await _clock(ledger, step, way, holds=way.held(LEVEL) and not silent)
        if not silent:
            told[step.order.number] = way
    return told


async def _clock(ledger: SqlLedger, step: Step, way: Went, *, holds: bool) -> None:
    start = step.order.trigger_at
    clock: Document = {"clock": ClockName.HOLD, "due_at": start + LEVEL}
    entries = [
        _entry(step, 21, Event.CLOCK_STARTED, at=start, **clock),
        _entry(step, 22, Event.CLOCK_MET, at=start + min(LEVEL, way.confirmed), **clock),
    ]
    await ledger.write(_journal(step, Stage.HANDED_OFF, entries))
    if way.pushed:
        await _receipt(ledger, step, start + way.booked, start + way.heard)
    if holds:
        key = SendKey(ref=step.order.ref, revision=1, kind=Kind.HOLDING, n=1, channel="smtp_email")
        words = Message(
            key=key, recipient="a@example.com", kind=Kind.HOLDING, language="en", content=Rendered(text="…")
        )
        await ledger.claim(key, words, start + LEVEL, MINUTE)
        await ledger.finish(key, SendOutcome(channel="smtp_email", state=SendState.ACCEPTED), start + LEVEL + SOON)


async def _receipt(ledger: SqlLedger, step: Step, booked: datetime, heard: datetime) -> None:
    receipt = ErpReceipt(
        id=f"r-{step.order.number}",
        erp="sandbox",
        store="demo",
        number=step.order.number,
        document_id=f"SO-{step.order.number}",
        recorded_at=booked,
    )
    ref, body = step.order.ref, receipt.model_dump_json()
    await ledger.receive("receipts/sandbox", receipt.id, "erp_receipt", ref, body, heard)


async def level_of(ledger: SqlLedger, folder: Path, minutes: int) -> Level:
    in_force = policy(folder, "in_force", one_level(15))
    new = policy(folder, "new", one_level(minutes))
    found = await simulated(ledger, in_force, new)
    return next(level for level in found.levels if level.clock is ClockName.HOLD)


async def test_holding_is_reckoned_from_when_the_erp_had_booked(
    ledger: SqlLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = await happened(ledger, tmp_path)
    figures = {minutes: await level_of(ledger, tmp_path, minutes) for minutes in (5, 10, 15, 20, 30)}
    then = sum(way.held(LEVEL) for way in told.values())
    for minutes, level in figures.items():
        new = minutes * MINUTE
        unknown = sum(way.unknown(new) for way in told.values())
        assert (level.broken_before, level.recorded) == (then, then)
        assert level.broken_after == sum(way.held(new) for way in told.values()) + unknown
        assert unknown <= len(told) // 10
    assert not any(way.unknown(LEVEL) for way in told.values())
    with monkeypatch.context() as without:
        without.setattr(clocks, "_booked", lambda *_: iter(()))
        without.setattr(clocks, "_found", lambda *_: iter(()))
        assert (await level_of(ledger, tmp_path, 15)).broken_before > then + 10, "by our own clock it had many more"
