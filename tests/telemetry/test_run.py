"""One embedded run, scraped, read and traced: every figure that the page names is there, and says what happened.

Long: each figure is fed, and each span and line looked at, in the tests beside this one.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from orderack.contracts.journal import Stage
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Order
from orderack.embedded.demo.driver import Driver, told
from orderack.embedded.demo.orders import an_order
from orderack.embedded.stack import Ports, running
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from tests.telemetry.collector import Collector, collecting
from tests.telemetry.pages import documented

FAST = {
    "ORDERACK_POLICY_DIVISOR": "120",
    "ORDERACK_SEND_LEASE_SECONDS": "3",
    "ORDERACK_METRICS_ADDRESS": "127.0.0.1:0",
    "ORDERACK_LOG": "json",
    "ORDERACK_RATES": '{"sendgrid_email": 0.5}',
}
CANARY = ("Ada.Canary", "@example.com", "+4930555", "Sample Street", "Cut in two")
"""Of every order here: its buyer's name, addresses, and what is to be done."""
ELSEWHERE = {
    "orderack_codec_failures_total",
    "orderack_exceptions",
    "orderack_exceptions_oldest_seconds",
    "orderack_sweep_age_seconds",
    "orderack_endpoint_posts_total",
    "orderack_ledger_errors_total",
    "orderack_erp_waiting",
    "orderack_erp_wait_oldest_seconds",
    "orderack_inbox",
    "orderack_inbox_oldest_seconds",
    "orderack_marked_down",
    "orderack_sends_in_doubt",
    "orderack_shadow_events_total",
}
"""What this run has nothing of (test_counts.py and the sweeps' tests feed each): seals, endpoints, a ledger that is
away, shadow orders, marks, sweeps, and what is gone by the time of the scrape."""
NOUGHT = {
    "orderack_clock_skew_seconds",
    "orderack_outbox",
    "orderack_outbox_oldest_seconds",
    "orderack_sends_in_doubt_oldest_seconds",
    "orderack_escalations",
    "orderack_review_oldest_seconds",
    "orderack_handoff_oldest_seconds",
    "orderack_turn_wait_seconds",
}
"""Gauges for which nought is as good a value as another."""

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass
class Ran:
    """What the run left."""

    figures: Samples
    names: set[str]
    text: str
    log: str
    lines: list[dict[str, object]]
    traces: Collector
    numbers: list[str]

    def of(self, name: str, **labels: str) -> float:
        wanted = set(labels.items())
        return sum(value for (found, has), value in self.figures.items() if found == name and wanted <= has)


