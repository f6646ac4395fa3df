"""The processes that docker-compose.yml runs, started by hand: the same commands, on a real PostgreSQL."""

import asyncio
import hashlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from orderack.contracts.queries import OrderStatus
from orderack.domain.order import Order, OrderRef
from orderack.errors import OrderAckError
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from tests.cli import warm
from tests.temporal.server import binary

ROOT = Path(__file__).parents[2]
API_KEY = "a-key-of-the-tests"
PATIENCE = 240.0
"""Seconds: the machine may be busy with other tests."""

PROGRAMS = "import orderack.embedded.sandbox, orderack.gateway.app, workers.queues"
"""What the processes of an installation import when they start."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Installation:
    """Processes with one environment, each with a log of its own."""

    folder: Path
    environment: dict[str, str]
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    @property
    def warm(self) -> Path:
        """The socket of the process that has the commands imported (`tests.cli.warm`)."""
        return self.folder / "warm"

    async def warms_up(self, first: str) -> None:
        """Have the commands imported, and what a test plants in them."""
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-c",
                f"{PROGRAMS}\n{first}\nfrom tests.cli.warm import serve; serve({str(self.warm)!r})",
            ),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        self.processes["warm"] = process
        assert process.stdout
        assert await process.stdout.readline() == b"warm\n"

    @property
    def gateway(self) -> str:
        return self.environment["ORDERACK_PUBLIC_URL"]

    def _command(self, *arguments: str) -> tuple[str, ...]:
        """Ends as the command ends, and takes it along when it is killed."""
        return (sys.executable, "-I", "-S", warm.__file__, str(self.warm), *arguments)

    async def start(self, name: str, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        """`orderack ARGUMENTS` in the background."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *self._command(*arguments),
                cwd=self.folder,
                env=self.environment | environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.processes[name] = process
        return process

    async def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """`orderack ARGUMENTS` to its end: exit code, standard output, standard error."""
        process = await asyncio.create_subprocess_exec(
            *self._command(*arguments),
            cwd=self.folder,
            env=self.environment | environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    async def says(self, name: str, words: str) -> None:
        """Wait until its log holds these words."""
        await self.until(
            lambda: words in self.log(name), lambda: f"{name} never said {words!r}:\n{self.log(name)[-2000:]}"
        )

    async def until(self, holds: Callable[[], bool], otherwise: Callable[[], str]) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not holds():
            assert asyncio.get_running_loop().time() < deadline, otherwise()
            await asyncio.sleep(0.05)

    async def answers(self, url: str) -> None:
        """Wait until it answers 200."""
        async with httpx.AsyncClient(timeout=5) as http:
            deadline = asyncio.get_running_loop().time() + PATIENCE
            while asyncio.get_running_loop().time() < deadline:
                with suppress(httpx.HTTPError):
                    if (await http.get(url)).status_code == httpx.codes.OK:
                        return
                await asyncio.sleep(0.1)
        raise AssertionError(f"{url} does not answer")

    async def end(self) -> None:
        """End every process, by its own handle."""
        alive = [process for process in self.processes.values() if process.returncode is None]
        for process in alive:
            with suppress(ProcessLookupError):
                process.terminate()
        for process in alive:
            try:
                await asyncio.wait_for(process.wait(), 15)
            except TimeoutError:
                process.kill()
                await process.wait()

    async def ask_sandbox(self, method: str, path: str, body: object = None) -> None:
        """Make the look-alikes behave otherwise."""
        async with httpx.AsyncClient(timeout=30) as http:
            (await http.request(method, f"{self.environment['SANDBOX_URL']}{path}", json=body)).raise_for_status()

    # -- orders -----------------------------------------------------------------------------------------------------

    async def hand_in(self, order: Order) -> None:
        """POST it to the gateway, as a shop does."""
        async with httpx.AsyncClient(timeout=30) as http:
            answer = await http.post(
                f"{self.gateway}/intake/{order.store}",
                content=order.model_dump_json(),
                headers={"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"},
            )
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text

    async def orders(self) -> Orders:
        return Orders(await connect(env=self.environment))

    async def reach(self, ref: OrderRef, holds: Callable[[OrderStatus], bool]) -> OrderStatus:
        """Wait until the order's own word on it holds."""
        orders = await self.orders()
        deadline, status = asyncio.get_running_loop().time() + PATIENCE, None
        while asyncio.get_running_loop().time() < deadline:
            with suppress(OrderAckError):
                status = await orders.status(ref)
                if holds(status):
                    return status
            await asyncio.sleep(0.1)
        raise AssertionError(f"{ref} never came there: {status}")


async def said(*command: str, **environment: str) -> str:
    """What a command of the shell says, once it has ended well. The `temporal` command is on its path."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": f"{Path(binary()).parent}:/usr/bin:/bin", "HOME": "/nonexistent"} | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def made_namespace(address: str, name: str) -> str:
    """A namespace, by the script that the compose file runs."""
    script = str(ROOT / "deploy/temporal/namespace.sh")
    return await said(script, TEMPORAL_ADDRESS=address, TEMPORAL_NAMESPACE=name)


@asynccontextmanager
async def installed(folder: Path, settings: Mapping[str, str], first: str = "") -> AsyncIterator[Installation]:
    """An installation with the look-alikes of vendors and an ERP, and nothing else running yet.

    `first`: what a test plants in the commands that are run to their end.
    """
    port = free_port()
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    digest = hashlib.sha256(API_KEY.encode()).hexdigest()
    made = Installation(
        folder,
        keep
        | {
            "HOME": str(folder),
            "USER": "grace",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "ORDERACK_HOME": str(folder / "home"),
            "ORDERACK_POLICY_DIR": str(ROOT / "policy"),
            "ORDERACK_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "ORDERACK_SECRET": "s" * 43,
            "ORDERACK_METRICS_ADDRESS": "",
            "ORDERACK_API_KEYS": f"shop:demo:{digest}",
        }
        | dict(settings),
    )
    try:
        await made.warms_up(first)
        await made.start("sandbox", "sandbox", "--json", "--port", "0", "--smtp-port", "0", "--callback", made.gateway)
        await made.until(lambda: made.log("sandbox").endswith("}\n"), lambda: made.log("sandbox")[-2000:])
        told = json.loads(made.log("sandbox"))
        made.environment |= {name: str(value) for name, value in told["environment"].items()}
        made.environment["SANDBOX_URL"] = told["url"]
        yield made
    finally:
        await made.end()
