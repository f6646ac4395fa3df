"""What a long-running process does about telemetry, in one block: its log, its figures, its traces."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Protocol

from prometheus_client import CollectorRegistry
from temporalio.plugin import SimplePlugin
from temporalio.runtime import Runtime
from temporalio.service import ConnectConfig, ServiceClient
from temporalio.worker import Interceptor

from orderack.telemetry import logs, metrics
from orderack.telemetry.activities import Watching
from orderack.telemetry.readings import Ask, Asking
from orderack.telemetry.serving import SdkFigures, measured_runtime, plain_runtime, serving
from orderack.telemetry.tracing import tracing


class Wishes(Protocol):
    """The part of the process's settings that says how it is watched."""

    @property
    def metrics_address(self) -> str: ...

    @property
    def log(self) -> str: ...


class Telemetry(SimplePlugin):
    """Given to the connection to Temporal (`connect(plugins=[…])`), it serves its clients and its workers."""

    def __init__(
        self, runtime: Runtime, interceptors: Sequence[Interceptor], registry: CollectorRegistry, at: str
    ) -> None:
        super().__init__("orderack.telemetry", interceptors=interceptors)
        self._runtime = runtime
        self._registry = registry
        self.at = at
        """`host:port` of the figures; empty: they are not served."""

    async def connect_service_client(
        self, config: ConnectConfig, next: Callable[[ConnectConfig], Awaitable[ServiceClient]]
    ) -> ServiceClient:
        return await next(replace(config, runtime=self._runtime))

    def ask(self, figures: Sequence[metrics.Figure], ask: Ask) -> None:
        """Serve these figures as well, asked for in the running loop."""
        self._registry.register(Asking(figures, ask, asyncio.get_running_loop()))


@contextmanager
def watched(role: str, wishes: Wishes, queues: Sequence[str] = ()) -> Iterator[Telemetry]:
    """Log, count, serve and trace as the settings say while the block runs. Raises Misconfigured."""
    logs.configure(logs.Form(wishes.log))
    registry = CollectorRegistry()
    registry.register(metrics.REGISTRY)
    info = (role, ",".join(queues), version("orderack"))
    with ExitStack() as stack:
        at = ""
        if wishes.metrics_address:
            runtime, port = measured_runtime()
            registry.register(SdkFigures(port))
            at = stack.enter_context(serving(wishes.metrics_address, registry))
        else:
            runtime = plain_runtime()
        traced = stack.enter_context(tracing(f"orderack-{role}"))
        metrics.INFO.labels(*info).set(1)
        stack.callback(metrics.INFO.remove, *info)
        interceptors = [Watching()] if traced is None else [traced, Watching()]
        yield Telemetry(runtime, interceptors, registry, at)
