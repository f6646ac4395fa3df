"""`orderack shadow` and `orderack cutover` as their users type them: right, wrong, and twice."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
import yaml

from orderack.contracts.journal import Event, Stage
from orderack.domain.acknowledgement import Audience, Kind, SendKey
from orderack.domain.assessment import Side
from orderack.domain.order import Order, OrderRef
from orderack.domain.shadow import Figures
from orderack.ledger.repository import SqlLedger, open_ledger
from orderack.ports import ActKind, KeptAct, KeptMessage
from tests.cli.conftest import ROOT, Terminal
from tests.ledger.samples import entry, journal, order, stored

T0 = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
ORDERS = 12
S_1 = OrderRef(store="demo", number="S-1")
GATE = ("--orders", str(ORDERS), "--by", "grace")


def numbered(place: int) -> Order:
    return order(f"S-{place}").model_copy(update={"store": "demo", "trigger_at": T0})


@pytest_asyncio.fixture
async def ledger(bare: Terminal) -> AsyncIterator[SqlLedger]:
    """The terminal's ledger with a dozen shadow orders, each received, booked and confirmed in its time."""
    folder = bare.folder / "policy"
    folder.mkdir()
    document = yaml.safe_load((ROOT / "policy" / "policy.yaml").read_text())
    document["stores"]["demo"]["mode"] = "shadow"
    (folder / "policy.yaml").write_text(yaml.safe_dump(document))
    (folder / "messages").symlink_to(ROOT / "policy" / "messages")
    bare.environment["ORDERACK_POLICY_DIR"] = str(folder)
    url = f"sqlite+aiosqlite:///{bare.folder}/ledger.db"
    bare.environment["ORDERACK_DATABASE_URL"] = url
    found = await open_ledger(url)
    for place in range(ORDERS):
        await run_through(found, numbered(place))
    yield found
    await found.aclose()


async def run_through(ledger: SqlLedger, content: Order) -> None:
    made = stored(content)
    decision = made.assessment.decision.model_copy(update={"side": Side.SHADOW})
    made = made.model_copy(update={"assessment": made.assessment.model_copy(update={"decision": decision})})
    await ledger.save_revision(made, "fingerprint", journal(ref=content.ref))
    booked = entry(1, Event.ERP_RECEIPT, note="SO-1").model_copy(update={"at": T0 + timedelta(seconds=5)})
    await ledger.write(journal([booked], ref=content.ref, stage=Stage.HANDED_OFF))
    for kind, seconds in ((Kind.RECEIVED, 1), (Kind.CONFIRMATION, 6)):
        key = SendKey(ref=content.ref, revision=1, kind=kind, n=1, channel="sendgrid_email")
        await ledger.keep(
            KeptMessage(
                key=key,
                audience=Audience.BUYER,
                role="buyer",
                at=T0 + timedelta(seconds=seconds),
                recipient_sha256="a" * 64,
                message_sha256="b" * 64,
                subject=f"Order {content.number}",
                text="Dear Ada\x1b[31m",
                figures=Figures(total=content.totals.total, currency="EUR", lines=2),
            )
        )


def sent(*, but: str = "") -> str:
    """What the old flow sent, as its export says it; of one order another total."""
    rows = ["order,template,sent_at,total"]
    for place in range(ORDERS):
        total = "99.00" if but == f"S-{place}" else "20.00"
        rows += [
            f"S-{place},Order Received,{(T0 + timedelta(seconds=2)).isoformat()},20.00",
            f"S-{place},Order Confirmation,{(T0 + timedelta(seconds=8)).isoformat()},{total}",
        ]
    return "\n".join(rows) + "\n"


