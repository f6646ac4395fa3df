"""A link that is no good says so calmly, and always the same."""

from datetime import UTC, datetime, timedelta

import time_machine

from orderack.links import VALID_FOR, PageLinks
from tests.browser.buyer import Buyers
from tests.browser.eyes import Eyes
from tests.browser.shop import Shop


async def test_a_damaged_a_guessed_an_expired_and_a_revoked_link_show_the_same_calm_page(
    shop: Shop, buyers: Buyers, eyes: Eyes
) -> None:
    order = shop.order()
    link = await shop.confirmed(order)
    revoked = shop.order()
    revoked_link = await shop.confirmed(revoked)
    stack = shop.driver.stack
    await shop.operates("page", "revoke", str(revoked.ref))
    links = PageLinks(stack.secrets.page, stack.gateway_url)
    with time_machine.travel(datetime.now(UTC) - VALID_FOR - timedelta(minutes=1)):
        expired = links.url(order.ref)
    stranger = PageLinks("somebody else's secret", stack.gateway_url).url(order.ref)
    buyer = await buyers.one()
    shown = set()
    for bad in (link[:-3], f"{stack.gateway_url}/o/guessed", stranger, expired, revoked_link):
        await buyer.opens(bad)
        assert buyer.status == 404
        shown.add(await buyer.page.content())
    assert len(shown) == 1
    assert not {order.number, "Fjordlight"} & set(shown.pop().split())
    await eyes.look(buyer, "bad-link")
