"""OpenTelemetry (extra `telemetry`): spans, and what leaves this process of them.

Whatever a span was given, only what `ALLOWED` names is exported, and of an exception its type: what an error says, and
the values around it, may be the buyer's. A trace begins at the gateway's request; what a stranger's request claims to
belong to is not believed.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import environ

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status
from temporalio.contrib.opentelemetry import TracingInterceptor

FLUSHED_WITHIN = 3.0
"""Seconds that a process which ends gives to its last spans."""

ALLOWED = frozenset(
    {
        *("temporalWorkflowID", "temporalRunID", "temporalUpdateID", "temporalActivityID", "temporalActivityType"),
        *("http.request.method", "http.route", "http.response.status_code", "error.type"),
        *("orderack.order", "orderack.channel", "orderack.erp", "orderack.kind", "orderack.call"),
    }
)


class Scrubbed(SpanExporter):
    """Passes on names, times, ids and how it ended, and nothing else."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._inner.export([scrubbed(span) for span in spans])

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)


def scrubbed(span: ReadableSpan) -> ReadableSpan:
    """The span as it may leave."""
    kept = {name: value for name, value in (span.attributes or {}).items() if name in ALLOWED}
    for event in span.events:
        if event.attributes and "exception.type" in event.attributes:
            kept["error.type"] = str(event.attributes["exception.type"])
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=kept,
        links=[trace.Link(link.context) for link in span.links],
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class OpenTelemetrySpans:
    """Spans by one tracer."""

    def __init__(self, tracer: trace.Tracer) -> None:
        self._tracer = tracer
        self.interceptor = TracingInterceptor(tracer)

    @contextmanager
    def span(self, name: str, attributes: Mapping[str, str], *, root: bool) -> Iterator[None]:
        above = context.Context() if root else None
        kind = trace.SpanKind.SERVER if root else trace.SpanKind.CLIENT
        with self._tracer.start_as_current_span(name, above, kind, attributes):
            yield

    def note(self, attributes: Mapping[str, str | int]) -> None:
        trace.get_current_span().set_attributes(attributes)


@contextmanager
def exporting(service: str, exporter: SpanExporter | None = None) -> Iterator[OpenTelemetrySpans]:
    """Export to the collector that the standard OTEL_* environment names, in batches, while the block runs."""
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: environ.get("OTEL_SERVICE_NAME") or service}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(Scrubbed(exporter or OTLPSpanExporter())))
    try:
        yield OpenTelemetrySpans(provider.get_tracer("orderack"))
    finally:
        ending = threading.Thread(target=provider.shutdown, daemon=True)  # a collector that is away holds up nobody
        ending.start()
        ending.join(FLUSHED_WITHIN)
