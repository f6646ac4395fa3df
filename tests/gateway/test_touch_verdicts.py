"""A verdict on each touch once it has settled, and the desk that writes them down."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from orderack.domain.acknowledgement import Kind, SendOutcome, SendState
from orderack.domain.evidence import Assurance, EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import Order
from orderack.domain.store import StoreProfile
from orderack.gateway.announce import GRACE, announce_stragglers
from orderack.gateway.app import create_app
from orderack.gateway.grade_touches import forget_touches, grade_touches
from orderack.gateway.touch_desk import MOST_WAITING, TouchDesk
from orderack.ports import Message, Rendered
from orderack.touches import SETTLED, Reason, Touch, What
from tests.gateway.conftest import Gateway
from tests.gateway.touching import ADDRESS, LATER, Sent, graded, rows, send
from tests.temporal.server import now
from tests.workflows.orders import an_order


@pytest.fixture
def order() -> Order:
    return an_order("1001", now())


# -- verdicts -------------------------------------------------------------------------------------------------------


async def test_a_touch_is_graded_once_it_has_settled_and_not_before(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await sent.touch()
    assert await grade_touches(gateway.parts) == 0
    gateway.clock.ahead = SETTLED - timedelta(seconds=5)
    assert await grade_touches(gateway.parts) == 0
    gateway.clock.ahead = LATER
    assert await grade_touches(gateway.parts) == 1
    assert await grade_touches(gateway.parts) == 0


async def test_a_persons_touch_is_one_fact_of_probably_displayed_told_once(
    gateway: Gateway, order: Order, database: Path
) -> None:
    sent = await send(gateway, order)
    await sent.touch()
    await sent.touch()
    (fact,) = await graded(gateway)
    assert (fact.event, fact.grade, fact.channel) == (EvidenceEvent.DISPLAYED, Grade.E3P, "email")
    assert (fact.revision, fact.kind, fact.n, fact.basis) == (1, Kind.CONFIRMATION, 1, "touch:pixel:person")
    assert gateway.orders.facts == [fact]
    (record,) = await gateway.ledger.evidence_records(order.ref)
    assert record.provenance.assurance is Assurance.NONE
    assert record.provenance.machine == ()
    stored = await gateway.ledger.send(str(sent.key))
    assert stored is not None
    assert record.provenance.content_sha256 == stored.body_sha256
    assert json.loads(record.raw or "")["count"] == 2
    (row,) = await rows(database)
    assert (row["grade"], row["reasons"]) == (Grade.E3P, "[]")
    await sent.touch()
    assert await graded(gateway) == [fact]
    assert gateway.orders.facts == [fact]


async def test_a_click_too_is_only_probably_a_person(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await sent.touch(What.PAGE)
    (fact,) = await graded(gateway)
    assert (fact.grade, fact.basis) == (Grade.E3P, "touch:page:person")


async def test_a_machines_touch_says_why_and_proves_nothing(gateway: Gateway, order: Order, database: Path) -> None:
    sent = await send(gateway, order)
    await sent.touch(headers={"user-agent": "Mozilla/5.0"})
    (fact,) = await graded(gateway)
    assert (fact.event, fact.grade, fact.basis) == (EvidenceEvent.MACHINE_TOUCH, Grade.M, "touch:pixel:machine")
    (record,) = await gateway.ledger.evidence_records(order.ref)
    assert record.provenance.machine == (Reason.APPLE_MAIL_PRELOAD,)
    (row,) = await rows(database)
    assert (row["grade"], row["reasons"]) == (Grade.M, '["apple_mail_preload"]')


async def delivered(gateway: Gateway, sent: Sent, at: datetime) -> None:
    fact = EvidenceFact(
        id="delivered",
        event=EvidenceEvent.DELIVERED,
        grade=Grade.E2,
        channel="email",
        revision=1,
        kind=Kind.CONFIRMATION,
        occurred_at=at,
    )
    await gateway.ledger.record_evidence(sent.key.ref, fact, "{}")


async def test_what_is_no_news_is_recorded_and_not_told(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await delivered(gateway, sent, gateway.clock() - timedelta(minutes=30))
    await sent.touch(headers={"user-agent": "curl/8.5.0"})
    facts = await graded(gateway)
    assert [fact.grade for fact in facts] == [Grade.E2, Grade.M]
    assert gateway.orders.facts == []
    assert await gateway.inbox() == []


async def test_within_ten_seconds_of_delivery_it_is_a_machine(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await delivered(gateway, sent, gateway.clock() - timedelta(seconds=4))
    await sent.touch()
    facts = await graded(gateway)
    assert facts[-1].grade is Grade.M
    (_, record) = await gateway.ledger.evidence_records(order.ref)
    assert record.provenance.machine == (Reason.TOO_SOON,)


async def test_every_link_at_once_is_a_machine_and_the_honeypot_is_one_for_all_its_address_touches(
    gateway: Gateway, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = StoreProfile(id="demo", display_name="Demo", url="https://shop.example")
    monkeypatch.setitem(gateway.parts.stores, "demo", store)
    sent = await send(gateway, order)
    for what in (What.PAGE, What.SHOP):
        await sent.touch(what)
    assert {fact.grade for fact in await graded(gateway)} == {Grade.M}
    reasons = {record.provenance.machine for record in await gateway.ledger.evidence_records(order.ref)}
    assert reasons == {(Reason.ALL_LINKS_AT_ONCE,)}


async def test_the_honeypot_betrays_its_address(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    for what in (What.PAGE, What.HONEYPOT):
        await sent.touch(what)
    assert {fact.grade for fact in await graded(gateway)} == {Grade.M}


async def test_a_honeypot_that_comes_after_the_verdict_grades_only_itself(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await sent.touch(What.PAGE)
    (person,) = await graded(gateway)
    await sent.touch(What.HONEYPOT)
    facts = await graded(gateway)
    assert [fact.grade for fact in facts] == [Grade.E3P, Grade.M]
    assert facts[0] == person


async def test_a_touch_of_a_send_in_doubt_settles_that_it_went_out(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order, kind=Kind.RECEIVED)
    doubtful = Sent(gateway, sent.key.model_copy(update={"n": 2}))
    content = Rendered(subject="Yours", text="Text")
    message = Message(key=doubtful.key, recipient=ADDRESS, kind=Kind.RECEIVED, language="en", content=content)
    await gateway.ledger.claim(doubtful.key, message, gateway.clock() - timedelta(hours=1), timedelta(minutes=1))
    await gateway.ledger.finish(
        doubtful.key, SendOutcome(channel="email", state=SendState.UNKNOWN), gateway.clock() - timedelta(hours=1)
    )
    await doubtful.touch(headers={"user-agent": "Mozilla/5.0"})
    (fact,) = await graded(gateway)
    assert gateway.orders.facts == [fact]
    stored = await gateway.ledger.send(str(doubtful.key))
    assert stored is not None
    assert stored.state is SendState.ACCEPTED


async def test_news_that_could_not_be_told_is_told_by_the_sweep_once(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await sent.touch()
    gateway.orders.away = True
    (fact,) = await graded(gateway)
    assert gateway.orders.facts == []
    gateway.orders.away = False
    gateway.clock.ahead += GRACE + timedelta(seconds=1)
    assert await announce_stragglers(gateway.parts) == 1
    assert await announce_stragglers(gateway.parts) == 0
    assert gateway.orders.facts == [fact]


async def test_grading_runs_with_the_app(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    await sent.touch()
    gateway.clock.ahead = LATER
    app = create_app(gateway.parts)
    async with app.router.lifespan_context(app), asyncio.timeout(60):
        while not gateway.orders.facts:  # noqa: ASYNC110 (the job tells nobody)
            await asyncio.sleep(0.02)


async def test_after_its_days_a_touch_is_nobodys_and_its_verdict_stays(
    gateway: Gateway, order: Order, database: Path
) -> None:
    sent = await send(gateway, order)
    await sent.touch()
    await graded(gateway)
    assert await forget_touches(gateway.parts) == 0
    gateway.clock.ahead = timedelta(days=31)
    assert await forget_touches(gateway.parts) == 2
    (row,) = await rows(database)
    assert (row["address"], row["user_agent"], row["grade"]) == (None, None, Grade.E3P)
    (record,) = await gateway.ledger.evidence_records(order.ref)
    assert record.raw is None
    assert await gateway.ledger.verify_chain(order.ref) == []


# -- the desk -------------------------------------------------------------------------------------------------------


class SlowBook:
    """Writes when it is let, and counts what it was given."""

    def __init__(self) -> None:
        self.let, self.batches = asyncio.Event(), list[int]()

    async def record_touches(self, found: Sequence[Touch]) -> int:
        self.batches.append(len(found))
        await self.let.wait()
        return len(found)


async def test_a_burst_is_written_together_and_what_is_too_much_is_dropped() -> None:
    book = SlowBook()
    desk = TouchDesk(book)  # type: ignore[arg-type]
    touch = Touch(send_key="a", what=What.PIXEL, at=now())
    first = asyncio.create_task(desk.take(touch))
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await asyncio.gather(*(desk.take(touch) for _ in range(MOST_WAITING + 500)))
        book.let.set()
        await first
    assert book.batches == [1, MOST_WAITING]


async def test_the_desk_goes_on_after_a_failure() -> None:
    class BrokenOnce(SlowBook):
        async def record_touches(self, found: Sequence[Touch]) -> int:
            self.batches.append(len(found))
            if len(self.batches) == 1:
                raise RuntimeError("a fault of ours")
            return len(found)

    book = BrokenOnce()
    desk = TouchDesk(book)  # type: ignore[arg-type]
    for _ in range(2):
        await desk.take(Touch(send_key="a", what=What.PIXEL, at=now()))
    assert book.batches == [1, 1]
