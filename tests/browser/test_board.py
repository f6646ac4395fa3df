"""Operators at the board: a click that ends in a confirmation, news without a reload, a wall, the keyboard."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal

import pytest_asyncio
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page, expect
from pydantic import TypeAdapter

from orderack.contracts.journal import Stage
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Order, Totals
from orderack.embedded.stack import Stack
from orderack.gateway.board.once import once_url
from orderack.ledger.repository import open_ledger
from orderack.ports.sweeps import ExceptionKind, Finding
from tests.browser.buyer import PATIENCE, Scheme, Watch
from tests.browser.conftest import PICTURES
from tests.browser.eyes import NARROW, OPTIONS, Unfit, Violation, overflow
from tests.browser.keyboard import tab_through
from tests.browser.shop import Shop, of_confirmation
from tests.temporal.server import now

LAPTOP, WALL, PHONE = (1440, 900), (1920, 1080), (390, 844)
_VIOLATIONS: TypeAdapter[list[Violation]] = TypeAdapter(list[Violation])
VIEWS: tuple[tuple[str, tuple[int, int], Scheme], ...] = (
    ("laptop", LAPTOP, "light"),
    ("laptop", LAPTOP, "dark"),
    ("phone", PHONE, "light"),
    ("phone", PHONE, "dark"),
)


@dataclass
class Operator:
    """One person with one tab, scripts and all."""

    page: Page
    watch: Watch
    origin: str

    async def opens(self, path: str) -> None:
        await self.page.goto(f"{self.origin}{path}")

    async def logs_in(self, key: str, *, wall: bool = False) -> None:
        await self.opens("/board/login")
        await self.page.get_by_label("API key").fill(key)
        if wall:
            await self.page.get_by_label("This is a wall screen").check()
        await self.page.get_by_role("button", name="Log in").click()
        await expect(self.page.locator("#live")).to_have_text("Live")

    async def presses(self, name: str) -> None:
        await self.page.get_by_role("button", name=name).first.click()
        await self.page.wait_for_load_state()

    async def says(self) -> str:
        """What became of the last act."""
        return await self.page.locator(".said[role=status]").inner_text()

    async def looked_at(self, state: str) -> None:
        """Raises Unfit where axe finds a fault, in light or dark, on a laptop or a phone, or it scrolls sideways."""
        faults = []
        await self.page.evaluate(AXE_SCRIPT)
        for width in NARROW:
            await self.page.set_viewport_size({"width": width, "height": 700})
            if over := await overflow(self.page):
                faults.append(f"at {width} px it scrolls sideways by {over} px")
        for device, (width, height), scheme in VIEWS:
            await self.page.set_viewport_size({"width": width, "height": height})
            await self.page.emulate_media(color_scheme=scheme)
            await self.page.evaluate("scrollTo(0, 0)")
            await self.page.screenshot(path=PICTURES / f"board-{state}-{device}-{scheme}.png", full_page=True)
            found = await self.page.evaluate(f"axe.run({json.dumps(OPTIONS)}).then(found => found.violations)")
            faults += [
                f"{device}, {scheme}: {each.id} ({each.impact}): {each.help}: {each.nodes[0].html}"
                for each in _VIOLATIONS.validate_python(found, strict=False)
            ]
        await self.page.set_viewport_size({"width": LAPTOP[0], "height": LAPTOP[1]})
        if faults:
            raise Unfit("\n".join(f"{state}: {fault}" for fault in faults))


@dataclass
class Operators:
    browser: Browser
    stack: Stack

    async def one(self, size: tuple[int, int] = LAPTOP, *, scripts: bool = True) -> Operator:
        viewport = {"width": size[0], "height": size[1]}
        context = await self.browser.new_context(viewport=viewport, java_script_enabled=scripts, bypass_csp=False)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        watch, page = Watch(self.stack.gateway_url), await context.new_page()
        watch.follow(page)
        operator = Operator(page, watch, self.stack.gateway_url)
        self.here.append(operator)
        return operator

    @property
    def key(self) -> str:
        return self.stack.secrets.api_key

    def __post_init__(self) -> None:
        self.here: list[Operator] = []


@pytest_asyncio.fixture
async def operators(browser: Browser, stack: Stack) -> AsyncIterator[Operators]:
    """Their browsers never complain and never speak to anybody but us."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    made = Operators(browser, stack)
    yield made
    for operator in made.here:
        await operator.page.context.close()
    complaints = [each for operator in made.here for each in operator.watch.complaints]
    assert complaints == []


def dear(order: Order) -> Order:
    """So dear that a person has to look first."""
    line = order.lines[0].model_copy(update={"quantity": Decimal(90)})
    lines = (line, *order.lines[1:])
    total = sum((each.amount for each in lines), Decimal(0))
    return order.model_copy(update={"lines": lines, "totals": Totals(total=total), "instructions": "Ring twice."})


async def in_review(shop: Shop) -> Order:
    order = dear(shop.order())
    await shop.driver.hand_in(order)
    await shop.driver.until(order.ref, lambda status: status.stage is Stage.REVIEW, "be in review")
    return order


