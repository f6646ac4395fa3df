"""The gap report in a browser that has no network: it is whole, it asks for nothing, and axe finds no fault."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, BrowserContext, Page

from orderack.diagnostics.gap.diagnose import Options, diagnose
from orderack.diagnostics.gap.page import write_page
from tests.browser.conftest import PICTURES
from tests.browser.eyes import NARROW, OPTIONS, overflow
from tests.diagnostics.gap.files import write
from tests.diagnostics.gap.shop import shop

SHOPS = {"erp_queue": 1_200, "integration_queue": 900, "trigger": 700, "mixed": 2_500, "too few": 120}
PLOTS = 6


@pytest_asyncio.fixture
async def offline(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    yield context
    await context.close()


async def opened(context: BrowserContext, file: Path) -> tuple[Page, list[str]]:
    """The page, and all that it asked for or complained of."""
    page, heard = await context.new_page(), list[str]()
    page.on("request", lambda request: heard.append(request.url))
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    await page.goto(file.as_uri())
    return page, heard


@pytest.mark.parametrize("name", SHOPS)
async def test_the_report_opens_offline_and_is_whole(name: str, offline: BrowserContext, tmp_path: Path) -> None:
    logs = write(shop("erp_queue" if name == "too few" else name, SHOPS[name], 23), tmp_path)
    report = diagnose(logs.files, Options(zones=logs.zones))
    file = tmp_path / "gap.html"
    write_page(report, file, datetime(2026, 11, 22, tzinfo=UTC))
    page, heard = await opened(offline, file)
    assert heard == [file.as_uri()]
    assert await page.locator("h1").count() == 1
    assert report.diagnosis.sentence in await page.locator("section.verdict").inner_text()
    figures = page.locator("figure")
    assert await figures.count() == PLOTS
    for place in range(PLOTS):
        figure = figures.nth(place)
        assert await figure.locator("svg[role=img][aria-label]").count() == 1
        assert await figure.locator("figcaption").inner_text()
        box = await figure.locator("svg").bounding_box()
        assert box
        assert box["height"] > 100
    await page.screenshot(path=PICTURES / f"gap-{name.replace(' ', '-')}.png", full_page=True)
    await page.emulate_media(media="print")
    await page.screenshot(path=PICTURES / f"gap-{name.replace(' ', '-')}-print.png", full_page=True)
    await page.emulate_media(media="screen")
    for width in NARROW:
        await page.set_viewport_size({"width": width, "height": 700})
        assert await overflow(page) == 0
    await page.evaluate(AXE_SCRIPT)
    found = await page.evaluate(f"axe.run({json.dumps(OPTIONS)}).then(found => found.violations)")
    assert found == []


async def test_words_of_a_log_are_shown_as_words(offline: BrowserContext, tmp_path: Path) -> None:
    """A channel, an item and an order that are markup, and one with signs that a drawing could take for a formula."""
    evil = "<img src=x onerror=alert(1)>"
    orders, erp = tmp_path / "orders.csv", tmp_path / "erp.csv"
    channels = (evil, r"$\frac{")
    rows = [f"{evil}{n},{1_795_300_000 + 60 * n},{channels[n % 2]},{evil}\n" for n in range(60)]
    orders.write_text("order_id,captured_at,channel,sku\n" + "".join(rows))
    erp.write_text("order_id,booked_at\n" + "".join(f"{evil}{n},{1_795_300_300 + 60 * n}\n" for n in range(59)))
    file = tmp_path / "gap.html"
    write_page(diagnose({"orders": orders, "erp": erp}, Options()), file, datetime(2026, 11, 22, tzinfo=UTC))
    page, heard = await opened(offline, file)
    assert heard == [file.as_uri()]
    assert await page.locator("img").count() == 0
    assert evil in await page.locator("#channels + figure + div").inner_text()
