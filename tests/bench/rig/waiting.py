"""`python -m tests.bench.rig.waiting LOG`: the product's workflow at its own pace, in a world that books nothing.

What each buyer is told goes into LOG, one line for each message. The pace is that of the order's number's first part.
"""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import IO

from temporalio import activity

from orderack.contracts import names
from orderack.contracts.activities import (
    AcknowledgeRequest,
    AcknowledgeResult,
    AssessRequest,
    HandOffRequest,
    HandOffResult,
    SubmitToErpRequest,
)
from orderack.contracts.journal import Journal
from orderack.domain.acknowledgement import Audience, SendOutcome, SendState
from orderack.domain.assessment import Assessment, ErpMode, ServiceLevels
from orderack.temporal.connect import connect
from orderack.temporal.ending import end
from tests.bench.rig.empty import a_decision, by_queue
from tests.bench.rig.worker import workers
from workflows import WORKFLOWS

FAR = ServiceLevels(hold_after=timedelta(hours=4), erp_receipt_within=timedelta(hours=4))


def _paced(hold: float, update: float) -> ServiceLevels:
    after = timedelta(seconds=hold)
    return ServiceLevels(
        acknowledge_within=timedelta(seconds=hold / 2),
        hold_after=after,
        erp_receipt_within=after,
        update_every=timedelta(seconds=update),
        resolve_within=timedelta(days=2),
    )


PACES: Mapping[str, ServiceLevels] = {"B": _paced(16, 16), "S": _paced(16, 16)}
"""By the first part of an order's number; all others wait for hours."""


class Watch:
    """When each buyer was first told what, as far as it has been read."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read = 0
        self.told: dict[str, dict[str, float]] = {}
        """By kind, then by the order's number."""

    def look(self, kind: str) -> Mapping[str, float]:
        """What has been told of this kind by now."""
        if self._log.exists():
            with self._log.open("rb") as file:
                file.seek(self._read)
                whole = file.read().rpartition(b"\n")[0]
            self._read += len(whole) + 1 if whole else 0
            for line in whole.splitlines():
                number, what, at = json.loads(line)
                self.told.setdefault(what, {}).setdefault(number, at)
        return self.told.get(kind, {})


class Waiting:
    """The activities of an order that nobody books."""

    def __init__(self, log: IO[str]) -> None:
        self._log = log

    @activity.defn(name=names.ASSESS)
    async def assess(self, request: AssessRequest) -> Assessment:
        levels = PACES.get(request.order.number.partition("-")[0], FAR)
        decision = a_decision().model_copy(update={"levels": levels, "erp_mode": ErpMode.WAIT})
        return Assessment(revision=1, content_hash=request.order.content_hash, flags=(), decision=decision)

    @activity.defn(name=names.SUBMIT_TO_ERP)
    async def submit_to_erp(self, request: SubmitToErpRequest) -> None:
        raise AssertionError("these orders are booked by somebody else")

    @activity.defn(name=names.ACKNOWLEDGE)
    async def acknowledge(self, request: AcknowledgeRequest) -> AcknowledgeResult:
        for dispatch in request.dispatches:
            if dispatch.audience is Audience.BUYER:
                self._log.write(json.dumps([request.ref.number, dispatch.kind, time.time()]) + "\n")
        self._log.flush()
        sent = tuple(SendOutcome(channel=d.channel, state=SendState.ACCEPTED) for d in request.dispatches)
        return AcknowledgeResult(outcomes=sent)

    @activity.defn(name=names.HAND_OFF)
    async def hand_off(self, request: HandOffRequest) -> HandOffResult:
        return HandOffResult(handoff_id=f"{request.ref}/{request.revision}")

    @activity.defn(name=names.RECORD)
    async def record(self, journal: Journal) -> None:
        return None


async def serve(log: Path) -> None:
    """Work until it is killed."""
    with log.open("a") as told:
        world = Waiting(told)
        work = by_queue(world.assess, world.submit_to_erp, world.acknowledge, world.hand_off)
        work[names.ORDERS_QUEUE].append(world.record)
        running = [worker.run() for worker in workers(await connect(), WORKFLOWS, work)]
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.gather(*running)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
    end(0)
