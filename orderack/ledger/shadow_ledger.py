"""The ledger's calls about the shadow run: each is one short transaction. `repository.SqlLedger` has them all."""

from collections.abc import Sequence
from datetime import datetime

from orderack.contracts.journal import Journal
from orderack.domain.order import OrderRef
from orderack.domain.shadow import OldEvent
from orderack.ledger import orders, shadow, shadow_gate
from orderack.ledger.database import Database, uncut
from orderack.ledger.shadow_facts import KeptText, ShadowFacts, facts, kept_acts, kept_texts
from orderack.ports import KeptAct, KeptMessage, OldOutcome, ShadowBook, SideSaid


@uncut
class ShadowLedger:
    """`orderack.ports.ShadowBook`, and what reports and the cutover ask. Every call may raise Unavailable."""

    _database: Database

    async def is_shadow(self, ref: OrderRef) -> bool:
        async with self._database.read() as session:
            return await shadow.is_shadow(session, ref)

    async def side_said(self, ref: OrderRef) -> SideSaid:
        async with self._database.read() as session:
            return await shadow.side_said(session, ref)

    async def keep(self, message: KeptMessage) -> None:
        async with self._database.write() as session:
            await shadow.keep(session, message)

    async def keep_act(self, act: KeptAct, journal: Journal) -> None:
        async with self._database.write(autoflush=False) as session:
            order = await orders.lock_order(session, journal.ref)
            await orders.write_journal(session, order, journal)
            await shadow.keep_act(session, act)

    async def take_old_events(self, store: str, events: Sequence[OldEvent], now: datetime) -> Sequence[OldOutcome]:
        async with self._database.write() as session:
            return await shadow.take_old_events(session, store, events, now)

    async def shadow_facts(self, store: str, since: datetime | None = None) -> ShadowFacts:
        """Everything that a report on the store's shadow run is made of."""
        async with self._database.read() as session:
            return await facts(session, store, since)

    async def kept_texts(self, ref: OrderRef) -> Sequence[KeptText]:
        """What would have gone out of one shadow order."""
        async with self._database.read() as session:
            return await kept_texts(session, ref.store, ref.number)

    async def kept_acts(self, ref: OrderRef) -> Sequence[KeptAct]:
        """What else the shadow order would have done: at the ERP, at its source, by its team."""
        async with self._database.read() as session:
            return await kept_acts(session, ref)

    async def judge(self, store: str, verdict: shadow.Verdict) -> bool:
        """Record a person's word on a discrepancy; False where the last word about it says the same."""
        async with self._database.write() as session:
            return await shadow.judge(session, store, verdict)

    async def last_cutover(self, store: str) -> shadow.Cutover | None:
        """The step that holds for the store's new orders; None: the policy's word does."""
        async with self._database.read() as session:
            return await shadow.last_cutover(session, store)

    async def gate_unasked(self, store: str) -> shadow_gate.Unasked | None:
        """That the store has run in shadow and nobody ever cut it over; None: it has not, or somebody has."""
        async with self._database.read() as session:
            return await shadow_gate.unasked(session, store)

    async def note_gate(self, ref: OrderRef, policy_version: str, live_percent: int, now: datetime) -> bool:
        if await self.gate_unasked(ref.store) is None:  # of nearly every store: no write then
            return False
        async with self._database.write() as session:
            return await shadow_gate.note(session, ref, policy_version, live_percent, now)

    async def cut_over(self, step: shadow.Cutover) -> shadow.Cutover:
        """Take a step between shadow and live, unless it stands; the one that stands now."""
        async with self._database.write() as session:
            return await shadow.cut_over(session, step)


_CHECKED: type[ShadowBook] = ShadowLedger
