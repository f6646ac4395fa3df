"""What the ledger tells of the messages to one customer, and of all that were written to in a week."""

from datetime import timedelta

import pytest
from sqlalchemy import event, text

from orderack.domain.acknowledgement import Kind, Reason, SendKey, SendState
from orderack.domain.assessment import Side
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import OrderRef
from orderack.domain.reachability import MOST, ChannelFigures, Reachability
from orderack.ledger.reach_queries import of_customer, one_customer
from orderack.ledger.repository import SqlLedger
from tests.ledger.reaching import DAY, EMAIL, MAIL, MINUTE, NOW, PHONE, PORTAL, SMS, Customers, asked, hashed

WEEK = 7 * DAY


@pytest.fixture
def customers(ledger: SqlLedger) -> Customers:
    return Customers(ledger)


def of(found: Reachability, channel: str) -> ChannelFigures:
    figures = found.of(channel)
    assert figures is not None
    return figures


async def test_a_customer_who_answers_text_messages_only_is_told_so_with_times(customers: Customers) -> None:
    for day in (2, 3, 4):
        await customers.affirmed_by_sms(f"A-{day}", day * DAY, after=day)
    found = await customers.ledger.reachability(asked())
    assert found.orders == 3
    assert [one.channel for one in found.channels] == [SMS, MAIL]
    sms, mail = found.channels
    assert (sms.messages, sms.delivered, sms.read, sms.engaged, sms.affirmed) == (3, 3, 3, 3, 3)
    assert (sms.affirmed_after, sms.answered_after, sms.first, sms.fell_through) == (180.0, 180.0, 0, 0)
    assert (mail.messages, mail.affirmed, mail.first, mail.fell_through) == (3, 0, 3, 3)


async def test_a_machines_touch_and_a_fetched_image_are_no_answer(customers: Customers) -> None:
    ref = await customers.order("A-1", 5 * DAY)
    key = await customers.send(ref, MAIL, NOW - 5 * DAY)
    await customers.fact(key, EvidenceEvent.MACHINE_TOUCH, Grade.M, NOW - 5 * DAY + MINUTE)
    mail = of(await customers.ledger.reachability(asked()), MAIL)
    assert (mail.delivered, mail.read, mail.engaged, mail.answered) == (0, 0, 0, 0)
    await customers.fact(key, EvidenceEvent.DISPLAYED, Grade.E3P, NOW - 5 * DAY + 2 * MINUTE)
    mail = of(await customers.ledger.reachability(asked()), MAIL)
    assert (mail.delivered, mail.read, mail.read_after, mail.engaged, mail.answered) == (1, 1, 120.0, 0, 0)


async def test_an_attested_delivery_is_an_arrival_and_no_answer(customers: Customers) -> None:
    ref = await customers.order("A-1", 5 * DAY)
    key = await customers.send(ref, MAIL, NOW - 5 * DAY)
    await customers.fact(key, EvidenceEvent.DELIVERED, Grade.E6, NOW - 5 * DAY + MINUTE)
    mail = of(await customers.ledger.reachability(asked()), MAIL)
    assert (mail.delivered, mail.read, mail.affirmed) == (1, 0, 0)


async def test_what_is_done_on_the_page_counts_for_the_channel_whose_link_led_there(customers: Customers) -> None:
    ref = await customers.order("A-1", 5 * DAY, legs=[[PORTAL], [MAIL, SMS]])
    at = NOW - 5 * DAY
    await customers.send(ref, PORTAL, at)
    key = await customers.send(ref, MAIL, at)
    await customers.fact(key, EvidenceEvent.AFFIRMED, Grade.E5, at + 3 * MINUTE, by_link=True)
    found = await customers.ledger.reachability(asked())
    assert (of(found, MAIL).affirmed, of(found, PORTAL).affirmed) == (1, 0)


async def test_a_deed_about_a_message_that_its_link_did_not_come_with_counts_for_the_last_that_led_there(
    customers: Customers,
) -> None:
    ref, at = await customers.order("A-1", 5 * DAY), NOW - 5 * DAY
    first = await customers.send(ref, SMS, at, kind=Kind.RECEIVED)
    await customers.send(ref, MAIL, at + MINUTE)
    about = first.model_copy(update={"kind": Kind.CONFIRMATION})
    await customers.fact(about, EvidenceEvent.AFFIRMED, Grade.E5, at + 5 * MINUTE, by_link=True)
    found = await customers.ledger.reachability(asked())
    assert (of(found, SMS).affirmed, of(found, SMS).affirmed_after, of(found, MAIL).affirmed) == (1, 300.0, 0)


