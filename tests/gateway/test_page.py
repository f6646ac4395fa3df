"""The buyer's page: true, readable, safe to open, and affirmed by a button only."""

import html
from datetime import date, timedelta

import httpx
import pytest
import time_machine
from itsdangerous import URLSafeTimedSerializer

from orderack.contracts.journal import Journal, Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import Order
from orderack.domain.receipt import LineVerdict, StockVerdict
from orderack.domain.response import answer_lines
from orderack.errors import BadSignature, Misconfigured
from orderack.gateway.announce import announce_stragglers
from orderack.links import PageLinks
from orderack.ports import StoredRevision
from tests.gateway.conftest import PUBLIC, Gateway
from tests.temporal.server import now
from tests.workflows.orders import a_decision, a_receipt, an_assessment, an_order

SECRET = "a secret that signs buyers' links"


async def stored(gateway: Gateway, order: Order, revision: int = 1, stage: Stage = Stage.CONFIRMED) -> None:
    assessment = an_assessment(order, revision, a_decision())
    kept = StoredRevision(order=order, revision=revision, content_hash=order.content_hash, assessment=assessment)
    await gateway.ledger.save_revision(kept, "print", Journal(ref=order.ref, stage=stage, revision=revision))


def confirmed(order: Order, **more: object) -> OrderStatus:
    """Confirmed, with the second line on backorder."""
    receipt = a_receipt(order, now())
    late = LineVerdict(line_id="2", verdict=StockVerdict.BACKORDERED, expected_on=date(2027, 3, 4))
    receipt = receipt.model_copy(update={"lines": (receipt.lines[0], late)})
    status = OrderStatus(
        ref=order.ref,
        stage=Stage.CONFIRMED,
        revision=1,
        confirmed_revision=1,
        confirmed_at=now(),
        erp_document_id="SO-77",
        promise_on=date(2027, 3, 4),
        answers=answer_lines(order, receipt),
    )
    return status.model_copy(update=more)


@pytest.fixture
def order() -> Order:
    return an_order("1001", now()).model_copy(update={"instructions": "<script>alert(1)</script> ring twice"})


async def page(gateway: Gateway, order: Order, role: str = "buyer") -> httpx.Response:
    return await gateway.http.get(f"/o/{gateway.parts.links.token(order.ref, role)}")


async def affirm(gateway: Gateway, order: Order, revision: str = "1", role: str = "buyer") -> httpx.Response:
    token = gateway.parts.links.token(order.ref, role)
    return await gateway.http.post(f"/o/{token}/affirm", data={"revision": revision})


async def test_a_confirmed_order_shows_lines_answers_date_address_and_whom_to_ask(
    gateway: Gateway, order: Order
) -> None:
    await stored(gateway, order)
    gateway.orders.standing[order.ref] = confirmed(order)
    shown = await page(gateway, order)
    assert shown.status_code == 200
    text = html.unescape(shown.text)
    for expected in (
        "Demo & Sons",
        "Your order is confirmed.",
        "revision 1",
        "SO-77",
        "Tea",
        "€9.90",
        "In stock",
        "On backorder",
        "Expected Thursday",
        "1 High Street",
        "€39.80",
        "ring twice",
        "help@shop.example",
        "I affirm revision 1",
    ):
        assert expected in text, expected
    assert "<script" not in shown.text


async def test_before_confirmation_the_page_promises_nothing(gateway: Gateway, order: Order) -> None:
    await stored(gateway, order, stage=Stage.AWAITING_ERP)
    gateway.orders.standing[order.ref] = OrderStatus(
        ref=order.ref, stage=Stage.AWAITING_ERP, revision=1, promise_on=date(2027, 3, 4)
    )
    text = (await page(gateway, order)).text
    assert "not confirmed yet" in text
    assert "Tea" in text
    for promise in ("2027", "In stock", "Your order is confirmed", "affirm"):
        assert promise not in text


async def test_while_a_change_is_checked_the_confirmed_revision_stands(gateway: Gateway, order: Order) -> None:
    await stored(gateway, order)
    await stored(gateway, order.model_copy(update={"lines": order.lines[:1]}), 2, Stage.ASSESSING)
    gateway.orders.standing[order.ref] = confirmed(order, stage=Stage.ASSESSING, revision=2)
    text = (await page(gateway, order)).text
    assert "confirmed as revision 1. Your change is not confirmed yet" in text
    assert "Cup" in text
    assert "In stock" not in text


async def test_a_cancelled_order_is_not_shown_as_confirmed(gateway: Gateway, order: Order) -> None:
    await stored(gateway, order)
    gateway.orders.standing[order.ref] = confirmed(order, stage=Stage.CANCELLED)
    text = (await page(gateway, order)).text
    assert "Your order is cancelled." in text
    assert "What is confirmed" not in text


async def test_while_temporal_is_away_the_page_says_less_and_claims_nothing(gateway: Gateway, order: Order) -> None:
    await stored(gateway, order, stage=Stage.AWAITING_ERP)
    gateway.orders.away = True
    shown = await page(gateway, order)
    assert shown.status_code == 200
    assert "cannot be shown right now" in shown.text
    assert "Tea" in shown.text
    assert "<form" not in shown.text


async def test_the_page_shows_what_we_told_the_buyer_and_no_internal_alert(gateway: Gateway, order: Order) -> None:
    await stored(gateway, order)
    await gateway.accepted_send(order.ref, Kind.RECEIVED)
    await gateway.accepted_send(order.ref, Kind.UPDATE, channel="alerts")
    text = (await page(gateway, order)).text
    assert "Subject received" in text
    assert "Text received &lt;b&gt;&amp;&lt;/b&gt;" in text
    assert "Subject update" not in text


