"""The world that faults strike: real processes as `orderack up` starts them, and what is needed to judge it.

Temporal dev server on a database file, workers, gateway, sandbox vendors. Ground truth is the sandbox's own log of
what its vendors took, never ours.
"""

import asyncio
import hashlib
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from signal import SIGKILL
from unittest.mock import patch
from uuid import NAMESPACE_URL, uuid5

import httpx
import yaml
from pydantic import TypeAdapter
from temporalio.client import Client

from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.order import ChatId, Order, OrderRef
from orderack.domain.value import Value
from orderack.embedded import stack as stack_module
from orderack.embedded.demo.driver import Driver, NotAsTold
from orderack.embedded.demo.orders import an_order
from orderack.embedded.sandbox import Action, Fault, Operation, Target
from orderack.embedded.sandbox.faults import Standing
from orderack.embedded.sandbox.record import Acceptance
from orderack.embedded.stack import Ports, Stack, running
from orderack.ledger.repository import SqlLedger, open_ledger
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders

CLASSES: Mapping[str, str] = {"A": "line", "B": "gmail", "C": "sendgrid_email", "D": "smtp_email"}
"""A channel of each provider class (reliability.md §4.1): key, lookup, echo, nothing."""
TARGETS: Mapping[str, Target] = {
    "line": Target.LINE,
    "gmail": Target.GMAIL,
    "sendgrid_email": Target.SENDGRID,
    "smtp_email": Target.SMTP,
}
KNOWN_AS: Mapping[str, Callable[[str], str]] = {
    "line": lambda key: str(uuid5(NAMESPACE_URL, key)),
    "smtp_email": lambda key: hashlib.sha256(key.encode()).hexdigest(),
}
"""Vendors that are not given the key as it is."""
ENDS = frozenset({SendState.ACCEPTED, SendState.REJECTED, SendState.UNKNOWN})
PATIENT = 180.0
"""Seconds until a process that does not come up counts as broken: the machine may be busy with others."""
TRUE = {SendState.ACCEPTED: (1,), SendState.REJECTED: (0,), SendState.UNAVAILABLE: (0,)}
"""How many copies a state of the ledger allows; a doubt may be either."""
KINDS = (Kind.RECEIVED, Kind.CONFIRMATION)
"""What the buyer of an order without incident is told."""

_ACCEPTED: TypeAdapter[tuple[Acceptance, ...]] = TypeAdapter(tuple[Acceptance, ...])
_STANDINGS: TypeAdapter[tuple[Standing, ...]] = TypeAdapter(tuple[Standing, ...])


class Setup(Value):
    """The world that a fault wants."""

    settings: Mapping[str, str] = {}
    """`ORDERACK_…` for all processes, beside those of `orderack up`."""
    workers: int = 1
    """Processes that serve all queues: `worker`, `worker-2` …"""
    launcher: tuple[str, ...] = ()
    """Words before `-- workers`: a module of the tests that starts the workers with something planted in them.
    `{folder}` is the rig's own folder."""


class Judged(Value):
    """What the vendors took for some orders, against what they should have."""

    orders: int
    lost: int
    doubled: int
    in_doubt: int
    wrong: tuple[str, ...]


