"""The instrument itself: each fault that it is there for is seen when it is there."""

import pytest
from playwright.async_api import Route

from orderack.embedded.stack import Stack
from tests.browser.buyer import Buyer, Buyers
from tests.browser.eyes import Eyes, Unfit
from tests.browser.keyboard import tab_through

FINE = "<h1>Fine</h1><p>Nothing is wrong here.</p>"
FAULTS = {
    "color-contrast": "<p style='color: #999; background: #aaa'>grey on grey</p>",
    "dark: color-contrast": (
        "<style>@media (prefers-color-scheme: dark) { body { background: #111; color: #333 } }</style><p>dark</p>"
    ),
    "label": "<form><input type='text' name='quantity-1'></form>",
    "target-size": "<a href='#a' style='font-size: 6px'>a</a><br><a href='#b' style='font-size: 6px'>b</a>",
    "heading-order": "<h4>Deep</h4>",
    "at 320 px it scrolls sideways": "<p style='width: 350px'>wide</p>",
    "asked another host": "<img alt='' src='https://elsewhere.example/pixel.gif'>",
    "Content Security Policy": "<script>alert(1)</script>",
}


async def shown(buyers: Buyers, stack: Stack, inside: str) -> Buyer:
    """A buyer before a page of our making, under the policy that allows only styles."""
    body = (
        f"<!doctype html><html lang=en><meta name=viewport content='width=device-width'><title>A</title><main>{inside}"
    )
    headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": "script-src 'none'"}

    async def answer(route: Route) -> None:
        await route.fulfill(status=200, headers=headers, body=body)

    buyer = await buyers.one()
    await buyer.page.route(f"{stack.gateway_url}/made-up", answer)
    await buyer.opens(f"{stack.gateway_url}/made-up")
    buyer.watch.complaints.clear()
    return buyer


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_seen(fault: str, buyers: Buyers, stack: Stack, eyes: Eyes) -> None:
    buyer = await shown(buyers, stack, FINE + FAULTS[fault])
    with pytest.raises(Unfit, match=fault):
        await eyes.look(buyer, "made-up")


async def test_a_page_without_fault_passes(buyers: Buyers, stack: Stack, eyes: Eyes) -> None:
    await eyes.look(await shown(buyers, stack, FINE), "made-up")


async def test_what_the_keyboard_cannot_reach_or_does_not_show_is_seen(buyers: Buyers, stack: Stack) -> None:
    hidden = "<a id=dark style='outline: none' href='#x'>no ring</a><div tabindex=0 onfocus>ok</div>"
    trap = "<details><summary>more</summary><button>inside</button></details>"
    walk = await tab_through((await shown(buyers, stack, FINE + hidden + trap)).page)
    assert [each for each in walk.unseen if "dark" in each] == walk.unseen != []
    assert any("inside" in each for each in walk.reached)
    assert walk.unreached == []
