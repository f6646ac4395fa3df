"""The server, a worker with a world that keeps a ledger, and a terminal that runs commands against both."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from orderack.contracts import names
from orderack.contracts.activities import (
    AcknowledgeRequest,
    AcknowledgeResult,
    AssessRequest,
    CancelInErpRequest,
    ErpSubmission,
    HandOffRequest,
    HandOffResult,
    SubmitToErpRequest,
)
from orderack.contracts.journal import Journal
from orderack.domain.acknowledgement import SendKey
from orderack.domain.assessment import Assessment
from orderack.domain.flags import fingerprint
from orderack.domain.order import Order
from orderack.ledger.repository import SqlLedger, open_ledger
from orderack.ports import Message, Rendered, StoredRevision
from tests.ended import Ended
from tests.temporal.server import IDLE, Temporal, temporal
from tests.workflows.orders import an_order
from tests.workflows.world import World, a_number
from workflows import WORKFLOWS

__all__ = ["temporal"]

ROOT = Path(__file__).parents[2]
WARM = Path(__file__).with_name("warm.py")


class KeptWorld(World):
    """The scripted world, which keeps the ledger as the real activities do."""

    ledger: SqlLedger

    @activity.defn(name=names.ASSESS)
    async def assess(self, request: AssessRequest) -> Assessment:
        found = await super().assess(request)
        order = request.order
        kept = StoredRevision(order=order, revision=request.revision, content_hash=order.content_hash, assessment=found)
        await self.ledger.save_revision(kept, fingerprint(order), request.journal)
        return found

    @activity.defn(name=names.SUBMIT_TO_ERP)
    async def submit_to_erp(self, request: SubmitToErpRequest) -> ErpSubmission:
        await self.ledger.write(request.journal)
        return await super().submit_to_erp(request)

    @activity.defn(name=names.CANCEL_IN_ERP)
    async def cancel_in_erp(self, request: CancelInErpRequest) -> ErpSubmission:
        await self.ledger.write(request.journal)
        return await super().cancel_in_erp(request)

    @activity.defn(name=names.ACKNOWLEDGE)
    async def acknowledge(self, request: AcknowledgeRequest) -> AcknowledgeResult:
        await self.ledger.write(request.journal)
        result = await super().acknowledge(request)
        for dispatch, outcome in zip(request.dispatches, result.outcomes, strict=False):
            key = SendKey(
                ref=request.ref, revision=request.revision, kind=dispatch.kind, n=dispatch.n, channel=dispatch.channel
            )
            words = Message(
                key=key, recipient="ada@example.com", kind=dispatch.kind, language="en", content=Rendered(text="…")
            )
            now = datetime.now(UTC)
            await self.ledger.claim(key, words, now, timedelta(minutes=1))
            await self.ledger.finish(key, outcome, now)
        return result

    @activity.defn(name=names.HAND_OFF)
    async def hand_off(self, request: HandOffRequest) -> HandOffResult:
        await self.ledger.offer_handoff(request, datetime.now(UTC))
        await self.ledger.write(request.journal)
        return await super().hand_off(request)

    @activity.defn(name=names.RECORD)
    async def record(self, journal: Journal) -> None:
        await self.ledger.write(journal)
        await super().record(journal)


@dataclass
class Terminal:
    """Runs `orderack` in a process of its own, somewhere with no `.env`."""

    folder: Path
    warm: str
    """The socket of the process that has the commands imported (`warm.py`)."""
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, *arguments: str) -> tuple[str, ...]:
        """What to start for the command: it ends as the command ends."""
        return (sys.executable, "-I", "-S", str(WARM), self.warm, *arguments)

    async def start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        """The command's process, on its way."""
        return await asyncio.create_subprocess_exec(
            *self.command(*arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.folder,
            env=self.environment | environment,
        )

    async def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Ended:
        process = await self.start(*arguments, **environment)
        async with asyncio.timeout(60):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        assert "Traceback" not in err.decode()
        return Ended(process.returncode, out.decode(), err.decode())

    async def until(self, *arguments: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first answer of a command that holds."""
        async with asyncio.timeout(45):
            while True:
                ended = await self(*arguments, "--json")
                if ended.out and holds(ended.json):
                    return ended.json

    def file(self, name: str, content: str) -> str:
        (self.folder / name).write_text(content)
        return name

    def order(self, *, quantity: int = 2, number: str | None = None) -> tuple[str, str, Order]:
        """A fresh order of the demo store: its reference, its file, its content."""
        order = an_order(number or a_number(), datetime.now(UTC), quantity=quantity)
        return str(order.ref), self.file(f"{order.number}.json", order.model_dump_json()), order


@pytest_asyncio.fixture(scope="session")
async def kept(temporal: Temporal, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KeptWorld]:
    """Workers, and the ledger that they write."""
    url = f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('ledger')}/ledger.db"
    world = KeptWorld(temporal.env)
    world.ledger = await open_ledger(url)
    runner = SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_all_modules())
    workers = [
        Worker(
            await temporal.client(),
            task_queue=queue,
            workflows=WORKFLOWS if queue == names.ORDERS_QUEUE else [],
            activities=world.activities,
            workflow_runner=runner,
        )
        for queue in (names.ORDERS_QUEUE, names.MESSAGING_QUEUE, names.ERP_QUEUE, names.SOURCES_QUEUE)
    ]
    async with workers[0], workers[1], workers[2], workers[3]:
        yield world
    await world.ledger.aclose()


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The socket of a process that has the commands imported, and forks one for each that is asked for."""
    path = str(tmp_path_factory.mktemp("warm") / "socket")
    with subprocess.Popen(
        [sys.executable, str(WARM), "serve", path],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as server:
        assert server.stdout
        assert server.stdout.readline() == b"warm\n"
        yield path
        server.kill()


@pytest.fixture
def bare(tmp_path: Path, warm: str) -> Terminal:
    """A terminal with nothing behind it: no server, no ledger."""
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return Terminal(
        tmp_path,
        warm,
        keep
        | {
            "HOME": str(tmp_path),
            "USER": "grace",
            "TZ": "UTC",
            "TEMPORAL_ADDRESS": "127.0.0.1:9",
            "PYTHONPATH": str(ROOT),
            "ORDERACK_POLICY_DIR": str(ROOT / "policy"),
        },
    )


@pytest.fixture
def terminal(bare: Terminal, temporal: Temporal, kept: KeptWorld) -> Terminal:
    """A terminal on the server and the ledger."""
    bare.environment |= {
        "TEMPORAL_ADDRESS": temporal.address,
        "ORDERACK_DATABASE_URL": kept.ledger._database._engine.url.render_as_string(hide_password=False),
    }
    return bare


@pytest.fixture
def idle(terminal: Terminal) -> Terminal:
    """A terminal on a namespace where no worker answers."""
    terminal.environment |= {"TEMPORAL_NAMESPACE": IDLE, "WARM_WITHIN": "3"}
    return terminal