@dataclass
class Rig:
    """A running world."""

    stack: Stack
    driver: Driver
    client: Client
    ledger: SqlLedger
    folder: Path
    setup: Setup
    short: bool
    began: dict[str, int]
    """Where each process's words begin in its log."""
    number: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    # -- orders ---------------------------------------------------------------------------------------------------

    def order(self, channel: str) -> Order:
        """A new order whose buyer is told by this channel alone."""
        place = self.number()
        made = an_order(f"F-{self.driver.run}-{place}-X", place)
        chats = (ChatId(platform="line", id=f"U{place:032x}"),)
        contacts = made.contacts.model_copy(update={"chats": chats, "email": f"ada{place}@example.com"})
        return made.model_copy(update={"order_type": f"by_{channel}", "contacts": contacts})

    async def hand_in(self, order: Order, within: float = 60.0) -> OrderRef:
        """Hand it in at the gateway as a shop does: the same again until it is taken. Raises NotAsTold."""
        deadline = asyncio.get_running_loop().time() + within
        while True:
            try:
                await self.driver.hand_in(order)
                return order.ref
            except (NotAsTold, httpx.TransportError):
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.3)

    async def told(self, ref: OrderRef, within: float = 60.0) -> OrderStatus:
        """Wait until the confirmation was decided and no send is under way any more."""
        return await self.driver.until(ref, _is_told, "have told its buyer all", within)

    async def judge(self, orders: Mapping[OrderRef, str], kinds: Sequence[Kind] = KINDS) -> Judged:
        """What the vendors took of these orders' messages (order → channel), and whether the ledger says the truth.

        A message that went out by its channel and by the fallback too counts as doubled.
        """
        taken, lost, doubled, doubts, wrong = await self.taken(), 0, 0, 0, list[str]()
        for ref, channel in orders.items():
            sends = await self.ledger.sends(ref)
            for kind in kinds:
                states = {f"{ref}/1/{kind}/1/{channel}": SendState.UNAVAILABLE}
                states |= {send.key: send.state for send in sends if send.identity.kind is kind}
                copies = {key: _copies(taken, key, state) for key, state in states.items()}
                doubt = SendState.UNKNOWN in states.values()
                doubled += max(sum(copies.values()) - 1, 0)
                doubts += doubt
                lost += not any(copies.values()) and not doubt
                wrong += [
                    f"{key} is {state}, and vendors took {copies[key]}"
                    for key, state in states.items()
                    if copies[key] not in TRUE.get(state, (0, 1))
                ]
        return Judged(orders=len(orders), lost=lost, doubled=doubled, in_doubt=doubts, wrong=tuple(wrong))

    # -- the sandbox ----------------------------------------------------------------------------------------------

    async def taken(self) -> Counter[str]:
        """How often each key was taken as a new message, by the vendors' own account."""
        new = [entry for entry in await self.accepted() if entry.operation is Operation.SEND and not entry.repeated]
        return Counter(name.strip() for entry in new for name in {entry.key, entry.idempotency_key} if name)

    async def accepted(self) -> tuple[Acceptance, ...]:
        """The vendors' log."""
        answer = await self.driver.http.get(f"{self.stack.sandbox_url}/log")
        return _ACCEPTED.validate_python(answer.json()["accepted"])

    async def strikes(self, target: Target, action: Action, **more: object) -> int:
        """Let a vendor misbehave; the fault's id, for `struck`."""
        fault = Fault.model_validate({"target": target, "action": action, **more})
        body = fault.model_dump(mode="json")
        answer = await self.driver.http.post(f"{self.stack.sandbox_url}/faults", json=body)
        return Standing.model_validate(answer.raise_for_status().json()).id

    async def struck(self, fault: int) -> int:
        """How often that fault struck."""
        answer = await self.driver.http.get(f"{self.stack.sandbox_url}/faults")
        standings = _STANDINGS.validate_python(answer.json()["faults"])
        return next(standing.fired for standing in standings if standing.id == fault)

    async def healthy(self) -> None:
        """All vendors behave again."""
        (await self.driver.http.delete(f"{self.stack.sandbox_url}/faults")).raise_for_status()

    async def behaves(self, **change: object) -> None:
        """Change how the vendors behave when nothing goes wrong (`books_after`, `webhooks` …)."""
        answer = await self.driver.http.patch(f"{self.stack.sandbox_url}/behaviour", json=change)
        answer.raise_for_status()

    # -- processes ------------------------------------------------------------------------------------------------

    @property
    def workers(self) -> tuple[str, ...]:
        return tuple(name for name in self.stack.processes if name.partition("-")[0] == "worker")

    def kill(self, *names: str) -> float:
        """kill -9; when. What is supervised starts again by itself."""
        at = time.time()
        for name in names:
            with suppress(ProcessLookupError):
                os.kill(self.stack.processes[name].pid, SIGKILL)
        return at

    def starts(self, name: str) -> int:
        """How often this worker has come up."""
        log = self.stack.home.log(name)
        return log.read_text(errors="replace").count("working:") if log.exists() else 0

    def works(self, name: str) -> bool:
        """Whether this worker serves its queues: the process that runs now has said so."""
        log = self.stack.home.log(name)
        said = log.read_bytes()[self.began[name] :] if log.exists() else b""
        return self.stack.processes[name].returncode is None and b"working:" in said

    async def all_work(self, at_least: int | None = None, within: float = PATIENT) -> None:
        """Wait until every worker serves its queues, or so many of them do."""
        wanted = at_least or len(self.workers)
        await eventually(lambda: sum(map(self.works, self.workers)) >= wanted, f"{wanted} workers to come up", within)


