"""A buyer asks, calls the order off, and presses twice."""

from orderack.contracts.journal import Event, Stage
from tests.browser.buyer import Buyer, Buyers, Device
from tests.browser.eyes import Eyes
from tests.browser.shop import Shop, of_confirmation

QUESTION = 'Is the tent green? <script>alert("no")</script> Größe & "Farbe"'


async def asks(buyer: Buyer, text: str) -> None:
    await buyer.unfolds_everything()
    form = buyer.form("question")
    await form.locator("[name='text']").fill(text)
    await buyer.presses(form)


async def test_a_question_is_taken_and_shown_word_for_word(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    order = shop.order()
    buyer = await buyers.one()
    await buyer.opens(await shop.confirmed(order))
    await asks(buyer, QUESTION)
    assert buyer.status == 200
    assert QUESTION in await buyer.reads()
    await eyes.look(buyer, "question-taken")
    status = await shop.driver.until(order.ref, lambda s: bool(s.questions), "take the question")
    assert [question.text for question in status.questions] == [QUESTION]
    await shop.driver.seen(order.ref, Event.QUESTION_ASKED)
    await shop.alerted(order.ref)


async def test_an_empty_question_is_told_so(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    buyer = await buyers.one()
    await buyer.opens(await shop.confirmed(shop.order()))
    await asks(buyer, "   ")
    assert buyer.status == 422
    assert await buyer.page.get_by_role("alert").get_by_role("link").count() == 1
    await eyes.look(buyer, "empty-question")


async def test_going_back_and_sending_again_counts_once(shop: Shop, buyers: Buyers) -> None:
    order = shop.order()
    link = await shop.confirmed(order)
    buyer = await buyers.one(Device.DESKTOP)
    await buyer.opens(link)
    for _ in range(2):
        await asks(buyer, "When does it come?")
        assert buyer.status == 200
        await buyer.page.go_back()
    await buyer.opens(link)
    await buyer.presses(buyer.form("affirm"))
    await buyer.page.go_back()
    await buyer.presses(buyer.form("affirm"))
    assert buyer.status == 200
    status = await shop.status(order.ref)
    assert [question.text for question in status.questions] == ["When does it come?"]
    timeline = await shop.driver.timeline(order.ref)
    assert [each.event for each in timeline.entries].count(Event.QUESTION_ASKED) == 1


async def test_cancelling_asks_for_certainty_and_shows_the_end(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    order = shop.order()
    buyer = await buyers.one()
    await buyer.opens(await shop.confirmed(order))
    await buyer.unfolds_everything()
    form = buyer.form("cancel")
    await form.locator("[name='reason']").fill("Ordered by mistake")
    await buyer.presses(form)
    assert buyer.status == 422
    assert (await shop.status(order.ref)).stage is Stage.HANDED_OFF
    assert await buyer.form("cancel").locator("[name='reason']").input_value() == "Ordered by mistake"
    await eyes.look(buyer, "cancel-not-sure")

    await buyer.form("cancel").locator("[name='sure']").check()
    await buyer.presses(buyer.form("cancel"))
    assert buyer.status == 200
    assert "cancelled" in await buyer.reads()
    await eyes.look(buyer, "cancelled")
    await shop.driver.until(order.ref, lambda s: s.stage in (Stage.CANCELLED, Stage.CLOSED), "be cancelled")
    for name in ("affirm", "answer", "change", "cancel"):
        assert await buyer.form(name).count() == 0
    assert of_confirmation(await shop.status(order.ref)).proof.assented is None