async def test_the_same_fact_twice_counts_once(customers: Customers) -> None:
    ref, at = await customers.order("A-1", 5 * DAY), NOW - 5 * DAY
    key = await customers.send(ref, SMS, at)
    for after in (2, 9):
        await customers.fact(key, EvidenceEvent.AFFIRMED, Grade.E5, at + after * MINUTE, id_="once")
    await customers.send(ref, SMS, at)
    sms = of(await customers.ledger.reachability(asked()), SMS)
    assert (sms.messages, sms.affirmed, sms.affirmed_after) == (1, 1, 120.0)


async def test_of_two_legs_at_once_neither_is_the_others_fallback(customers: Customers) -> None:
    ref, at = await customers.order("A-1", 5 * DAY, legs=[[MAIL], [PORTAL, SMS]]), NOW - 5 * DAY
    await customers.send(ref, MAIL, at + MINUTE)
    await customers.send(ref, PORTAL, at)
    await customers.send(ref, SMS, at + 5 * MINUTE)
    found = await customers.ledger.reachability(asked())
    assert {one.channel: (one.first, one.fell_through) for one in found.channels} == {
        MAIL: (1, 0),
        PORTAL: (1, 1),
        SMS: (0, 0),
    }


@pytest.mark.parametrize(
    ("state", "reason", "messages"),
    [
        (SendState.REJECTED, Reason.BAD_RECIPIENT, 1),
        (SendState.REJECTED, Reason.OPTED_OUT, 1),
        (SendState.REJECTED, Reason.TOO_LONG, 0),
        (SendState.REJECTED, Reason.NOT_CONFIGURED, 0),
        (SendState.UNAVAILABLE, None, 0),
        (SendState.UNKNOWN, None, 0),
    ],
)
async def test_only_a_refusal_for_their_sake_is_a_message_in_vain(
    customers: Customers, state: SendState, reason: Reason | None, messages: int
) -> None:
    ref = await customers.order("A-1", 5 * DAY)
    await customers.send(ref, MAIL, NOW - 5 * DAY, state=state, reason=reason)
    found = (await customers.ledger.reachability(asked())).of(MAIL)
    assert ((found.messages, found.failed) if found else (0, 0)) == (messages, messages)


async def test_a_bounce_and_an_opt_out_are_told_and_are_no_answers(customers: Customers) -> None:
    ref, at = await customers.order("A-1", 5 * DAY), NOW - 5 * DAY
    mail = await customers.send(ref, MAIL, at)
    await customers.fact(mail, EvidenceEvent.BOUNCED, Grade.E0, at + MINUTE)
    sms = await customers.send(ref, SMS, at + MINUTE)
    await customers.fact(sms, EvidenceEvent.OPTED_OUT, Grade.E0, at + 2 * MINUTE)
    await customers.ledger.opted(SMS, hashed(PHONE), out=True, at=at + 2 * MINUTE, basis="twilio_sms:stop")
    found = await customers.ledger.reachability(asked())
    assert (of(found, MAIL).failed, of(found, SMS).opted_out, of(found, SMS).engaged) == (1, 1, 0)
    assert found.opted_out == (SMS,)


async def test_the_address_that_is_written_to_next_is_the_one_that_may_have_opted_out(customers: Customers) -> None:
    await customers.affirmed_by_sms("A-1", 5 * DAY)
    another = hashed("+49305550999")
    await customers.ledger.opted(SMS, another, out=True, at=NOW - DAY, basis="stop")
    assert (await customers.ledger.reachability(asked())).opted_out == ()
    assert (await customers.ledger.reachability(asked(addresses={SMS: another}))).opted_out == (SMS,)
    await customers.ledger.opted(SMS, another, out=False, at=NOW, basis="start")
    assert (await customers.ledger.reachability(asked(addresses={SMS: another}))).opted_out == ()


async def test_others_messages_alerts_shadow_orders_and_last_years_are_none_of_theirs(customers: Customers) -> None:
    await customers.affirmed_by_sms("A-1", 2 * DAY, customer="C-8")
    await Customers(customers.ledger, "south").affirmed_by_sms("A-2", 2 * DAY)
    shadow = await customers.order("A-3", 2 * DAY, side=Side.SHADOW)
    await customers.send(shadow, MAIL, NOW - 2 * DAY)
    alert = await customers.order("A-4", 2 * DAY)
    await customers.send(alert, "slack", NOW - 2 * DAY, kind=Kind.ALERT)
    await customers.affirmed_by_sms("A-5", 366 * DAY)
    assert await customers.ledger.reachability(asked()) == Reachability()


