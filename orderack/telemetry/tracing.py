"""Traces, where OTEL_EXPORTER_OTLP_ENDPOINT names a collector and the extra `telemetry` is installed; else nothing."""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import structlog
from temporalio.worker import Interceptor

log = structlog.get_logger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class Spans(Protocol):
    """What makes spans."""

    @property
    def interceptor(self) -> Interceptor:
        """For Temporal's clients and workers."""
        ...

    def span(self, name: str, attributes: Mapping[str, str], *, root: bool) -> AbstractContextManager[None]: ...

    def note(self, attributes: Mapping[str, str | int]) -> None:
        """Add to the span of the moment."""
        ...


class _Tracing:
    """What is in force in this process."""

    spans: Spans | None = None


def span(name: str, *, root: bool = False, **attributes: str) -> AbstractContextManager[None]:
    """A span while the block runs. Attributes are ids and names of ours: `otel.ALLOWED` has the whole list."""
    if _Tracing.spans is None:
        return nullcontext()
    return _Tracing.spans.span(name, {f"orderack.{key}": value for key, value in attributes.items()}, root=root)


def note(attributes: Mapping[str, str | int]) -> None:
    """Add to the span of the moment, if there is one."""
    if _Tracing.spans is not None:
        _Tracing.spans.note(attributes)


def wanted(env: Mapping[str, str]) -> bool:
    """Whether the environment names a collector, and nothing there says not to use it."""
    off = env.get("OTEL_SDK_DISABLED", "").lower() == "true" or env.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp"
    return not off and any(env.get(name) for name in ENDPOINTS)


@contextmanager
def tracing(service: str, env: Mapping[str, str] | None = None) -> Iterator[Interceptor | None]:
    """Export spans while the block runs; the interceptor that carries them through Temporal, or none."""
    if not wanted(os.environ if env is None else env):
        yield None
        return
    try:
        from orderack.telemetry import otel
    except ImportError:
        log.warning("no traces: the extra `telemetry` is not installed")
        yield None
        return
    with otel.exporting(service) as spans, in_force(spans):
        yield spans.interceptor


@contextmanager
def in_force(spans: Spans) -> Iterator[None]:
    """These make the spans while the block runs."""
    before, _Tracing.spans = _Tracing.spans, spans
    try:
        yield
    finally:
        _Tracing.spans = before
