"""`sweep_erp`, `sweep_books`: every order that is not receipted ends as receipted, or as somebody's exception."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities._books_sweep import BooksSweep
from activities._boundary import translate
from activities._erp_sweep import ErpSweep, Progress, Sleep, World
from activities._owners_told import OwnersLedger, OwnersTold
from activities._owners_told import Telling as ToOwners
from activities._receipts import Telling
from orderack.contracts import names
from orderack.contracts.looks import SweepRequest, SweepResult
from orderack.errors import OrderAckError, Unsupported
from orderack.policy.model import Policy
from orderack.ports import Erp
from orderack.ports.orders_door import NewsDoor
from orderack.ports.sweeps import BOOKS, Runs, SweepState

BEAT = timedelta(seconds=1)
SAID = 300
"""Characters of a failure that are kept."""
_COUNTS = {"waiting", "asked", "unanswered", "receipted", "opened", "closed"}

log = structlog.get_logger(__name__)


class Sweep:
    """The activities with their collaborators."""

    def __init__(
        self,
        ledger: OwnersLedger,
        orders: NewsDoor,
        runs: Runs,
        erps: Mapping[str, Erp],
        policy: Callable[[], Policy],
        now: Callable[[], datetime],
        per_second: float = 2.0,
        sleep: Sleep = asyncio.sleep,
        to_owners: ToOwners | None = None,
    ) -> None:
        self._ledger = ledger
        self._erps = erps
        self._policy = policy
        self._now = now
        self._owners = OwnersTold(ledger, to_owners, policy, now) if to_owners else None
        telling = Telling(ledger, orders, now)
        self._world = World(ledger, telling, runs, self._owner, per_second, now, sleep)

    @activity.defn(name=names.SWEEP_ERP)
    async def sweep_erp(self, request: SweepRequest) -> SweepResult:
        """Every order that waits for this ERP. Raises Unavailable where it is away; the next attempt goes on there."""
        name = request.erp or ""
        erp, progress = self._erps.get(name), _progress() or Progress(began_at=self._now())
        if erp is None:
            return await self._cannot(name, progress, "it is not set up where the sweep runs")
        if progress.place is None:
            waiting = await self._ledger.count_not_receipted(name, progress.began_at)
            progress = progress.model_copy(update={"waiting": waiting})
        sweep = ErpSweep(self._world, name, erp, progress)
        async with _beating(lambda: sweep.progress):
            try:
                await self._keep(_erp(name), sweep.progress)
                while await sweep.step():
                    await self._keep(_erp(name), sweep.progress)
                    _go_elsewhere()
                closed = await self._ledger.close_over(name, self._now())
            except Unsupported as error:
                return await self._cannot(name, sweep.progress, str(error))
            except OrderAckError as error:
                await self._failed(_erp(name), sweep.progress, error)
                await self._tell_owners()
                raise translate(error) from None
            done = sweep.progress.model_copy(update={"closed": sweep.progress.closed + closed})
            await self._keep(_erp(name), done, complete=True)
            await self._tell_owners()
        return SweepResult.model_validate(done.model_dump(include=_COUNTS))

    @activity.defn(name=names.SWEEP_BOOKS)
    async def sweep_books(self, request: SweepRequest) -> SweepResult:
        """What the ledger, Temporal and the inbox do not agree about."""
        policy = self._policy()
        asked = {store.erp.name for store in policy.stores.values() if store.erp} & self._erps.keys()
        progress = Progress(began_at=self._now())
        sweep = BooksSweep(self._world, asked)
        async with _beating(lambda: None):
            try:
                await self._keep(BOOKS, progress)
                await sweep.run()
            except OrderAckError as error:
                await self._failed(BOOKS, progress, error)
                await self._tell_owners()
                raise translate(error) from None
            counts = {"waiting": sweep.waiting, "asked": sweep.waiting, "opened": sweep.opened, "closed": sweep.closed}
            done = progress.model_copy(update=counts)
            await self._keep(BOOKS, done, complete=True)
            await self._tell_owners()
        return SweepResult.model_validate(done.model_dump(include=_COUNTS))

    def _owner(self, store: str) -> str | None:
        """The first in the rota of the store's team; of an unknown store, of the first team that has one."""
        policy = self._policy()
        known = policy.stores.get(store)
        team = policy.teams.get(known.team or "") if known else None
        rotas = [team.rota if team else (), *(one.rota for one in policy.teams.values())]
        return next((rota[0] for rota in rotas if rota), None)

    async def _tell_owners(self) -> None:
        """Of what was found, so far as it was. What has been found stands, so a sweep never fails for this."""
        if self._owners is None:
            return
        try:
            await self._owners.tell()
        except OrderAckError as error:
            log.warning("owners not told", why=type(error).__name__)
        except Exception:  # a wording or a channel that breaks in a way nobody thought of
            log.exception("owners not told")

    # -- what `orderack sweep status` shows ---------------------------------------------------------------------------

    async def _keep(self, name: str, progress: Progress, *, complete: bool = False, failure: str = "") -> None:
        now = self._now()
        state = SweepState(
            name=name,
            run=activity.info().workflow_run_id or "",
            at=now,
            ended_at=now if complete or failure else None,
            complete_at=now if complete else None,
            failed_at=now if failure else None,
            failure=failure,
            **progress.model_dump(include=_COUNTS | {"began_at"}),
        )
        await self._ledger.swept(state)

    async def _failed(self, name: str, progress: Progress, error: OrderAckError) -> None:
        log.warning("sweep interrupted", sweep=name, asked=progress.asked, why=type(error).__name__)
        with suppress(OrderAckError):  # the ledger may be what does not answer
            await self._keep(name, progress, failure=str(error)[:SAID])

    async def _cannot(self, name: str, progress: Progress, why: str) -> SweepResult:
        await self._keep(_erp(name), progress, failure=f"cannot be asked: {why}"[:SAID])
        return SweepResult(cannot=why)


def _go_elsewhere() -> None:
    """A worker that is told to stop is not kept from it: another goes on with the next page."""
    if activity.is_worker_shutdown():
        raise ApplicationError("the worker stops; another goes on", type="Stopping")


def _erp(name: str) -> str:
    return f"erp/{name}"


def _progress() -> Progress | None:
    """Where an earlier attempt of this sweep was."""
    details = activity.info().heartbeat_details
    return Progress.model_validate(details[0]) if details and details[0] else None


@asynccontextmanager
async def _beating(progress: Callable[[], Progress | None]) -> AsyncIterator[None]:
    """Heartbeats that say where we are, so that a dead worker's sweep goes on there. The last one goes out too."""

    async def beat() -> None:
        while True:
            activity.heartbeat(progress())
            await asyncio.sleep(BEAT.total_seconds())

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        activity.heartbeat(progress())
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
