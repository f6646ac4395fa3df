"""`orderack sweep`, `reconcile` and `oversell` at a terminal: what they show, and how they end."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest_asyncio

from orderack.contracts.journal import Event, Stage
from orderack.domain.assessment import LineStock, ServiceLevels
from orderack.domain.order import OrderRef, Payment, PaymentStatus
from orderack.domain.receipt import StockVerdict
from orderack.ledger.repository import SqlLedger, open_ledger
from orderack.ports import Pause
from orderack.ports.digests import DigestState
from orderack.ports.sweeps import ExceptionKind, Finding, SweepState
from tests.cli.conftest import Terminal
from tests.ledger.samples import entry, journal, order, stored

LOST = OrderRef(store="north", number="LOST")


@pytest_asyncio.fixture
async def ledger(bare: Terminal) -> AsyncIterator[SqlLedger]:
    """A ledger of this terminal's own."""
    bare.environment["ORDERACK_DATABASE_URL"] = url = f"sqlite+aiosqlite:///{bare.folder}/ledger.db"
    made = await open_ledger(url)
    yield made
    await made.aclose()


async def captured(ledger: SqlLedger, number: str, *events: Event, stock: int | None = None) -> OrderRef:
    """An order of today, paid, for 2.5 mugs and 20.00 EUR, its receipt late at once; `stock`: the ERP's."""
    now = datetime.now(UTC) - timedelta(hours=1)
    content = order(number, external=f"gid-{number}").model_copy(
        update={"trigger_at": now, "payment": Payment(status=PaymentStatus.CONFIRMED)}
    )
    kept = stored(content)
    due = ServiceLevels(erp_receipt_within=timedelta())
    decision = kept.assessment.decision.model_copy(update={"levels": due})
    kept = kept.model_copy(update={"assessment": kept.assessment.model_copy(update={"decision": decision})})
    if stock is not None:
        lines = tuple(
            LineStock(line_id=line.line_id, verdict=StockVerdict.AVAILABLE, available=Decimal(stock))
            for line in content.lines
        )
        kept = kept.model_copy(update={"assessment": kept.assessment.model_copy(update={"stock": lines})})
    await ledger.save_revision(kept, "f", journal(ref=content.ref))
    told = [entry(seq, event, note="SO-1") for seq, event in enumerate(events, start=2)]
    await ledger.write(journal(told, ref=content.ref, stage=Stage.AWAITING_ERP))
    return content.ref


async def lost(ledger: SqlLedger) -> None:
    await captured(ledger, "LOST", Event.SUBMITTED_TO_ERP)
    now = datetime.now(UTC)
    finding = Finding(
        ref=LOST, revision=1, kind=ExceptionKind.MISSING_IN_ERP, system="main", since=now, owner="operations-lead"
    )
    await ledger.settle([finding], now)


async def test_who_has_an_exception_in_hand_is_said_and_shown(bare: Terminal, ledger: SqlLedger) -> None:
    await lost(ledger)
    assert (await bare("sweep", "list", "--json")).json["exceptions"][0]["claimed_by"] is None
    assert "nobody" in (await bare("sweep", "list")).out
    nameless = await bare("sweep", "claim", str(LOST), "--by", " ")
    assert (nameless.code, "--by: is empty" in nameless.err) == (2, True)
    unknown = await bare("sweep", "claim", "north/NONE", "--by", "grace")
    assert (unknown.code, "has no open exception" in unknown.err) == (1, True)
    claimed = await bare("sweep", "claim", str(LOST), "--by", "grace")
    assert (claimed.code, "north/LOST: missing in erp is in grace's hands" in claimed.out) == (0, True)
    again = await bare("sweep", "claim", str(LOST), "--by", "heidi", "--json")
    assert [one["claimed_by"] for one in again.json["exceptions"]] == ["heidi"], "the last word stands"
    assert "heidi" in (await bare("sweep", "list")).out


async def test_the_doctor_says_whose_owner_could_not_be_told(bare: Terminal, ledger: SqlLedger) -> None:
    await lost(ledger)
    found = (await bare("doctor", "--offline", "--json")).json["findings"]
    assert {one["check"]: one["standing"] for one in found}["owners-told"] == "ok"
    past = datetime.now(UTC) - timedelta(hours=1)
    await ledger.gather("operations", "operations-lead", await ledger.exceptions(), past)
    (digest,) = await ledger.open_digests()
    await ledger.end_digest(digest.id, DigestState.OPEN, "slack: it is not configured", past)
    found = (await bare("doctor", "--offline", "--json")).json["findings"]
    (said,) = [one for one in found if one["check"] == "owners-told"]
    assert said["standing"] == "warn"
    assert said["said"] == "operations-lead: not told of 1 absent order (slack: it is not configured)"


