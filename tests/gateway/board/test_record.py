"""What the record tells the board, on both databases."""

from datetime import timedelta
from decimal import Decimal

from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import ClockName, Entry, Event, Journal, Stage
from orderack.domain.acknowledgement import Kind, Reason, SendKey, SendOutcome, SendState
from orderack.domain.assessment import Side
from orderack.domain.order import Order, OrderRef
from orderack.ledger.repository import SqlLedger
from orderack.ports import Message, Pause, Rendered, StoredRevision
from tests.temporal.server import now
from tests.workflows.orders import a_decision, an_assessment, an_order

STORES = ("demo", "other")


async def kept(
    ledger: SqlLedger,
    number: str,
    stage: Stage,
    *entries: Entry,
    due: timedelta | None = None,
    ago: float = 0,
    clock: ClockName | None = None,
    side: Side = Side.LIVE,
) -> Order:
    """An order that came so many minutes ago, in this stage. `clock`: as its last step named it."""
    order = an_order(number, now() - timedelta(minutes=ago))
    decision = a_decision().model_copy(update={"erp": "main", "side": side})
    stored = StoredRevision(
        order=order, revision=1, content_hash=order.content_hash, assessment=an_assessment(order, 1, decision)
    )
    at = order.trigger_at + due if due else None
    journal = Journal(
        ref=order.ref, stage=stage, revision=1, owner="desk", next_due_at=at, next_clock=clock, entries=entries
    )
    await ledger.save_revision(stored, f"print-{number}", journal)
    return order


def entry(seq: int, event: Event, note: str = "", ago: float = 0, owner: str | None = None) -> Entry:
    return Entry(seq=seq, at=now() - timedelta(minutes=ago), event=event, revision=1, note=note, owner=owner)


async def sent(ledger: SqlLedger, ref: OrderRef, state: SendState, n: int = 1, reason: Reason | None = None) -> None:
    key = SendKey(ref=ref, revision=1, kind=Kind.UPDATE, n=n, channel="email")
    content = Rendered(subject="s", text="t")
    message = Message(key=key, recipient="a@example.com", kind=key.kind, language="en", content=content)
    await ledger.claim(key, message, now(), timedelta(minutes=1))
    outcome = SendOutcome(channel="email", state=state, provider_id=f"p{n}", reason=reason)
    await ledger.finish(key, outcome, now())


async def test_an_empty_record_tells_of_nothing(ledger: SqlLedger) -> None:
    record = await ledger.board(STORES, now())
    assert record.model_dump(exclude_defaults=True) == {}


async def test_orders_are_counted_by_stage_and_age_and_only_while_open(ledger: SqlLedger) -> None:
    for number, ago in (("1", 1), ("2", 20), ("3", 90), ("4", 300), ("5", 2_000)):
        await kept(ledger, number, Stage.AWAITING_ERP, ago=ago)
    await kept(ledger, "6", Stage.CANCELLED)
    (standing,) = (await ledger.board(STORES, now())).standings
    assert (standing.stage, standing.orders, standing.bands) == (Stage.AWAITING_ERP, 5, (1, 1, 1, 1, 1))
    assert timedelta(minutes=1_999) < now() - standing.oldest_at < timedelta(minutes=2_001)
    assert (await ledger.board(("other",), now())).standings == ()


async def test_a_review_stands_until_it_is_decided(ledger: SqlLedger) -> None:
    opened = entry(1, Event.REVIEW_OPENED, "high_value", owner="desk")
    order = await kept(ledger, "1", Stage.REVIEW, opened, due=timedelta(minutes=15))
    record = await ledger.board(STORES, now())
    (flagged,) = record.flagged
    assert (flagged.ref, flagged.why, flagged.owner, flagged.total) == (
        order.ref,
        "high_value",
        "desk",
        Decimal("39.80"),
    )
    (due,) = record.due
    assert (due.ref, due.clock, due.owner) == (order.ref, ClockName.HOLD, "desk")
    decided = entry(2, Event.REVIEW_DECIDED, "approve", owner="ada")
    await ledger.write(Journal(ref=order.ref, stage=Stage.AWAITING_ERP, revision=1, entries=(decided,)))
    assert (await ledger.board(STORES, now())).flagged == ()


