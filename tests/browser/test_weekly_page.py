"""The weekly report in a browser that has no network: whole, readable on a phone and on paper, and axe finds no fault;
and its mail's HTML, as a mail program would show it.
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest_asyncio
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, BrowserContext, Page

from orderack.contracts.journal import ClockName
from orderack.diagnostics.weekly.figures import Weekly
from orderack.diagnostics.weekly.letter import letter
from orderack.diagnostics.weekly.page import page as whole_page
from orderack.diagnostics.weekly.report import Asked, weekly
from orderack.diagnostics.weekly.weeks import parse_week
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import OrderRef
from orderack.ledger.database import Database
from orderack.ledger.repository import SqlLedger
from tests.browser.conftest import PICTURES
from tests.browser.eyes import NARROW, OPTIONS, overflow
from tests.diagnostics.weekly.past import Life, keep, past
from tests.ledger_fixture import engine_of, own_file

BERLIN, WEEK = ZoneInfo("Europe/Berlin"), parse_week("2026-W43")
EVIL = "<img src=x onerror=alert(1)>"
PLOTS = 3


@pytest_asyncio.fixture
async def offline(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    yield context
    await context.close()


@pytest_asyncio.fixture
async def report(sqlite_template: Path, tmp_path: Path) -> Weekly:
    """Two stores, one of them with a name, a customer and an order that are markup."""
    with own_file(sqlite_template, tmp_path) as url:
        ledger = SqlLedger(Database(engine_of(url)))
        await keep(ledger, past(9, "demo", 900, WEEK.before(3).begins(BERLIN), WEEK.ends(BERLIN), ill=0.1))
        strange = Life(OrderRef(store=EVIL, number=f"N-{EVIL}"), WEEK.begins(BERLIN), customer=EVIL)
        strange.clock(ClockName.ACKNOWLEDGE, 0, 60, breached=60)
        strange.says(90, Kind.CONFIRMATION)
        await keep(ledger, [strange])
        found = await weekly(ledger, Asked(WEEK, 4, datetime(2026, 11, 22, tzinfo=UTC), {"demo": BERLIN, EVIL: BERLIN}))
        await ledger.aclose()
    return found


async def opened(context: BrowserContext, file: Path) -> tuple[Page, list[str]]:
    """The page, and all that it asked for or complained of."""
    page, heard = await context.new_page(), list[str]()
    page.on("request", lambda request: heard.append(request.url))
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    await page.goto(file.as_uri())
    return page, heard


async def faults(page: Page) -> object:
    await page.evaluate(AXE_SCRIPT)
    return await page.evaluate(f"axe.run({json.dumps(OPTIONS)}).then(found => found.violations)")


async def test_the_page_opens_offline_and_is_whole(report: Weekly, offline: BrowserContext, tmp_path: Path) -> None:
    file = tmp_path / "week.html"
    file.write_text(whole_page(report))
    page, heard = await opened(offline, file)
    assert heard == [file.as_uri()]
    assert await page.locator("h1").count() == 1
    figures = page.locator("figure")
    assert await figures.count() == PLOTS * 2
    for place in range(PLOTS * 2):
        box = await figures.nth(place).locator("svg[role=img][aria-label]").bounding_box()
        assert box
        assert box["height"] > 60
    for sentence in report.stores[0].sentences:
        assert sentence in await page.locator("#store-1 + ul").inner_text()
    await page.screenshot(path=PICTURES / "weekly.png", full_page=True)
    await page.emulate_media(media="print")
    await page.screenshot(path=PICTURES / "weekly-print.png", full_page=True)
    assert await faults(page) == []
    await page.emulate_media(media="screen")
    for width in NARROW:
        await page.set_viewport_size({"width": width, "height": 700})
        assert await overflow(page) == 0
    await page.screenshot(path=PICTURES / "weekly-phone.png", full_page=True)
    assert await faults(page) == []


async def test_words_of_orders_are_shown_as_words(report: Weekly, offline: BrowserContext, tmp_path: Path) -> None:
    for name, html in (("page", whole_page(report)), ("mail", letter(report).html or "")):
        file = tmp_path / f"{name}.html"
        file.write_text(html)
        page, heard = await opened(offline, file)
        assert heard == [file.as_uri()]
        assert await page.locator("img").count() == 0
        assert EVIL in await page.locator("body").inner_text()


async def test_the_mail_is_readable_on_a_phone_and_without_a_fault(
    report: Weekly, offline: BrowserContext, tmp_path: Path
) -> None:
    file = tmp_path / "mail.html"
    file.write_text(letter(report).html or "")
    page, _ = await opened(offline, file)
    await page.screenshot(path=PICTURES / "weekly-mail.png", full_page=True)
    assert await faults(page) == []
    await page.set_viewport_size({"width": 360, "height": 700})
    await page.screenshot(path=PICTURES / "weekly-mail-phone.png", full_page=True)
    assert await overflow(page) == 0


async def test_a_report_without_any_order_is_a_page_all_the_same(
    sqlite_template: Path, offline: BrowserContext, tmp_path: Path
) -> None:
    with own_file(sqlite_template, tmp_path) as url:
        ledger = SqlLedger(Database(engine_of(url)))
        now = WEEK.ends(UTC) + timedelta(hours=1)
        found = await weekly(ledger, Asked(WEEK, 4, now, {"demo": UTC}))
        await ledger.aclose()
    file = tmp_path / "empty.html"
    file.write_text(whole_page(found))
    page, heard = await opened(offline, file)
    assert heard == [file.as_uri()]
    assert "There were no orders in this week." in await page.locator("main").inner_text()
    assert await faults(page) == []
