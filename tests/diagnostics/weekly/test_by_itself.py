"""The weekly report as its schedule has it: in a process of its own, once to each address, whatever dies."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from orderack.bootstrap import report_addresses, report_slot
from orderack.contracts.reports import WeeklyMailed
from orderack.diagnostics.weekly.apart import mailed_apart
from orderack.diagnostics.weekly.mailed_by_itself import mail_weekly
from orderack.diagnostics.weekly.mailing import UNDER_WAY, report_name
from orderack.diagnostics.weekly.weeks import parse_week
from orderack.domain.address import address_sha256
from orderack.embedded.sandbox import Behaviour, Sandbox, SandboxState
from orderack.embedded.sandbox.faults import Action, Fault, Target
from orderack.errors import Misconfigured, Refused, Unavailable
from orderack.ledger.repository import SqlLedger, open_ledger
from orderack.ports.reliability import MailEnd
from orderack.settings import Settings
from tests.diagnostics.weekly.past import keep, past
from tests.ledger_fixture import own_file

ROOT = Path(__file__).parents[3]
WEEK = parse_week("2025-W10")
MONDAY = datetime(2025, 3, 10, 6, 0, tzinfo=UTC)
"""The one after it, at 07:00 in Berlin, where the policy's store is."""
OWNER, DESK = "owner@shop.example", "desk@shop.example"
BY_HAND = "OWNER@shop.example"
"""The owner's, as somebody else writes it."""