async def test_a_review_whose_buyer_was_asked_is_still_open(ledger: SqlLedger) -> None:
    opened = entry(1, Event.REVIEW_OPENED, "high_value", owner="desk")
    asked = entry(2, Event.REVIEW_DECIDED, "ask", owner="ada")
    order = await kept(ledger, "1", Stage.REVIEW, opened, asked)
    (flagged,) = (await ledger.board(STORES, now())).flagged
    assert (flagged.ref, flagged.why) == (order.ref, "high_value")
    decided = entry(3, Event.REVIEW_DECIDED, "approve", owner="ada")
    await ledger.write(Journal(ref=order.ref, stage=Stage.REVIEW, revision=1, entries=(decided,)))
    assert (await ledger.board(STORES, now())).flagged == ()


async def test_a_handoff_stands_until_it_is_accepted_and_its_order_is_with_the_team(ledger: SqlLedger) -> None:
    order = await kept(ledger, "1", Stage.CONFIRMED)
    told = Journal(ref=order.ref, stage=Stage.CONFIRMED, revision=1, owner="lead")
    request = HandOffRequest(
        ref=order.ref,
        revision=1,
        content_hash=order.content_hash,
        team="kitchen",
        owner="lead",
        document_id=None,
        journal=told,
        answers=(),
    )
    await ledger.offer_handoff(request, now())
    record = await ledger.board(STORES, now())
    assert [(row.ref, row.team, row.owner) for row in record.offered] == [(order.ref, "kitchen", "lead")]
    assert record.offers == (("demo", 1),)
    assert [row.stage for row in record.standings] == [Stage.HANDED_OFF]
    accepted = entry(9, Event.HANDOFF_ACCEPTED, owner="ada")
    await ledger.write(Journal(ref=order.ref, stage=Stage.HANDED_OFF, revision=1, entries=(accepted,)))
    assert (await ledger.board(STORES, now())).offered == ()


async def test_an_erp_stands_with_what_waits_and_how_long_it_takes(ledger: SqlLedger) -> None:
    for number, took in (("1", 0.5), ("2", 1.0)):
        submitted, receipt = entry(1, Event.SUBMITTED_TO_ERP, "main", ago=5), entry(2, Event.ERP_RECEIPT, "SO", ago=5)
        receipt = receipt.model_copy(update={"at": submitted.at + timedelta(minutes=took)})
        await kept(ledger, number, Stage.CONFIRMED, submitted, receipt, ago=6)
    await kept(ledger, "3", Stage.AWAITING_ERP, entry(1, Event.SUBMITTED_TO_ERP, "main", ago=2), ago=3)
    (flow,) = (await ledger.board(STORES, now())).erps
    assert (flow.erp, flow.waiting, sorted(flow.latencies)) == ("main", 1, [30.0, 60.0])
    assert flow.waiting_since
    assert timedelta(minutes=1.9) < now() - flow.waiting_since < timedelta(minutes=2.2)
    assert flow.receipt_at


async def test_a_channel_stands_with_what_was_accepted_failed_and_is_in_doubt(ledger: SqlLedger) -> None:
    order = await kept(ledger, "1", Stage.AWAITING_ERP)
    await sent(ledger, order.ref, SendState.ACCEPTED, 1)
    await sent(ledger, order.ref, SendState.REJECTED, 2)
    await sent(ledger, order.ref, SendState.UNKNOWN, 3)
    await ledger.pause(Pause(channel="email", at=now(), by="ada", reason="moves"))
    record = await ledger.board(STORES, now())
    mine = next(flow for flow in record.channels if flow.store == "demo")
    assert (mine.channel, mine.accepted, mine.failed, mine.in_doubt) == ("email", 1, 2, 1)
    assert [doubt.ref for doubt in record.in_doubt] == [order.ref]
    assert [pause.by for pause in record.paused] == ["ada"]
    settled = entry(5, Event.SEND_SETTLED, "update 3 by email: sent", owner="ada")
    await ledger.write(Journal(ref=order.ref, stage=Stage.AWAITING_ERP, revision=1, entries=(settled,)))
    assert (await ledger.board(STORES, now())).in_doubt == ()


