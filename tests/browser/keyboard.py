"""Walks through a page with the Tab key, as a buyer without a mouse does."""

from dataclasses import dataclass

from playwright.async_api import Page

LIMIT = 400
"""Presses, more than any page of ours needs."""

_STEP = """() => {
    const at = document.activeElement;
    if (!at || at === document.body) return null;
    const again = at.hasAttribute("data-reached"), style = getComputedStyle(at), box = at.getBoundingClientRect();
    at.setAttribute("data-reached", "");
    const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1 || style.boxShadow !== "none";
    const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
    return {
        again, seen: ring && inside, html: at.outerHTML.slice(0, 160),
        folded: at.localName === "summary" && !at.parentElement.open,
    };
}"""

_LEFT = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
    .filter(each => each.checkVisibility() && !each.hasAttribute("data-reached"))
    .filter(each => each.tabIndex >= 0 && !each.disabled && each.type !== "hidden")
    .filter(each => each.type !== "radio" || !document.querySelector(`[name="${each.name}"][data-reached]`))
    .map(each => each.outerHTML.slice(0, 160))"""


@dataclass(frozen=True)
class Walk:
    """Where Tab led. `unreached`: what can be pressed or filled in, but not reached; of a group of radio buttons one is
    enough, the arrows reach the others. `unseen`: what had the focus and did not show it."""

    reached: list[str]
    unreached: list[str]
    unseen: list[str]


async def tab_through(page: Page) -> Walk:
    """Press Tab until the page is through, unfolding with Enter whatever is folded."""
    reached, unseen = [], []
    for _ in range(LIMIT):
        await page.keyboard.press("Tab")
        step = await page.evaluate(_STEP)
        if step is None or step["again"]:
            break
        reached.append(step["html"])
        if not step["seen"]:
            unseen.append(step["html"])
        if step["folded"]:
            await page.keyboard.press("Enter")
    return Walk(reached, await page.evaluate(_LEFT), unseen)