async def test_an_order_approved_by_a_click_is_confirmed_to_its_buyer(shop: Shop, operators: Operators) -> None:
    ada = await operators.one()
    await ada.logs_in(operators.key)
    order = await in_review(shop)
    link = ada.page.locator("#part-reviews").get_by_role("link", name=order.number)
    await expect(link).to_be_visible()  # without a reload
    await ada.looked_at("live")
    await link.click()
    await expect(ada.page.get_by_text("High value")).to_be_visible()
    await ada.looked_at("review")
    await ada.presses("Approve revision 1")
    assert (await ada.says()).startswith("✓ Approved")
    await shop.told(order.ref, "confirmed")
    status = await shop.driver.until(
        order.ref, lambda s: any(a.kind is Kind.CONFIRMATION and a.out_at for a in s.acknowledgements), "be confirmed"
    )
    assert of_confirmation(status).sends[0].channel == "sendgrid_email"
    posts = await shop.driver.posts(order.ref)
    assert any("confirmed" in f"{post.subject}{post.text}" for post in posts if post.channel != "slack")
    timeline = await shop.driver.timeline(order.ref)
    assert [entry.owner for entry in timeline.entries if entry.event == "review_decided"] == ["local"]


async def test_a_handoff_is_claimed_and_accepted_from_its_sheet(shop: Shop, operators: Operators) -> None:
    order = shop.order()
    await shop.confirmed(order)
    ada = await operators.one()
    await ada.logs_in(operators.key)
    row = ada.page.locator("#part-offered tr", has_text=order.number)
    await expect(row).to_be_visible()
    await row.get_by_role("button", name="Claim").click()
    assert await ada.says() == "✓ Local owns the handoff."
    await ada.page.get_by_role("link", name="Sheet for the team").click()
    sheet = await ada.page.locator("article").inner_text()
    for shown in ("Revision 1", "ROPE", "Cut in two", "Sample Street", order.content_hash):
        assert shown in sheet
    await ada.looked_at("sheet")
    await ada.page.emulate_media(media="print", color_scheme="light")
    await ada.page.screenshot(path=PICTURES / "board-sheet-print.png", full_page=True)
    pdf = await ada.page.pdf(path=PICTURES / "board-sheet.pdf", format="A4")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") <= 1, "one page for an order"
    assert not await ada.page.get_by_role("button", name="Accept revision 1 for the team").is_visible()
    await ada.page.emulate_media(media="screen")
    await ada.presses("Accept revision 1")
    assert (await ada.says()).startswith("✓ Accepted")
    await expect(ada.page.locator("main")).to_contain_text("Accepted by")
    await ada.looked_at("accepted")
    await ada.opens("/board")
    await expect(ada.page.locator("#part-offered")).not_to_contain_text(order.number)


async def test_an_amendment_a_question_and_a_rejection_from_one_screen(shop: Shop, operators: Operators) -> None:
    ada = await operators.one()
    await ada.logs_in(operators.key)
    order = await in_review(shop)
    await ada.opens(f"/board/order/demo/{order.number}")
    await ada.page.get_by_text("Amend the order").click()
    await ada.page.get_by_text("Ask the buyer").click()
    await ada.page.get_by_text("Reject the order").click()
    await ada.looked_at("amend")
    await ada.page.get_by_label("Question").fill("Shall it be red or blue?")
    await ada.presses("Ask")
    assert (await ada.says()).startswith("✓ Asked")
    await shop.told(order.ref, "Shall it be red or blue?")
    await ada.page.get_by_text("Amend the order").click()
    await ada.page.get_by_label("Quantity").first.fill("2")
    await ada.presses("Amend")
    assert "revision 2 is being checked" in await ada.says()
    await shop.driver.confirmed(order.ref, 2)
    await ada.page.reload()
    await ada.looked_at("amended")
    other = await in_review(shop)
    await ada.opens(f"/board/order/demo/{other.number}")
    await ada.page.get_by_text("Reject the order").click()
    await ada.page.get_by_label("Reason").fill("We have no tents left.")
    await ada.presses("Reject")
    assert (await ada.says()).startswith("✓ Rejected")
    await shop.told(other.ref, "We have no tents left.")


async def test_a_wall_screen_shows_numbers_and_nothing_to_press(shop: Shop, operators: Operators) -> None:
    wall = await operators.one(WALL)
    await wall.logs_in(operators.key, wall=True)
    order = await in_review(shop)
    await expect(wall.page.locator("#part-reviews")).to_contain_text(order.number)
    assert await wall.page.get_by_role("button").count() == 0
    assert await wall.page.locator("#part-reviews a").count() == 0
    assert "Ada" not in await wall.page.locator("main").inner_text()
    for scheme in ("light", "dark"):
        await wall.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await wall.page.screenshot(path=PICTURES / f"board-wall-{scheme}.png")
    await wall.looked_at("wall")
    await wall.opens(f"/board/order/demo/{order.number}")
    assert wall.watch.answers[-1].status == 404


