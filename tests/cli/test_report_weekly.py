"""`orderack report weekly`: on a terminal, as JSON, as a page and by mail, as whoever runs the business has it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from email.utils import parseaddr
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from orderack.cli.main import run
from orderack.contracts.journal import ClockName, Event
from orderack.diagnostics.weekly.weeks import Week, last_whole, parse_week
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import OrderRef
from orderack.embedded.sandbox import Behaviour, Sandbox, SandboxState
from orderack.embedded.sandbox.faults import Action, Fault, Target
from orderack.embedded.sandbox.record import Posted
from orderack.ledger.repository import SqlLedger, open_ledger
from tests.cli.conftest import ROOT, Terminal
from tests.diagnostics.weekly.past import Life, keep, past
from tests.ledger_fixture import own_file

BERLIN = ZoneInfo("Europe/Berlin")
WEEK = parse_week("2025-W10")
EARLY, EVIL = "N-early", "=cmd|'/c calc'!A1<img src=x>"
ASKED = ("report", "weekly", "--week", str(WEEK))


@pytest.fixture
def ledger_file(sqlite_template: Path, tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "kept"
    folder.mkdir()
    with own_file(sqlite_template, folder) as url:
        yield url


@pytest_asyncio.fixture
async def ledger(ledger_file: str) -> AsyncIterator[SqlLedger]:
    """Four weeks of the policy's store, one order confirmed before its receipt, of a customer with a strange id."""
    opened = await open_ledger(ledger_file)
    lives = past(3, "demo", 400, WEEK.before(3).begins(BERLIN), WEEK.ends(BERLIN), ill=0.05)
    early = Life(OrderRef(store="demo", number=EARLY), WEEK.begins(BERLIN), customer=EVIL)
    early.clock(ClockName.ACKNOWLEDGE, 0, 60, breached=60)
    early.says(90, Kind.CONFIRMATION)
    early.note(95, Event.ERP_RECEIPT, "SO-1")
    await keep(opened, [*lives, early])
    yield opened
    await opened.aclose()


@pytest.fixture
def desk(bare: Terminal, ledger: SqlLedger, ledger_file: str) -> Terminal:
    bare.environment["ORDERACK_DATABASE_URL"] = ledger_file
    return bare


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox.start(state=SandboxState(behaviour=Behaviour(delivered_after=0.02))) as running:
        yield running


@pytest.fixture
def posting(desk: Terminal, sandbox: Sandbox) -> Terminal:
    """A terminal whose settings name an SMTP server."""
    desk.environment |= {
        name: value for name, value in sandbox.environment().items() if name.startswith("ORDERACK_SMTP_EMAIL_")
    }
    return desk


def posted(sandbox: Sandbox) -> list[Posted]:
    """The mails that the vendors took, the oldest first."""
    return list(reversed(sandbox.state.outbox.find("Record of reliability")))


def mailbox(sandbox: Sandbox) -> list[str]:
    """To whom."""
    return [one.recipient for one in posted(sandbox)]


# -- on a terminal -----------------------------------------------------------------------------------------------------


async def test_what_must_not_be_comes_first_then_every_figure_then_the_customers(desk: Terminal) -> None:
    ended = await desk(*ASKED)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0].startswith("demo: 2025-W10, 3 to 9 Mar 2025 (Europe/Berlin), ")
    assert f"demo/{EARLY}" in lines[1]
    assert "confirmed before the ERP had booked it" in lines[1]
    places = [
        ended.out.index(words)
        for words in ("told within the minute", "acknowledge_within", "Week by week", "To whom demo", "Left out:")
    ]
    assert places == sorted(places)
    assert "EVIL" not in ended.out
    assert EVIL in ended.out, "a customer is the store's own id, whatever it looks like"


async def test_json_is_the_whole_report_with_the_verdicts(desk: Terminal) -> None:
    found = (await desk(*ASKED, "--weeks", "3", "--json")).json
    (store,) = found["stores"]
    assert [week["week"] for week in store["weeks"]] == ["2025-W08", "2025-W09", "2025-W10"]
    assert f"demo/{EARLY}" in store["weeks"][-1]["confirmed"]["before_receipt"]
    before = next(line for line in store["lines"] if line["key"] == "before_receipt")
    assert before["verdict"] == "fault"
    assert {line["verdict"] for line in store["lines"]} <= {"better", "worse", "fault", "no_verdict", None}
    assert found["settled_hours"] == 48


