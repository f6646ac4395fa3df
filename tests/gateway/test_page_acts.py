"""What a buyer does on the page lands in the record and with the order: once, graded, and bound to what was shown."""

from dataclasses import replace
from decimal import Decimal

import pytest

from orderack.contracts.journal import Stage
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import Contacts, Totals
from orderack.gateway.buyer_requests import BuyerRequest
from tests.gateway.conftest import Gateway
from tests.gateway.page_world import Buyer, a_buyer, confirmed, received, said, stored, words
from tests.temporal.server import now
from tests.workflows.orders import an_order


@pytest.fixture
async def buyer(gateway: Gateway) -> Buyer:
    return await a_buyer(gateway, totals=Totals(tax=Decimal("3.98"), total=Decimal("43.78")))


async def test_to_affirm_is_receipt_and_not_assent(buyer: Buyer) -> None:
    text = await buyer.sent("affirm")
    (fact,) = await buyer.facts()
    assert (fact.event, fact.grade, fact.channel) == (EvidenceEvent.AFFIRMED, Grade.E5, "portal")
    assert (fact.revision, fact.kind, fact.n) == (1, Kind.CONFIRMATION, 1)
    assert buyer.gateway.orders.facts == [fact]
    assert "You have affirmed revision 1" in text
    assert "Recorded on" in text
    assert "/affirm" not in (await buyer.opens()).text


