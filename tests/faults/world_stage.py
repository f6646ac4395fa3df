"""What the faults of the world have in common: a shop that resends, parts started otherwise, the checker afterwards."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import TypeVar

import httpx

from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Order, OrderRef
from orderack.embedded.demo.driver import NotAsTold
from orderack.embedded.stack import HOST, Stack
from orderack.errors import Unavailable
from orderack.ledger.repository import open_ledger
from tests.faults.fault import Outcome
from tests.faults.rig import CLASSES, Rig, vendors_key
from tests.invariants.catalog import check
from tests.invariants.folder import export, read
from tests.invariants.logs import Account, Answered, Run
from tests.invariants.report import report

R = TypeVar("R")

CHANNEL = "sendgrid_email"
"""One that is settled by its echo: it may have no message twice."""
CHANNELS = (*CLASSES.values(), "twilio_sms")
"""All by which the confirmations of these orders can go out."""
ZERO = timedelta(0)
PATIENT = 180.0
"""Seconds until an order that does not get on counts as stuck."""


def now() -> datetime:
    return datetime.now(UTC)


# -- the shop -------------------------------------------------------------------------------------------------------


@dataclass
class Shop:
    """Hands orders in as a shop does: the same again until it is told 2xx."""

    rig: Rig
    answers: list[Answered] = field(default_factory=list)
    """Every answer, the refusals too."""
    unheard: int = 0
    """Requests that got no answer at all."""

    async def hand_in(self, order: Order, every: float = 0.3) -> OrderRef:
        """Raises NotAsTold where nobody takes it."""
        deadline = asyncio.get_running_loop().time() + PATIENT
        while asyncio.get_running_loop().time() < deadline:
            status = await self.once(order)
            if status is not None and 200 <= status < 300:
                return order.ref
            await asyncio.sleep(every)
        raise NotAsTold(f"{order.ref} was not taken within {PATIENT:g} s")

    async def once(self, order: Order) -> int | None:
        """The answer to one attempt; None: there was none."""
        try:
            answer = await self.rig.driver.http.post(
                f"{self.rig.stack.gateway_url}/intake/{order.store}",
                content=order.model_dump_json(),
                headers={
                    "Authorization": f"Bearer {self.rig.stack.secrets.api_key}",
                    "Content-Type": "application/json",
                },
            )
        except httpx.TransportError:
            self.unheard += 1
            return None
        self.answers.append(Answered(ref=order.ref, status=answer.status_code, at=now()))
        return answer.status_code

    def orders(self, count: int, channel: str = CHANNEL) -> list[Order]:
        return [self.rig.order(channel) for _ in range(count)]

    async def trade(self, orders: Sequence[Order], every: float) -> None:
        """Hand these in, one each `every` seconds, whatever becomes of those before."""
        under_way = []
        for order in orders:
            under_way.append(asyncio.create_task(self.hand_in(order)))
            await asyncio.sleep(every)
        await asyncio.gather(*under_way)


# -- processes ------------------------------------------------------------------------------------------------------


async def replace(stack: Stack, name: str, command: list[str]) -> None:
    """Run this part by another command from here on. What it was is ended with kill -9."""
    await rest(stack, name)
    await stack.supervise(name, command)


async def rest(stack: Stack, name: str) -> None:
    """Kill this part, and let nobody start it again."""
    for watcher in [watcher for watcher in stack.watchers if _watched(watcher) == name]:
        watcher.cancel()
        stack.watchers.remove(watcher)
    process = stack.processes[name]
    with suppress(ProcessLookupError):
        process.kill()
    await process.wait()


def _watched(watcher: asyncio.Task[None]) -> str | None:
    """Whose watcher it is: the name it was started with."""
    frame = getattr(watcher.get_coro(), "cr_frame", None)
    return frame.f_locals["name"] if frame is not None else None


def usual(stack: Stack, name: str) -> list[str]:
    """The command by which a part usually runs."""
    gateway = ["-m", "orderack.gateway", "--host", HOST, "--port", str(stack.ports.gateway)]
    return [sys.executable, *(gateway if name == "gateway" else ["-m", "workers"])]


async def gateway_up(rig: Rig, within: float = PATIENT) -> None:
    """Wait until the gateway answers."""

    async def answers() -> bool:
        with suppress(httpx.HTTPError):
            return (await rig.driver.http.get(f"{rig.stack.gateway_url}/healthz")).status_code < 500
        return False

    await until(answers, "the gateway to answer", within)


async def until(holds: Callable[[], Awaitable[bool]], what: str, within: float = PATIENT, every: float = 0.1) -> None:
    """Wait for it. Raises NotAsTold."""
    deadline = asyncio.get_running_loop().time() + within
    while not await holds():
        if asyncio.get_running_loop().time() > deadline:
            raise NotAsTold(f"waited {within:g} s in vain for {what}")
        await asyncio.sleep(every)


# -- afterwards -----------------------------------------------------------------------------------------------------


async def confirmed(rig: Rig, refs: Iterable[OrderRef], within: float = PATIENT, revision: int = 1) -> None:
    """Wait until a vendor has each confirmation. The orders are not asked: that would be a load of its own."""
    keys = {
        ref: {vendors_key(f"{ref}/{revision}/{Kind.CONFIRMATION}/1/{channel}", channel) for channel in CHANNELS}
        for ref in refs
    }

    async def all_out() -> bool:
        taken = await rig.taken()
        for ref in [ref for ref, names in keys.items() if names & taken.keys()]:
            del keys[ref]
        return not keys

    try:
        await until(all_out, "confirmations", within, every=0.5)
    except NotAsTold:
        waiting = ", ".join(map(str, list(keys)[:5]))
        raise NotAsTold(f"{len(keys)} orders were not confirmed within {within:g} s: {waiting}") from None


async def patiently(ask: Callable[[], Awaitable[R]], within: float = PATIENT) -> R:
    """Ask until there is an answer, as whoever asks under an id of its own may do."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        try:
            return await ask()
        except Unavailable:
            if asyncio.get_running_loop().time() > deadline:
                raise


