"""E6: a store's own systems vouch for who received or agreed; never for what was not sent, or for other content."""

from datetime import timedelta

import httpx
import pytest

from orderack.contracts.journal import Journal, Stage
from orderack.domain.acknowledgement import Kind
from orderack.domain.attestation import EVENT, Attested, Method
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import Order
from orderack.domain.proof import prove
from orderack.gateway.announce import announce_stragglers
from orderack.ports import StoredRevision
from tests.gateway.conftest import KEY, OTHER_KEY, Gateway
from tests.temporal.server import now
from tests.workflows.orders import a_decision, an_assessment, an_order


@pytest.fixture
async def order(gateway: Gateway) -> Order:
    """Confirmed and sent as revision 1."""
    order = an_order("10/01", now())
    kept = StoredRevision(
        order=order, revision=1, content_hash=order.content_hash, assessment=an_assessment(order, 1, a_decision())
    )
    journal = Journal(ref=order.ref, stage=Stage.CONFIRMED, revision=1)
    await gateway.ledger.save_revision(kept, "print", journal)
    await gateway.accepted_send(order.ref)
    return order


async def attest(gateway: Gateway, order: Order, key: str = KEY, **more: object) -> httpx.Response:
    said = {
        "id": "sig-1",
        "revision": 1,
        "content_hash": order.content_hash,
        "what": "assent",
        "method": "e_signature",
        "occurred_at": (now() - timedelta(minutes=1)).isoformat(),
        "reference": "envelope-77",
    } | more
    headers = {"Authorization": f"Bearer {key}"}
    return await gateway.http.post(f"/attestations/demo/{order.number}", json=said, headers=headers)


async def test_an_attested_assent_is_e6_told_to_its_order_and_bound_to_the_revision(
    gateway: Gateway, order: Order
) -> None:
    answer = await attest(gateway, order)
    assert (answer.status_code, answer.json()["grade"], answer.json()["told"]) == (202, "E6", True)
    [fact] = gateway.orders.facts
    assert (fact.event, fact.grade, fact.revision, fact.kind) == (
        EvidenceEvent.ASSENTED,
        Grade.E6,
        1,
        Kind.CONFIRMATION,
    )
    assert prove(await gateway.ledger.evidence(order.ref)).assented is True
    assert await gateway.ledger.verify_chain(order.ref) == []


async def test_nothing_is_attested_of_a_message_from_before_it_went_out(gateway: Gateway, order: Order) -> None:
    early = (now() - timedelta(minutes=6)).isoformat()
    answer = await attest(gateway, order, occurred_at=early)
    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (422, "occurred_at")
    assert not await gateway.ledger.evidence(order.ref)
    assert (await attest(gateway, order)).status_code == 202  # by a clock that is behind ours
    [fact], [send] = await gateway.ledger.evidence(order.ref), await gateway.ledger.sends(order.ref)
    assert fact.occurred_at == send.claimed_at


async def test_the_same_attestation_twice_is_one_and_another_under_its_id_is_refused(
    gateway: Gateway, order: Order
) -> None:
    at = (now() - timedelta(minutes=1)).isoformat()
    for _ in range(2):
        assert (await attest(gateway, order, occurred_at=at)).status_code == 202
    answer = await attest(gateway, order, occurred_at=at, what="declined", method="login")
    assert (answer.status_code, answer.json()["error"]) == (409, "id_reused")
    answer = await attest(gateway, order, occurred_at=at, reference="envelope-78")
    assert (answer.status_code, answer.json()["error"]) == (409, "id_reused")
    assert len(gateway.orders.facts) == len(await gateway.ledger.evidence(order.ref)) == 1


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("what", Attested)
async def test_each_method_proves_what_it_can_and_nothing_else(
    gateway: Gateway, order: Order, method: Method, what: Attested
) -> None:
    answer = await attest(gateway, order, method=method.value, what=what.value)
    if (method, what) in EVENT:
        assert answer.status_code == 202
        assert answer.json()["event"] == EVENT[method, what]
    else:
        assert answer.status_code == 422
        assert answer.json()["problems"][0]["field"] == "what"
        assert await gateway.ledger.evidence(order.ref) == []


async def test_a_signed_receipt_of_the_transport_is_no_reading_and_no_assent(gateway: Gateway, order: Order) -> None:
    assert (await attest(gateway, order, method="signed_mdn", what="receipt")).status_code == 202
    proof = prove(await gateway.ledger.evidence(order.ref))
    assert proof.receipt
    assert proof.reading is None
    assert proof.assented is None


@pytest.mark.parametrize(
    ("more", "status", "error"),
    [
        ({"content_hash": "0" * 64}, 409, "other_content"),
        ({"revision": 2}, 409, "other_content"),
        ({"kind": "holding"}, 409, "not_sent"),
        ({"n": 2}, 409, "not_sent"),
        ({"occurred_at": "2999-01-01T00:00:00Z"}, 422, "invalid"),
        ({"occurred_at": "2026-01-01T00:00:00"}, 422, "invalid"),
        ({"surprise": 1}, 422, "invalid"),
        ({"id": ""}, 422, "invalid"),
        ({"method": "a_feeling"}, 422, "invalid"),
    ],
)
async def test_what_cannot_be_vouched_for_is_refused_and_leaves_no_trace(
    gateway: Gateway, order: Order, more: dict[str, object], status: int, error: str
) -> None:
    answer = await attest(gateway, order, **more)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert await gateway.ledger.evidence(order.ref) == []
    assert gateway.orders.facts == []


async def test_another_stores_key_no_key_and_an_unknown_order_are_refused(gateway: Gateway, order: Order) -> None:
    assert (await attest(gateway, order, key=OTHER_KEY)).status_code == 403
    assert (await attest(gateway, order, key="nobody's")).status_code == 401
    unknown = order.model_copy(update={"number": "none"})
    assert (await attest(gateway, unknown)).status_code == 404


async def test_with_temporal_away_it_is_recorded_and_told_by_the_sweep_once(gateway: Gateway, order: Order) -> None:
    gateway.orders.away, at = True, (now() - timedelta(minutes=1)).isoformat()
    answer = await attest(gateway, order, occurred_at=at)
    assert (answer.status_code, answer.json()["recorded"]) == (503, True)
    gateway.orders.away = False
    gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(gateway.parts) == 1
    assert await announce_stragglers(gateway.parts) == 0
    assert (await attest(gateway, order, occurred_at=at)).json()["told"] is True
    assert len(gateway.orders.facts) == 1