async def test_to_affirm_twice_is_one_fact_whichever_form_it_was(buyer: Buyer) -> None:
    answers = [await buyer.sends("affirm") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(await buyer.facts()) == 1
    assert len(buyer.gateway.orders.facts) == 1


async def test_evidence_says_whose_word_it_is_and_of_which_bytes(buyer: Buyer) -> None:
    other = next(name for name in buyer.gateway.parts.channels if name not in ("email", "alerts"))
    sha256 = await said(buyer.gateway, buyer.order, channel=other)
    assert sha256 != await said(buyer.gateway, buyer.order, channel="email")
    await replace(buyer, via=other).sent("affirm")
    (record,) = await buyer.gateway.ledger.evidence_records(buyer.order.ref)
    provenance = record.provenance
    assert provenance.actor == f"the holder of the link sent by {other}"
    assert (provenance.assurance, provenance.verified, provenance.recipient_role) == ("link", True, "buyer")
    assert provenance.content_sha256 == sha256
    assert "ada@example.com" not in (record.raw or "")


async def test_a_link_made_by_hand_says_so(buyer: Buyer) -> None:
    await replace(buyer, via="").sent("affirm")
    (record,) = await buyer.gateway.ledger.evidence_records(buyer.order.ref)
    assert record.provenance.actor == "the holder of the link made by hand"


async def test_a_message_before_the_confirmation_can_be_affirmed_and_nothing_else_is(gateway: Gateway) -> None:
    order = an_order("early", now())
    buyer = Buyer(gateway, order)
    await stored(gateway, order, stage=Stage.AWAITING_ERP)
    await said(gateway, order, Kind.RECEIVED)
    await said(gateway, order, Kind.HOLDING)
    buyer.stands(received(order))
    await buyer.sent("affirm")
    (fact,) = await buyer.facts()
    assert (fact.kind, fact.event) == (Kind.HOLDING, EvidenceEvent.AFFIRMED)


async def test_a_message_affirmed_before_leaves_its_confirmation_to_be_affirmed(gateway: Gateway) -> None:
    order = an_order("early", now())
    buyer = Buyer(gateway, order)
    await stored(gateway, order, stage=Stage.AWAITING_ERP)
    await said(gateway, order, Kind.RECEIVED)
    buyer.stands(received(order))
    await buyer.sent("affirm")
    await said(gateway, order)
    buyer.stands(confirmed(order))
    assert "You have affirmed revision 1 on" not in await buyer.reads()
    await buyer.sent("affirm")
    assert [fact.kind for fact in await buyer.facts()] == [Kind.RECEIVED, Kind.CONFIRMATION]


async def test_what_was_sent_before_the_confirmation_came_is_no_evidence_of_it(gateway: Gateway) -> None:
    order = an_order("early", now())
    buyer = Buyer(gateway, order)
    await stored(gateway, order, stage=Stage.AWAITING_ERP)
    await said(gateway, order, Kind.RECEIVED)
    buyer.stands(received(order))
    assert 'name="message" value="received/1"' in (await buyer.opens()).text
    await said(gateway, order)
    buyer.stands(confirmed(order))
    assert (await buyer.sends("affirm", message="received/1")).status_code == 409
    await buyer.sent("question", text="When?", message="received/1")
    assert await buyer.facts() == []
    assert [question.text for question in gateway.orders.questions] == ["When?"]
    await buyer.sent("affirm", message="confirmation/1")
    assert [fact.kind for fact in await buyer.facts()] == [Kind.CONFIRMATION]


async def test_every_line_accepted_is_assent(buyer: Buyer) -> None:
    text = await buyer.sent("answer", **{"line-1": "accept", "line-2": "accept"})
    assert "You accepted revision 1 of your order." in text
    assert [fact.event for fact in await buyer.facts()] == [EvidenceEvent.ASSENTED]
    assert buyer.gateway.orders.changes == []


async def test_everything_accepted_at_once_is_assent(buyer: Buyer) -> None:
    await buyer.sent("answer", all="accept")
    (fact,) = await buyer.facts()
    assert (fact.event, fact.grade, fact.kind) == (EvidenceEvent.ASSENTED, Grade.E5, Kind.CONFIRMATION)


async def test_a_declined_line_is_proposed_away_with_its_price_and_its_share_of_the_tax(buyer: Buyer) -> None:
    text = await buyer.sent("answer", **{"line-1": "accept", "line-2": "decline"})
    assert "You declined a part of revision 1. Cup" in text
    (fact,) = await buyer.facts()
    assert (fact.event, fact.grade) == (EvidenceEvent.DECLINED, Grade.E5)
    (change,) = buyer.gateway.orders.changes
    assert [line.line_id for line in change.order.lines] == ["1"]
    assert (change.order.totals.tax, change.order.totals.total) == (Decimal("1.98"), Decimal("21.78"))
    assert change.by == "buyer"


async def test_every_line_declined_calls_the_order_off(buyer: Buyer) -> None:
    text = await buyer.sent("answer", **{"line-1": "decline", "line-2": "decline", "note": "too late for us"})
    assert "You declined revision 1 as a whole" in text
    (cancellation,) = buyer.gateway.orders.cancellations
    assert (cancellation.by, cancellation.reason) == ("buyer", "too late for us")
    assert buyer.gateway.orders.changes == []


async def test_a_note_beside_an_answer_reaches_the_orders_owner(buyer: Buyer) -> None:
    await buyer.sent("answer", **{"line-1": "accept", "line-2": "decline", "note": "the cup chips"})
    (question,) = buyer.gateway.orders.questions
    assert (question.text, question.revision, question.via) == ("the cup chips", 1, "portal")
    assert len(buyer.gateway.orders.changes) == 1


async def test_the_last_of_two_answers_counts(buyer: Buyer) -> None:
    await buyer.sent("answer", all="accept")
    await buyer.sent("answer", **{"line-1": "decline", "line-2": "accept"})
    assert "You declined a part of revision 1, or all of it, on" in await buyer.reads()
    await buyer.sent("answer", all="accept")
    assert "You accepted revision 1 on" in await buyer.reads()


async def test_a_question_is_put_to_the_owner_and_shows_a_person_at_work(buyer: Buyer) -> None:
    text = await buyer.sent("question", text="Can it come on Friday?\r\n\r\nAda")
    assert "You asked us something. Can it come on Friday? Ada It is recorded and has reached us." in text
    (question,) = buyer.gateway.orders.questions
    assert (question.text, question.revision, question.via) == ("Can it come on Friday?\nAda", 1, "portal")
    (fact,) = await buyer.facts()
    assert (fact.event, fact.grade, fact.kind) == (EvidenceEvent.ENGAGED, Grade.E4, Kind.CONFIRMATION)


async def test_a_change_is_proposed_with_everything_else_as_it_was(buyer: Buyer) -> None:
    await buyer.sent(
        "change",
        **{"quantity-1": "3", "quantity-2": "0", "street": "2 Low Street", "street2": "", "city": "Leeds"},
        **{"postal_code": "LS1 1AA", "region": "", "country": "GB", "instructions": "ring\r\ntwice"},
    )
    (change,) = buyer.gateway.orders.changes
    order = change.order
    assert [(line.line_id, line.quantity) for line in order.lines] == [("1", Decimal(3))]
    assert order.delivery_address
    assert (order.delivery_address.street, order.delivery_address.city) == ("2 Low Street", "Leeds")
    assert order.instructions == "ring\ntwice"
    assert order.totals.total == Decimal("29.70") + order.totals.tax
    same = {"lines", "delivery_address", "instructions", "totals"}
    assert order.model_dump(exclude=same) == buyer.order.model_dump(exclude=same)
    assert [fact.event for fact in await buyer.facts()] == [EvidenceEvent.ENGAGED]


async def test_the_form_as_it_was_shown_changes_nothing(buyer: Buyer) -> None:
    answer = await buyer.sends("change", **{"quantity-1": "2", "quantity-2": "1", "instructions": ""})
    assert answer.status_code == 422
    assert "Nothing differs" in words(answer)
    assert buyer.gateway.orders.changes == []


async def test_a_cancellation_is_put_to_the_order(buyer: Buyer) -> None:
    text = await buyer.sent("cancel", reason="ordered twice", sure="yes")
    assert "You asked us to cancel the order. ordered twice" in text
    (cancellation,) = buyer.gateway.orders.cancellations
    assert (cancellation.by, cancellation.reason, cancellation.dispute) == ("buyer", "ordered twice", False)
    assert [fact.grade for fact in await buyer.facts()] == [Grade.E4]


@pytest.mark.parametrize(
    ("reason", "words_to_owner"),
    [
        ("ordered twice", "The buyer asks to cancel: ordered twice"),
        ("", "The buyer asks to cancel: no reason given"),
        ("x" * 2_000, "The buyer asks to cancel: " + "x" * 1_974),
    ],
)
async def test_once_the_team_has_the_work_in_hand_its_owner_is_asked_to_cancel(
    buyer: Buyer, reason: str, words_to_owner: str
) -> None:
    buyer.stands(confirmed(buyer.order, handoff_accepted_by="operations-lead"))
    assert "The team already has the work in hand. We ask" in await buyer.reads()
    text = await buyer.sent("cancel", reason=reason, sure="yes")
    assert "we asked the person responsible to cancel it" in text
    assert buyer.gateway.orders.cancellations == []
    (question,) = buyer.gateway.orders.questions
    assert question.text == words_to_owner


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("answer", {"line-1": "accept", "line-2": "decline", "note": "n"}),
        ("question", {"text": "When?"}),
        ("change", {"quantity-1": "5"}),
        ("cancel", {"reason": "r", "sure": "yes"}),
    ],
)
async def test_a_form_sent_twice_is_one_request(buyer: Buyer, action: str, fields: dict[str, str]) -> None:
    orders = buyer.gateway.orders
    first = await buyer.sends(action, form="the-same", **fields)
    asked = [list(found) for found in (orders.questions, orders.changes, orders.cancellations, orders.facts)]
    again = await buyer.sends(action, form="the-same", **fields)
    assert first.headers["location"] == again.headers["location"]
    assert [orders.questions, orders.changes, orders.cancellations, orders.facts] == asked
    assert len(await buyer.facts()) == 1