@pytest_asyncio.fixture(scope="module")
async def ran(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Ran]:
    with collecting() as traces:
        env = {**FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": traces.url, "OTEL_BSP_SCHEDULE_DELAY": "300"}
        async with httpx.AsyncClient(timeout=60) as http:
            home: Path = tmp_path_factory.mktemp("telemetry") / "home"
            async with running(home, Ports(0, 0, 0, 0, 0), extra=env) as stack:
                driver = Driver(stack, Orders(await connect(env=stack.environment)), http)
                numbers = await story(driver, http)
                await asyncio.sleep(1.5)
                logs = {name: stack.home.log(name).read_text() for name in ("gateway", "worker")}
                urls = [re.findall(r"http://[0-9.:]+/metrics", text)[0] for text in logs.values()]
                texts = [(await http.get(url)).text for url in urls]
                assert (await http.get(f"{stack.gateway_url}/metrics")).status_code == 404
            logs = {name: stack.home.log(name).read_text() for name in logs}
        families = [family for text in texts for family in text_string_to_metric_families(text)]
        figures: Samples = {}
        for sample in (sample for family in families for sample in family.samples):
            key = (sample.name, frozenset(sample.labels.items()))
            figures[key] = figures.get(key, 0.0) + sample.value
        log = "".join(logs.values())
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        yield Ran(figures, {name for name, _ in figures}, "".join(texts), log, lines, traces, numbers)


def named(order: Order) -> Order:
    return order.model_copy(update={"customer": order.customer.model_copy(update={"name": CANARY[0]})})


async def story(driver: Driver, http: httpx.AsyncClient) -> list[str]:
    """Two orders at once, whose channel is too slow for both, and one whose ERP is away at first; and a forgery."""
    plain, another, waits = (named(an_order(driver.number(place), place)) for place in (1, 2, 3))
    await driver.fault("erp", "fail", waits.number, times=None)
    await driver.hand_in(waits)
    for order in (plain, another):
        await driver.hand_in(order)
        await driver.hand_in(order)
    forged = await http.post(f"{driver.stack.gateway_url}/webhooks/twilio_sms", content=f"From={CANARY[0]}")
    assert forged.status_code == 401
    await driver.confirmed(plain.ref)
    await driver.confirmed(another.ref)
    await driver.until(waits.ref, lambda s: Kind.HOLDING in {m.kind for m in told(s)}, "say holding")
    await driver.until(waits.ref, lambda s: s.escalated, "escalate")
    await driver.erp_books(waits)
    await driver.confirmed(waits.ref)
    await driver.until(plain.ref, lambda s: s.stage is Stage.HANDED_OFF, "be handed off")
    return [order.number for order in (plain, another, waits)]


@pytest.mark.long
def test_every_documented_figure_is_there_with_a_value_that_can_be(ran: Ran) -> None:
    for name, one in documented().items():
        if name.startswith("temporal_") or name in ELSEWHERE:
            continue
        sample = f"{name}_count" if one.kind == "histogram" else name
        assert sample in ran.names, name
        assert name in NOUGHT or ran.of(sample) > 0, name
        assert {label for (found, has), _ in ran.figures.items() if found == sample for label, _ in has} == one.labels


def test_what_this_run_has_nothing_of_is_fed_elsewhere() -> None:
    here = Path(__file__).parent
    elsewhere = (here / "test_counts.py").read_text() + (here.parent / "ledger" / "test_sweeps.py").read_text()
    assert {name for name in ELSEWHERE if name.removeprefix("orderack_") not in elsewhere} == set()
    assert documented().keys() >= ELSEWHERE | NOUGHT


@pytest.mark.long
def test_the_figures_say_what_happened(ran: Ran) -> None:
    assert ran.of("orderack_acknowledgement_seconds_count", kind="confirmation", store="demo") == 3
    assert 0 < ran.of("orderack_acknowledgement_seconds_sum", kind="confirmation") < 200
    assert ran.of("orderack_order_events_total", event="order_accepted") == 3
    assert ran.of("orderack_order_events_total", event="confirmed") == 3
    assert ran.of("orderack_service_levels_total", outcome="breached") > 0
    assert ran.of("orderack_sends_total", channel="sendgrid_email", outcome="accepted") > 0
    assert ran.of("orderack_sends_total", channel="sendgrid_email", outcome="given_up") > 0
    assert ran.of("orderack_fallbacks_total") > 0
    assert ran.of("orderack_turn_waits_total", channel="sendgrid_email", why="rate") > 0
    assert ran.of("orderack_activity_retries_total", activity="submit_to_erp") > 0
    assert ran.of("orderack_erp_call_seconds_count", call="submit", result="ok") >= 2
    assert ran.of("orderack_erp_call_seconds_count", call="submit", result="unavailable") > 0 or (
        ran.of("orderack_erp_call_seconds_count", call="submit", result="in_doubt") > 0
    )
    assert ran.of("orderack_signature_failures_total", source="webhooks/twilio_sms") == 1
    assert ran.of("orderack_duplicates_total", what="order") == 2
    assert ran.of("orderack_erp_receipts_total", erp="sandbox", verdict="available") == 3
    assert abs(ran.of("orderack_clock_skew_seconds")) < 5
    assert (ran.of("orderack_ledger_up"), ran.of("orderack_temporal_up"), ran.of("orderack_host_up")) == (1, 1, 1)
    assert ran.of("orderack_disk_free_bytes") < ran.of("orderack_disk_size_bytes")
    assert ran.of("temporal_workflow_task_execution_failed_total") == 0
    for queue in ("orders", "messaging", "erp", "sources"):
        assert ran.of("temporal_worker_task_slots_available", task_queue=queue) > 0


@pytest.mark.long
def test_no_figure_names_an_order_or_a_buyer(ran: Ran) -> None:
    for secret in (*ran.numbers, *CANARY):
        assert secret not in ran.text


@pytest.mark.long
def test_the_log_is_json_and_names_orders_and_runs_and_nobody(ran: Ran) -> None:
    assert len(ran.lines) > 5
    others = [line for line in ran.log.splitlines() if line and not line.startswith("{")]
    assert {line.split()[0].rstrip(":") for line in others} <= {"working", "stopping", "stopped"}, others
    for line in ran.lines:
        assert {"event", "level", "timestamp"} <= line.keys()
    for secret in CANARY:
        assert secret not in ran.log


@pytest.mark.long
def test_a_trace_goes_from_the_request_to_the_providers_call(ran: Ran) -> None:
    assert ran.traces.services == {"orderack-gateway", "orderack-worker"}
    paths = {tuple(ran.traces.path_to(span)) for span in ran.traces.spans}
    sends = [path for path in paths if path[-1] == "send"]
    assert any(
        path[0] == "gateway request" and "RunActivity:acknowledge" in path and "StartActivity:acknowledge" in path
        for path in sends
    ), sends
    assert any(path[0] == "gateway request" and path[-1] == "erp submit" for path in paths)
    for secret in CANARY:
        assert secret.encode() not in ran.traces.raw
