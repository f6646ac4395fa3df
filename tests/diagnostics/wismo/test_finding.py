"""Of which order a ticket asks: numbers that stand by themselves, addresses, and what is left open."""

from datetime import timedelta

import pytest

from orderack.diagnostics.wismo.figures import Asked, Matched
from orderack.diagnostics.wismo.finding import Judged, find_orders
from orderack.domain.order import OrderRef
from orderack.ports.helpdesk import Ticket
from orderack.ports.wismo import WatchedOrder
from tests.diagnostics.wismo.world import SINCE, Book

ADA = "ada@example.com"
DAY = timedelta(days=1)


def book(*orders: tuple[str, str, float], store: str = "north", still_open: tuple[str, ...] = ()) -> Book:
    """Number, buyer's address, days before the ticket."""
    made = Book()
    for number, email, days in orders:
        ref = OrderRef(store=store, number=number)
        at = SINCE - timedelta(days=days)
        made.orders.append(WatchedOrder(ref, "web", at, at, None, None, None, held=False, escalated=False))
        made.emails[ref] = email
        if number in still_open:
            made.open.add(ref)
    return made


async def found(of: Book, text: str, email: str | None = None) -> Asked:
    (one,) = await find_orders(of, [Judged(Ticket("t", SINCE, "Question", text, email), "en: …")])
    return one


def number(one: Asked) -> str | None:
    return one.ref.number if one.ref else None


@pytest.mark.parametrize(
    "text",
    [
        "where is 100234",
        "where is order #100234?",
        "order no. 100234.",
        "(100234)",
        '"100234"',
        "Bestellung Nr. 100234 fehlt",
        "commande n°100234",
        "pedido:100234",
        "order\n100234\n",
        "north/100234",
    ],
)
async def test_a_number_that_stands_by_itself_is_the_order(text: str) -> None:
    assert number(await found(book(("100234", ADA, 1)), text)) == "100234"


@pytest.mark.parametrize(
    "text",
    [
        "where is 1002345",
        "where is 9100234",
        "SO100234",
        "call +49 30 100234",
        "call 030-100234",
        "it cost 100234,50 EUR",
        "it cost EUR 100234",
        "100234.99",
        "100234@example.com is me",
    ],
)
async def test_a_number_inside_a_word_a_price_or_a_telephone_number_is_none(text: str) -> None:
    one = await found(book(("100234", ADA, 1)), text)
    assert (one.ref, one.matched) == (None, Matched.UNKNOWN)


@pytest.mark.parametrize(
    "text", ["order #2026", "Bestellung 2026", "my order number is 2026", "commande n° 2026", "#2026"]
)
async def test_a_short_number_counts_after_a_word_for_order(text: str) -> None:
    assert number(await found(book(("2026", ADA, 1)), text)) == "2026"


async def test_a_short_number_anywhere_else_counts_only_for_the_buyer_of_that_order() -> None:
    of = book(("2026", ADA, 1), ("77", "bob@example.com", 1))
    assert number(await found(of, "I moved here in 2026")) is None
    assert number(await found(of, "It is 2026, I think", ADA)) == "2026"
    assert number(await found(of, "waiting for 77 days", ADA)) == "2026", "by the address, not by the days"
    assert number(await found(of, "Hello\n 2026 \nthanks")) == "2026", "it has a line of its own"
    assert number(await found(of, "D-2026 Berlin")) is None


async def test_letters_and_hyphens_are_part_of_a_number_in_either_case() -> None:
    of = book(("SO-1001/A", ADA, 1), ("W-1001", ADA, 1))
    assert number(await found(of, "where is so-1001/a please")) == "SO-1001/A"
    assert number(await found(of, "where is w-1001.")) == "W-1001"
    assert number(await found(book(("#1001", ADA, 1)), "order 1001")) == "#1001"


async def test_two_numbers_or_one_number_in_two_stores_are_settled_by_the_buyers_address_or_not_at_all() -> None:
    of = book(("100234", ADA, 1), ("100235", "bob@example.com", 1))
    both = "100234 or 100235?"
    assert (await found(of, both)).matched is Matched.AMBIGUOUS
    assert number(await found(of, both, "Bob@Example.com ")) == "100235"
    own = book(("100234", ADA, 1), ("100235", ADA, 1))
    assert (await found(own, both, ADA)).matched is Matched.AMBIGUOUS
    twice = book(("100234", ADA, 1))
    south = book(("100234", "bob@example.com", 1), store="south")
    twice.orders += south.orders
    twice.emails |= south.emails
    assert (await found(twice, "100234")).matched is Matched.AMBIGUOUS
    one = await found(twice, "100234", ADA)
    assert one.ref == OrderRef(store="north", number="100234")


async def test_without_a_number_the_buyers_one_order_that_is_young_or_open_is_meant() -> None:
    of = book(("1", ADA, 29), ("2", ADA, 31), ("3", "bob@example.com", 200), still_open=("3",))
    assert (number(await found(of, "?", ADA)), (await found(of, "?", ADA)).matched) == ("1", Matched.EMAIL)
    assert number(await found(of, "?", "bob@example.com")) == "3"
    assert (await found(of, "?", "eve@example.com")).matched is Matched.UNKNOWN
    assert (await found(of, "?")).matched is Matched.UNKNOWN


async def test_two_orders_of_one_buyer_stay_unmatched_and_are_counted_so() -> None:
    one = await found(book(("1", ADA, 3), ("2", ADA, 5)), "Where is it?", ADA)
    assert (one.ref, one.matched) == (None, Matched.AMBIGUOUS)


async def test_a_ticket_is_about_no_order_that_was_placed_after_it() -> None:
    of = book(("100234", ADA, -1))
    assert (await found(of, "100234", ADA)).matched is Matched.UNKNOWN
    nearly = book(("100234", ADA, -2 / 1440))
    assert number(await found(nearly, "100234")) == "100234", "clocks differ by minutes"


async def test_a_number_beats_the_address_of_whoever_writes() -> None:
    of = book(("100234", ADA, 1), ("100235", "bob@example.com", 1))
    assert number(await found(of, "for my mother: 100234", "bob@example.com")) == "100234"
