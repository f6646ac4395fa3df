"""`/metrics`: on ports of its own, with the SDK's beside ours, and whole whatever is out of reach."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace

import httpx
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from orderack.contracts import names
from orderack.errors import Misconfigured, Unavailable
from orderack.settings import Settings
from orderack.telemetry import metrics, serving
from orderack.telemetry.process import watched
from orderack.telemetry.readings import Reading
from orderack.temporal.connect import connect
from tests.gateway.conftest import Gateway, database, gateway
from tests.temporal.server import Temporal, temporal

__all__ = ["database", "gateway", "temporal"]

ANY = SimpleNamespace(metrics_address="127.0.0.1:0", log="text")


async def scrape(at: str) -> dict[str, float]:
    """Every sample by its name and labels as written."""
    async with httpx.AsyncClient(timeout=20) as http:
        answer = await http.get(f"http://{at}/metrics")
    assert answer.status_code == 200
    return {
        f"{sample.name}{sorted(sample.labels.items()) if sample.labels else ''}": sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_processes_of_one_machine_take_one_port_each_and_the_last_goes_without() -> None:
    registry = CollectorRegistry()
    with serving.serving("127.0.0.1:0", registry) as first:
        port = int(first.rpartition(":")[2])
        with serving.serving(f"127.0.0.1:{port}", registry) as second:
            assert int(second.rpartition(":")[2]) in range(port + 1, port + serving.PORTS)
        with pytest.MonkeyPatch.context() as only:
            only.setattr(serving, "PORTS", 1)
            with serving.serving(f"127.0.0.1:{port}", registry) as nowhere:
                assert nowhere == ""


@pytest.mark.parametrize("address", ["9464", "localhost:", ":9464", "127.0.0.1:http", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_refused_by_its_settings_name(address: str) -> None:
    with pytest.raises(Misconfigured, match="ORDERACK_METRICS_ADDRESS"), serving.serving(address, CollectorRegistry()):
        pass


async def test_the_public_port_serves_no_figures(gateway: Gateway) -> None:
    for path in ("/metrics", "/metrics/", "/o/metrics/../metrics"):
        assert (await gateway.http.get(path)).status_code == 404


async def test_a_scrape_has_ours_and_the_sdks(temporal: Temporal) -> None:
    with watched("worker", ANY, [names.ERP_QUEUE]) as telemetry:
        client = await connect(env={"TEMPORAL_ADDRESS": temporal.address}, plugins=[telemetry])
        await client.count_workflows("ExecutionStatus = 'Running'")
        found = await asyncio.to_thread(lambda: asyncio.run(scrape(telemetry.at)))
    assert found["orderack_info[('queues', 'erp'), ('role', 'worker'), ('version', '0.1.0')]"] == 1
    sdk = {name: value for name, value in found.items() if name.startswith("temporal_request_total")}
    assert any("CountWorkflowExecutions" in name and value == 1 for name, value in sdk.items())
    assert found["process_resident_memory_bytes"] > 1_000_000


async def test_what_is_asked_is_kept_for_a_while_and_a_failure_breaks_no_scrape() -> None:
    asked: list[int] = []

    async def works() -> Sequence[Reading]:
        asked.append(1)
        return [Reading(metrics.OUTBOX_AGE, 3)]

    async def away() -> Sequence[Reading]:
        raise Unavailable("the ledger does not answer")

    async def breaks() -> Sequence[Reading]:
        raise ZeroDivisionError("ada@example.com")

    with watched("gateway", ANY) as telemetry:
        telemetry.ask(metrics.OF_LEDGER, works)
        telemetry.ask(metrics.OF_TEMPORAL, away)
        telemetry.ask(metrics.OF_HOST, breaks)
        first, second = [await scrape(telemetry.at) for _ in range(2)]
    assert first["orderack_ledger_up"] == second["orderack_ledger_up"] == 1
    assert first["orderack_outbox_oldest_seconds"] == 3
    assert (first["orderack_temporal_up"], first["orderack_host_up"]) == (0, 0)
    assert "orderack_escalations" not in first
    assert asked == [1]


async def test_what_hangs_is_given_up_and_the_rest_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orderack.telemetry.readings.PATIENCE_SECONDS", 0.3)

    async def hangs() -> Sequence[Reading]:
        await asyncio.sleep(60)
        return ()

    with watched("gateway", ANY) as telemetry:
        telemetry.ask(metrics.OF_LEDGER, hangs)
        async with asyncio.timeout(40):
            found = await scrape(telemetry.at)
    assert found["orderack_ledger_up"] == 0
    assert found["process_open_fds"] > 0


def test_by_default_nobody_from_outside_reaches_the_figures() -> None:
    fields = Settings.model_fields
    assert serving.split(fields["metrics_address"].default)[0] == "127.0.0.1"
    assert fields["log"].default == "text"


async def test_switched_off_nothing_listens() -> None:
    with watched("worker", SimpleNamespace(metrics_address="", log="json")) as telemetry:
        assert telemetry.at == ""
