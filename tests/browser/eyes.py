"""Looks closely at one state of the page: pictures, reflow, and axe in light and dark, on phone and desktop.

axe needs JavaScript and the buyer's tab has none, so the very bytes that the buyer sees, under the same policy, are
shown to a second tab that has it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import BrowserContext, FloatRect, Page, Route
from pydantic import TypeAdapter

from orderack.domain.value import Value
from tests.browser.buyer import Buyer, Device, Scheme, Watch

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
POLICY = "content-security-policy"
OPTIONS = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
NARROW = (320, 360)
"""CSS pixels: 320 is a desktop's 1280 at 400 % (WCAG 1.4.10), 360 the usual small phone."""
LONGEST = 12_000
"""CSS pixels of a picture's height; the browser's own limit is 16,384."""
VIEWS: Sequence[tuple[Device, Scheme]] = ((Device.PHONE, "light"), (Device.PHONE, "dark"), (Device.DESKTOP, "light"))
"""A desktop in the dark has the phone's colours and the desktop's layout: nothing that these three don't show."""


class Unfit(AssertionError):
    """The page has a fault that a buyer would meet."""


class Node(Value):
    target: tuple[str, ...]
    html: str


class Violation(Value):
    """What axe found, in its words."""

    id: str
    impact: str | None
    help: str
    nodes: tuple[Node, ...]


_VIOLATIONS: TypeAdapter[list[Violation]] = TypeAdapter(list[Violation])


@dataclass
class Eyes:
    """A browser context with JavaScript, used for looking only."""

    context: BrowserContext
    pictures: Path

    async def look(self, buyer: Buyer, state: str) -> None:
        """Raises Unfit if what the buyer sees has a fault that axe knows, is too wide for a phone, or complains."""
        page = await self.context.new_page()
        await self._show(page, buyer)
        watch = Watch(buyer.watch.origin)
        watch.follow(page)
        await page.goto(buyer.page.url)
        faults = [*await self._narrow(page), *await self._axe(page, state), *watch.complaints]
        await page.close()
        if faults:
            raise Unfit("\n".join(f"{state}: {fault}" for fault in faults))

    async def _show(self, page: Page, buyer: Buyer) -> None:
        body, headers = await buyer.page.content(), await buyer.watch.answers[-1].all_headers()
        policy = {name: value for name, value in headers.items() if name in ("content-type", POLICY)}

        async def answer(route: Route) -> None:
            await route.fulfill(status=200, headers=policy, body=body)

        await page.route(buyer.page.url, answer)

    async def _narrow(self, page: Page) -> list[str]:
        faults = []
        for width in NARROW:
            await page.set_viewport_size({"width": width, "height": 640})
            if over := await overflow(page):
                faults.append(f"at {width} px it scrolls sideways by {over} px")
        return faults

    async def _axe(self, page: Page, state: str) -> list[str]:
        await page.evaluate(AXE_SCRIPT)
        faults = []
        for device, scheme in VIEWS:
            await page.set_viewport_size({"width": device.value[0], "height": device.value[1]})
            await page.emulate_media(color_scheme=scheme)
            await self.picture(page, f"{state}-{device.label}-{scheme}")
            found = await page.evaluate(f"axe.run({json.dumps(OPTIONS)}).then(found => found.violations)")
            faults += [
                f"{device.label}, {scheme}: {each.id} ({each.impact}): {each.help}: "
                + "; ".join(f"{' '.join(node.target)} {node.html}" for node in each.nodes)
                for each in _VIOLATIONS.validate_python(found, strict=False)
            ]
        return faults

    async def picture(self, page: Page, name: str) -> None:
        width, height = await page.evaluate("[innerWidth, document.documentElement.scrollHeight]")
        part: FloatRect = {"x": 0, "y": 0, "width": width, "height": min(height, LONGEST)}
        await page.screenshot(path=self.pictures / f"{name}.png", full_page=True, clip=part)


async def overflow(page: Page) -> int:
    """CSS pixels by which the page is wider than its window."""
    over: int = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return over
