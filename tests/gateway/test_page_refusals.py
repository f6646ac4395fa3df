"""What cannot be taken, or not now: told in plain words, kept as it was typed, never lost and never done twice."""

from datetime import timedelta

import httpx
import pytest

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.contracts.updates import ChangeRequest, Reply
from orderack.domain.evidence import EvidenceEvent
from orderack.domain.order import OrderRef
from orderack.errors import OrderNotOpen, Refused, Unavailable
from orderack.gateway.announce import announce_stragglers
from tests.gateway.conftest import Gateway
from tests.gateway.page_world import Buyer, a_buyer, confirmed, received, stored, words

ALL = {
    "affirm": {},
    "answer": {"all": "accept"},
    "question": {"text": "When does it come?"},
    "change": {"quantity-1": "5"},
    "cancel": {"reason": "ordered twice", "sure": "yes"},
}


@pytest.fixture
async def buyer(gateway: Gateway) -> Buyer:
    return await a_buyer(gateway)


async def nothing_happened(buyer: Buyer) -> bool:
    orders = buyer.gateway.orders
    told = [*orders.facts, *orders.changes, *orders.cancellations, *orders.questions]
    return not told and not await buyer.facts() and not await buyer.gateway.inbox()


# -- the order has changed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ALL)
@pytest.mark.parametrize("revision", ["1", "", "x", "3", "2; drop", "02", " 2", "９"])
async def test_a_form_for_another_revision_is_not_taken_and_says_so(buyer: Buyer, action: str, revision: str) -> None:
    await stored(buyer.gateway, buyer.order, 2)
    buyer.stands(confirmed(buyer.order, revision=2, confirmed_revision=2))
    answer = await buyer.sends(action, revision, **ALL[action])
    assert answer.status_code == 409
    assert "has changed since you opened this page" in words(answer)
    assert await nothing_happened(buyer)


async def test_what_was_typed_for_an_older_revision_is_kept(buyer: Buyer) -> None:
    await stored(buyer.gateway, buyer.order, 2)
    buyer.stands(confirmed(buyer.order, revision=2, confirmed_revision=2))
    answer = await buyer.sends("question", text="A long <question>")
    assert "A long &lt;question&gt;</textarea>" in answer.text
    assert 'name="revision" value="2"' in answer.text


async def test_words_for_a_form_that_is_gone_are_shown_to_be_copied(buyer: Buyer) -> None:
    await stored(buyer.gateway, buyer.order, 2)
    buyer.stands(confirmed(buyer.order, revision=2, confirmed_revision=2, stage=Stage.CLOSED))
    answer = await buyer.sends("question", text="A long question")
    assert "What you wrote (not sent) A long question" in words(answer)


# -- the order cannot be asked now ----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ALL)
async def test_while_temporal_is_away_it_is_recorded_and_told_once_it_is_back(buyer: Buyer, action: str) -> None:
    orders = buyer.gateway.orders
    orders.away = True
    answer = await buyer.sends(action, **ALL[action])
    assert answer.status_code == 303
    assert "It is recorded, and we act on it as soon as" in words(
        await buyer.gateway.http.get(answer.headers["location"])
    )
    assert len(await buyer.gateway.inbox()) == 1
    await buyer.sends(action, form=f"form-{buyer.forms}", **ALL[action])
    orders.away = False
    buyer.gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(buyer.gateway.parts) == 1
    assert await announce_stragglers(buyer.gateway.parts) == 0
    counts = {
        "affirm": (0, 0, 0),
        "answer": (0, 0, 0),
        "question": (1, 0, 0),
        "change": (0, 1, 0),
        "cancel": (0, 0, 1),
    }
    assert (len(orders.questions), len(orders.changes), len(orders.cancellations)) == counts[action]
    assert len({fact.id for fact in orders.facts}) == len(await buyer.facts()) == 1
    assert "It is recorded and has reached us." in await buyer.reads()


async def test_a_change_that_was_overtaken_while_temporal_was_away_undoes_nothing(buyer: Buyer) -> None:
    buyer.gateway.orders.away = True
    await buyer.sends("change", **{"quantity-1": "5"})
    buyer.gateway.orders.away = False
    other = buyer.order.model_copy(update={"instructions": "by the store"})
    await stored(buyer.gateway, other, 2)
    buyer.stands(confirmed(other, revision=2, confirmed_revision=2))
    buyer.gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(buyer.gateway.parts) == 1
    assert buyer.gateway.orders.changes == []
    assert "the order had changed before it reached us" in await buyer.reads()