async def test_the_default_week_is_the_last_that_is_over_for_the_store(desk: Terminal) -> None:
    week: Week = last_whole(datetime.now(UTC), BERLIN)
    found = (await desk("report", "weekly", "--json")).json
    assert found["week"] == str(week)
    assert found["stores"][0]["weeks"][-1]["orders"] == 0
    assert "There were no orders in this week." in (await desk("report", "weekly")).out


async def test_one_customer_is_shown_week_by_week_with_the_orders_that_went_wrong(desk: Terminal) -> None:
    ended = await desk(*ASKED, "--customer", EVIL)
    assert ended.code == 0
    assert f"- 2025-W10, demo/{EARLY}: told late, confirmed before the ERP's receipt" in ended.out
    nobody = await desk(*ASKED, "--customer", "C-nobody")
    assert (nobody.code, nobody.err) == (1, "No order of these weeks names that customer.\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--week", "soon"), "'soon' is no ISO week. Remedy: write 2026-W47"),
        (("--week", "2025-W53"), "is no week of 2025. Remedy: its weeks are W01 to W52"),
        (("--week", "2999-W01"), "is not over for demo"),
        (("--week", "0001-W01"), "'0001-W01' has no orders. Remedy: write 2026-W47"),
        (("--week", "9999-W52"), "'9999-W52' has no orders"),
        (("--store", "demoo"), "did you mean demo?"),
        (("--weeks", "0"), "--weeks"),
        (("--html", "nowhere/x.html"), "cannot be written"),
        (("--html", "."), "cannot be written"),
        (("--email", "ada"), "'ada' is not one e-mail address"),
        (("--email", "a@shop.example, b@shop.example"), "is not one e-mail address"),
        (("--email", "a@shop.example"), "ORDERACK_SMTP_EMAIL_HOST is missing"),
        (("--email", "a@shop.example", "--channel", "smpt_email"), "did you mean smtp_email?"),
        (("--email", "a@shop.example", "--channel", "twilio_sms"), "mails no reports"),
        (("--email", "a@shop.example", "--channel", "zendesk"), "mails no reports"),
        (("--again",), "--email: is missing"),
        (("--email", "a@shop.example", "--customer", "C-1"), "leave one out"),
    ],
    ids=lambda each: " ".join(each[-2:]) if isinstance(each, tuple) else "",
)
async def test_wrong_words_are_answered_with_what_to_do(arguments: tuple[str, ...], says: str, desk: Terminal) -> None:
    ended = await desk("report", "weekly", *arguments)
    assert (ended.code, says in ended.err, ended.out) == (2, True, ""), ended.err
    assert (await desk("report", "weekly", *arguments, "--json")).json["exit"] == 2


async def test_without_a_ledger_it_says_so(bare: Terminal) -> None:
    assert (await bare("report", "weekly")).code == 3


async def test_the_page_is_written_whole_and_needs_nothing(desk: Terminal) -> None:
    ended = await desk(*ASKED, "--html", "week.html")
    assert ended.code == 0
    page = (desk.folder / "week.html").read_text()
    assert page.count('<svg role="img"') == 3
    assert "<script" not in page
    assert "<img" not in page, "a customer's id is words"
    assert "&lt;img" in page
    assert f"demo/{EARLY}" in page


def test_without_the_library_that_draws_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setenv("ORDERACK_POLICY_DIR", str(ROOT / "policy"))
    assert run(["report", "weekly", "--html", str(tmp_path / "x.html")]) == 2
    assert 'pip install "orderack[reports]"' in capsys.readouterr().err


# -- by mail -----------------------------------------------------------------------------------------------------------


async def test_a_week_is_mailed_once_to_each_address_unless_it_is_asked_for_again(
    posting: Terminal, sandbox: Sandbox
) -> None:
    to = ("--email", "Ops@shop.example")
    first = await posting(*ASKED, *to)
    assert (first.code, first.err) == (0, "mailed to Ops@shop.example\n")
    again = await posting(*ASKED, *to, "--email", "ops@SHOP.example", "--email", "owner@shop.example")
    assert again.code == 0
    assert "Ops@shop.example has it already" in again.err
    assert "mailed to owner@shop.example" in again.err
    assert mailbox(sandbox) == ["Ops@shop.example", "owner@shop.example"]
    assert (await posting(*ASKED, *to, "--again")).err == "mailed to Ops@shop.example\n"
    other = await posting("report", "weekly", "--week", "2025-W09", *to)
    assert other.err == "mailed to Ops@shop.example\n"
    one_store = await posting(*ASKED, *to, "--store", "demo")
    assert one_store.err == "mailed to Ops@shop.example\n"
    assert len(mailbox(sandbox)) == 5
    ids = {one.provider_id for one in posted(sandbox)}
    assert len(ids) == 5