def _is_told(status: OrderStatus) -> bool:
    kinds = {ack.kind for ack in status.acknowledgements}
    sends = [send.state for ack in status.acknowledgements for send in ack.sends]
    return Kind.CONFIRMATION in kinds and bool(sends) and all(state in ENDS for state in sends)


def _copies(taken: Counter[str], key: str, state: SendState) -> int:
    """The portal has no vendor: what stands there stands there."""
    channel = key.rpartition("/")[2]
    return int(state is SendState.ACCEPTED) if channel == "portal" else taken[vendors_key(key, channel)]


def vendors_key(key: str, channel: str) -> str:
    """Our key as this channel's vendor is given it."""
    return KNOWN_AS[channel](key) if channel in KNOWN_AS else key


async def eventually(holds: Callable[[], bool], what: str, within: float) -> None:
    """Wait for it. Raises NotAsTold when it does not come."""
    deadline = asyncio.get_running_loop().time() + within
    while not holds():
        if asyncio.get_running_loop().time() > deadline:
            raise NotAsTold(f"waited {within:g} s in vain for {what}")
        await asyncio.sleep(0.02)


def policy_by_channel(folder: Path, channels: Iterable[str]) -> Path:
    """The policy as it stands, with a rule before all others by which an order's type names its one channel, and a
    person asked about every doubt."""
    shutil.copytree(Settings().policy_dir, folder)  # and the rig's own folder with it
    file = folder / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    rules = [
        {
            "name": f"by_{name}",
            "when": f'order.type == "by_{name}"',
            "then": {"gate": "ack_gated", "channels": [[name]]},
        }
        for name in channels
    ]
    policy["rules"] = rules + policy["rules"]
    policy.pop("on_doubt", None)  # what is measured is what each class leaves in doubt, and not what becomes of it
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return folder


@asynccontextmanager
async def world(folder: Path, setup: Setup, *, short: bool = True) -> AsyncIterator[Rig]:
    """Start it, and end every process with the block."""
    policy = policy_by_channel(folder / "policy", CLASSES.values())
    extra = {"ORDERACK_POLICY_DIR": str(policy), **setup.settings}
    launcher = [word.format(folder=folder) for word in setup.launcher]
    command = [sys.executable, *(["-m", *launcher, "--"] if launcher else ["-m"]), "workers"]
    supervise, run, began = Stack.supervise, Stack.run, dict[str, int]()

    async def noted(stack: Stack, name: str, command: list[str]) -> asyncio.subprocess.Process:
        log = stack.home.log(name)
        began[name] = log.stat().st_size if log.exists() else 0
        return await run(stack, name, command)

    async def launched(stack: Stack, name: str, usual: list[str]) -> None:
        await supervise(stack, name, command if name == "worker" else usual)

    async with AsyncExitStack() as exits:
        exits.enter_context(patch.object(Stack, "run", noted))
        with patch.object(Stack, "supervise", launched), patch.object(stack_module, "READY_WITHIN", PATIENT):
            stack = await exits.enter_async_context(running(folder / "home", Ports(0, 0, 0, 0, 0), extra=extra))
        exits.push_async_callback(_end_further_workers, stack)
        for place in range(2, setup.workers + 1):
            await stack.supervise(f"worker-{place}", command)
        http = await exits.enter_async_context(httpx.AsyncClient(timeout=30))
        ledger = await open_ledger(stack.environment.get("ORDERACK_DATABASE_URL") or _ledger_of(stack))
        exits.push_async_callback(ledger.aclose)
        client = await connect(env=stack.environment)
        rig = Rig(stack, Driver(stack, Orders(client), http), client, ledger, folder, setup, short, began)
        await rig.all_work()
        yield rig


def _ledger_of(stack: Stack) -> str:
    return f"sqlite+aiosqlite:///{stack.home.folder}/ledger.db"


async def _end_further_workers(stack: Stack) -> None:
    """Nothing starts again from here on; the stack ends its own parts."""
    for watcher in stack.watchers:
        watcher.cancel()
    for name, process in stack.processes.items():
        if name.startswith("worker-") and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