async def test_a_file_twice_a_report_twice_a_cutover_twice(bare: Terminal, ledger: SqlLedger) -> None:
    file = bare.file("sent.csv", sent(but="S-3"))
    first, again = await bare("shadow", "import", file, "--json"), await bare("shadow", "import", file)
    assert (first.code, first.json["taken"], first.json["repeated"]) == (0, 2 * ORDERS, 0)
    assert again.out == f"demo: 0 events taken in, {2 * ORDERS} known before.\n"

    report = (await bare("shadow", "report", "--html", "report.html", "--json")).json
    (found,) = report["discrepancies"]
    assert (found["kind"], found["order"], found["ours"], found["old"]) == ("total", "S-3", "20.00 EUR", "99.00")
    assert found["resolve"]
    assert found["id"] in (bare.folder / "report.html").read_text()
    shown = await bare("shadow", "report")
    assert found["id"] in shown.out
    assert "1 discrepancy, 1 open" in shown.out

    refused = await bare("cutover", "demo", *GATE)
    assert (refused.code, refused.out) == (1, "")
    assert f"- {found['id']} S-3 confirmation: another total (ours: 20.00 EUR; old: 99.00)" in refused.err
    assert await ledger.last_cutover("demo") is None

    waived = await bare("shadow", "waive", found["id"], "--reason", "a gift card", "--for", "7d", "--by", "grace")
    assert waived.out.startswith(f"{found['id']}: waived by grace until ")
    tenth = await bare("cutover", "demo", *GATE, "--percent", "10")
    assert (tenth.code, tenth.err) == (0, "")
    assert "demo is live for 10 in 100 orders, the others are in the shadow, since" in tenth.out
    assert f"Measured: {ORDERS} shadow orders; first word p95 1.0 s" in tenth.out
    assert "1 waived" in tenth.out
    assert "already" in (await bare("cutover", "demo", *GATE, "--percent", "10")).out
    assert "demo is live, since" in (await bare("cutover", "demo", *GATE)).out
    assert "demo is in the shadow, since" in (await bare("cutover", "demo", "--back", "--by", "lin")).out
    assert "already" in (await bare("cutover", "demo", "--back", "--by", "grace")).out
    stands = await ledger.last_cutover("demo")
    assert stands is not None
    assert (stands.n, stands.by, stands.back) == (3, "lin", True)
    refused = await bare("cutover", "demo", *GATE)
    assert f"0 shadow orders were compared: {ORDERS} more needed" in refused.err, "only what came since counts"


async def test_a_kind_is_waived_for_a_time_only_and_a_bug_of_ours_never(bare: Terminal, ledger: SqlLedger) -> None:
    by = ("--by", "grace", "--reason", "it ends with the cutover")
    endless = await bare("shadow", "waive", "--kind", "later", *by)
    assert (endless.code, "for a time only" in endless.err) == (2, True)
    ours = await bare("shadow", "waive", "--kind", "ours_confirmed_before_receipt", "--for", "1d", *by)
    assert (ours.code, "can't be waived" in ours.err) == (2, True)
    done = await bare("shadow", "waive", "--kind", "later", "--for", "14d", *by, "--json")
    assert (done.code, done.json["verdict"]["subject"]) == (0, "kind/later")


async def test_one_order_is_shown_as_it_would_have_been_told(bare: Terminal, ledger: SqlLedger) -> None:
    shown = await bare("shadow", "show", "demo/S-1")
    assert shown.code == 0
    for words in ("received, revision 1, by sendgrid_email to buyer aaaaaaaaaaaa", "Order S-1", "Dear Ada"):
        assert words in shown.out
    assert "\x1b" not in shown.out, "what an order says does not steer the terminal"
    for act in (ActKind.SUBMIT, ActKind.INVOICE):  # each told twice: done once
        for _ in range(2):
            kept = KeptAct(ref=S_1, revision=1, kind=act, detail="sandbox", at=datetime.now(UTC))
            await ledger.keep_act(kept, journal(ref=S_1))
    acts = (await bare("shadow", "show", "demo/S-1", "--json")).json["acts"]
    assert [(act["kind"], act["detail"]) for act in acts] == [("erp_submission", "sandbox"), ("erp_invoice", "sandbox")]
    assert "erp submission" in (await bare("shadow", "show", "demo/S-1")).out
    await ledger.erase(S_1, "grace", "asked", datetime.now(UTC))
    assert "(erased)" in (await bare("shadow", "show", "demo/S-1")).out
    assert (await bare("shadow", "show", "demo/none")).code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("cutover", "demoo", "--by", "g"), 2, "did you mean demo?"),
        (("cutover", "demo", "--by", " "), 2, "--by: is empty"),
        (("cutover", "demo", "--back", "--percent", "5"), 2, "stands beside --back"),
        (("cutover", "demo", "--percent", "101"), 2, "--percent"),
        (("cutover", "demo", "--p95", "fast"), 2, "--p95"),
        (("shadow", "report", "--since", "yesterday"), 2, "is no time"),
        (("shadow", "report", "--settle", "15"), 2, "with its unit"),
        (("shadow", "report", "--html", "nowhere/x.html"), 2, "--html"),
        (("shadow", "import", "missing.csv"), 2, "cannot be read"),
        (("shadow", "import", "x.csv", "--column", "sku=a"), 2, "is no field of ours"),
        (("shadow", "import", "x.csv", "--kind", "confirmation"), 2, "is not NAME=NAME"),
        (("shadow", "resolve", "d-0", "--note", "x"), 1, "there is no discrepancy d-0"),
        (("shadow", "resolve", "d-0", "--note", " "), 2, "is empty"),
        (("shadow", "waive", "--reason", "x"), 2, "name one discrepancy, or --kind"),
    ],
)
async def test_wrong_words_are_answered_with_what_to_do(
    arguments: tuple[str, ...], code: int, said: str, bare: Terminal, ledger: SqlLedger
) -> None:
    bare.file("x.csv", "order,kind,at\n")
    ended = await bare(*arguments)
    assert (ended.code, said in ended.err) == (code, True), ended.err


