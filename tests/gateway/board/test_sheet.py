"""The executor works from the record that the buyer was told is confirmed, not from a summary of it (R114–R119)."""

import re
from datetime import timedelta
from decimal import Decimal

from orderack.contracts.journal import Entry, Event, Journal, Stage
from orderack.domain.order import Address, DeliveryWindow, Line, Order, Pickup, Priority
from tests.gateway.board.board_world import World, words
from tests.gateway.page_world import stored
from tests.temporal.server import now
from tests.workflows.orders import an_order

LONGEST = 2_000
"""Characters that a field of an order may have."""


def long(what: str, before: str = "") -> str:
    """As long as the field may be; its end names it."""
    end = f" {what} ends"
    return f"{before}{what} begins ".ljust(LONGEST - len(end), "x") + end


def an_order_with_everything(number: str = "1001", quantity: int = 3) -> Order:
    """Every field that somebody who does the work has to know, some of them as long as they may be."""
    at = now()
    lines = tuple(
        Line(
            line_id=str(place),
            sku=f"SKU-{place}",
            model=f"model {place}",
            description=long(f"description {place}"),
            quantity=Decimal(quantity) + place,
            unit="kg",
            unit_price=Decimal("7.77"),
            instructions=long(f"instructions {place}"),
            design=f"design {place}: <b>initials</b> & crest",
            dietary=long(f"dietary {place}"),
        )
        for place in range(1, 61)
    )
    return an_order(number, at).model_copy(
        update={
            "lines": lines,
            "delivery_address": Address(
                name="Ada Lovelace",
                company="Analytical Engines",
                street=long("street"),
                street2="backyard, third door",
                city="London",
                region="Greater London",
                postal_code="N1 1AA",
                country="GB",
            ),
            "delivery_window": DeliveryWindow(start=at + timedelta(days=3), end=at + timedelta(days=3, hours=2)),
            "instructions": long("special", "Ring twice.\nMind the dog.\n"),
            "priority": Priority.HIGH,
            "order_type": "catering",
            "purchase_order": "PO-4711",
        }
    )


def facts(order: Order) -> list[str]:
    """Everything that the sheet has to show of it, in its own words."""
    address = order.delivery_address
    assert address
    found = [order.number, order.content_hash, order.order_type, "High", "PO-4711", str(order.contacts.phone)]
    found += [str(part) for part in (address.name, address.company, "street ends", address.street2, address.city)]
    found += [str(address.region), str(address.postal_code), "Ring twice.", "Mind the dog.", "special ends"]
    for line in order.lines:
        found += [line.sku, str(line.model), str(line.design), f"{line.quantity:f} kg"]
        found += [f"{what} {line.line_id} ends" for what in ("description", "instructions", "dietary")]
    return found


async def handed_off(desk: World, order: Order, revision: int = 1) -> None:
    """Confirmed in this revision and offered, by the record and by the order itself."""
    if revision == 1:
        await desk.order(order.number, stage=Stage.HANDED_OFF)
    await stored(desk.gateway, order, revision, Stage.HANDED_OFF)
    confirmed = Entry(seq=10 * revision, at=now(), event=Event.CONFIRMED, revision=revision)
    await desk.gateway.ledger.write(
        Journal(ref=order.ref, stage=Stage.HANDED_OFF, revision=revision, entries=(confirmed,))
    )
    update = {"revision": revision, "confirmed_revision": revision, "content_hash": order.content_hash}
    standing = desk.orders.standing[order.ref]
    desk.orders.standing[order.ref] = standing.model_copy(update=update)


async def test_the_sheet_shows_all_of_the_revision_that_was_confirmed_and_nothing_is_cut(desk: World) -> None:
    order = an_order_with_everything()
    ledger = desk.gateway.ledger
    await stored(desk.gateway, order, 1, Stage.HANDED_OFF)
    await handed_off(desk, order)
    kept = await ledger.revision(order.ref, 1)
    assert kept
    assert kept.order.content_hash == order.content_hash, "what the sheet is made from is what was confirmed"
    browser = await desk.logged_in()
    page = await browser.get("/board/sheet/demo/1001")
    shown = words(page)
    missing = [fact for fact in facts(kept.order) if fact not in shown]
    assert missing == []
    assert "…" not in shown, "cut nowhere"
    assert re.search(r"Delivery window.{1,80} to ", shown)
    assert "<b>initials</b>" not in page.text
    for hidden in ("7.77", "ada@example.com", "prepaid"):
        assert hidden not in shown


async def test_a_pickup_is_shown_with_its_place_and_time(desk: World) -> None:
    at = now() + timedelta(days=1)
    order = an_order_with_everything().model_copy(
        update={"delivery_address": None, "pickup": Pickup(location=long("counter"), at=at)}
    )
    await stored(desk.gateway, order, 1, Stage.HANDED_OFF)
    await handed_off(desk, order)
    shown = words(await (await desk.logged_in()).get("/board/sheet/demo/1001"))
    assert "counter ends" in shown
    assert f"{at:%H:%M}"[2:] in shown


async def test_after_a_change_the_sheet_is_the_new_revisions_and_the_old_one_says_so_in_capitals(desk: World) -> None:
    old, new = an_order_with_everything(), an_order_with_everything(quantity=500)
    await stored(desk.gateway, old, 1, Stage.HANDED_OFF)
    await handed_off(desk, old)
    await handed_off(desk, new, 2)
    browser = await desk.logged_in()
    shown = words(await browser.get("/board/sheet/demo/1001"))
    assert [fact for fact in facts(new) if fact not in shown] == []
    assert old.content_hash not in shown
    superseded = await browser.get("/board/sheet/demo/1001?revision=1")
    assert "Superseded by revision 2" in words(superseded)
    assert old.content_hash in words(superseded)
    assert 'action="/board/accept/' not in superseded.text
