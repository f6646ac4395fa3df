"""One call to a provider or an ERP: how long it took, how it ended, and its span."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from prometheus_client import Histogram

from orderack.domain.acknowledgement import SendKey
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.telemetry import metrics, tracing

OK, FAILED = "ok", "failed"
RESULTS: Mapping[type[BaseException], str] = MappingProxyType(
    {
        Refused: "refused",
        Unsupported: "unsupported",
        Unavailable: "unavailable",
        InDoubt: "in_doubt",
        Misconfigured: "misconfigured",
        TimeoutError: "too_late",
        asyncio.CancelledError: "cut_off",
    }
)


@contextmanager
def provider_call(key: SendKey) -> Iterator[None]:
    """One attempt at this send."""
    with _timed(metrics.PROVIDER, (key.channel,)), tracing.span("send", channel=key.channel, kind=key.kind):
        yield


@contextmanager
def erp_call(erp: str, call: str) -> Iterator[None]:
    """One call, by what it asks."""
    with _timed(metrics.ERP_CALL, (erp, call)), tracing.span(f"erp {call}", erp=erp, call=call):
        yield


@contextmanager
def _timed(histogram: Histogram, labels: tuple[str, ...]) -> Iterator[None]:
    began, result = time.perf_counter(), OK
    try:
        yield
    except BaseException as error:
        result = next((word for kind, word in RESULTS.items() if isinstance(error, kind)), FAILED)
        raise
    finally:
        histogram.labels(*labels, result).observe(time.perf_counter() - began)
