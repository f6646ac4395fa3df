"""The weekly report by itself, on real processes: a worker that is told whom to mail, its schedule, and the doctor."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from temporalio.client import Client

from orderack.cli.doctor_findings import Finding, Standing
from orderack.cli.doctor_report import check_report, still_in_the_week
from orderack.embedded.sandbox import Behaviour, Sandbox, SandboxState
from orderack.embedded.sandbox.faults import Action, Fault, Target
from orderack.settings import Settings
from orderack.temporal.report_schedule import ID
from orderack.temporal.search_attributes import register
from tests.deploy.installation import made_namespace
from tests.ledger_fixture import own_file
from tests.temporal.server import Temporal, temporal

__all__ = ["temporal"]

ROOT = Path(__file__).parents[2]
NAMESPACE = "weekly-report"
OWNER, DESK = "owner@shop.example", "desk@shop.example"
WANTED = {"weekly_to": f"{OWNER},{DESK}", "weekly_time_zone": "Europe/Berlin"}


@pytest_asyncio.fixture(scope="module")
async def client(temporal: Temporal) -> Client:
    await made_namespace(temporal.address, NAMESPACE)
    made = await temporal.client(NAMESPACE)
    await register(made)
    return made


@pytest_asyncio.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    """A mail server that the settings name."""
    async with Sandbox.start(state=SandboxState(behaviour=Behaviour(delivered_after=0.02))) as running:
        for name, value in running.environment().items():
            if name.startswith("ORDERACK_SMTP_EMAIL_"):
                monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def environment(
    temporal: Temporal, sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The settings of every process here; nobody is named."""
    folder = tmp_path / "kept"
    folder.mkdir()
    with own_file(sqlite_template, folder) as url:
        made = {
            "PYTHONPATH": str(ROOT),
            "TEMPORAL_ADDRESS": temporal.address,
            "TEMPORAL_NAMESPACE": NAMESPACE,
            "ORDERACK_DATABASE_URL": url,
            "ORDERACK_POLICY_DIR": str(ROOT / "policy"),
            "ORDERACK_METRICS_ADDRESS": "",
            "ORDERACK_SECRET": "a secret for these tests only",
            "ORDERACK_WEEKLY_TIME_ZONE": "Europe/Berlin",
        }
        for name, value in made.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield


@asynccontextmanager
async def a_worker(*queues: str, to: str) -> AsyncIterator[str]:
    """A worker process that has started; what it said on stderr by then."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers", *queues),
        env=os.environ | {"ORDERACK_WEEKLY_TO": to},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    assert process.stderr
    try:
        async with asyncio.timeout(60):
            first = await process.stdout.readline()
        said = b"" if first else await process.stderr.read()
        assert first.startswith(b"working:"), said.decode()
        buffered = process.stderr._buffer  # type: ignore[attr-defined]  # what has come so far
        yield bytes(buffered).decode()
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.communicate(), 60)
        except TimeoutError:
            process.kill()
            raise


def settings(**more: object) -> Settings:
    return Settings.model_validate(WANTED | more)


async def until(client: Client, holds: Callable[[Finding], bool]) -> Finding:
    found = Finding(check="none", standing=Standing.OK, said="")
    async with asyncio.timeout(60):
        while not holds(found):
            await asyncio.sleep(0.3)
            found = await check_report(client, settings())
    return found


async def mailed(sandbox: Sandbox, many: int) -> list[str]:
    found: list[str] = []
    async with asyncio.timeout(60):
        while len(found) < many:
            await asyncio.sleep(0.2)
            found = sorted(one.recipient for one in sandbox.state.outbox.find("Record of reliability"))
    return found


@pytest.mark.usefixtures("environment")
async def test_a_worker_says_at_its_start_what_the_report_lacks_and_the_doctor_too(client: Client) -> None:
    nobody = await check_report(client, Settings.model_validate({}))
    assert (nobody.standing, "mailed to nobody" in nobody.said) == (Standing.OK, True)
    absent = await check_report(client, settings())
    assert (absent.standing, "no schedule is kept" in absent.said) == (Standing.WRONG, True)
    async with a_worker("sources", to=OWNER) as said:
        assert "the weekly report (ORDERACK_WEEKLY_TO) cannot be mailed" in said
        assert "ORDERACK_SMTP_EMAIL_HOST is missing" in said
        assert OWNER not in said
        lacking = await check_report(client, settings())
        assert (lacking.standing, "ORDERACK_SMTP_EMAIL_HOST is missing" in lacking.said) == (Standing.WRONG, True)
    left = await check_report(client, Settings.model_validate({}))
    assert (left.standing, "still kept" in left.said) == (Standing.WARN, True)
    wrong = await check_report(client, settings(weekly_to="ada at home"))
    assert (wrong.standing, "ada" in wrong.said) == (Standing.WRONG, False)
    async with a_worker("sources", to="") as said:
        assert said == ""
    assert (await check_report(client, Settings.model_validate({}))).said == nobody.said, "gone with the setting"


@pytest.mark.usefixtures("environment")
async def test_the_schedules_run_mails_each_address_once_and_the_doctor_knows_how_it_ended(
    client: Client, sandbox: Sandbox
) -> None:
    sandbox.state.faults.add(Fault(target=Target.SMTP, action=Action.REFUSE, match="desk@"))
    async with a_worker("orders", "sources", to=f"{OWNER},{DESK}") as said:
        assert said == ""
        well = await check_report(client, settings())
        assert well.standing is Standing.OK, well
        assert "mondays, 07:00 Europe/Berlin, to 2 addresses; the next one on " in well.said
        handle = client.get_schedule_handle(ID)
        await handle.trigger()
        assert await mailed(sandbox, 1) == [OWNER]
        failed = await until(client, lambda found: found.standing is Standing.WARN)
        assert "did not reach everybody" in failed.said
        assert "temporal workflow show" in failed.do
        for _ in range(2):
            await handle.trigger()
            assert await mailed(sandbox, 2) == [DESK, OWNER]
            await until(client, lambda found: found.said == well.said)
        other = await check_report(client, settings(weekly_hour=9))
        assert (other.standing, "not as the settings here say" in other.said) == (Standing.WARN, True)
        await handle.pause()
        paused = await check_report(client, settings())
        assert (paused.standing, "paused" in paused.said) == (Standing.WARN, True)
    async with a_worker("sources", to=""):
        pass
    assert (await check_report(client, Settings.model_validate({}))).standing is Standing.OK
    assert await mailed(sandbox, 2) == [DESK, OWNER]


def test_a_store_that_is_still_in_the_week_at_that_hour_is_named() -> None:
    zones = {"demo": ZoneInfo("Europe/Berlin"), "west": ZoneInfo("America/Los_Angeles")}
    monday = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
    assert still_in_the_week(zones, monday) == ["west"]
    assert still_in_the_week(zones, monday.replace(hour=9)) == []
    assert still_in_the_week({}, monday) == []
