"""A buyer at a browser in which JavaScript is off: what the page can't do without it, it can't do."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from playwright.async_api import Browser, ConsoleMessage, Locator, Page, Request, Response

Scheme = Literal["light", "dark"]
PATIENCE = 15_000.0
"""Milliseconds that a page may take, on a busy machine."""


class Device(Enum):
    """Width and height in CSS pixels."""

    PHONE = (390, 844)
    DESKTOP = (1280, 900)

    @property
    def label(self) -> str:
        return self.name.lower()


@dataclass
class Watch:
    """Notes what a page must not do, and the answer that it now shows."""

    origin: str
    complaints: list[str] = field(default_factory=list)
    answers: list[Response] = field(default_factory=list)

    def follow(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._asked)
        page.on("response", self._answered)

    def _said(self, message: ConsoleMessage) -> None:
        refused = any(answer.status >= 400 and answer.url == message.location["url"] for answer in self.answers)
        if message.type in ("error", "warning") and not refused:
            self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(f"{self.origin}/"):
            self.complaints.append(f"asked another host: {request.url}")

    def _answered(self, response: Response) -> None:
        if response.request.is_navigation_request():
            self.answers.append(response)


@dataclass
class Buyer:
    """One person with one tab."""

    page: Page
    watch: Watch

    async def opens(self, link: str) -> None:
        await self.page.goto(link)

    async def reads(self) -> str:
        """What is on the page, as a person sees it."""
        return await self.page.locator("main").inner_text()

    def form(self, name: str) -> Locator:
        """The form that posts to `/o/{token}/{name}`."""
        return self.page.locator(f"form[action$='/{name}']")

    async def presses(self, form: Locator) -> None:
        """Send the form by its button, and wait for the answer."""
        async with self.page.expect_navigation():
            await form.get_by_role("button").click()

    async def unfolds(self, section: str) -> Locator:
        """Open a part of the page that may be folded; its form."""
        if await (summary := self.page.locator(f"#{section}:not([open]) > summary")).count():
            await summary.click()
        return self.form(section)

    async def unfolds_everything(self) -> None:
        """Open what the page keeps folded."""
        folded = self.page.locator("details:not([open]) > summary")
        while await folded.count():
            await folded.first.click()

    @property
    def status(self) -> int:
        """The HTTP status of what the page shows."""
        return self.watch.answers[-1].status


@dataclass
class Buyers:
    """Lets buyers come, and looks after them when they leave."""

    browser: Browser
    origin: str
    here: list[Buyer] = field(default_factory=list)

    async def one(self, device: Device = Device.PHONE, scheme: Scheme = "light", language: str = "en-GB") -> Buyer:
        width, height = device.value
        context = await self.browser.new_context(
            viewport={"width": width, "height": height},
            is_mobile=device is Device.PHONE,
            has_touch=device is Device.PHONE,
            color_scheme=scheme,
            java_script_enabled=False,
            locale=language,
        )
        context.set_default_timeout(PATIENCE)
        watch = Watch(self.origin)
        page = await context.new_page()
        watch.follow(page)
        buyer = Buyer(page, watch)
        self.here.append(buyer)
        return buyer

    async def leave(self) -> None:
        """Close every tab. Fails if a page wrote an error to the console or asked anybody else for anything."""
        for buyer in self.here:
            await buyer.page.context.close()
        if complaints := [each for buyer in self.here for each in buyer.watch.complaints]:
            raise AssertionError("\n".join(complaints))
