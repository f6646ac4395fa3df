"""Cases with an answer known beforehand: edges of the week and of promises, and what counts as what."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orderack.contracts.journal import ClockName, Event
from orderack.diagnostics.weekly.comparing import lines, sentences
from orderack.diagnostics.weekly.counting import count, look
from orderack.diagnostics.weekly.customers import by_customer, figures, least_reliable
from orderack.diagnostics.weekly.figures import WeekFigures
from orderack.diagnostics.weekly.page import page
from orderack.diagnostics.weekly.report import Asked, weekly
from orderack.diagnostics.weekly.seeing import Seen, seen
from orderack.diagnostics.weekly.weeks import known_by, parse_week
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import OrderRef
from orderack.ledger.reliability import Cohort
from orderack.ledger.repository import SqlLedger
from orderack.ports.reliability import Lives
from tests.diagnostics.weekly.past import Life, keep

BERLIN = ZoneInfo("Europe/Berlin")
WEEK = parse_week("2026-W47")
SETTLED = timedelta(days=2)
NOON = datetime(2026, 11, 18, 12, 0, tzinfo=BERLIN).astimezone(UTC)
MICROSECOND = timedelta(microseconds=1)


def life(number: str = "N-1", at: datetime = NOON, **more: object) -> Life:
    return Life(OrderRef(store="north", number=number), at, **more)  # type: ignore[arg-type]


async def read(ledger: SqlLedger, *lives: Life) -> Lives:
    await keep(ledger, list(lives))
    return await ledger.lives(Cohort("north", WEEK.begins(BERLIN), WEEK.ends(BERLIN)))


async def counted(ledger: SqlLedger, *lives: Life) -> WeekFigures:
    return count(look(WEEK, BERLIN, SETTLED, await read(ledger, *lives)))


async def customers(ledger: SqlLedger, *lives: Life) -> dict[str, list[Seen]]:
    by = known_by(WEEK, BERLIN, SETTLED)
    return by_customer([seen(one, by) for one in (await read(ledger, *lives)).orders])


def told(made: Life, after: float) -> Life:
    made.clock(ClockName.ACKNOWLEDGE, 0, 60, **({"met": after} if after <= 60 else {"breached": 60, "met": after}))
    made.says(after, Kind.RECEIVED)
    return made


async def test_a_week_begins_at_the_stores_monday_midnight_and_ends_before_the_next(ledger: SqlLedger) -> None:
    begin, end = (datetime(2026, 11, day, tzinfo=BERLIN).astimezone(UTC) for day in (16, 23))
    edges = [begin - MICROSECOND, begin, end - MICROSECOND, end]
    found = await counted(ledger, *(life(f"N-{n}", at) for n, at in enumerate(edges)))
    assert found.orders == 2
    assert (found.since, found.until) == (begin, end)


async def test_a_word_at_the_very_end_of_the_minute_is_in_time_and_one_after_it_is_not(ledger: SqlLedger) -> None:
    found = await counted(ledger, told(life("N-1"), 60), told(life("N-2"), 60.000001), told(life("N-3"), 0.5))
    assert (found.told.in_time.hits, found.told.in_time.of) == (2, 3)
    assert found.told.after.p95
    assert found.told.after.p95.seconds == 60.000001


async def test_an_order_that_is_withheld_owes_no_word_and_is_neither_told_nor_untold(ledger: SqlLedger) -> None:
    withheld, silent = life("N-1"), life("N-2")
    withheld.clock(ClockName.HOLD, 0, 900, met=900)
    silent.clock(ClockName.ACKNOWLEDGE, 0, 60, breached=60)
    found = await counted(ledger, withheld, silent)
    assert (found.told.in_time.of, found.told.untold, found.told.after.values) == (1, 1, 0)


async def test_an_alert_to_the_owner_tells_no_buyer(ledger: SqlLedger) -> None:
    made = life()
    made.clock(ClockName.ACKNOWLEDGE, 0, 60, breached=60)
    made.says(5, Kind.ALERT)
    assert (await counted(ledger, made)).told.untold == 1


async def test_shadow_orders_are_left_out_and_counted_apart(ledger: SqlLedger) -> None:
    found = await counted(ledger, told(life("N-1"), 5), told(life("N-2", shadow=True), 5_000))
    assert (found.orders, found.shadow, found.told.in_time.of) == (1, 1, 1)


@pytest.mark.parametrize(
    ("receipt", "confirmation", "named"),
    [(30, 30, False), (30, 29.999, True), (None, 30, True), (30, 31, False)],
    ids=["at the same moment", "before", "never receipted", "after"],
)
async def test_an_order_confirmed_before_its_receipt_is_named(
    receipt: float | None, confirmation: float, named: bool, ledger: SqlLedger
) -> None:
    made = life()
    made.note(1, Event.SUBMITTED_TO_ERP, "sandbox")
    if receipt is not None:
        made.note(receipt, Event.ERP_RECEIPT, "SO-1")
    made.says(confirmation, Kind.CONFIRMATION)
    assert (await counted(ledger, made)).confirmed.before_receipt == (("north/N-1",) if named else ())


async def test_a_change_confirmed_before_its_own_receipt_is_named_whatever_the_first_revision_had(
    ledger: SqlLedger,
) -> None:
    made = life()
    made.note(10, Event.ERP_RECEIPT, "SO-1")
    made.says(11, Kind.CONFIRMATION)
    made.note(100, Event.CHANGE_PROPOSED, "by web")
    made.says(101, Kind.CHANGE_RECEIVED, 2)
    made.says(105, Kind.CONFIRMATION, 2)
    made.note(106, Event.ERP_RECEIPT, "SO-1", revision=2)
    found = await counted(ledger, made)
    assert found.confirmed.before_receipt == ("north/N-1",)
    assert (found.changes.proposed, found.changes.acknowledged.hits, found.changes.confirmed.hits) == (1, 1, 1)


async def test_a_machines_touch_proves_nothing_and_an_attested_delivery_an_arrival_only(ledger: SqlLedger) -> None:
    facts = (
        (Grade.M, EvidenceEvent.MACHINE_TOUCH),
        (Grade.E6, EvidenceEvent.DELIVERED),
        (Grade.E5, EvidenceEvent.AFFIRMED),
    )
    made = []
    for number, (grade, event) in enumerate(facts):
        one = life(f"N-{number}")
        one.note(1, Event.ERP_RECEIPT, "SO-1")
        one.proves(9, grade, event, Kind.CONFIRMATION, one.says(2, Kind.CONFIRMATION))
        made.append(one)
    found = await counted(ledger, *made)
    assert [one.share.hits for one in found.evidence.reached] == [2, 1, 1, 1, 1]


async def test_an_escalation_ended_after_the_stores_midnight_is_not_resolved_the_same_day(ledger: SqlLedger) -> None:
    """23:30 in Berlin and 00:30 there are the same day in UTC."""
    late = datetime(2026, 11, 18, 23, 0, tzinfo=BERLIN).astimezone(UTC)
    lives = []
    for number, ended in enumerate((29 * 60, 90 * 60, None)):
        one = life(f"N-{number}", late)
        one.note(0, Event.ESCALATED, "late")
        if ended is not None:
            one.note(ended, Event.DE_ESCALATED)
        lives.append(one)
    found = (await counted(ledger, *lives)).escalations
    assert (found.begun, found.same_day.hits, found.left) == (3, 1, 1)


async def test_more_flags_on_an_open_review_are_the_same_review_and_a_new_revisions_is_another(
    ledger: SqlLedger,
) -> None:
    made = life()
    made.note(0, Event.REVIEW_OPENED, "high_value")
    made.note(60, Event.REVIEW_OPENED, "new_client")
    made.note(100, Event.REVIEW_DECIDED, "ask", owner="grace")
    made.note(200, Event.REVIEW_OPENED, "high_value", revision=2)  # the answer came as a change
    made.note(260, Event.REVIEW_DECIDED, "approve", owner="grace", revision=2)
    found = (await counted(ledger, made)).reviews
    assert (found.opened, found.decided) == (2, 1)
    assert found.took.p50
    assert found.took.p50.seconds == 60


@pytest.mark.parametrize(
    ("before", "clock", "reassigned"),
    [
        (Event.HANDED_OFF, ClockName.CLAIM, 1),
        (Event.REVIEW_OPENED, ClockName.CLAIM, 0),
        (Event.HANDED_OFF, ClockName.RESOLVE, 0),
    ],
)
async def test_a_reassigned_handoff_is_told_from_a_review_and_an_escalation(
    before: Event, clock: ClockName, reassigned: int, ledger: SqlLedger
) -> None:
    made = life()
    made.note(0, before, "x")
    made.clock(clock, 1, 1_800, breached=1_800)
    made.note(1_801, Event.REASSIGNED, "in some words", owner="lead")
    assert (await counted(ledger, made)).handoffs.reassigned == reassigned


async def test_a_promise_past_due_of_which_nothing_is_recorded_is_broken(ledger: SqlLedger) -> None:
    """Its worker was away: the breach is written when it is back, which may be next week."""
    made, by = life(), known_by(WEEK, BERLIN, SETTLED)
    made.clock(ClockName.ACKNOWLEDGE, 0, 60, breached=(by - made.trigger_at).total_seconds() + 9)
    of = await customers(ledger, made)
    assert [one.what for one in figures("C-1", of["C-1"]).wrong] == ["told late"]


async def test_what_comes_after_the_week_has_settled_is_not_counted(ledger: SqlLedger) -> None:
    by = known_by(WEEK, BERLIN, SETTLED)
    made = life(at=by - timedelta(days=4))
    until = (by - made.trigger_at).total_seconds()
    made.note(1, Event.SUBMITTED_TO_ERP, "sandbox")
    made.note(until, Event.ERP_RECEIPT, "SO-1")
    made.says(until, Kind.CONFIRMATION)
    made.clock(ClockName.RESOLVE, 2, until + 9, breached=until + 9)
    made.note(until, Event.CANCELLED)
    found = await counted(ledger, made)
    assert (found.receipts.missing, found.confirmed.orders.hits, found.ends.cancelled) == (1, 0, 0)
    assert [(one.clock, one.broken, one.running) for one in found.promises] == [(ClockName.RESOLVE, 0, 1)]


async def test_a_customer_is_the_stores_own_id_and_an_address_for_one_is_not_shown(ledger: SqlLedger) -> None:
    named = told(life("N-1", customer="C-7"), 500)
    address = told(life("N-2", customer="Ada@Example.com"), 500)
    phone = told(life("N-4", customer="+49 171 555"), 500)
    of = await customers(ledger, named, address, phone, told(life("N-3", customer=None), 500))
    shown = [one.customer for one in least_reliable(of)]
    assert len(shown) == 3
    assert "C-7" in shown
    assert not any(part in " ".join(shown).lower() for part in ("example", "171"))
    assert sum(one.startswith("address #") for one in shown) == 2


async def test_one_unlucky_order_ranks_below_three_of_four(ledger: SqlLedger) -> None:
    lives = [told(life("A-1", customer="once"), 500)]
    lives += [told(life(f"B-{n}", customer="often"), 500 if n else 5) for n in range(4)]
    lives += [told(life(f"C-{n}", customer="never"), 5) for n in range(4)]
    of = await customers(ledger, *lives)
    assert [one.customer for one in least_reliable(of)] == ["often", "once"]
    often = figures("often", of["often"])
    assert (often.orders, often.with_wrong.hits, often.promises.hits, often.promises.of) == (4, 3, 1, 4)
    assert [(one.what, one.orders) for one in often.wrong] == [("told late", 3)]


def _late(made: Life) -> None:
    told(made, 90)


def _unreachable(made: Life) -> None:
    made.note(5, Event.UNDELIVERABLE, "received: no channel")


def _in_doubt(made: Life) -> None:
    made.note(5, Event.SEND_UNKNOWN, "received 1")


def _settled(made: Life) -> None:
    _in_doubt(made)
    made.note(9, Event.SEND_SETTLED, "received 1")


def _escalated(made: Life) -> None:
    made.note(5, Event.ESCALATED, "late")


def _unanswered(made: Life) -> None:
    made.note(5, Event.QUESTION_ASKED, "by portal")


def _unclaimed(made: Life) -> None:
    made.clock(ClockName.CLAIM, 0, 1_800, breached=1_800)


@pytest.mark.parametrize(
    ("plant", "wrong"),
    [
        (_late, ["told late"]),
        (_unreachable, ["no channel took a message"]),
        (_in_doubt, ["a send in doubt"]),
        (_settled, []),
        (_escalated, ["escalated"]),
        (_unanswered, ["a question not answered"]),
        (_unclaimed, []),
    ],
)
async def test_what_went_wrong_for_a_customer_is_said_and_what_the_house_did_is_not(
    plant: Callable[[Life], None], wrong: list[str], ledger: SqlLedger
) -> None:
    made = life()
    plant(made)
    of = await customers(ledger, made)
    assert [one.what for one in figures("C-1", of["C-1"]).wrong] == wrong


async def test_a_first_week_is_not_said_to_be_like_the_one_before(ledger: SqlLedger) -> None:
    now = await counted(ledger, *(told(life(f"N-{n}"), 5) for n in range(30)))
    nothing = count(look(WEEK, BERLIN, SETTLED, Lives(orders=[], shadow=0, without_content=0)))
    assert list(sentences(now, tuple(lines(now, nothing))))[-1] == (
        "There is too little in the week before to compare with."
    )
    assert list(sentences(now, tuple(lines(now, now))))[-1].startswith("Nothing differs from the week before")


async def test_a_shop_with_one_order_is_spoken_of_in_the_singular(ledger: SqlLedger) -> None:
    now = await counted(ledger, told(life("N-1"), 5))
    nothing = count(look(WEEK, BERLIN, SETTLED, Lives(orders=[], shadow=0, without_content=0)))
    found = tuple(lines(now, nothing))
    assert list(sentences(now, found))[:2] == [
        "100 % of 1 buyer was told within the promised minute.",
        "1 of 1 promised clock was kept (100 %).",
    ]
    of = {line.key: line for line in found}
    assert (of["handoffs_accepted"].now, of["review_took_p50"].now) == ("–", "–"), "nothing to accept is not none of it"


async def test_a_shop_that_only_runs_in_the_shadow_reads_that_and_no_table_of_nothing(ledger: SqlLedger) -> None:
    await keep(ledger, [told(life(f"N-{n}", shadow=True), 5) for n in range(3)])
    found = await weekly(ledger, Asked(WEEK, 4, WEEK.ends(BERLIN) + SETTLED, {"north": BERLIN}))
    (store,) = found.stores
    assert store.sentences == (
        "There were no orders in this week but those of the shadow run (3), which are in no figure.",
    )
    whole = page(found)
    assert "those of the shadow run (3)" in whole
    assert "every figure beside the week before" not in whole
    (one,) = (await weekly(ledger, Asked(WEEK, 1, WEEK.ends(BERLIN) + SETTLED, {"south": BERLIN}))).stores
    assert one.sentences == ("There were no orders in this week.",)
