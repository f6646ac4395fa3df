"""The page is for everybody: any language, any width, any size of type, no mouse, on paper."""

import re
from decimal import Decimal

import pytest
from playwright.async_api import Page

from orderack.domain.order import Line, Order, Totals
from tests.browser.buyer import Buyer, Buyers, Device
from tests.browser.eyes import Eyes, overflow
from tests.browser.keyboard import tab_through
from tests.browser.shop import Shop

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaftsabzeichen"


def in_german(order: Order) -> Order:
    return order.model_copy(update={"contacts": order.contacts.model_copy(update={"language": "de"})})


def with_forty_lines(order: Order) -> Order:
    """Forty lines, each with words that have no place to break."""
    lines = tuple(
        Line(
            line_id=str(place),
            sku=f"SKU-{place:02d}-{'X' * 60}",
            description=f"{LONG} {place}",
            quantity=Decimal(place),
            unit_price=Decimal("1.25"),
            instructions=f"https://example.com/{'a' * 120}",
        )
        for place in range(1, 41)
    )
    totals = Totals(total=sum((line.amount for line in lines), Decimal(0)))
    return order.model_copy(update={"lines": lines, "totals": totals, "instructions": LONG * 3})


@pytest.fixture
async def reader(shop: Shop, buyers: Buyers) -> Buyer:
    """A buyer before a confirmed order."""
    buyer = await buyers.one(Device.DESKTOP)
    await buyer.opens(await shop.confirmed(shop.order()))
    return buyer


async def test_a_german_buyer_reads_german_with_german_dates_and_amounts(
    shop: Shop, buyers: Buyers, eyes: Eyes
) -> None:
    buyer = await buyers.one(language="de-DE")
    await buyer.opens(await shop.confirmed(in_german(shop.order())))
    assert await buyer.page.locator("html").get_attribute("lang") == "de"
    shown = await buyer.reads()
    assert "bestätigt" in shown
    assert "202,50\xa0€" in shown
    for english in ("Your order", "What happens", "Quantity", "Submit", "Send"):
        assert english not in shown
    await eyes.look(buyer, "german")


async def test_long_words_and_forty_lines_fit_a_small_phone(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    buyer = await buyers.one()
    await buyer.opens(await shop.confirmed(with_forty_lines(in_german(shop.order()))))
    await buyer.unfolds_everything()
    shown = await buyer.reads()
    assert all(f"{LONG} {place}" in shown for place in range(1, 41))
    assert await overflow(buyer.page) == 0
    await buyer.page.reload()
    await eyes.look(buyer, "forty-lines")


async def test_everything_can_be_reached_and_affirmed_with_the_keyboard_alone(reader: Buyer) -> None:
    walk = await tab_through(reader.page)
    assert walk.unreached == []
    assert walk.unseen == []
    await reader.page.reload()
    button = reader.form("affirm").get_by_role("button")
    for _ in range(100):
        await reader.page.keyboard.press("Tab")
        if await button.evaluate("button => button === document.activeElement"):
            break
    await reader.page.keyboard.press("Enter")
    await reader.page.wait_for_load_state()
    await reader.form("affirm").wait_for(state="detached")


@pytest.mark.parametrize("width", [640, 390])
async def test_type_at_twice_its_size_loses_nothing(reader: Buyer, width: int) -> None:
    await reader.page.set_viewport_size({"width": width, "height": 800})
    await reader.unfolds_everything()
    await reader.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert await overflow(reader.page) == 0
    assert await cut_off(reader.page) == []


async def test_a_buyer_who_reads_in_the_dark_gets_a_dark_page_and_paper_stays_white(reader: Buyer) -> None:
    assert await lightness(reader.page) > 0.9
    await reader.page.emulate_media(color_scheme="dark")
    assert await lightness(reader.page) < 0.1
    await reader.page.emulate_media(color_scheme="dark", media="print")
    assert await lightness(reader.page) > 0.9


async def test_on_paper_there_is_nothing_to_press(reader: Buyer, eyes: Eyes) -> None:
    await reader.page.emulate_media(media="print")
    for kind in ("form", "button", "input", "textarea", "select", "summary"):
        assert [each for each in await reader.page.locator(kind).all() if await each.is_visible()] == []
    shown = await reader.reads()
    assert "Tent" in shown
    assert "SO-" in shown
    await eyes.picture(reader.page, "print")


async def lightness(page: Page) -> float:
    """Of the ground that the words stand on: 0 is black, 1 is white."""
    colour: str = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    channels = [int(channel) for channel in re.findall(r"\d+", colour)]
    return sum(channels[:3]) / (3 * 255)


async def cut_off(page: Page) -> list[str]:
    """Elements whose words are cut off, or lie outside the window; not those meant for a screen reader's ears only."""
    found: list[str] = await page.evaluate("""() => {
        const meant = each => each && (getComputedStyle(each).clipPath !== "none" || meant(each.parentElement));
        return [...document.querySelectorAll("main *")]
            .filter(each => each.checkVisibility() && !each.matches("input, select, textarea") && !meant(each))
            .filter(each => {
                const box = each.getBoundingClientRect(), style = getComputedStyle(each);
                const clipped = style.overflowX !== "visible" && each.scrollWidth > each.clientWidth + 1;
                return box.width > 0 && (clipped || box.right > innerWidth + 1 || box.left < -1);
            })
            .map(each => each.outerHTML.slice(0, 120));
    }""")
    return found
