"""Traces: from the gateway's request through Temporal to the activity; ids and nothing else; off when not asked for."""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import Client
from temporalio.worker import Replayer, Worker

from orderack.contracts import names
from orderack.gateway.app import create_app
from orderack.telemetry import otel, tracing
from orderack.temporal.converter import data_converter
from orderack.temporal.orders import Orders
from orderack.temporal.search_attributes import register
from tests.gateway.conftest import Gateway, database, gateway
from tests.gateway.test_intake import BEARER, body_of
from tests.history.stage import QUEUES, runner
from tests.replay.histories import recorded
from tests.telemetry.collector import collecting
from tests.temporal.server import Temporal, now, temporal
from tests.temporal.test_orders import until
from tests.workflows.orders import a_receipt, an_order
from tests.workflows.world import World, a_number
from workflows import WORKFLOWS
from workflows.interceptor import AroundOrders

__all__ = ["database", "gateway", "temporal"]

ADA = "ada.secret@example.com"
TRACES = "traces"


class Traced:
    """Spans that are kept here."""

    def __init__(self) -> None:
        self.kept = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(otel.Scrubbed(self.kept)))
        self.spans = otel.OpenTelemetrySpans(provider.get_tracer("orderack"))

    def all(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.kept.get_finished_spans()}


@asynccontextmanager
async def traced_workers(temporal: Temporal, traced: Traced) -> AsyncIterator[Orders]:
    """The door and the workers of a namespace of their own, with the interceptor, around a scripted world."""
    await temporal.env.client.service_client.check_health()
    plain = await temporal.client("looks")
    config = plain.config()
    config["interceptors"] = [traced.spans.interceptor]  # type: ignore[list-item]
    client = Client(**config)
    world = World(temporal.env)
    async with AsyncExitStack() as stack:
        for queue in QUEUES:
            worker = Worker(
                client,
                task_queue=queue,
                workflows=WORKFLOWS if queue == names.ORDERS_QUEUE else [],
                activities=world.activities,
                workflow_runner=runner(),
                interceptors=[AroundOrders()] if queue == names.ORDERS_QUEUE else [],
            )
            await stack.enter_async_context(worker)
        yield Orders(client)


async def test_a_request_is_one_trace_down_to_the_activity_and_a_receipt_links_to_its_own(
    temporal: Temporal, gateway: Gateway
) -> None:
    await register(await temporal.client("looks"))
    traced, order = Traced(), an_order(a_number(), now())
    async with traced_workers(temporal, traced) as orders:
        with tracing.in_force(traced.spans):
            transport = httpx.ASGITransport(create_app(replace(gateway.parts, orders=orders)))
            async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
                answer = await http.post(
                    "/intake/demo",
                    content=body_of(order),
                    headers={**BEARER, "traceparent": "00-11111111111111111111111111111111-2222222222222222-01"},
                )
                assert answer.status_code == 202
            await orders.receipt(a_receipt(order, now()))
            await until(lambda: orders.status(order.ref), lambda s: s.confirmed_revision == 1)
    spans = traced.all()
    request, run = spans["gateway request"], spans[f"RunActivity:{names.ACKNOWLEDGE}"]
    assert request.parent is None
    assert request.context.trace_id != 0x11111111111111111111111111111111, "a stranger's word for it"
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": "/intake/{store}",
        "http.response.status_code": 202,
    }
    assert run.context.trace_id == request.context.trace_id
    assert dict(run.attributes or {})["temporalWorkflowID"] == f"order/demo/{order.number}"
    signalled = spans[f"HandleSignal:{names.SIGNAL_ERP_RECEIPT}"]
    asked = next(span for name, span in spans.items() if name.startswith("SignalWithStartWorkflow"))
    assert [link.context.trace_id for link in signalled.links] == [asked.context.trace_id]
    for span in traced.kept.get_finished_spans():
        assert set(span.attributes or {}) <= otel.ALLOWED
        assert not span.events


def test_what_a_span_was_given_beyond_ids_never_leaves() -> None:
    traced = Traced()

    def fails() -> None:
        with traced.spans.span("send", {"orderack.channel": "sms"}, root=False):
            traced.spans.note({"recipient": ADA, "db.statement": ADA})
            raise ValueError(f"cannot write to {ADA}")

    with pytest.raises(ValueError, match="secret"):
        fails()
    (span,) = traced.kept.get_finished_spans()
    assert dict(span.attributes or {}) == {"orderack.channel": "sms", "error.type": "ValueError"}
    assert (span.status.is_ok, span.status.description) == (False, None)
    assert ADA not in span.to_json()


def test_spans_reach_a_collector_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with tracing.tracing("orderack-gateway") as interceptor:
            assert interceptor is not None
            with tracing.span("gateway request", root=True), tracing.span("send", channel="sms"):
                tracing.note({"recipient": ADA})
    assert collector.services == {"orderack-gateway"}
    assert collector.path_to(collector.named("send")[0]) == ["gateway request", "send"]
    assert ADA.encode() not in collector.raw


def test_a_collector_that_is_away_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(otel, "FLUSHED_WITHIN", 0.5)
    began = time.monotonic()
    with tracing.tracing("orderack-worker"), tracing.span("send"):
        pass
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_without_an_endpoint_there_are_no_traces(env: dict[str, str]) -> None:
    with tracing.tracing("orderack-worker", env) as interceptor:
        assert interceptor is None
        with tracing.span("send", channel="sms"):
            tracing.note({"a": 1})


def test_without_the_extra_there_are_no_traces_and_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "orderack.telemetry.otel", None)
    monkeypatch.delattr("orderack.telemetry.otel", raising=False)
    with tracing.tracing("orderack-worker", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}) as interceptor:
        assert interceptor is None
    assert "the extra `telemetry` is not installed" in "".join(capsys.readouterr())


HISTORIES = recorded()


@pytest.mark.parametrize("name", HISTORIES)
async def test_with_the_interceptor_every_recorded_order_replays(name: str) -> None:
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=data_converter(),
        interceptors=[Traced().spans.interceptor, AroundOrders()],
        workflow_runner=runner(),
    )
    await replayer.replay_workflow(HISTORIES[name])