async def test_open_exceptions_are_listed_with_owner_and_next_step_and_closed_by_name_with_a_note(
    bare: Terminal, ledger: SqlLedger
) -> None:
    await lost(ledger)
    shown = await bare("sweep", "list")
    assert shown.code == 0
    for words in ("north/LOST", "missing in erp", "operations-lead", "search the ERP"):
        assert words in shown.out
    unsaid = await bare("sweep", "resolve", str(LOST), "--note", "  ")
    assert (unsaid.code, "--note: is empty" in unsaid.err) == (2, True)
    other = await bare("sweep", "resolve", str(LOST), "--note", "x", "--kind", "not_running")
    assert (other.code, "no open exception of kind not running" in other.err) == (1, True)
    closed = await bare("sweep", "resolve", str(LOST), "--note", "entered by hand")
    assert (closed.code, closed.out.strip()) == (0, "north/LOST: missing in erp is closed.")
    again = await bare("sweep", "resolve", str(LOST), "--note", "entered by hand", "--json")
    assert (again.code, again.json["kind"]) == (1, "refused")
    assert "Nothing is absent" in (await bare("sweep", "list")).out
    history = (await bare("sweep", "list", "--closed", "--json")).json["exceptions"]
    assert [(one["closed_by"], one["note"]) for one in history] == [("grace", "entered by hand")]


async def test_the_last_sweep_of_each_erp_is_shown_and_one_that_never_was(bare: Terminal, ledger: SqlLedger) -> None:
    now = datetime.now(UTC)
    state = SweepState(name="erp/main", run="r", began_at=now, at=now, waiting=10, asked=4, failure="it is away")
    await ledger.swept(state)
    shown = await bare("sweep", "status")
    assert shown.code == 0
    assert "could not go on" in shown.out
    assert "erp/main: it is away" in shown.out
    assert "erp/sandbox was never swept" in shown.out
    told = (await bare("sweep", "status", "--json")).json
    assert told["never"] == ["erp/sandbox", "books"]
    assert told["sweeps"][0]["complete_at"] is None


async def test_a_sweep_of_an_erp_that_no_store_has_is_refused_and_one_without_temporal_says_so(
    bare: Terminal, ledger: SqlLedger
) -> None:
    unknown = await bare("sweep", "now", "--erp", "nowhere")
    assert (unknown.code, "name one of sandbox" in unknown.err) == (2, True)
    away = await bare("sweep", "now")
    assert away.code == 3


async def test_the_ledger_is_compared_with_lists_and_every_row_counts_once(bare: Terminal, ledger: SqlLedger) -> None:
    await captured(ledger, "1001", Event.SUBMITTED_TO_ERP, Event.ERP_RECEIPT)
    await captured(ledger, "1002", Event.SUBMITTED_TO_ERP)
    erp = bare.file("erp.csv", "Reference,Total,Currency\n#1001,21.00,EUR\n7777,5.00,EUR\n,1.00,EUR\n")
    payments = bare.file("paid.ndjson", '{"order_id":"1001","amount":"20.00","status":"captured"}\n')
    ended = await bare("reconcile", "--erp", erp, "--payments", payments, "--html", "page.html", "--json")
    assert ended.code == 1, ended.err
    assert "id = Reference" in ended.err
    found = {(one["side"], one["what"]): one["kind"] for one in ended.json["differences"]}
    assert found == {
        ("erp", "north/1001"): "amount_differs",
        ("erp", "north/1002"): "paid_not_booked",
        ("erp", "7777"): "missing_here",
        ("erp", "row 4"): "unreadable",
        ("payments", "north/1002"): "missing_there",
    }
    for side in ended.json["totals"]:
        assert sum(side["by_row"].values()) == side["rows"]
        assert sum(side["by_order"].values()) == side["ours"] == 2
    page = (bare.folder / "page.html").read_text()
    assert "north/1001" in page
    assert "<script" not in page
    shown = await bare("reconcile", "--erp", erp)
    assert "amount differs" in shown.out


