"""A buyer accepts what is confirmed, or declines a line of it."""

from orderack.contracts.journal import Event
from tests.browser.buyer import Buyers, Device
from tests.browser.eyes import Eyes
from tests.browser.shop import Shop, of_confirmation

NOTE = "The rope is for somebody else. <b>Sorry!</b>"


async def test_declining_a_line_stops_the_work_and_alerts_the_owner(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    order = shop.order()
    buyer = await buyers.one()
    await buyer.opens(await shop.confirmed(order))
    await buyer.unfolds_everything()
    form = buyer.form("answer")
    await form.locator("[name='line-1'][value='accept']").check()
    await form.locator("[name='line-2'][value='decline']").check()
    await form.locator("[name='note']").fill(NOTE)
    await eyes.picture(buyer.page, "declining-phone")
    await buyer.presses(form)
    assert buyer.status == 200
    assert "declined" in (await buyer.reads()).lower()
    await eyes.look(buyer, "declined")
    await shop.driver.seen(order.ref, Event.DECLINED)
    status = await shop.driver.until(
        order.ref, lambda s: of_confirmation(s).proof.assented is False, "record that it was declined"
    )
    assert not status.work_may_begin
    assert status.owner
    await shop.alerted(order.ref)


async def test_accepting_every_line_is_recorded_as_assent(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    order = shop.order()
    buyer = await buyers.one(Device.DESKTOP)
    await buyer.opens(await shop.confirmed(order))
    await buyer.unfolds_everything()
    form = buyer.form("answer")
    for line in ("1", "2"):
        await form.locator(f"[name='line-{line}'][value='accept']").check()
    await buyer.presses(form)
    assert buyer.status == 200
    assert "accepted" in (await buyer.reads()).lower()
    await eyes.look(buyer, "accepted")
    await shop.driver.until(order.ref, lambda s: of_confirmation(s).proof.assented is True, "record the assent")