async def test_where_the_store_has_no_id_the_address_stands_for_the_customer(customers: Customers) -> None:
    await customers.affirmed_by_sms("A-1", 2 * DAY, customer=None)
    await customers.affirmed_by_sms("A-2", 2 * DAY, customer="C-9")
    found = await customers.ledger.reachability(asked(None, email=" ADA@example.com "))
    assert (found.orders, of(found, SMS).messages) == (1, 1)
    assert EMAIL.casefold() not in found.model_dump_json()
    assert await customers.ledger.reachability(asked(None)) == Reachability()


async def test_an_erased_customer_is_not_known_any_more(customers: Customers) -> None:
    await customers.affirmed_by_sms("A-1", 2 * DAY)
    ref = await customers.order("A-2", DAY)
    await customers.ledger.erase(ref.model_copy(update={"number": "A-1"}), "grace", "asked for", NOW)
    assert await customers.ledger.reachability(asked()) == Reachability()


async def test_no_more_than_the_newest_messages_are_looked_at(customers: Customers) -> None:
    old = await customers.order("OLD", 40 * DAY)
    for n in range(1, 4):
        await customers.send(old, SMS, NOW - 40 * DAY, n=n, kind=Kind.UPDATE)
    new = await customers.order("NEW", 4 * DAY)
    for n in range(1, MOST + 1):
        await customers.send(new, MAIL, NOW - 4 * DAY + n * MINUTE, n=n, kind=Kind.UPDATE)
    found = await customers.ledger.reachability(asked())
    assert (found.of(SMS), of(found, MAIL).messages) == (None, MOST)


async def test_a_message_that_may_yet_be_answered_says_nothing(customers: Customers) -> None:
    ref = await customers.order("A-1", timedelta(hours=2))
    await customers.send(ref, MAIL, NOW - timedelta(hours=2))
    found = await customers.ledger.reachability(asked())
    assert (found.orders, found.channels) == (1, ())


async def test_the_look_back_goes_by_indexes(customers: Customers) -> None:
    await customers.affirmed_by_sms("A-1", 2 * DAY)
    async with customers.ledger._database.read() as session:
        dialect = session.get_bind().dialect
        query = one_customer(by_id=True).params(of_customer(asked()))
        words = str(query.compile(dialect=dialect, compile_kwargs={"literal_binds": True})).replace(":", "\\:")
        if dialect.name == "sqlite":
            plan = [row.detail for row in await session.execute(text(f"EXPLAIN QUERY PLAN {words}"))]
        else:
            await session.execute(text("SET LOCAL enable_seqscan = off"))  # of one row it would scan the table
            plan = [row[0] for row in await session.execute(text(f"EXPLAIN {words}"))]
    assert any("ix_orders_customer" in line for line in plan)
    if dialect.name != "sqlite":
        assert not any("Seq Scan" in line for line in plan), plan
        return
    touched = [line for line in plan if any(f" {table} " in f"{line} " for table in TABLES)]
    assert len(touched) == len(TABLES)
    assert all("USING" in line and "INDEX" in line and line.startswith("SEARCH") for line in touched), plan


TABLES = ("orders", "sends", "revisions", "evidence")


async def statements(ledger: SqlLedger, act: object) -> list[str]:
    found: list[str] = []
    engine = ledger._database._engine.sync_engine

    def heard(_: object, __: object, statement: str, *more: object) -> None:
        found.append(statement)

    event.listen(engine, "before_cursor_execute", heard)
    try:
        await act  # type: ignore[misc]
    finally:
        event.remove(engine, "before_cursor_execute", heard)
    return [statement for statement in found if statement.split()[0] in ("SELECT", "WITH", "INSERT", "UPDATE")]


async def test_a_customers_look_back_is_one_statement_and_another_for_opt_outs(customers: Customers) -> None:
    await customers.affirmed_by_sms("A-1", 2 * DAY)
    assert len(await statements(customers.ledger, customers.ledger.reachability(asked()))) == 2
    assert len(await statements(customers.ledger, customers.ledger.reachability(asked("nobody")))) == 1


