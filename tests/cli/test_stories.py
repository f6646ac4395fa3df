"""What operators do, on a real server with the real workflow and a ledger."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

from orderack.cli.references import reference
from orderack.cli.watch_command import OpenNow
from orderack.contracts.activities import AssessRequest
from orderack.contracts.updates import BuyerQuestion
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.assessment import Assessment, Route, ServiceLevels
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.temporal.orders import Orders
from tests.cli.conftest import KeptWorld, Terminal
from tests.temporal.server import Temporal
from tests.workflows.orders import HIGH_VALUE, a_decision, a_receipt, an_assessment
from tests.workflows.world import a_number

BOOKED = ("--erp", "sandbox", "--line", "1=available", "--line", "2=available")


def looked_at(request: AssessRequest) -> Assessment:
    """The first revision goes to a person."""
    flags = (HIGH_VALUE,) if not request.waived else ()
    decision = a_decision(route=Route.REVIEW if flags else Route.STRAIGHT)
    return an_assessment(request.order, request.revision, decision, flags)


async def confirmed(terminal: Terminal) -> str:
    """The reference of an order that is confirmed and handed off."""
    ref, file, order = terminal.order()
    assert (await terminal("submit", file)).code == 0
    told = await terminal("receipt", "--order", ref, "--document", f"SO-{order.number}", *BOOKED)
    assert (told.code, told.err) == (0, "")
    await terminal.until("status", ref, holds=lambda s: s["stage"] == "handed_off")
    return ref


async def test_an_order_is_handed_in_booked_confirmed_and_found_by_whatever_the_buyer_says(
    terminal: Terminal, kept: KeptWorld, temporal: Temporal
) -> None:
    ref, file, order = terminal.order()
    handed_in = await terminal("submit", file)
    assert (handed_in.code, handed_in.err) == (0, "")
    for words in (ref, "accepted", "acknowledge by", "the acknowledgement follows"):
        assert words in handed_in.out
    waiting = await terminal.until("status", ref, holds=lambda s: s["stage"] == "awaiting_erp")
    assert waiting["confirmed_revision"] is None
    (found,) = (await terminal("find", order.number, "--json")).json["found"]
    assert found["say"].startswith(f"Order {order.number} arrived on ")
    assert "nothing is promised yet" in found["say"]
    assert "The next message is due by" in found["say"]

    file = terminal.file("receipt.json", a_receipt(order, datetime.now(UTC), id=f"r-{order.number}").model_dump_json())
    assert (await terminal("receipt", file)).code == 0
    status = await terminal.until("status", ref, holds=lambda s: s["confirmed_revision"] == 1)
    assert status["erp_document_id"] == f"SO-{order.number}-1"
    await terminal.until("find", order.number, holds=lambda f: "accepted by the provider" in f["found"][0]["say"])
    read = EvidenceFact(
        id=f"d-{order.number}",
        event=EvidenceEvent.DELIVERED,
        grade=Grade.E2,
        channel="email",
        revision=1,
        kind=Kind.CONFIRMATION,
        occurred_at=datetime.now(UTC),
    )
    await Orders(await temporal.client()).evidence(order.ref, read)
    for text in (ref, f"SO-{order.number}-1", f"order/demo/{order.number}"):
        (found,) = (await terminal("find", text, "--json")).json["found"]
        assert found["say"].startswith(f"Order {order.number} is confirmed as revision 1 (ERP SO-{order.number}-1)")
        assert "No evidence that a person opened it" in found["say"]
    for buyer in ("ADA@example.com", "+1 500 555 0006"):
        rows = (await terminal("find", buyer, "--limit", "100", "--json")).json["found"]
        assert order.number in {row["order"]["number"] for row in rows}

    shown = await terminal("status", ref)
    assert {"confirmation 1", "acknowledge within", "is confirmed as revision 1"} <= {
        words for words in ("confirmation 1", "acknowledge within", "is confirmed as revision 1") if words in shown.out
    }
    assert max(len(line) for line in (await terminal("timeline", ref)).out.splitlines()) < 200
    events = [entry["event"] for entry in (await terminal("timeline", ref, "--all", "--json")).json["entries"]]
    assert events.index("order_accepted") < events.index("erp_receipt")


async def test_a_flagged_order_stands_in_the_queue_until_a_person_claims_and_approves_it(
    terminal: Terminal, kept: KeptWorld
) -> None:
    number = a_number()
    kept.script(number).assess = looked_at
    ref, file, _ = terminal.order(number=number)
    await terminal("submit", file)
    waiting = await terminal.until(
        "queue", holds=lambda q: any(row["order"]["number"] == number for row in q["waiting"])
    )
    (row,) = [row for row in waiting["waiting"] if row["order"]["number"] == number]
    assert (row["why"], row["owner"]) == ("review", "reviewer-1")
    assert row["due_at"]
    dues = [r["due_at"] for r in waiting["waiting"] if r["due_at"]]
    assert dues == sorted(dues)
    assert ref in (await terminal("queue", "--store", "demo")).out
    assert ref not in (await terminal("queue", "--store", "other")).out

    claimed = await terminal("claim", "review", ref)
    assert (claimed.code, "grace owns the review" in claimed.out) == (0, True)
    asked = await terminal("review", "ask", ref, "--question", "Which porter?", "--json")
    assert asked.json["accepted"]
    approved = await terminal("review", "approve", ref, "--note", "called the buyer", "--json")
    assert (approved.code, approved.json["stage"]) == (0, "awaiting_erp")
    again = await terminal("review", "approve", ref, "--json")
    assert (again.code, again.json["accepted"]) == (1, False)
    assert "Which porter?" in [told.request.facts.question for told in kept.script(number).told]


async def test_a_review_can_be_amended(terminal: Terminal, kept: KeptWorld) -> None:
    number = a_number()
    kept.script(number).assess = looked_at
    ref, file, order = terminal.order(number=number)
    await terminal("submit", file)
    await terminal.until("status", ref, holds=lambda s: s["stage"] == "review")
    mended = terminal.file("mended.json", order.model_copy(update={"instructions": "ring twice"}).model_dump_json())
    amended = await terminal("review", "amend", ref, "--order", mended, "--json")
    assert (amended.code, amended.json["revision"]) == (0, 2)


async def test_a_review_can_be_rejected_with_the_reason_that_the_buyer_reads(
    terminal: Terminal, kept: KeptWorld
) -> None:
    number = a_number()
    kept.script(number).assess = looked_at
    ref, file, _ = terminal.order(number=number)
    await terminal("submit", file)
    await terminal.until("status", ref, holds=lambda s: s["stage"] == "review")
    rejected = await terminal("review", "reject", ref, "--note", "no such street", "--json")
    assert (rejected.code, rejected.json["stage"]) == (0, "rejected")
    await terminal.until("status", ref, holds=lambda s: any(a["kind"] == "rejection" for a in s["acknowledgements"]))
    assert "cannot be fulfilled" in (await terminal("find", ref)).out


async def test_one_line_is_changed_over_the_current_revision_and_the_team_accepts_what_was_confirmed(
    terminal: Terminal, kept: KeptWorld
) -> None:
    ref = await confirmed(terminal)
    number = ref.removeprefix("demo/")
    offered = await terminal.until(
        "queue", holds=lambda q: any(row["order"]["number"] == number for row in q["waiting"])
    )
    (row,) = [row for row in offered["waiting"] if row["order"]["number"] == number]
    assert (row["why"], row["do"]) == ("handoff", f"orderack accept {ref} --revision 1")
    stale = await terminal("accept", ref, "--revision", "2")
    assert (stale.code, "confirmed as revision 1, not 2" in stale.err) == (1, True)
    accepted = await terminal("accept", ref, "--revision", "1", "--json")
    assert (accepted.code, accepted.json["accepted"]) == (0, True)
    left = (await terminal("queue", "--json")).json["waiting"]
    assert [row for row in left if row["order"]["number"] == number] == []

    changed = await terminal("change", ref, "--line", "1", "--quantity", "30", "--note", "called", "--json")
    assert (changed.code, changed.json["revision"]) == (0, 2)
    await terminal.until("status", ref, holds=lambda s: s["stage"] == "awaiting_erp")
    stored = await kept.ledger.revision(kept.script(number).submissions[0].ref, 2)
    assert stored is not None
    assert [str(line.quantity) for line in stored.order.lines] == ["30", "1"]
    assert f"{stored.order.totals.total:.2f}" == "317.00"
    (found,) = (await terminal("find", ref, "--json")).json["found"]
    assert "confirmed as revision 1; the change (revision 2) is not confirmed yet" in found["say"]
    early = await terminal("accept", ref)
    assert (early.code, "not confirmed" in early.err) == (1, True)


async def test_the_same_request_id_is_answered_once(terminal: Terminal) -> None:
    ref, file, _ = terminal.order()
    await terminal("submit", file)
    await terminal.until("status", ref, holds=lambda s: s["stage"] == "awaiting_erp")
    wanted = ("change", ref, "--instructions", "ring twice", "--id", "once", "--json")
    first = await terminal(*wanted)
    await terminal.until("status", ref, holds=lambda s: s["stage"] == "awaiting_erp")
    again = await terminal(*wanted)
    assert (first.json, first.code) == (again.json, again.code)
    assert first.json["revision"] == 2


async def test_a_cancelled_order_says_so_and_takes_nothing_more(terminal: Terminal) -> None:
    ref, file, _ = terminal.order()
    await terminal("submit", file)
    cancelled = await terminal("cancel", ref, "--reason", "ordered twice", "--json")
    assert (cancelled.code, cancelled.json["stage"]) == (0, "cancelled")
    found = await terminal.until("find", ref, holds=lambda f: f["found"][0]["stage"] == "cancelled")
    assert "is cancelled." in found["found"][0]["say"]
    assert (await terminal("change", ref, "--order", file)).code == 1
    assert (await terminal("claim", "handoff", ref)).code == 1


async def test_a_send_in_doubt_stands_in_the_queue_until_a_person_settles_it(
    terminal: Terminal, kept: KeptWorld
) -> None:
    number = a_number()
    kept.script(number).send = lambda dispatch, attempt: SendState.UNKNOWN
    ref, file, _ = terminal.order(number=number)
    await terminal("submit", file)
    found = await terminal.until("status", ref, holds=lambda s: bool(s["unknown_sends"]))
    key = found["unknown_sends"][0]
    waiting = (await terminal("queue", "--json")).json["waiting"]
    assert [row["why"] for row in waiting if row["order"]["number"] == number] == ["in_doubt"]
    assert "may or may not have gone out" in (await terminal("find", number)).out
    settled = await terminal("settle", key, "sent", "--note", "seen in the log", "--json")
    assert (settled.code, settled.json["accepted"]) == (0, True)
    waiting = (await terminal("queue", "--json")).json["waiting"]
    assert [row for row in waiting if row["order"]["number"] == number] == []
    assert (await terminal("settle", key, "sent")).code == 1


async def test_the_queue_and_the_status_say_when_a_send_in_doubt_is_said_again(
    terminal: Terminal, kept: KeptWorld
) -> None:
    number = a_number()
    words = {"received": "resend_marked"}
    kept.script(number).assess = lambda r: an_assessment(
        r.order, r.revision, a_decision(on_doubt=words, levels=ServiceLevels(doubt_within=timedelta(hours=1)))
    )
    kept.script(number).send = lambda dispatch, attempt: SendState.UNKNOWN
    ref, file, _ = terminal.order(number=number)
    await terminal("submit", file)
    await terminal.until("status", ref, holds=lambda s: bool(s["unknown_sends"]))
    (row,) = [r for r in (await terminal("queue", "--json")).json["waiting"] if r["order"]["number"] == number]
    assert row["do"].startswith("said again ")
    assert "; before: orderack settle" in row["do"]
    assert "said again" in (await terminal("status", ref)).out
    assert (await terminal("cancel", ref)).code == 0


async def test_a_question_stands_in_the_queue_and_the_status_until_a_person_answers_it(
    terminal: Terminal, kept: KeptWorld, temporal: Temporal
) -> None:
    ref = await confirmed(terminal)
    number = ref.removeprefix("demo/")
    orders = Orders(await temporal.client())
    for n, text in enumerate(("Is it oiled?", "And when\x1b[2J does it come?"), 1):
        question = BuyerQuestion(id=f"q-{n}", revision=1, via="portal", text=text)
        assert (await orders.ask(reference(ref), question)).accepted

    def questions(queue: dict[str, Any]) -> list[str]:
        rows = [row for row in queue["waiting"] if row["order"]["number"] == number and row["why"] == "question"]
        return [row["do"] for row in rows]

    waiting = await terminal.until("queue", holds=lambda q: len(questions(q)) == 2)
    assert questions(waiting) == [f"orderack answer {ref} q-1 …", f"orderack answer {ref} q-2 …"]
    shown = (await terminal("status", ref)).out
    assert "Is it oiled?" in shown
    assert "\x1b" not in shown
    answered = await terminal("answer", ref, "q-1", "-", "--json", stdin="Yes,\nwith linseed oil.\n")
    assert (answered.code, answered.json["accepted"]) == (0, True)
    left = await terminal.until("queue", holds=lambda q: len(questions(q)) == 1)
    assert questions(left) == [f"orderack answer {ref} q-2 …"]
    assert "by grace" in (await terminal("status", ref)).out
    await terminal.until("status", ref, holds=lambda s: any(a["kind"] == "answer" for a in s["acknowledgements"]))
    assert "Yes,\nwith linseed oil." in [told.request.facts.answer for told in kept.script(number).told]
    again = await terminal("answer", ref, "q-1", "No.")
    assert (again.code, "grace has answered it" in again.out) == (1, True)
    assert (await terminal("answer", ref, "q-2", " ")).code == 2


async def test_watch_lists_the_open_orders_once_or_on_and_on(terminal: Terminal) -> None:
    ref, file, order = terminal.order()
    await terminal("submit", file)
    seen = await terminal.until(
        "watch", "--once", holds=lambda w: order.number in {row["ref"]["number"] for row in w["orders"]}
    )
    assert seen["at"]
    once = await terminal("watch", "--once", "--store", "demo", "--limit", "1000")
    assert (once.code, ref in once.out) == (0, True)
    assert "\x1b" not in once.out


async def test_watch_goes_on_until_it_is_interrupted(terminal: Terminal) -> None:
    process = await terminal.start("watch", "--every", "0.5", "--json")
    assert process.stdout
    async with asyncio.timeout(30):
        looks = [OpenNow.model_validate_json(await process.stdout.readline()) for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert looks[0].at < looks[1].at
    assert (process.returncode, err) == (130, b"")


async def test_temporal_setup_adds_what_is_missing_once(terminal: Terminal) -> None:
    terminal.environment["TEMPORAL_NAMESPACE"] = "fresh"
    before = await terminal("temporal", "check", "--json")
    assert (before.code, before.json["ready"]) == (1, False)
    added = await terminal("temporal", "setup", "--json")
    assert (added.code, added.json["added"]) == (0, before.json["missing"])
    assert (await terminal("temporal", "setup", "--json")).json["added"] == []
    assert (await terminal("temporal", "check")).code == 0


async def test_an_order_from_standard_input_that_nobody_takes_can_be_sent_again(idle: Terminal) -> None:
    _, _, order = idle.order()
    ended = await idle("submit", "-", "--json", stdin=order.model_dump_json())
    assert (ended.code, ended.json["kind"]) == (3, "unavailable")
    assert ended.json["exit"] == 3
