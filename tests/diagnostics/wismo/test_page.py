"""The page: whole by itself, hostile names escaped, the same bytes for the same figures."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from orderack.diagnostics.wismo.figures import WismoFigures
from orderack.diagnostics.wismo.page import fragment, page, write_page
from orderack.diagnostics.wismo.watch import watch
from orderack.errors import InvalidInput
from orderack.ports.helpdesk import Ticket
from tests.diagnostics.wismo.world import SINCE, Rule, a_world

HOSTILE = '<script>alert(1)</script>"'


async def figures() -> WismoFigures:
    world = a_world(1, Rule(held=3))
    return await watch(world.book, world.tickets, SINCE, world.until)


async def test_the_page_has_every_part_and_fetches_nothing() -> None:
    made = page(await figures(), SINCE)
    for heading in ("Tickets that ask where an order is", "Which orders are asked about", "By source and by day"):
        assert heading in made
    assert made.count("<svg") == 1
    assert "<script" not in made
    assert not re.search(r"(?:src|href|action)=[\"'](?!#)", made)
    assert not re.search(r"url\((?!#)", made)
    assert "default-src 'none'" in made


async def test_every_day_source_and_split_is_a_row() -> None:
    found = await figures()
    made = page(found, SINCE)
    for day in found.days:
        assert f">{day.day}</th>" in made
    assert made.count("asked about more often") + made.count("no difference found") >= 4
    assert [source.source for source in found.sources] == ["storefront", "email", "edi"]


async def test_names_are_escaped() -> None:
    world = a_world(2, Rule(base=0.1), orders=400)
    orders = [
        type(one)(**{name: getattr(one, name) for name in one.__slots__} | {"source": HOSTILE})
        for one in world.book.orders
    ]
    world.book.orders[:] = orders
    tagged = Ticket("t", SINCE + timedelta(hours=1), tags=frozenset({HOSTILE}))
    found = await watch(world.book, [tagged], SINCE, world.until, tags=(HOSTILE,), tickets_from=HOSTILE)
    made = page(found.model_copy(update={"store": HOSTILE, "notes": (HOSTILE,)}), SINCE)
    assert "<script>alert" not in made
    assert made.count("&lt;script&gt;") >= 4


async def test_the_same_figures_make_the_same_bytes_and_the_fragment_stands_in_the_page() -> None:
    found = await figures()
    made = page(found, SINCE)
    assert page(found, SINCE) == made
    assert fragment(found) in made
    assert "<html" not in fragment(found)


async def test_a_page_that_cannot_be_written_says_where(tmp_path: Path) -> None:
    found = await figures()
    with pytest.raises(InvalidInput, match="cannot be written"):
        write_page(found, tmp_path / "none" / "page.html", SINCE)
    write_page(found, tmp_path / "page.html", SINCE)
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page(found, SINCE)
