"""From the mail, as its HTML shows it, to the page: the way that a buyer really comes."""

from playwright.async_api import Route

from tests.browser.buyer import Buyers
from tests.browser.keyboard import tab_through
from tests.browser.shop import Shop


async def test_the_mails_button_leads_to_the_order_and_no_hidden_link_is_ever_reached(
    shop: Shop, buyers: Buyers
) -> None:
    order = shop.order()
    await shop.confirmed(order)
    mail, inbox = await shop.mail(order.ref), f"{shop.driver.stack.gateway_url}/a-mail-program"

    async def answer(route: Route) -> None:
        await route.fulfill(status=200, content_type="text/html; charset=utf-8", body=mail)

    buyer = await buyers.one()
    await buyer.page.route(inbox, answer)
    await buyer.opens(inbox)
    walk = await tab_through(buyer.page)
    shown = [link for link in await buyer.page.get_by_role("link").all() if await link.is_visible()]
    assert len(walk.reached) == len(shown)
    assert walk.unreached == []
    async with buyer.page.context.expect_page() as tab:
        await buyer.page.get_by_role("link", name="View your order").click()
    buyer.page = await tab.value
    await buyer.page.wait_for_url("**/o/*")
    assert order.number in await buyer.reads()
    assert await buyer.form("affirm").count() == 1
