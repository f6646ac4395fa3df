"""`/metrics` on a port of its own: this process's figures and, under the same address, those of Temporal's SDK."""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException

import structlog
from prometheus_client import CollectorRegistry, Metric, start_http_server
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from temporalio.runtime import LogForwardingConfig, LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig

from orderack.errors import Misconfigured
from orderack.telemetry import logs

log = structlog.get_logger(__name__)

PORTS = 16
"""Several processes of one machine: each takes the first free one of so many ports, from the named one on."""
LOOPBACK = "127.0.0.1"
TRIES = 5

MILLIS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Seconds. The SDK's own bounds for these start where an order's whole step has long been over."""
QUICK = (
    *("workflow_task_schedule_to_start_latency", "workflow_task_execution_latency", "workflow_task_replay_latency"),
    *("activity_schedule_to_start_latency", "activity_execution_latency", "request_latency"),
)


class SdkFigures(Collector):
    """What Temporal's SDK counts: it serves that by itself, on a port of its own that nobody else needs to know."""

    def __init__(self, port: int) -> None:
        self._port = port

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterable[Metric]:
        connection = HTTPConnection(LOOPBACK, self._port, timeout=2)
        try:
            connection.request("GET", "/metrics")
            return list(text_string_to_metric_families(connection.getresponse().read().decode()))
        except (OSError, HTTPException, ValueError) as error:
            log.warning("the SDK's figures are missing", why=type(error).__name__)
            return ()
        finally:
            connection.close()


def measured_runtime() -> tuple[Runtime, int]:
    """A runtime for Temporal's clients and workers, and the loopback port on which it serves its figures."""
    for _ in range(TRIES):
        port = _free_port()
        figures = PrometheusConfig(
            bind_address=f"{LOOPBACK}:{port}",
            counters_total_suffix=True,
            unit_suffix=True,
            durations_as_seconds=True,
            histogram_bucket_overrides=dict.fromkeys((f"temporal_{name}" for name in QUICK), MILLIS),
        )
        try:
            return Runtime(telemetry=TelemetryConfig(logging=_logging(), metrics=figures)), port
        except ValueError:  # somebody took the port in between
            continue
    raise Misconfigured("no loopback port is free for the SDK's figures: set ORDERACK_METRICS_ADDRESS to nothing")


def plain_runtime() -> Runtime:
    """The same without figures: its log goes where ours goes."""
    return Runtime(telemetry=TelemetryConfig(logging=_logging()))


def _logging() -> LoggingConfig:
    forwarding = LogForwardingConfig(
        logger=logs.CORE,
        append_target_to_name=False,
        prepend_target_on_message=False,
        append_log_fields_to_message=False,
    )
    return LoggingConfig(filter=LoggingConfig.default.filter, forwarding=forwarding)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(address: str, registry: CollectorRegistry) -> Iterator[str]:
    """Serve the registry while the block runs; where, or nothing when no port was free (work goes on without).

    Raises Misconfigured for what is no `host:port`.
    """
    host, first = split(address)
    for port in range(first, first + (PORTS if first else 1)):
        try:
            server, thread = start_http_server(port, host, registry)
        except OSError:
            continue
        at = f"{host}:{server.server_port}"
        log.info("metrics", url=f"http://{at}/metrics")
        try:
            yield at
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
        return
    log.warning("no metrics: no port is free", address=address, ports=PORTS)
    yield ""


def split(address: str) -> tuple[str, int]:
    """`host:port`, where port 0 takes any free one. Raises Misconfigured."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise Misconfigured("ORDERACK_METRICS_ADDRESS must be <host>:<port>, like 127.0.0.1:9464, or empty: no metrics")
    return host.strip("[]"), int(port)
