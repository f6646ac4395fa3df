"""A buyer asks for a change, and sees what became of it."""

from playwright.async_api import Locator

from orderack.domain.evidence import Grade
from tests.browser.buyer import Buyer, Buyers, Device
from tests.browser.eyes import Eyes
from tests.browser.shop import Shop, delivered, of_confirmation


async def asks_for(buyer: Buyer, quantity: str) -> None:
    form = await buyer.unfolds("change")
    await form.locator("[name='quantity-1']").fill(quantity)
    await buyer.presses(form)


async def in_view(element: Locator) -> bool:
    """Whether it lies in the window, where the buyer looks."""
    found: bool = await element.evaluate(
        "e => e.getBoundingClientRect().top >= 0 && e.getBoundingClientRect().bottom <= innerHeight"
    )
    return found


async def test_a_changed_quantity_becomes_revision_2_and_needs_its_own_affirmation(
    shop: Shop, buyers: Buyers, eyes: Eyes
) -> None:
    order = shop.order()
    buyer = await buyers.one()
    await buyer.opens(await shop.confirmed(order))
    await buyer.presses(buyer.form("affirm"))
    await shop.driver.until(order.ref, lambda s: of_confirmation(s).grade is Grade.E5, "be affirmed")

    async with shop.slow_erp():
        await asks_for(buyer, "5")
        assert buyer.status == 200
        assert "Your change is not confirmed yet" in await buyer.reads()
        await eyes.look(buyer, "change-received")
    status = await shop.driver.until(order.ref, delivered(2), "be confirmed as revision 2")
    assert of_confirmation(status, 1).grade is Grade.E5
    assert not status.work_may_begin

    await buyer.opens(await shop.link(order.ref))
    difference = await buyer.page.locator(".changes").inner_text()
    assert "Tent: quantity\nBefore: 2\nNow: 5" in difference
    assert await buyer.form("affirm").count() == 1, "the first confirmation's affirmation counted for the second"
    await eyes.look(buyer, "revision-2")
    await buyer.presses(buyer.form("affirm"))
    assert "You have affirmed revision 2" in await buyer.page.get_by_role("status").inner_text()
    await shop.driver.until(order.ref, lambda s: of_confirmation(s, 2).grade is Grade.E5, "be affirmed again")


async def test_a_form_that_shows_an_old_revision_is_told_so(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    order = shop.order()
    link = await shop.confirmed(order)
    slow, quick = await buyers.one(), await buyers.one(Device.DESKTOP)
    await slow.opens(link)
    await quick.opens(link)
    await asks_for(quick, "3")
    await shop.driver.until(order.ref, delivered(2), "be confirmed as revision 2")
    form = await slow.unfolds("question")
    await form.locator("[name='text']").fill("May I have it in green?")
    await slow.presses(form)
    assert slow.status == 409
    assert "changed since" in await slow.page.get_by_role("alert").inner_text()
    assert await slow.form("question").locator("[name='text']").input_value() == "May I have it in green?"
    await eyes.look(slow, "stale-form")
    assert (await shop.status(order.ref)).questions == ()


async def test_what_was_typed_wrong_is_named_linked_and_kept(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    order = shop.order()
    buyer = await buyers.one()
    await buyer.opens(await shop.confirmed(order))
    form = await buyer.unfolds("change")
    await form.locator("[name='street']").fill("12 New Street")
    await asks_for(buyer, "a few")
    assert buyer.status == 422
    link = buyer.page.get_by_role("alert").get_by_role("link")
    field = form.locator("[name='quantity-1']")
    assert await link.get_attribute("href") == f"#{await field.get_attribute('id')}"
    assert await field.get_attribute("aria-invalid") == "true"
    assert await field.input_value() == "a few"
    assert await form.locator("[name='street']").input_value() == "12 New Street"
    await eyes.look(buyer, "typing-error")
    await link.click()
    for seen in (field, buyer.page.locator("#quantity-1-error"), buyer.page.locator("label[for='quantity-1']")):
        assert await in_view(seen)
    await buyer.page.keyboard.press("Tab")
    assert await form.evaluate("form => form.contains(document.activeElement)")
    await buyer.opens(buyer.page.url.partition("#")[0])
    assert buyer.status == 200
    assert await buyer.page.get_by_role("alert").count() == 0
    assert (await shop.status(order.ref)).revision == 1