async def exported(
    rig: Rig, fault: str, shop: Shop, *, settled: bool = True, url: str | None = None, apart: timedelta = ZERO
) -> Run:
    """The run's logs, written to a folder and read from there, once the inbox is empty or a minute has gone."""
    quiet = now()
    await _inbox_settles(rig, url)
    account = Account(
        fault=fault,
        exported_at=now(),
        quiet_since=quiet,
        settled=settled,
        crashes=sum(rig.stack.restarts.values()),
        answers=tuple(shop.answers),
        clocks_apart=apart,
    )
    folder = rig.folder / f"exported-{fault}"
    logs = (rig.stack.home.log(name) for name in rig.stack.processes if name not in ("temporal", "sandbox"))
    await export(folder, account, rig.client, rig.stack.sandbox_url, url or ledger_url(rig.stack), logs)
    return await read(folder)


async def _inbox_settles(rig: Rig, url: str | None) -> None:
    """Up to a minute, as the invariant says; what is left then is for the checker."""
    ledger = await open_ledger(url) if url else rig.ledger

    async def empty() -> bool:
        return not await ledger.unannounced(now())

    try:
        with suppress(NotAsTold):
            await until(empty, "the inbox to be told", 60)
    finally:
        if url:
            await ledger.aclose()


def ledger_url(stack: Stack) -> str:
    return f"sqlite+aiosqlite:///{stack.home.folder / 'ledger.db'}"


@dataclass(frozen=True)
class Verdict:
    """What the checker says of a run."""

    run: Run
    wrong: tuple[str, ...]
    words: str


async def checked(
    rig: Rig, fault: str, shop: Shop, *, settled: bool = True, url: str | None = None, apart: timedelta = ZERO
) -> Verdict:
    """Every invariant against the run's exports."""
    run = await exported(rig, fault, shop, settled=settled, url=url, apart=apart)
    found = report(check(run))
    (rig.folder / f"exported-{fault}" / "report.json").write_text(found.model_dump_json(indent=1))
    wrong = tuple(
        f"{one.id}: {broken.order} at {broken.at}: {broken.evidence}"
        for one in found.violated
        for broken in one.violations[:3]
    )
    return Verdict(run, wrong, found.words)


def outcome(
    verdict: Verdict,
    refs: Sequence[OrderRef],
    fired: int,
    *,
    recovery: float | None = None,
    wrong: Iterable[str] = (),
    note: str = "",
) -> Outcome:
    """The fault's row: what was lost or doubled is counted from the vendors' own log."""
    run = verdict.run
    told_of = {key.ref for _, key in run.sent if key.kind is Kind.CONFIRMATION}
    keys = [str(key) for _, key in run.sent if key.ref in set(refs) and key.kind is not Kind.ALERT]
    return Outcome(
        fired=fired,
        orders=len(refs),
        lost=sum(ref not in told_of for ref in refs),
        doubled=len(keys) - len(set(keys)),
        in_doubt=sum(row.state == "unknown" for row in run.rows.sends if row.ref in set(refs)),
        recovery=recovery,
        wrong=(*verdict.wrong, *wrong),
        note=f"{note}; {verdict.words}" if note else verdict.words,
    )


@asynccontextmanager
async def stopped(pid: int) -> AsyncIterator[None]:
    """A process that stands still (SIGSTOP) while the block lasts."""
    os.kill(pid, SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, SIGCONT)


def room(rig: Rig, name: str) -> Path:
    """A folder of the fault's own."""
    made = rig.folder / name
    made.mkdir(exist_ok=True)
    return made


def struck(proof: Path) -> int:
    """Whether the process died that was to leave this proof."""
    return int(proof.exists())