async def test_a_weeks_report_counts_its_messages_and_names_whom_to_reach_otherwise(customers: Customers) -> None:
    for number in range(3):
        await customers.affirmed_by_sms(f"A-{number}", (2 + number) * DAY)
        await customers.affirmed_by_sms(f"B-{number}", (2 + 20 * number) * DAY, customer="C-8", after=9)
        await customers.affirmed_by_sms(f"N-{number}", (2 + number) * DAY, customer=None)
    for number in range(4):
        ref, at = await customers.order(f"M-{number}", (2 + number) * DAY, customer="C-9"), NOW - (2 + number) * DAY
        key = await customers.send(ref, MAIL, at)
        await customers.fact(key, EvidenceEvent.AFFIRMED, Grade.E5, at + MINUTE)
    await customers.affirmed_by_sms("OLD", 30 * DAY, customer="C-10")
    shadow = await customers.order("S-1", 2 * DAY, side=Side.SHADOW, customer="C-11")
    await customers.send(shadow, MAIL, NOW - 2 * DAY)
    found = await customers.ledger.reach_report(NOW - WEEK, NOW, NOW)
    assert (found.customers, found.known, found.suggestions) == (4, 4, 3)
    named = [(one.store, one.customer_id, one.suggestion.best.channel) for one in found.strongest]
    assert sorted(named, key=str) == [("north", "C-7", SMS), ("north", "C-8", SMS), ("north", None, SMS)]
    assert named[-1][1] == "C-8"  # some of theirs has faded
    by_channel = {one.channel: (one.messages, one.affirmed, one.affirmed_after) for one in found.channels}
    assert by_channel == {MAIL: (11, 4, 60.0), SMS: (7, 7, 120.0)}
    assert "xample.com" not in found.model_dump_json()


@pytest.mark.parametrize("customer", ["ada@example.com", "shop:ada@example.com", "+49 30 5550 100"])
async def test_an_address_that_a_shop_uses_as_its_customers_id_is_not_named(
    customers: Customers, customer: str
) -> None:
    for number in range(3):
        await customers.affirmed_by_sms(f"A-{number}", (2 + number) * DAY, customer=customer)
    found = await customers.ledger.reach_report(NOW - WEEK, NOW, NOW)
    assert [(one.store, one.customer_id) for one in found.strongest] == [("north", None)]


async def test_a_report_is_of_the_store_that_was_asked_for(customers: Customers) -> None:
    await customers.affirmed_by_sms("A-1", 2 * DAY)
    await Customers(customers.ledger, "south").affirmed_by_sms("A-1", 2 * DAY)
    assert (await customers.ledger.reach_report(NOW - WEEK, NOW, NOW)).customers == 2
    assert (await customers.ledger.reach_report(NOW - WEEK, NOW, NOW, "south")).customers == 1
    assert (await customers.ledger.reach_report(NOW - WEEK, NOW, NOW, "east")).customers == 0


async def test_a_report_knows_of_each_customer_what_the_customers_own_look_knows(customers: Customers) -> None:
    for number in range(MOST + 5):
        await customers.affirmed_by_sms(f"A-{number}", DAY + number * timedelta(hours=30), after=1 + number)
    alone = await customers.ledger.reachability(asked())
    (named,) = (await customers.ledger.reach_report(NOW - WEEK, NOW, NOW)).strongest
    assert named.suggestion.best == alone.of(SMS)
    assert named.suggestion.instead_of == alone.of(MAIL)


async def test_a_report_suggests_no_channel_whose_address_wants_no_messages(customers: Customers) -> None:
    for number in range(3):
        await customers.affirmed_by_sms(f"A-{number}", (2 + number) * DAY)
    assert (await customers.ledger.reach_report(NOW - WEEK, NOW, NOW)).suggestions == 1
    await customers.ledger.opted(SMS, hashed(PHONE), out=True, at=NOW - DAY, basis="stop")
    found = await customers.ledger.reach_report(NOW - WEEK, NOW, NOW)
    assert (found.customers, found.known, found.suggestions, found.strongest) == (1, 0, 0, ())


async def test_a_report_of_then_is_the_same_whenever_it_is_asked_for(customers: Customers) -> None:
    """A week that is looked at again has what was known two days after it, as all its other figures."""
    for number in range(3):
        await customers.affirmed_by_sms(f"A-{number}", (9 + number) * DAY)
    then = NOW - 6 * DAY
    before = await customers.ledger.reach_report(then - WEEK, then - 2 * DAY, then)
    ref = await customers.order("A-9", 5 * DAY)
    for number in range(4):
        key = await customers.send(ref, MAIL, NOW - 5 * DAY, n=number + 1)
        await customers.fact(key, EvidenceEvent.AFFIRMED, Grade.E5, NOW - 4 * DAY)
    old = SendKey(ref=OrderRef(store="north", number="A-1"), revision=1, kind=Kind.CONFIRMATION, n=1, channel=MAIL)
    await customers.fact(old, EvidenceEvent.AFFIRMED, Grade.E5, NOW - DAY)
    assert await customers.ledger.reach_report(then - WEEK, then - 2 * DAY, then) == before
    assert before.suggestions == 1
    assert await customers.ledger.reach_report(then - WEEK, then - 2 * DAY, NOW) != before