async def test_the_same_words_from_a_fresh_form_are_another_request(buyer: Buyer) -> None:
    for _ in range(2):
        await buyer.sent("question", text="Hello?")
    assert len({question.id for question in buyer.gateway.orders.questions}) == 2


async def test_what_is_recorded_names_the_revision_and_the_order_that_it_was_made_from(buyer: Buyer) -> None:
    buyer.gateway.orders.away = True
    await buyer.sends("change", **{"quantity-1": "5"})
    (row,) = await buyer.gateway.inbox()
    request = BuyerRequest.model_validate_json(row.body)
    assert (row.source, row.kind, row.ref) == ("page", "buyer_request", buyer.order.ref)
    assert (request.revision, request.base) == (1, buyer.order.content_hash)


async def test_the_page_remembers_what_the_buyer_told_us_the_latest_first(buyer: Buyer) -> None:
    await buyer.sent("affirm")
    await buyer.sent("question", text="First?")
    await buyer.sent("question", text="Second?")
    text = await buyer.reads()
    assert (
        text.index("Second?") < text.index("First?") < text.index("You have affirmed revision 1: it has reached you.")
    )


async def test_a_german_buyer_writes_german_numbers(gateway: Gateway) -> None:
    buyer = await a_buyer(gateway, contacts=Contacts(language="de"))
    await buyer.sent("change", **{"quantity-1": "1,5"})
    (change,) = buyer.gateway.orders.changes
    assert change.order.lines[0].quantity == Decimal("1.5")
    assert (await buyer.sends("change", **{"quantity-1": "1.5"})).status_code == 422
