"""A buyer asks, calls the order off, and presses twice."""

from playwright.async_api import APIResponse, Request

from orderack.contracts.journal import Event, Stage
from orderack.contracts.updates import Answer
from tests.browser.buyer import Buyer, Buyers, Device
from tests.browser.eyes import Eyes
from tests.browser.shop import Shop

FORM = "application/x-www-form-urlencoded"
QUESTION = 'Is the tent green? <script>alert("no")</script> Größe & "Farbe"'


async def asks(buyer: Buyer, text: str) -> None:
    form = await buyer.unfolds("question")
    await form.locator("[name='text']").fill(text)
    await buyer.presses(form)


async def again(buyer: Buyer, request: Request) -> APIResponse:
    """The very same request once more."""
    return await buyer.page.request.fetch(
        request.url, method="POST", data=request.post_data or "", headers={"Content-Type": FORM}
    )


async def test_a_question_is_taken_word_for_word_and_answered(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    order = shop.order()
    link = await shop.confirmed(order)
    buyer = await buyers.one()
    await buyer.opens(link)
    await asks(buyer, QUESTION)
    assert buyer.status == 200
    taken = await buyer.page.get_by_role("status").inner_text()
    assert "You asked us something" in taken
    assert QUESTION in taken
    await eyes.look(buyer, "question-taken")
    (question,) = (await shop.status(order.ref)).questions
    assert question.text == QUESTION
    await shop.driver.seen(order.ref, Event.QUESTION_ASKED)
    await shop.alerted(order.ref, "question")

    answer = Answer(id="answer", question=question.id, text="It is green, like the forest.", by="order-desk")
    assert (await shop.driver.orders.answer(order.ref, answer)).accepted
    await shop.told(order.ref, answer.text)
    await buyer.opens(link)
    await buyer.unfolds_everything()
    assert answer.text in await buyer.reads()
    await eyes.look(buyer, "question-answered")


async def test_an_empty_question_is_told_so(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    buyer = await buyers.one()
    await buyer.opens(await shop.confirmed(shop.order()))
    await asks(buyer, "   ")
    assert buyer.status == 422
    assert await buyer.page.get_by_role("alert").get_by_role("link").get_attribute("href") == "#text"
    await eyes.look(buyer, "empty-question")


async def test_a_form_sent_twice_by_the_network_or_after_going_back_counts_once(shop: Shop, buyers: Buyers) -> None:
    order = shop.order()
    link = await shop.confirmed(order)
    buyer = await buyers.one(Device.DESKTOP)
    await buyer.opens(link)
    async with buyer.page.expect_request(lambda request: request.method == "POST") as sent:
        await asks(buyer, "When does it come?")
    assert (await again(buyer, await sent.value)).ok
    await buyer.opens(link)
    await buyer.presses(buyer.form("affirm"))
    await buyer.page.go_back()
    assert await buyer.form("affirm").count() == 0
    await buyer.page.go_forward()
    await buyer.page.reload()
    assert buyer.status == 200
    status = await shop.status(order.ref)
    assert [question.text for question in status.questions] == ["When does it come?"]
    timeline = await shop.driver.timeline(order.ref)
    assert [each.event for each in timeline.entries].count(Event.QUESTION_ASKED) == 1


async def test_cancelling_asks_for_certainty_and_shows_the_end(shop: Shop, buyers: Buyers, eyes: Eyes) -> None:
    order = shop.order()
    buyer = await buyers.one()
    await buyer.opens(await shop.confirmed(order))
    form = await buyer.unfolds("cancel")
    await form.locator("[name='reason']").fill("Ordered by mistake")
    await buyer.presses(form)
    assert buyer.status == 422
    assert (await shop.status(order.ref)).stage is Stage.HANDED_OFF
    assert await buyer.form("cancel").locator("[name='reason']").input_value() == "Ordered by mistake"
    await eyes.look(buyer, "cancel-not-sure")

    await buyer.form("cancel").locator("[name='sure']").check()
    await buyer.presses(buyer.form("cancel"))
    assert buyer.status == 200
    assert "Your order is cancelled" in await buyer.reads()
    await eyes.look(buyer, "cancelled")
    assert (await shop.status(order.ref)).stage is Stage.CANCELLED
    for name in ("affirm", "answer", "change", "cancel"):
        assert await buyer.form(name).count() == 0