async def test_a_doubt_is_listed_with_the_time_at_which_it_is_said_again(ledger: SqlLedger) -> None:
    order, due_at = await kept(ledger, "1", Stage.AWAITING_ERP), now() + timedelta(minutes=1)
    await sent(ledger, order.ref, SendState.UNKNOWN, 3)
    doubt = entry(5, Event.SEND_UNKNOWN, "update 3 by email: cut off").model_copy(update={"due_at": due_at})
    await ledger.write(Journal(ref=order.ref, stage=Stage.AWAITING_ERP, revision=1, entries=(doubt,)))
    (found,) = (await ledger.board(STORES, now())).in_doubt
    assert found.repeat_due_at == due_at


async def test_each_store_has_its_own_first_rows(ledger: SqlLedger) -> None:
    for place in range(40):
        await kept(ledger, f"{place:02}", Stage.REVIEW, entry(1, Event.REVIEW_OPENED, "x"), due=timedelta(hours=4))
    record = await ledger.board(STORES, now())
    assert (len(record.flagged), len(record.due)) == (25, 25)
    assert [row.ref.number for row in record.due] == sorted(row.ref.number for row in record.due)


async def test_a_deadline_has_the_name_that_its_order_gave_it_and_no_other(ledger: SqlLedger) -> None:
    """Fifteen minutes after the order came could be `hold_after`, or an escalation's: the order knows."""
    await kept(ledger, "1", Stage.AWAITING_ERP, due=timedelta(minutes=15), clock=ClockName.ERP_RECEIPT)
    await kept(ledger, "2", Stage.HANDED_OFF, due=timedelta(minutes=40), clock=ClockName.EVIDENCE)
    await kept(ledger, "3", Stage.AWAITING_ERP, due=timedelta(minutes=50), clock=ClockName.PARTNER)
    due = (await ledger.board(STORES, now())).due
    assert [(row.ref.number, row.clock) for row in due] == [
        ("1", ClockName.ERP_RECEIPT),
        ("2", ClockName.EVIDENCE),
        ("3", ClockName.PARTNER),
    ]


async def test_who_has_been_told_owes_no_first_word_though_the_order_has_not_said_so_yet(ledger: SqlLedger) -> None:
    """Its next step may be a while: the ERP is away. What is in doubt, or went to the team, has told nobody."""
    for number, state in (("told", SendState.ACCEPTED), ("doubt", SendState.UNKNOWN), ("waits", None)):
        order = await kept(ledger, number, Stage.AWAITING_ERP, due=timedelta(minutes=1), clock=ClockName.ACKNOWLEDGE)
        if state:
            await sent(ledger, order.ref, state)
    assert {row.ref.number for row in (await ledger.board(STORES, now())).due} == {"doubt", "waits"}


async def test_a_row_written_before_orders_named_their_clock_is_recognised_still(ledger: SqlLedger) -> None:
    await kept(ledger, "1", Stage.AWAITING_ERP, due=timedelta(minutes=15))
    (row,) = (await ledger.board(STORES, now())).due
    assert row.clock == ClockName.HOLD


async def test_orders_that_only_close_soon_take_no_place_from_those_that_somebody_has_to_see_to(
    ledger: SqlLedger,
) -> None:
    for place in range(30):
        await kept(ledger, f"c{place}", Stage.HANDED_OFF, due=timedelta(minutes=place + 1), clock=ClockName.STAY_OPEN)
    await kept(ledger, "1", Stage.REVIEW, due=timedelta(hours=2), clock=ClockName.REVIEW)
    assert [row.ref.number for row in (await ledger.board(STORES, now())).due] == ["1"]


async def test_shadow_orders_are_counted_apart_and_wait_for_nobody(ledger: SqlLedger) -> None:
    review = entry(1, Event.REVIEW_OPENED, "x")
    await kept(ledger, "1", Stage.REVIEW, review, due=timedelta(hours=4), clock=ClockName.REVIEW)
    for number, stage in (("2", Stage.REVIEW), ("3", Stage.AWAITING_ERP)):
        await kept(ledger, number, stage, review, due=timedelta(hours=1), clock=ClockName.REVIEW, side=Side.SHADOW)
    record = await ledger.board(STORES, now())
    assert sum(standing.orders for standing in record.standings) == 1
    assert record.shadow == (("demo", 2),)
    assert [row.ref.number for row in record.flagged] == ["1"]
    assert [row.ref.number for row in record.due] == ["1"]
    assert [flow.waiting for flow in record.erps] in ([], [0])
    assert (await ledger.board(("other",), now())).shadow == ()
