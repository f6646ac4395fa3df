"""Purchase orders as published implementation guides show them (a department store's, a drop-shipper's, a plant's),
written anew with invented companies and people: their shapes, qualifiers and delimiters are the point."""

from pathlib import Path

import pytest

from orderack.domain.money import add_up
from orderack.edi.envelope import read_interchanges
from tests.sources.edi_partner import Partner, said

EXAMPLES = Path(__file__).parent / "examples"

WANTED = {
    "retailer_stores": ("0012345678", "USD", "288.00", ["012345678905 24", "012345678912 12"]),
    "drop_ship": ("D-900144", "USD", "213.50", ["LAMP-XL:B 1", "BULB-9 2"]),
    "plant_newlines": ("4500017", "CAD", "1518.75", ["RM-0042 1500", "RM-0051 3"]),
}


def test_every_example_is_expected() -> None:
    assert {path.stem for path in EXAMPLES.iterdir()} == set(WANTED)


@pytest.mark.parametrize("name", WANTED)
async def test_an_example_is_an_order_that_adds_up(name: str) -> None:
    number, currency, total, lines = WANTED[name]
    partner, body = Partner(), (EXAMPLES / f"{name}.edi").read_bytes()
    assert said((await partner.post(body))[0].body, "AK5") == [["AK5", "A"]]
    order = await partner.order(body)
    assert (order.number, order.currency, f"{order.totals.total:.2f}") == (number, currency, total)
    assert [f"{line.sku} {line.quantity:f}" for line in order.lines] == lines
    assert add_up(order) == order.totals.total


@pytest.mark.parametrize("name", WANTED)
async def test_no_word_of_an_example_is_lost(name: str) -> None:
    """Whatever an element says is somewhere in the order; codes and numbers of the envelope apart."""
    body = (EXAMPLES / f"{name}.edi").read_bytes()
    (found,) = read_interchanges(body.decode())
    order = (await Partner().order(body)).model_dump_json()
    words = {
        word
        for segment in found.groups[0].sets[0].segments[2:-1]
        if segment.tag not in ("CTT", "SE")
        for element in segment.elements
        if len(word := element.strip()) > 3 and not word.replace(".", "").isdigit()
    }
    assert {word for word in words if word not in order} <= {"D240", "5005550006"}


async def test_what_a_department_stores_order_says_besides_is_told_to_people() -> None:
    order = await Partner().order((EXAMPLES / "retailer_stores.edi").read_bytes())
    instructions = order.instructions or ""
    for words in ("ship on 2026-11-28", "cancel if not shipped by 2026-12-05", "Collect, use routing guide", "0881"):
        assert words in instructions
    assert "to 0007: 12, to 0019: 12" in (order.lines[0].instructions or "")
    assert "CTP RS RTL 14.99" in (order.lines[0].instructions or "")
    assert order.payment.terms == "NET 60, 2 PCT 45"


async def test_a_drop_shippers_order_goes_to_the_consumer() -> None:
    order = await Partner().order((EXAMPLES / "drop_ship.edi").read_bytes())
    assert order.delivery_address is not None
    assert (order.delivery_address.street, order.delivery_address.street2) == ("12 Sample Lane", "Apt 4")
    assert order.contacts.phone == "+15005550006"
    assert "Happy birthday, Ada" in (order.instructions or "")


async def test_the_lines_common_day_is_the_orders() -> None:
    order = await Partner().order((EXAMPLES / "plant_newlines.edi").read_bytes())
    assert order.delivery_window is not None
    assert order.delivery_window.start.date().isoformat() == "2026-12-10"
    assert order.lines[0].unit == "pound"
    assert order.lines[1].unit == "DR"