@pytest.fixture
def url(sqlite_template: Path, tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "kept"
    folder.mkdir()
    with own_file(sqlite_template, folder) as made:
        yield made


@pytest_asyncio.fixture
async def ledger(url: str) -> AsyncIterator[SqlLedger]:
    """Two weeks of the policy's store."""
    opened = await open_ledger(url)
    await keep(opened, past(3, "demo", 120, WEEK.before().begins(UTC), WEEK.ends(UTC)))
    yield opened
    await opened.aclose()


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox.start(state=SandboxState(behaviour=Behaviour(delivered_after=0.02))) as running:
        yield running


@pytest.fixture
def shop(ledger: SqlLedger, url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sandbox:
    """Its mailbox; the settings name a mail server and whom to mail."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("ORDERACK_POLICY_DIR", str(ROOT / "policy"))
    monkeypatch.setenv("ORDERACK_DATABASE_URL", url)
    monkeypatch.setenv("ORDERACK_WEEKLY_TO", f"{OWNER}, {DESK}")
    for name, value in sandbox.environment().items():
        if name.startswith("ORDERACK_SMTP_EMAIL_"):
            monkeypatch.setenv(name, value)
    return sandbox


def mailbox(sandbox: Sandbox) -> list[str]:
    return sorted(one.recipient for one in sandbox.state.outbox.find("Record of reliability"))


async def test_each_address_gets_the_last_week_that_is_over_once_however_often_it_runs(shop: Sandbox) -> None:
    assert await mailed_apart(MONDAY) == WeeklyMailed(week="2025-W10", sent=2)
    assert await mailed_apart(MONDAY) == WeeklyMailed(week="2025-W10", already=2)
    assert await mailed_apart(MONDAY + timedelta(days=2)) == WeeklyMailed(week="2025-W10", already=2)
    assert mailbox(shop) == [DESK, OWNER]
    (one, _) = shop.state.outbox.find("Record of reliability")
    assert one.subject == "Record of reliability, 2025-W10"
    assert "looked at 7 hours after its end" in one.text


async def test_by_hand_and_by_itself_are_one_book(shop: Sandbox) -> None:
    by_hand = ("report", "weekly", "--week", "2025-W10", "--email", BY_HAND)
    process = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("orderack"), *by_hand),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    _, said = await process.communicate()
    assert (process.returncode, said.decode()) == (0, f"mailed to {BY_HAND}\n")
    assert await mailed_apart(MONDAY) == WeeklyMailed(week="2025-W10", sent=1, already=1)
    assert mailbox(shop) == sorted([BY_HAND, DESK])


async def test_two_at_once_send_one_mail_to_each(shop: Sandbox) -> None:
    shop.state.faults.add(Fault(target=Target.SMTP, action=Action.SLOW, seconds=1))
    ended = await asyncio.gather(*(mailed_apart(MONDAY) for _ in range(2)), return_exceptions=True)
    assert mailbox(shop) == [DESK, OWNER]
    for one in ended:
        if isinstance(one, Unavailable):
            assert one.retry_after == UNDER_WAY, "it looks again when the other must have ended"
        else:
            assert isinstance(one, WeeklyMailed)


async def test_who_is_refused_is_named_by_place_and_keeps_nobody_else_from_the_mail(shop: Sandbox) -> None:
    shop.state.faults.add(Fault(target=Target.SMTP, action=Action.REFUSE, match="desk@"))
    with pytest.raises(Refused) as refused:
        await mailed_apart(MONDAY)
    assert "address 2 of ORDERACK_WEEKLY_TO: refused" in str(refused.value)
    assert "@" not in str(refused.value)
    assert mailbox(shop) == [OWNER]


async def test_who_could_not_be_reached_is_mailed_by_the_next_attempt(shop: Sandbox) -> None:
    shop.state.faults.add(Fault(target=Target.SMTP, action=Action.FAIL, match="desk@"))
    with pytest.raises(Unavailable, match="address 2"):
        await mailed_apart(MONDAY)
    assert await mailed_apart(MONDAY) == WeeklyMailed(week="2025-W10", sent=1, already=1)
    assert mailbox(shop) == [DESK, OWNER]


async def test_what_was_cut_off_is_a_persons_and_never_sent_twice(shop: Sandbox, ledger: SqlLedger) -> None:
    shop.state.faults.add(Fault(target=Target.SMTP, action=Action.CUT_OFF_AFTER_ACCEPT, match="owner@"))
    for _ in range(2):
        with pytest.raises(Refused, match="address 1 of ORDERACK_WEEKLY_TO: in doubt"):
            await mailed_apart(MONDAY)
    assert mailbox(shop) == [DESK, OWNER]
    (attempt,) = await ledger.mailings(f"{report_name(WEEK)}/every-store/{address_sha256(OWNER)}")
    assert attempt.end is MailEnd.IN_DOUBT


async def test_a_process_that_dies_at_its_work_is_tried_again_and_ends_with_who_waits(shop: Sandbox) -> None:
    making = asyncio.create_task(mailed_apart(MONDAY))
    child = await the_child()
    child.send_signal(signal.SIGKILL)
    with pytest.raises(Unavailable, match="cut off"):
        await making
    making = asyncio.create_task(mailed_apart(MONDAY))
    child = await the_child()
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert not child.is_running()
    assert mailbox(shop) == []
    assert (await mailed_apart(MONDAY)).sent == 2


async def the_child() -> psutil.Process:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        for one in psutil.Process(os.getpid()).children():
            if "orderack.diagnostics.weekly" in one.cmdline():
                return one
        await asyncio.sleep(0.02)
    raise AssertionError("no process makes the report")


async def test_it_needs_none_of_the_libraries_that_draw(shop: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("matplotlib", "polars", "scipy"):
        for name in [name for name in sys.modules if name.partition(".")[0] == library]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, library, None)
    assert await mail_weekly(Settings(), MONDAY) == WeeklyMailed(week="2025-W10", sent=2)
    (one, _) = shop.state.outbox.find("Record of reliability")
    assert "told within the minute" in one.text


async def test_where_nobody_is_named_nobody_is_mailed(shop: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERACK_WEEKLY_TO", " , ")
    assert await mailed_apart(MONDAY) == WeeklyMailed()
    assert mailbox(shop) == []
    assert report_slot(Settings()) is None


async def test_without_a_mail_server_it_says_which_settings_are_missing(
    shop: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ORDERACK_SMTP_EMAIL_HOST")
    with pytest.raises(Misconfigured, match="ORDERACK_SMTP_EMAIL_HOST is missing"):
        await mailed_apart(MONDAY)


async def test_while_a_store_is_still_in_the_week_it_is_about_the_week_before(shop: Sandbox) -> None:
    assert (await mailed_apart(MONDAY - timedelta(hours=8))).week == "2025-W09"


def test_settings_say_when_and_to_whom_and_wrong_ones_are_refused() -> None:
    said = Settings.model_validate(
        {
            "weekly_to": "Owner@shop.example, desk@shop.example,OWNER@SHOP.example",
            "weekly_day": "sunday",
            "weekly_hour": 18,
            "weekly_time_zone": "Europe/Berlin",
            "weekly_catch_up_days": 2,
        }
    )
    assert report_addresses(said) == ("Owner@shop.example", "desk@shop.example")
    slot = report_slot(said)
    assert slot is not None
    assert (slot.weekday, slot.hour, slot.time_zone, slot.catch_up) == (0, 18, "Europe/Berlin", timedelta(days=2))
    with pytest.raises(Misconfigured) as bad:
        report_slot(Settings.model_validate({"weekly_to": "owner@shop.example, ada at home"}))
    assert "the 2. of its parts is not one e-mail address" in str(bad.value)
    assert "ada" not in str(bad.value)
    for name, value in {
        "weekly_time_zone": "Mars/Olympus",
        "weekly_hour": 24,
        "weekly_day": "someday",
        "weekly_catch_up_days": 7,
    }.items():
        with pytest.raises(ValueError, match=name):
            Settings.model_validate({name: value})
    assert report_slot(Settings(_env_file=None)) is None  # type: ignore[call-arg]  # what `orderack up` does unasked
