"""The watch over generated orders and tickets: it finds the effect that is there, and none that is not."""

import json
from collections import Counter
from datetime import timedelta

import pytest

from orderack.diagnostics.wismo.figures import Effect, Leading, Matched, Split, SplitFigures, WismoFigures
from orderack.diagnostics.wismo.page import page
from orderack.diagnostics.wismo.watch import watch
from orderack.ports.helpdesk import Ticket
from tests.diagnostics.wismo.world import SINCE, Book, Rule, World, a_world

SEEDS = range(20)


async def watched(world: World, **more: object) -> WismoFigures:
    return await watch(world.book, world.tickets, SINCE, world.until)


def effects(found: WismoFigures) -> dict[Split, Effect]:
    return {one.split: one.effect for one in found.splits}


def one(found: WismoFigures, split: Split) -> SplitFigures:
    return next(each for each in found.splits if each.split is split)


async def test_every_ticket_that_asks_finds_its_order_and_no_other_ticket_counts() -> None:
    world = a_world(1, Rule(base=0.1))
    found = await watched(world)
    assert {each.ticket: each.ref for each in found.asked} == world.of_order
    assert found.tickets.wismo == len(world.of_order) > 150
    assert found.tickets.by_number > found.tickets.by_email > 20
    assert found.tickets.read == len(world.tickets)
    assert found.rate is not None
    assert found.rate.asked == len(set(world.of_order.values()))


@pytest.mark.parametrize(
    ("split", "rule"),
    [
        (Split.HELD, Rule(held=3)),
        (Split.TOLD_LATE, Rule(told_late=3.5)),
        (Split.CONFIRMED_EARLY, Rule(confirmed_early=3)),
        (Split.ESCALATED, Rule(escalated=3.5)),
    ],
)
async def test_an_effect_that_is_there_is_found_with_its_size(split: Split, rule: Rule) -> None:
    found = [one(await watched(a_world(seed, rule)), split) for seed in SEEDS]
    assert sum(each.effect is Effect.MORE for each in found) >= 19
    times = max(rule.held, rule.told_late, rule.confirmed_early, rule.escalated)
    inside = sum((each.ratio_low or 0) <= times <= (each.ratio_high or 0) for each in found)
    assert inside >= 17


async def test_where_there_is_no_effect_at_most_one_report_in_twenty_claims_one() -> None:
    claimed: Counter[str] = Counter()
    for seed in range(60):
        found = await watched(a_world(seed, Rule(base=0.05), orders=2_000))
        claimed["splits"] += any(effect in (Effect.MORE, Effect.FEWER) for effect in effects(found).values())
        claimed["lead"] += found.lead.leading in (Leading.LEADS, Leading.FOLLOWS, Leading.SAME_DAY)
    assert claimed["splits"] <= 5
    assert claimed["lead"] <= 6


async def test_too_few_orders_or_tickets_give_no_verdict_and_say_how_many_more() -> None:
    few = one(await watched(a_world(2, Rule(base=0.3), orders=40, days=2)), Split.TOLD_LATE)
    assert (few.effect, few.ratio, few.p) == (Effect.NO_VERDICT, None, None)
    assert "30 are needed" in few.why
    quiet = one(await watched(a_world(2, Rule(base=0.002))), Split.HELD)
    assert quiet.effect is Effect.NO_VERDICT
    assert "orders asked about, 10 are needed" in quiet.why


async def test_a_lead_is_refused_under_21_days_and_says_how_many_more() -> None:
    found = (await watched(a_world(3, Rule(), days=20))).lead
    assert (found.leading, found.days) == (Leading.REFUSED, 20)
    assert "21 are needed: 1 more" in found.why
    assert (await watched(a_world(3, Rule(), days=21))).lead.leading is not Leading.REFUSED


async def test_a_ticket_that_comes_twice_counts_once_and_ours_never() -> None:
    world = a_world(4, Rule())
    once = await watched(world)
    twice = World(world.book, [*world.tickets, *world.tickets], world.of_order, world.until)
    assert await watched(twice) == once
    ours = Ticket(
        "ours", SINCE, "Your order 50001", "Where is my order? is what many ask", None, frozenset({"OrderAck"})
    )
    with_ours = await watched(World(world.book, [*world.tickets, ours], world.of_order, world.until))
    assert (with_ours.tickets.ours, with_ours.tickets.wismo) == (1, once.tickets.wismo)


async def test_only_tickets_of_the_span_count_and_a_tag_of_the_desks_decides_too() -> None:
    world = a_world(5, Rule(base=0))
    order = world.book.orders[700]
    at = order.trigger_at + timedelta(hours=1)
    tagged = Ticket("a", at, "", f"#{order.ref.number}", None, frozenset({"Late_Order"}))
    early = Ticket("b", SINCE - timedelta(seconds=1), "Where is my order?")
    late = Ticket("c", world.until, "Where is my order?")
    found = await watch(world.book, [tagged, early, late], SINCE, world.until, tags=("late_order",))
    assert [(each.ticket, each.phrase, each.ref) for each in found.asked] == [("a", "tag: late_order", order.ref)]
    assert found.tickets.read == 1


async def test_no_orders_and_no_tickets_are_no_error() -> None:
    found = await watch(Book(), [], SINCE, SINCE + timedelta(days=3))
    assert (found.orders, found.rate, found.tickets_per_100) == (0, None, None)
    assert found.sentences == ("No order was placed in this time, so there is nothing to reckon with.",)
    assert len(found.days) == 3
    assert "No order was placed" in page(found, SINCE)
    ticket = Ticket("a", SINCE, "Where is my order?")
    alone = await watch(Book(), [ticket], SINCE, SINCE + timedelta(days=3))
    assert alone.asked[0].matched is Matched.UNKNOWN


async def test_days_hold_the_tickets_opened_and_the_orders_placed_on_them() -> None:
    world = a_world(6, Rule())
    found = await watched(world)
    assert len(found.days) == 30
    assert sum(day.tickets for day in found.days) == found.tickets.wismo
    assert sum(day.gap.orders for day in found.days) == sum(each.rate.orders for each in found.sources) == found.orders
    day = found.days[3]
    assert day.rate is not None
    assert day.rate.low < day.rate.per_100 < day.rate.high
    assert found.gap.confirmed_early == sum(day.gap.confirmed_early for day in found.days)


async def test_figures_read_back_as_they_were_written_and_hold_no_words_or_addresses() -> None:
    world = a_world(7, Rule(held=3))
    found = await watched(world)
    written = found.model_dump_json()
    assert WismoFigures.model_validate_json(written) == found
    json.loads(written)
    made = page(found, SINCE)
    for ticket in world.tickets:
        assert (ticket.email or "@@") not in written + made
    assert "placed order" not in written
    assert "buyer" not in repr(world.tickets)


async def test_one_stores_figures_are_of_the_tickets_about_its_orders() -> None:
    world = a_world(8, Rule(base=0.1))
    lost = Ticket("lost", SINCE + timedelta(days=1), "Where is my order?")
    north = await watch(world.book, [*world.tickets, lost], SINCE, world.until, "north")
    south = await watch(world.book, [*world.tickets, lost], SINCE, world.until, "south")
    assert {each.ref.store for each in north.asked if each.ref} == {"north"}
    assert len(north.asked) + len(south.asked) == len(world.of_order)
    assert (north.tickets.wismo, north.tickets.unknown) == (len(world.of_order) + 1, 1)
    assert north.tickets.of_other_stores == len(south.asked)
    assert sum(day.tickets for day in north.days) == len(north.asked)