async def test_everything_is_reached_and_pressed_by_the_keyboard_alone(shop: Shop, operators: Operators) -> None:
    order = await in_review(shop)
    ada = await operators.one()
    await ada.opens("/board/login")
    await ada.page.keyboard.press("Tab")
    await ada.page.keyboard.type(operators.key)
    await ada.page.keyboard.press("Enter")
    await expect(ada.page.locator("#live")).to_have_text("Live")
    walk = await tab_through(ada.page)
    assert (walk.unreached, walk.unseen) == ([], [])
    await ada.page.get_by_role("link", name=order.number).first.focus()
    await ada.page.keyboard.press("Enter")
    await expect(ada.page.get_by_role("heading", level=1)).to_contain_text(order.number)
    walk = await tab_through(ada.page)
    assert (walk.unreached, walk.unseen) == ([], [])
    await ada.page.get_by_role("button", name="Take the review").focus()
    await ada.page.keyboard.press("Enter")
    await ada.page.wait_for_load_state()
    assert await ada.says() == "✓ Local owns the review."


async def test_news_do_not_take_the_focus_away(shop: Shop, operators: Operators) -> None:
    first = await in_review(shop)
    ada = await operators.one()
    await ada.logs_in(operators.key)
    link = ada.page.locator("#part-reviews").get_by_role("link", name=first.number)
    await link.focus()
    second = await in_review(shop)
    await expect(ada.page.locator("#part-reviews")).to_contain_text(second.number)
    await expect(link).to_be_focused()


async def test_a_gateway_that_restarts_ends_at_once_and_is_met_again(
    shop: Shop, operators: Operators, stack: Stack
) -> None:
    ada = await operators.one()
    await ada.logs_in(operators.key)
    running = stack.processes["gateway"]
    running.terminate()
    async with asyncio.timeout(10):  # a stream must not hold it up
        await running.wait()
    await expect(ada.page.locator("#live")).to_have_text("Reconnecting")
    await expect(ada.page.locator("#live")).to_have_text("Live", timeout=60_000)
    order = await in_review(shop)
    await expect(ada.page.locator("#part-reviews")).to_contain_text(order.number)
    ada.watch.complaints.clear()  # the browser says that the line was cut


async def test_without_scripts_the_board_reloads_itself_and_all_acts_work(shop: Shop, operators: Operators) -> None:
    order = await in_review(shop)
    ada = await operators.one(scripts=False)
    await ada.opens("/board/login")
    await ada.page.get_by_label("API key").fill(operators.key)
    await ada.page.get_by_role("button", name="Log in").click()
    assert await ada.page.locator("meta[http-equiv=refresh]").get_attribute("content") == "30"
    link = ada.page.get_by_role("link", name=order.number).first
    while not await link.count():
        await ada.page.reload()
    await link.click()
    await ada.presses("Approve revision 1")
    assert (await ada.says()).startswith("✓ Approved")


async def test_the_one_time_link_of_up_opens_the_board(operators: Operators, stack: Stack) -> None:
    link = once_url(stack.secrets.page, stack.gateway_url)
    ada = await operators.one()
    await ada.page.goto(link)
    await ada.looked_at("once")
    await ada.presses("Log in")
    await expect(ada.page.locator("#live")).to_have_text("Live")
    await ada.page.get_by_role("button", name="Log out").click()
    await ada.page.goto(link)
    assert ada.watch.answers[-1].status == 404


async def test_the_login_and_what_is_found_are_fit_to_look_at(shop: Shop, operators: Operators) -> None:
    order = shop.order()
    await shop.confirmed(order)
    ada = await operators.one()
    await ada.opens("/board/login")
    await ada.looked_at("login")
    await ada.page.get_by_label("API key").fill("guessed")
    await ada.page.get_by_role("button", name="Log in").click()
    await ada.looked_at("wrong-key")
    await ada.logs_in(operators.key)
    await ada.page.get_by_label("Find an order").fill(str(order.contacts.email))
    await ada.page.keyboard.press("Enter")
    await expect(ada.page.locator("main")).to_contain_text(order.number)
    await ada.looked_at("found")


async def test_what_the_sweeps_found_absent_is_fit_to_look_at(shop: Shop, operators: Operators, stack: Stack) -> None:
    order = await in_review(shop)
    lost = Finding(
        ref=order.ref, revision=1, kind=ExceptionKind.NOT_RUNNING, system="books", since=now(), owner="operations-lead"
    )
    ledger = await open_ledger(f"sqlite+aiosqlite:///{stack.home.folder}/ledger.db")
    try:
        await ledger.settle([lost], now())
        ada = await operators.one()
        await ada.logs_in(operators.key)
        await expect(ada.page.locator("#part-absent")).to_contain_text(order.number)
        await ada.looked_at("absent")
        await ledger.resolve(order.ref, "ada", "begun anew", now())
        await expect(ada.page.locator("#part-absent")).to_contain_text("No sweep has found anything absent.")
    finally:
        await ledger.aclose()
