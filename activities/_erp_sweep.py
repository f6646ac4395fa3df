"""One sweep of one ERP: asked for every order that is not receipted, at a pace, each to its end."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from activities._measured import erp_call
from activities._receipts import Telling, receipts_of
from orderack.contracts import names
from orderack.contracts.journal import Stage
from orderack.domain.order import OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.domain.value import Value
from orderack.errors import InDoubt, InvalidInput, Refused, Unavailable
from orderack.ports import Awaited, Erp, FindsSeveral
from orderack.ports.sweeps import ExceptionKind, Finding, NotReceipted, OpenException, Place, Runs, SweepLedger

log = structlog.get_logger(__name__)

PAGE = 25
"""Orders that are settled together; those that can be asked about at once are."""
DOWN_AFTER = 3
"""Orders in a row without an answer: it is not they, it is the ERP."""
WAITS = timedelta(seconds=60)
"""An ERP that says when to come back is waited for as long as this; longer, the sweep is tried again later."""
TAKEN_WITHIN = timedelta(minutes=15)
"""An order that was told of its receipt has acted on it by then."""

Sleep = Callable[[float], Awaitable[None]]
Owner = Callable[[str], str | None]
"""A store's team's first in the rota."""


class Progress(Value):
    """How far a sweep has come: what a heartbeat carries, so that another worker goes on there."""

    began_at: datetime
    place: Place | None = None
    waiting: int = 0
    asked: int = 0
    unanswered: int = 0
    receipted: int = 0
    opened: int = 0
    closed: int = 0


@dataclass
class Answers:
    """What an ERP said of a page."""

    receipts: dict[OrderRef, ErpReceipt] = field(default_factory=dict)
    silent: list[NotReceipted] = field(default_factory=list)
    """Without an answer so far; the ERP may be down."""
    refused: set[OrderRef] = field(default_factory=set)
    """It does not answer for just these."""


@dataclass(frozen=True)
class World:
    """What a sweep of an ERP is given."""

    ledger: SweepLedger
    telling: Telling
    runs: Runs
    owner: Owner
    per_second: float
    now: Callable[[], datetime]
    sleep: Sleep


class ErpSweep:
    """Page by page, the oldest first; `step` is one page, and says whether there was one."""

    def __init__(self, world: World, name: str, erp: Erp, progress: Progress) -> None:
        self.progress = progress
        self._world = world
        self._name = name
        self._erp = erp

    async def step(self) -> bool:
        """Ask about the next page and settle it. Raises Unavailable where the ERP does not answer: nothing is lost."""
        world, progress = self._world, self.progress
        page = await world.ledger.not_receipted(self._name, progress.began_at, progress.place, PAGE)
        if not page:
            return False
        answers = await self._ask(page)
        done = page[: page.index(answers.silent[0])] if answers.silent else page
        findings = [await self._concluded(one, answers) for one in done if one.ref not in answers.refused]
        settled = await world.ledger.settle([one for one in findings if one], world.now())
        for exception in settled.opened:
            told(exception)
        self.progress = progress.model_copy(
            update={
                "place": done[-1].place if done else progress.place,
                "asked": progress.asked + len(done),
                "unanswered": progress.unanswered + sum(one.ref in answers.refused for one in done),
                "receipted": progress.receipted + sum(one.ref in answers.receipts for one in done),
                "opened": progress.opened + len(settled.opened),
                "closed": progress.closed + settled.closed,
            }
        )
        if answers.silent:
            raise Unavailable(f"the ERP {self._name} does not answer")
        return True

    # -- asking -----------------------------------------------------------------------------------------------------

    async def _ask(self, page: Sequence[NotReceipted]) -> Answers:
        """All at once where the ERP can say; where that fails, and elsewhere, one by one."""
        if isinstance(self._erp, FindsSeveral):
            try:
                found = await self._find(page)
            except (Unavailable, Refused, InvalidInput, InDoubt):
                log.info("asked one by one", erp=self._name, orders=len(page))
            else:
                await self._world.sleep(len(found) / self._world.per_second)
                return Answers(receipts={**found})
        return await self._ask_each(page)

    async def _ask_each(self, page: Sequence[NotReceipted]) -> Answers:
        """One that is not answered for is passed over once another is; several in a row, and the ERP is away."""
        answers = Answers()
        for one in page:
            try:
                answers.receipts |= await self._find([one], singly=True)
            except Unavailable:
                answers.silent.append(one)
                if len(answers.silent) == DOWN_AFTER:
                    break
                continue
            except (Refused, InvalidInput, InDoubt) as error:
                log.warning("not answered for", erp=self._name, order=str(one.ref), why=type(error).__name__)
                answers.refused.add(one.ref)
            answers.refused |= {silent.ref for silent in answers.silent}
            answers.silent.clear()
        return answers

    async def _find(self, page: Sequence[NotReceipted], *, singly: bool = False) -> Mapping[OrderRef, ErpReceipt]:
        """The receipts of these. One that says when to come back is asked again then, once."""
        await self._world.sleep(1 / self._world.per_second)
        try:
            return await self._found(page, singly=singly)
        except Unavailable as away:
            if away.retry_after is None or away.retry_after > WAITS:
                raise
            await self._world.sleep(away.retry_after.total_seconds())
            return await self._found(page, singly=singly)

    async def _found(self, page: Sequence[NotReceipted], *, singly: bool) -> Mapping[OrderRef, ErpReceipt]:
        with erp_call(self._name, "sweep"):
            if singly:
                receipt = await self._erp.find(page[0].ref, page[0].revision)
                return {page[0].ref: receipt} if receipt else {}
            asked = [Awaited(ref=one.ref, revision=one.revision, since=one.since) for one in page]
            receipts = [receipt async for receipt in receipts_of(self._erp, asked)]
        return {OrderRef(store=one.store, number=one.number): one for one in receipts}

    # -- concluding -------------------------------------------------------------------------------------------------

    async def _concluded(self, one: NotReceipted, answers: Answers) -> Finding | None:
        """What is found of this order; None: it is still in its time, or a shadow order, which is nobody's to miss."""
        receipt = answers.receipts.get(one.ref)
        if receipt is not None:
            return await self._told(one, receipt)
        if one.shadow:
            return None
        if one.stage is Stage.REVIEW:
            return self._finding(one, None, "a person has it in review")
        if one.overdue_at > self._world.now():
            return None
        if one.draft:
            return self._finding(one, ExceptionKind.WAITS_IN_ERP)
        if await self._world.runs.is_trying(one.ref, names.SUBMIT_TO_ERP):
            return self._finding(one, ExceptionKind.NOT_SUBMITTED)
        return self._finding(one, ExceptionKind.MISSING_IN_ERP)

    async def _told(self, one: NotReceipted, receipt: ErpReceipt) -> Finding:
        row = await self._world.telling.record(self._name, receipt)
        told_now = await self._world.telling.tell(self._name, row)
        if not told_now and self._world.now() - row.received_at > TAKEN_WITHIN:
            return self._finding(one, ExceptionKind.RECEIPT_NOT_TAKEN)
        return self._finding(one, None, "its receipt came")

    def _finding(self, one: NotReceipted, kind: ExceptionKind | None, note: str = "") -> Finding:
        return Finding(
            ref=one.ref,
            revision=one.revision,
            kind=kind,
            system=self._name,
            since=one.since,
            owner=one.owner or self._world.owner(one.ref.store),
            note=note,
        )


def told(exception: OpenException) -> None:
    """Its owner is told when the sweep has ended (`_owners_told`); whoever looks for the order finds this line."""
    log.warning(
        "exception opened",
        order=str(exception.ref),
        kind=exception.kind,
        system=exception.system,
        owner=exception.owner,
        reopened=exception.reopened,
    )