async def test_hostile_words_in_a_list_are_no_markup_on_the_page(bare: Terminal, ledger: SqlLedger) -> None:
    erp = bare.file("erp.csv", "Reference,Total\n<script>x</script>,5.00\n")
    await bare("reconcile", "--erp", erp, "--html", "page.html")
    assert "<script>" not in (bare.folder / "page.html").read_text()


async def test_lists_that_cannot_be_compared_are_said_so(bare: Terminal, ledger: SqlLedger) -> None:
    erp = bare.file("erp.csv", "Reference,Total\n1,5.00\n")
    for arguments, said in (
        ((), "--erp: is missing"),
        (("--erp", erp, "--ask"), "--ask: is one too many"),
        (("--erp", "nowhere.csv"), "nowhere.csv"),
        (("--erp", erp, "--since", "month"), "--since"),
        (("--erp", erp, "--since", "0d"), "--since"),
        (("--erp", erp, "--map", "erp.id=Nothing"), "no column Nothing"),
    ):
        ended = await bare("reconcile", *arguments)
        assert (ended.code, said in ended.err) == (2, True), (arguments, ended.err)


async def test_the_oversell_report_names_the_gap_that_each_unit_fell_in(bare: Terminal, ledger: SqlLedger) -> None:
    assert (await bare("oversell")).code == 0
    await captured(ledger, "1001", Event.SUBMITTED_TO_ERP, stock=4)
    await captured(ledger, "1002", Event.SUBMITTED_TO_ERP, stock=4)
    ended = await bare("oversell", "--json", "--html", "oversell.html")
    assert ended.code == 1
    (sku,) = ended.json["skus"]
    assert (sku["sku"], Decimal(sku["units"]), Decimal(sku["oversold"])) == ("MUG", Decimal(5), Decimal(1))
    assert [window["ref"]["number"] for window in sku["windows"]] == ["1002"]
    assert "open" in (bare.folder / "oversell.html").read_text()


async def test_an_erp_is_paused_by_name_and_resumed_and_no_channel_with_it(bare: Terminal, ledger: SqlLedger) -> None:
    assert (await bare("erp", "pause", "nowhere")).code == 2
    assert (await bare("erp", "pause", "sandbox", "--by", " ")).code == 2
    paused = await bare("erp", "pause", "sandbox", "--reason", "upgrade")
    assert (paused.code, "sandbox is paused" in paused.out) == (0, True)
    assert "was paused already" in (await bare("erp", "pause", "sandbox")).out
    (line,) = [line for line in (await bare("erps")).out.splitlines() if line.startswith("sandbox")]
    assert "paused since" in line
    assert "by grace" in line
    assert set(await ledger.paused()) == {"erp/sandbox"}
    resumed = await bare("erp", "resume", "sandbox")
    assert resumed.code == 0
    assert "within five minutes" in resumed.err, "Temporal is away: nobody could be woken"
    assert "was not paused" in (await bare("erp", "resume", "sandbox")).out
    assert await ledger.paused() == {}


async def test_what_is_marked_down_is_shown_with_its_figures_and_a_pause_by_hand_takes_it_over(
    bare: Terminal, ledger: SqlLedger
) -> None:
    at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    for name in ("erp/sandbox", "slack"):
        mark = Pause(channel=name, at=at, by="orderack", reason="no answer to 5 attempts of 3 orders", probe_at=at)
        assert await ledger.pause(mark)
    for command, name in (("erps", "sandbox"), ("channels", "slack")):
        (line,) = [line for line in (await bare(command)).out.splitlines() if line.startswith(name)]
        assert "marked down since" in line
        assert "no answer to 5 attempts of 3 orders; tried next" in line
    (row,) = [row for row in (await bare("erps", "--json")).json["erps"] if row["name"] == "sandbox"]
    assert (row["marked_down"], row["paused_by"], row["pause_reason"]) == (True, "orderack", mark.reason)
    assert row["probe_at"]
    (row,) = [row for row in (await bare("channels", "--json")).json["channels"] if row["name"] == "slack"]
    assert (row["state"], row["pause_reason"]) == ("marked down", mark.reason)
    assert "sandbox is paused" in (await bare("erp", "pause", "sandbox")).out
    assert (await ledger.paused())["erp/sandbox"].by == "grace"
    assert "sends again" in (await bare("channel", "resume", "slack")).out