async def test_a_live_store_is_said_to_be_live_and_can_be_taken_back(bare: Terminal) -> None:
    url = bare.environment["ORDERACK_DATABASE_URL"] = f"sqlite+aiosqlite:///{bare.folder}/ledger.db"
    bare.environment["ORDERACK_POLICY_DIR"] = str(ROOT / "policy")
    ledger = await open_ledger(url)
    assert "demo is live already, by its policy" in (await bare("cutover", "demo", *GATE)).out
    assert (await bare("cutover", "demo", "--back", "--by", "grace")).code == 0
    stands = await ledger.last_cutover("demo")
    await ledger.aclose()
    assert stands is not None
    assert stands.live_percent == 0


async def test_a_store_that_the_policy_took_live_past_the_gate_is_said_so_everywhere(
    bare: Terminal, ledger: SqlLedger
) -> None:
    quiet = await bare("policy", "check", "--json")
    assert (quiet.code, "notes" in quiet.json) == (0, False), "in the shadow, as its policy says"
    document = yaml.safe_load((bare.folder / "policy" / "policy.yaml").read_text())
    del document["stores"]["demo"]["mode"]
    (bare.folder / "policy" / "policy.yaml").write_text(yaml.safe_dump(document))
    checked = await bare("policy", "check")
    assert checked.code == 0, "a note is no finding: the file may say so"
    for words in ("Note: stores.demo.mode", "live after 12 shadow orders", "no order has come since"):
        assert words in checked.err
    first = OrderRef(store="demo", number="L-1")
    assert await ledger.note_gate(first, "v2", 100, T0)
    assert not await ledger.note_gate(first, "v2", 100, T0), "once for a version of the policy"
    assert not await ledger.note_gate(OrderRef(store="demo", number="L-2"), "v2", 100, T0)
    assert await ledger.verify_chain(first) == []
    looked = (await bare("doctor", "--offline", "--json")).json["findings"]
    (said,) = [one for one in looked if one["check"].startswith("shadow-gate")]
    assert (said["check"], said["standing"]) == ("shadow-gate/demo", "warn")
    assert "with demo/L-1, by policy v2" in said["said"]


async def test_a_cutover_asks_the_gate_for_a_store_that_its_policy_took_live(bare: Terminal, ledger: SqlLedger) -> None:
    bare.environment["ORDERACK_POLICY_DIR"] = str(ROOT / "policy")
    bare.file("sent.csv", sent(but="S-3"))
    assert (await bare("shadow", "import", "sent.csv")).code == 0
    refused = await bare("cutover", "demo", *GATE)
    assert refused.code == 1
    assert "refused; demo is live by its policy, which nobody asked the gate about, and stays so" in refused.err
    assert "total" in refused.err
    (found,) = (await bare("shadow", "report", "--json")).json["discrepancies"]
    assert (await bare("shadow", "resolve", found["id"], "--note", "mended", "--by", "grace")).code == 0
    allowed = await bare("cutover", "demo", *GATE)
    assert (allowed.code, "Measured: 12 shadow orders" in allowed.out) == (0, True)
    stands = await ledger.last_cutover("demo")
    assert stands is not None
    assert (stands.by, stands.live_percent, bool(stands.measured)) == ("grace", 100, True)
    assert await ledger.gate_unasked("demo") is None, "somebody's name stands to it now"
    assert "already" in (await bare("cutover", "demo", *GATE)).out


async def test_without_a_ledger_it_says_so(bare: Terminal) -> None:
    assert (await bare("cutover", "demo", "--by", "grace")).code == 3
