"""A buyer accepts what is confirmed, or declines a line of it."""

from orderack.contracts.journal import Event
from orderack.domain.evidence import Grade
from tests.browser.buyer import Buyers, Device
from tests.browser.eyes import Eyes
from tests.browser.shop import Shop, delivered, of_confirmation

NOTE = "The rope is for somebody else. <b>Sorry!</b>"


async def test_declining_a_line_stops_the_work_alerts_the_owner_and_proposes_the_rest(
    shop: Shop, buyers: Buyers, eyes: Eyes
) -> None:
    order = shop.order()
    buyer = await buyers.one()
    await buyer.opens(await shop.confirmed(order))
    form = await buyer.unfolds("answer")
    await form.locator("[name='line-1'][value='accept']").check()
    await form.locator("[name='line-2'][value='decline']").check()
    await form.locator("[name='note']").fill(NOTE)
    await eyes.picture(buyer.page, "declining-phone")
    async with shop.slow_erp():
        await buyer.presses(form)
        assert buyer.status == 200
        taken = await buyer.page.get_by_role("status").inner_text()
        assert "declined a part of revision 1" in taken
        assert NOTE in taken
        await eyes.look(buyer, "declined")
        await shop.driver.seen(order.ref, Event.DECLINED)
        await shop.driver.seen(order.ref, Event.CHANGE_PROPOSED)
        status = await shop.status(order.ref)
        assert of_confirmation(status).proof.assented is False
        assert of_confirmation(status).grade is Grade.E5
        assert status.revision == 2
        assert not status.work_may_begin
        await shop.alerted(order.ref, "declined")
    await shop.driver.until(order.ref, delivered(2), "be confirmed without the declined line")
    await buyer.opens(await shop.link(order.ref))
    items = await buyer.page.get_by_role("table").inner_text()
    assert "Tent" in items
    assert "Rope" not in items


async def test_accepting_everything_is_recorded_as_assent(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    order = shop.order()
    buyer = await buyers.one(Device.DESKTOP)
    await buyer.opens(await shop.confirmed(order))
    form = await buyer.unfolds("answer")
    await form.locator("[name='all']").check()
    await buyer.presses(form)
    assert "You accepted revision 1" in await buyer.page.get_by_role("status").inner_text()
    await eyes.look(buyer, "accepted")
    status = await shop.driver.until(
        order.ref, lambda s: of_confirmation(s).proof.assented is True, "record the assent"
    )
    assert of_confirmation(status).grade is Grade.E5
    assert status.revision == 1


async def test_a_line_without_an_answer_is_not_accepted_by_silence(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    order = shop.order()
    buyer = await buyers.one()
    await buyer.opens(await shop.confirmed(order))
    form = await buyer.unfolds("answer")
    await form.locator("[name='line-1'][value='accept']").check()
    await buyer.presses(form)
    assert buyer.status == 422
    assert await buyer.page.get_by_role("alert").get_by_role("link").get_attribute("href") == "#line-2"
    assert await buyer.form("answer").locator("[name='line-1'][value='accept']").is_checked()
    await eyes.look(buyer, "unanswered-line")
    assert of_confirmation(await shop.status(order.ref)).proof.assent is None