async def test_the_mail_has_text_and_html_that_a_mail_program_can_read(posting: Terminal, sandbox: Sandbox) -> None:
    await posting(*ASKED, "--email", "ops@shop.example")
    (mail,) = posted(sandbox)
    assert mail.subject == "Record of reliability, 2025-W10"
    headers = dict(mail.headers)
    assert headers["Content-Type"].startswith("multipart/alternative")
    assert parseaddr(headers["To"])[1] == "ops@shop.example"
    assert f"demo/{EARLY}" in mail.text
    assert "told within the minute: " in mail.text
    html = mail.html or ""
    assert f"demo/{EARLY}" in html
    for absent in ("<script", "<style", "<svg", "<link", 'src="', "href=", "class=", "<img"):
        assert absent not in html, absent
    assert html.count("style=") > 100
    assert len(html) < 100_000, "a longer one is cut off by Gmail"


async def test_two_runs_at_once_send_one_mail(posting: Terminal, sandbox: Sandbox) -> None:
    sandbox.state.faults.add(Fault(target=Target.SMTP, action=Action.SLOW, seconds=1))
    runs = [posting(*ASKED, "--email", "ops@shop.example") for _ in range(3)]
    ended = await asyncio.gather(*runs)
    assert [one.code for one in ended] == [0, 0, 0]
    assert mailbox(sandbox) == ["ops@shop.example"]
    said = sorted(one.err for one in ended)
    assert sum("mailed to" in one for one in said) == 1
    assert all("mailed to" in one or "nothing was sent" in one or "has it already" in one for one in said), said


async def test_what_was_refused_or_away_is_said_and_mailed_by_the_next_run(posting: Terminal, sandbox: Sandbox) -> None:
    to = ("--email", "bad@shop.example", "--email", "good@shop.example")
    sandbox.state.faults.add(Fault(target=Target.SMTP, action=Action.REFUSE, match="bad@"))
    refused = await posting(*ASKED, *to)
    assert refused.code == 1
    assert "bad@shop.example: not mailed" in refused.err
    assert "mailed to good@shop.example" in refused.err
    sandbox.state.faults.add(Fault(target=Target.SMTP, action=Action.FAIL, match="bad@"))
    away = await posting(*ASKED, *to)
    assert (away.code, "run the command again" in away.err) == (3, True)
    assert (await posting(*ASKED, *to)).code == 0
    assert mailbox(sandbox) == ["good@shop.example", "bad@shop.example"]


async def test_a_mail_that_was_cut_off_is_in_doubt_and_not_sent_again_by_itself(
    posting: Terminal, sandbox: Sandbox
) -> None:
    to = ("--email", "ops@shop.example")
    sandbox.state.faults.add(Fault(target=Target.SMTP, action=Action.CUT_OFF_AFTER_ACCEPT))
    cut = await posting(*ASKED, *to)
    assert (cut.code, "--again mails it once more" in cut.err) == (3, True)
    again = await posting(*ASKED, *to)
    assert (again.code, "it may have gone out" in again.err) == (3, True)
    assert len(mailbox(sandbox)) == 1
    assert (await posting(*ASKED, *to, "--again")).code == 0
    assert "has it already" in (await posting(*ASKED, *to)).err
    assert len(mailbox(sandbox)) == 2


async def test_sendgrid_mails_it_where_that_is_what_the_installation_has(desk: Terminal, sandbox: Sandbox) -> None:
    desk.environment |= {
        name: value for name, value in sandbox.environment().items() if name.startswith("ORDERACK_SENDGRID_EMAIL_")
    }
    ended = await desk(*ASKED, "--email", "ops@shop.example")
    assert (ended.code, ended.err) == (0, "mailed to ops@shop.example\n")
    (mail,) = posted(sandbox)
    assert (mail.channel, mail.recipient) == (Target.SENDGRID, "ops@shop.example")
    assert mail.html


async def test_the_ledger_keeps_that_it_was_mailed_and_no_address(
    posting: Terminal, sandbox: Sandbox, ledger_file: str
) -> None:
    await posting(*ASKED, "--email", "ops@shop.example")
    kept = b"".join(file.read_bytes() for file in Path(ledger_file.partition("///")[2]).parent.iterdir())
    assert b"report_mail" in kept
    assert b"ops@shop.example" not in kept