async def test_a_change_that_was_proposed_before_a_crash_is_told_again_and_stays_one(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders, working = buyer.gateway.orders, buyer.gateway.orders.change

    async def cut_off(ref: OrderRef, request: ChangeRequest) -> Reply:
        await working(ref, request)
        raise Unavailable("cut off after it was taken")

    monkeypatch.setattr(orders, "change", cut_off)
    await buyer.sends("change", **{"quantity-1": "5"})
    monkeypatch.setattr(orders, "change", working)
    (change,) = orders.changes
    buyer.stands(confirmed(buyer.order, revision=2, content_hash=change.order.content_hash, stage=Stage.ASSESSING))
    buyer.gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(buyer.gateway.parts) == 1
    assert [each.id for each in orders.changes] == [change.id, change.id]
    assert "It is recorded and has reached us." in await buyer.reads()


async def test_what_came_earlier_is_told_first(buyer: Buyer) -> None:
    buyer.gateway.orders.away = True
    await buyer.sends("question", text="First")
    buyer.gateway.orders.away = False
    await buyer.sends("question", text="Second")
    assert [question.text for question in buyer.gateway.orders.questions] == ["First", "Second"]


async def test_while_the_ledger_is_away_nothing_is_promised(buyer: Buyer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("the ledger does not answer")

    monkeypatch.setattr(buyer.gateway.ledger, "receive", away)
    answer = await buyer.sends("question", text="?")
    assert answer.status_code == 503
    assert await nothing_happened(buyer)


# -- the order says no ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["question", "change", "cancel"])
async def test_a_request_that_the_order_refuses_is_recorded_and_told_in_plain_words(buyer: Buyer, action: str) -> None:
    buyer.gateway.orders.grants = False
    text = await buyer.sent(action, **ALL[action])
    assert "It is recorded, but the order could no longer take it" in text
    assert "as it was asked" not in text


@pytest.mark.parametrize("error", [OrderNotOpen("closed"), Refused("the order refused: no such update")])
@pytest.mark.parametrize("action", ["question", "change", "cancel"])
async def test_a_request_to_a_closed_order_is_recorded_and_told_in_plain_words(
    buyer: Buyer, action: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def closed(*_: object) -> Reply:
        raise error

    for name in ("ask", "change", "cancel"):
        monkeypatch.setattr(buyer.gateway.orders, name, closed)
    text = await buyer.sent(action, **ALL[action])
    expected = "the order is closed" if isinstance(error, OrderNotOpen) else "the order could no longer take it"
    assert f"It is recorded, but {expected}" in text
    assert await buyer.gateway.inbox() == []


async def test_a_late_affirmation_is_evidence_all_the_same(buyer: Buyer) -> None:
    buyer.stands(confirmed(buyer.order, stage=Stage.CLOSED))
    await buyer.sent("affirm")
    assert [fact.event for fact in await buyer.facts()] == [EvidenceEvent.AFFIRMED]


# -- not here -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["affirm", "answer"])
async def test_what_is_not_confirmed_can_be_neither_answered_nor_affirmed_as_confirmed(
    gateway: Gateway, action: str
) -> None:
    buyer = await a_buyer(gateway)
    buyer.stands(received(buyer.order, revision=2))
    await stored(gateway, buyer.order, 2, Stage.AWAITING_ERP)
    answer = await buyer.sends(action, 2, **ALL[action])
    assert answer.status_code == 409
    assert "This cannot be done here now" in words(answer)
    assert await nothing_happened(buyer)


@pytest.mark.parametrize(("action", "may"), [("affirm", "affirm"), ("answer", "answer"), ("question", "ask"),
                                             ("change", "change"), ("cancel", "cancel")])  # fmt: skip
async def test_what_the_stores_policy_does_not_allow_is_neither_shown_nor_taken(
    buyer: Buyer, action: str, may: str
) -> None:
    buyer.rules(may=sorted({"affirm", "answer", "ask", "change", "cancel"} - {may}))
    shown = (await buyer.opens()).text
    assert f'/{action}"' not in shown
    assert shown.count("<form") == 4
    assert (await buyer.sends(action, **ALL[action])).status_code == 409
    assert await nothing_happened(buyer)


OFFERED = [
    (Stage.ASSESSING, False, {"affirm", "question", "change", "cancel"}),
    (Stage.REVIEW, False, {"affirm", "question", "change", "cancel"}),
    (Stage.AWAITING_ERP, False, {"affirm", "question", "change", "cancel"}),
    (Stage.CONFIRMED, True, {"affirm", "answer", "question", "change", "cancel"}),
    (Stage.HANDED_OFF, True, {"affirm", "answer", "question", "change", "cancel"}),
    (Stage.CANCELLED, True, {"question"}),
    (Stage.REJECTED, False, {"question"}),
    (Stage.CLOSED, True, set()),
    (Stage.AWAITING_ORDER, False, set()),
]


@pytest.mark.parametrize(("stage", "was_confirmed", "forms"), OFFERED)
async def test_each_state_offers_its_own_forms(
    buyer: Buyer, stage: Stage, was_confirmed: bool, forms: set[str]
) -> None:
    told: OrderStatus = confirmed(buyer.order) if was_confirmed else received(buyer.order)
    buyer.stands(told.model_copy(update={"stage": stage}))
    shown = (await buyer.opens()).text
    found = {action for action in ALL if f'action="/o/{buyer.token}/{action}"' in shown}
    if stage in (Stage.CANCELLED, Stage.REJECTED):
        assert found - {"affirm"} == forms
    else:
        assert found == forms


async def test_while_a_change_is_checked_only_a_question_and_a_cancellation_are_offered(buyer: Buyer) -> None:
    buyer.stands(confirmed(buyer.order, revision=2, stage=Stage.ASSESSING))
    shown = (await buyer.opens()).text
    assert {action for action in ALL if f'/{action}"' in shown} == {"question", "cancel"}


@pytest.mark.parametrize("action", ALL)
async def test_a_role_other_than_the_buyers_can_do_nothing(buyer: Buyer, action: str) -> None:
    buyer.role = "warehouse"
    assert (await buyer.sends(action, **ALL[action])).status_code == 404
    assert await nothing_happened(buyer)


# -- fields ---------------------------------------------------------------------------------------------------------

FAULTS = [
    ("question", {}, "text", "write something here"),
    ("question", {"text": " \r\n\u200b "}, "text", "write something here"),
    ("question", {"text": "x" * 2_001}, "text", "too long"),
    ("answer", {}, "line-1", "accept or decline this line"),
    ("answer", {"line-1": "accept"}, "line-2", "accept or decline this line"),
    ("answer", {"line-1": "accept", "line-2": "perhaps"}, "line-2", "accept or decline this line"),
    ("answer", {"all": "accept", "line-2": "decline"}, "line-2", "choose one of the two"),
    ("answer", {"all": "accept", "note": "x" * 2_001}, "note", "too long"),
    ("change", {"quantity-1": "many"}, "quantity-1", "write a number"),
    ("change", {"quantity-1": "-1"}, "quantity-1", "write a number"),
    ("change", {"quantity-1": "1e9"}, "quantity-1", "write a number"),
    ("change", {"quantity-1": "NaN"}, "quantity-1", "write a number"),
    ("change", {"quantity-1": "٣"}, "quantity-1", "write a number"),
    ("change", {"quantity-1": "0.00001"}, "quantity-1", "write a number"),
    ("change", {"quantity-1": "9" * 19}, "quantity-1", "write a number"),
    ("change", {"quantity-1": ""}, "quantity-1", "write a number"),
    ("change", {"quantity-1": "0", "quantity-2": "0"}, "quantity-1", "Nothing would be left"),
    ("change", {}, "quantity-1", "Nothing differs"),
    ("change", {"street": "", "city": "Bern", "country": "CH"}, "street", "write something here"),
    ("change", {"street": "a", "city": "", "country": "CH"}, "city", "write something here"),
    ("change", {"street": "a", "city": "b", "country": "XX"}, "country", "choose a country"),
    ("change", {"street": "a", "city": "b", "country": "ch"}, "country", "choose a country"),
    ("change", {"street": "a", "city": "b", "country": ""}, "country", "choose a country"),
    ("change", {"instructions": "x" * 2_001}, "instructions", "too long"),
    ("change", {"street": "x" * 2_001, "city": "b", "country": "CH"}, "street", "too long"),
    ("cancel", {"reason": "why not"}, "sure", "tick the box"),
    ("cancel", {"reason": "x" * 2_001, "sure": "yes"}, "reason", "too long"),
]


@pytest.mark.parametrize(("action", "fields", "field", "message"), FAULTS)
async def test_a_field_that_cannot_be_used_is_named_and_linked_and_what_was_typed_is_kept(
    buyer: Buyer, action: str, fields: dict[str, str], field: str, message: str
) -> None:
    answer = await buyer.sends(action, **fields)
    assert answer.status_code == 422
    assert f'<a href="#{field}">' in answer.text
    assert f'id="{field}"' in answer.text
    assert f'id="{field}-error"' in answer.text
    assert message in words(answer)
    kept(answer, fields)
    assert await nothing_happened(buyer)


def kept(answer: httpx.Response, fields: dict[str, str]) -> None:
    for name, value in fields.items():
        if value and value.isprintable() and value.isascii() and name.startswith(("quantity", "street", "city")):
            assert f'name="{name}" value="{value}"' in answer.text
        elif value and name in ("text", "note", "instructions", "reason") and value.isascii() and value.strip():
            assert f"{value}</textarea>" in answer.text


async def test_all_that_is_wrong_is_said_at_once(buyer: Buyer) -> None:
    answer = await buyer.sends(
        "change", **{"quantity-1": "x", "quantity-2": "y", "street": "", "city": "", "country": ""}
    )
    assert answer.text.count('class="error"') == 5


async def test_a_mended_form_is_taken(buyer: Buyer) -> None:
    assert (await buyer.sends("cancel", reason="ordered twice")).status_code == 422
    assert "You asked us to cancel the order. ordered twice" in await buyer.sent(
        "cancel", reason="ordered twice", sure="yes"
    )