async def test_opening_the_page_changes_nothing(gateway: Gateway, order: Order) -> None:
    await stored(gateway, order)
    gateway.orders.standing[order.ref] = confirmed(order)
    token = gateway.parts.links.token(order.ref)
    for _ in range(3):
        assert (await gateway.http.get(f"/o/{token}")).status_code == 200
    assert (await gateway.http.get(f"/o/{token}/affirm")).status_code == 405
    assert list(await gateway.ledger.evidence(order.ref)) == []
    assert gateway.orders.facts == []


async def test_the_button_is_the_buyers_word_for_that_revision_once_however_often_it_is_pressed(
    gateway: Gateway, order: Order
) -> None:
    await stored(gateway, order)
    gateway.orders.standing[order.ref] = confirmed(order)
    for _ in range(2):
        answer = await affirm(gateway, order)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/o/")
    (fact,) = await gateway.ledger.evidence(order.ref)
    assert (fact.event, fact.grade, fact.revision) == (EvidenceEvent.AFFIRMED, Grade.E5, 1)
    assert gateway.orders.facts == [fact]
    text = (await page(gateway, order)).text
    assert "You have affirmed revision 1" in text
    assert "<form" not in text


async def test_an_affirmation_of_what_has_changed_meanwhile_is_not_taken(gateway: Gateway, order: Order) -> None:
    await stored(gateway, order)
    await stored(gateway, order, 2)
    gateway.orders.standing[order.ref] = confirmed(order, revision=2, confirmed_revision=2)
    for revision in ("1", "", "x", "2; drop"):
        answer = await affirm(gateway, order, revision)
        assert answer.status_code == 409
        assert "has changed since you opened this page" in answer.text
    assert list(await gateway.ledger.evidence(order.ref)) == []


async def test_an_unconfirmed_order_cannot_be_affirmed(gateway: Gateway, order: Order) -> None:
    await stored(gateway, order, stage=Stage.AWAITING_ERP)
    gateway.orders.standing[order.ref] = OrderStatus(ref=order.ref, stage=Stage.AWAITING_ERP, revision=1)
    assert (await affirm(gateway, order)).status_code == 409
    assert list(await gateway.ledger.evidence(order.ref)) == []


async def test_only_the_buyers_own_link_can_affirm(gateway: Gateway, order: Order) -> None:
    await stored(gateway, order)
    gateway.orders.standing[order.ref] = confirmed(order)
    assert "<form" not in (await page(gateway, order, role="warehouse")).text
    assert (await affirm(gateway, order, role="warehouse")).status_code == 404


async def test_an_affirmation_that_could_not_be_announced_is_announced_by_the_sweep(
    gateway: Gateway, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stored(gateway, order)
    gateway.orders.standing[order.ref] = confirmed(order)
    working = gateway.orders.evidence

    async def away(*_: object) -> None:
        gateway.orders.away = True
        gateway.orders._answer()

    monkeypatch.setattr(gateway.orders, "evidence", away)
    assert (await affirm(gateway, order)).status_code == 303
    monkeypatch.setattr(gateway.orders, "evidence", working)
    gateway.orders.away = False
    gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(gateway.parts) == 1
    assert [fact.event for fact in gateway.orders.facts] == [EvidenceEvent.AFFIRMED]


async def test_forged_damaged_expired_and_unknown_links_all_get_the_same_page(gateway: Gateway, order: Order) -> None:
    await stored(gateway, order)
    links = gateway.parts.links
    with time_machine.travel(now() - timedelta(days=400), tick=True):
        old = links.token(order.ref)
    forged = PageLinks("another secret of enough length", PUBLIC).token(order.ref)
    unknown = links.token(an_order("never-came", now()).ref)
    answers = [await gateway.http.get(f"/o/{t}") for t in (old, forged, links.token(order.ref)[:-2], "x", unknown)]
    assert {a.status_code for a in answers} == {404}
    assert len({a.text for a in answers}) == 1
    assert "This link is not valid" in answers[0].text


async def test_the_page_runs_no_script_loads_nothing_from_elsewhere_and_cannot_be_framed(
    gateway: Gateway, order: Order
) -> None:
    await stored(gateway, order)
    shown = await page(gateway, order)
    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "style-src 'sha256-" in policy
    assert "script-src" not in policy
    assert "http" not in shown.text.replace("http-equiv", "")


def test_a_link_names_whom_it_lets_see_what() -> None:
    links = PageLinks(SECRET, f"{PUBLIC}/")
    ref = an_order("A/1 ü", now()).ref
    url = links.url(ref)
    assert url.startswith(f"{PUBLIC}/o/")
    link = links.read(url.rsplit("/", 1)[1])
    assert (link.ref, link.role) == (ref, "buyer")


def test_a_token_made_for_another_purpose_is_no_link() -> None:
    links = PageLinks(SECRET, PUBLIC)
    for payload in (["demo", "1", "buyer"], {"store": "demo"}, None):
        with pytest.raises(BadSignature):
            links.read(URLSafeTimedSerializer(SECRET, salt="something else").dumps(payload))
    with pytest.raises(BadSignature):
        links.read(links._signer.dumps(["demo", 1]))


@pytest.mark.parametrize("secret", ["", "short"])
def test_links_need_a_secret_worth_the_name(secret: str) -> None:
    with pytest.raises(Misconfigured, match="ORDERACK_SECRET"):
        PageLinks(secret, PUBLIC)
