"""A buyer asks for a change, and sees what became of it."""

from orderack.domain.evidence import Grade
from tests.browser.buyer import Buyer, Buyers, Device
from tests.browser.eyes import Eyes
from tests.browser.shop import Shop, delivered, of_confirmation


async def asks_for(buyer: Buyer, quantity: str) -> None:
    await buyer.unfolds_everything()
    form = buyer.form("change")
    await form.locator("[name='quantity-1']").fill(quantity)
    await buyer.presses(form)


async def test_a_changed_quantity_becomes_revision_2_and_needs_its_own_affirmation(
    shop: Shop, buyers: Buyers, eyes: Eyes
) -> None:
    order = shop.order()
    link = await shop.confirmed(order)
    buyer = await buyers.one()
    await buyer.opens(link)
    await buyer.presses(buyer.form("affirm"))
    await shop.driver.until(order.ref, lambda s: of_confirmation(s).grade is Grade.E5, "be affirmed")

    await shop.driver.erp_takes(3)
    try:
        await asks_for(buyer, "5")
        assert buyer.status == 200
        assert "not confirmed yet" in await buyer.reads()
        await eyes.look(buyer, "change-received")
    finally:
        await shop.driver.erp_takes(0)
    await shop.driver.until(order.ref, delivered(2), "be confirmed as revision 2")

    await buyer.opens(await shop.link(order.ref))
    shown = await buyer.reads()
    assert "revision 2" in shown.lower()
    assert "2" in shown
    await eyes.look(buyer, "revision-2")
    status = await shop.status(order.ref)
    assert of_confirmation(status, 2).grade is not Grade.E5
    assert not status.work_may_begin
    assert await buyer.form("affirm").count() == 1, "the first confirmation's affirmation counted for the second"
    await buyer.presses(buyer.form("affirm"))
    await shop.driver.until(order.ref, lambda s: of_confirmation(s, 2).grade is Grade.E5, "be affirmed again")
    assert "revision 2" in (await buyer.reads()).lower()


async def test_a_form_that_shows_an_old_revision_is_told_so(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    order = shop.order()
    link = await shop.confirmed(order)
    slow, quick = await buyers.one(), await buyers.one(Device.DESKTOP)
    await slow.opens(link)
    await quick.opens(link)
    await asks_for(quick, "3")
    await shop.driver.until(order.ref, delivered(2), "be confirmed as revision 2")
    await slow.presses(slow.form("affirm"))
    assert slow.status == 409
    assert "changed since" in await slow.reads()
    await eyes.look(slow, "stale-form")
    assert of_confirmation(await shop.status(order.ref), 2).grade is not Grade.E5


async def test_what_was_typed_wrong_is_named_linked_and_kept(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    buyer = await buyers.one()
    await buyer.opens(await shop.confirmed(shop.order()))
    await buyer.unfolds_everything()
    form = buyer.form("change")
    await form.locator("[name='street']").fill("12 New Street")
    await asks_for(buyer, "a few")
    assert buyer.status == 422
    summary = buyer.page.get_by_role("alert")
    link = summary.get_by_role("link").first
    field = form.locator("[name='quantity-1']")
    assert await link.get_attribute("href") == f"#{await field.get_attribute('id')}"
    assert await field.get_attribute("aria-invalid") == "true"
    assert await field.input_value() == "a few"
    assert await form.locator("[name='street']").input_value() == "12 New Street"
    await eyes.look(buyer, "typing-error")
    await link.click()
    assert await field.evaluate("field => field === document.activeElement")
