"""What providers report: bound to its message, kept as evidence, and signalled only where it is news."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.testing import capture_logs

from orderack.domain.acknowledgement import Kind, SendKey
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import OrderRef
from orderack.gateway.announce import PATIENCE, announce_stragglers
from orderack.ledger.database import Database
from orderack.ports import ChannelEvent, Message, Rendered
from orderack.ports.sweeps import ExceptionKind, Finding
from tests.gateway.conftest import PUBLIC, Gateway
from tests.gateway.fakes import signed
from tests.gateway.test_intake import take_away
from tests.temporal.server import now

URL = f"{PUBLIC}/webhooks/email"
REF = OrderRef(store="demo", number="1001")


def an_event(
    id: str,
    event: EvidenceEvent = EvidenceEvent.DELIVERED,
    grade: Grade | None = Grade.E2,
    key: SendKey | None = None,
    provider_id: str | None = "p-1001",
) -> ChannelEvent:
    return ChannelEvent(
        id=id,
        event=event,
        grade=grade,
        key=str(key) if key else None,
        provider_id=provider_id,
        occurred_at=now(),
        basis="email:word",
        raw="the provider's own words",
    )


async def report(gateway: Gateway, *events: ChannelEvent) -> httpx.Response:
    body = b"[" + b",".join(event.model_dump_json().encode() for event in events) + b"]"
    return await gateway.http.post("/webhooks/email", content=body, headers=signed(body, URL))


async def test_a_delivery_becomes_evidence_for_its_message_and_is_signalled(gateway: Gateway) -> None:
    await gateway.accepted_send(REF)
    answer = await report(gateway, an_event("e1"))
    assert (answer.status_code, answer.json()) == (200, {"events": 1, "waiting": 0})
    (fact,) = gateway.orders.facts
    assert (fact.id, fact.grade, fact.kind, fact.revision, fact.n) == ("e1", Grade.E2, Kind.CONFIRMATION, 1, 1)
    assert list(await gateway.ledger.evidence(REF)) == [fact]
    assert await gateway.inbox() == []


async def test_our_own_key_finds_the_message_where_the_provider_gives_it_back(gateway: Gateway) -> None:
    key = await gateway.accepted_send(REF)
    await report(gateway, an_event("e1", key=key, provider_id=None))
    assert [fact.id for fact in gateway.orders.facts] == ["e1"]


async def test_the_same_event_twice_is_one_fact_and_one_signal(gateway: Gateway) -> None:
    await gateway.accepted_send(REF)
    event = an_event("e1")
    for _ in range(3):
        assert (await report(gateway, event, event)).status_code == 200
    assert len(gateway.orders.facts) == len(await gateway.ledger.evidence(REF)) == 1


async def test_evidence_that_raises_no_grade_is_recorded_but_costs_no_signal(gateway: Gateway) -> None:
    await gateway.accepted_send(REF)
    await report(
        gateway,
        an_event("e0", EvidenceEvent.ACCEPTED, Grade.E1),
        an_event("e1", EvidenceEvent.DISPLAYED, Grade.E3P),
        an_event("e2", EvidenceEvent.DELIVERED, Grade.E2),
        an_event("e3", EvidenceEvent.DISPLAYED, Grade.E3P),
        an_event("e4", EvidenceEvent.MACHINE_TOUCH, Grade.M),
        an_event("e5", EvidenceEvent.ENGAGED, Grade.E4),
    )
    assert [fact.id for fact in gateway.orders.facts] == ["e1", "e5"]
    assert len(await gateway.ledger.evidence(REF)) == 6
    assert await gateway.inbox() == []


async def test_a_reading_is_told_though_an_attested_arrival_has_the_stronger_grade(gateway: Gateway) -> None:
    await gateway.accepted_send(REF)
    await report(
        gateway,
        an_event("mdn", EvidenceEvent.DELIVERED, Grade.E6),
        an_event("seen", EvidenceEvent.DISPLAYED, Grade.E3P),
        an_event("again", EvidenceEvent.DISPLAYED, Grade.E3P),
        an_event("late", EvidenceEvent.DELIVERED, Grade.E2),
    )
    assert [fact.id for fact in gateway.orders.facts] == ["mdn", "seen"]


@pytest.mark.parametrize("wrong", [timedelta(days=400), timedelta(days=-400)])
async def test_a_providers_wrong_clock_puts_no_fact_before_its_message_or_after_we_heard_of_it(
    wrong: timedelta, gateway: Gateway
) -> None:
    before = now()
    key = await gateway.accepted_send(REF)
    await report(gateway, an_event("e1").model_copy(update={"occurred_at": before + wrong}))
    (fact,) = gateway.orders.facts
    send = await gateway.ledger.send(str(key))
    assert send
    assert send.claimed_at <= fact.occurred_at <= now()


async def test_a_worker_whose_clock_is_ahead_puts_no_fact_into_the_future(gateway: Gateway) -> None:
    gateway.clock.ahead = timedelta(hours=3)
    await gateway.accepted_send(REF)
    gateway.clock.ahead = timedelta(0)
    await report(gateway, an_event("e1"))
    (fact,) = await gateway.ledger.evidence(REF)
    assert fact.occurred_at <= now()


@pytest.mark.parametrize("event", [EvidenceEvent.BOUNCED, EvidenceEvent.DISPUTED, EvidenceEvent.OPTED_OUT])
async def test_bad_news_is_always_signalled(event: EvidenceEvent, gateway: Gateway) -> None:
    await gateway.accepted_send(REF)
    await report(gateway, an_event("e1", EvidenceEvent.ENGAGED, Grade.E4), an_event("e2", event, None))
    assert [fact.id for fact in gateway.orders.facts] == ["e1", "e2"]


async def test_an_echo_of_a_send_in_doubt_is_signalled_whatever_its_grade(gateway: Gateway) -> None:
    key = SendKey(ref=REF, revision=1, kind=Kind.HOLDING, n=1, channel="email")
    message = Message(
        key=key, recipient="ada@example.com", kind=Kind.HOLDING, language="en", content=Rendered(text="Still with us.")
    )
    await gateway.ledger.claim(key, message, now(), timedelta(minutes=1))
    await gateway.ledger.doubt(key, "read timeout", now(), now())
    await report(gateway, an_event("e1", EvidenceEvent.ACCEPTED, Grade.E1, key=key))
    assert [fact.id for fact in gateway.orders.facts] == ["e1"]


async def test_while_temporal_is_away_evidence_is_kept_and_signalled_later_though_an_equal_came_since(
    gateway: Gateway,
) -> None:
    await gateway.accepted_send(REF)
    gateway.orders.away = True
    assert (await report(gateway, an_event("e1"))).status_code == 200
    assert (await report(gateway, an_event("e2"))).status_code == 200
    gateway.orders.away = False
    gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(gateway.parts) == 1
    assert [fact.id for fact in gateway.orders.facts] == ["e1"]
    assert await gateway.inbox() == []


async def test_an_event_that_overtakes_our_record_of_its_message_waits_for_it(gateway: Gateway) -> None:
    assert (await report(gateway, an_event("e1"))).status_code == 200
    gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(gateway.parts) == 0
    await gateway.accepted_send(REF)
    assert await announce_stragglers(gateway.parts) == 1
    assert [fact.id for fact in gateway.orders.facts] == ["e1"]


async def test_an_event_about_no_message_of_ours_is_kept_and_given_up_in_the_end(gateway: Gateway) -> None:
    await report(gateway, an_event("e1", provider_id="somebody-else's"))
    gateway.clock.ahead = PATIENCE + timedelta(minutes=1)
    await announce_stragglers(gateway.parts)
    assert gateway.orders.facts == []
    row = await gateway.ledger.receive("webhooks/email", "e1", "channel_event", None, "", now())
    assert row.outcome == "unmatched"


async def test_an_event_cannot_speak_for_another_channels_message(gateway: Gateway) -> None:
    key = await gateway.accepted_send(REF, channel="alerts")
    await report(gateway, an_event("e1", key=key, provider_id=None))
    assert gateway.orders.facts == []


async def test_forged_unknown_and_unreadable_reports_are_refused(gateway: Gateway) -> None:
    body = b"[]"
    forged = await gateway.http.post("/webhooks/email", content=body, headers=signed(body, URL, secret=b"guessed"))
    unknown = await gateway.http.post("/webhooks/nosuch", content=body)
    unreadable = await gateway.http.post("/webhooks/email", content=b"?", headers=signed(b"?", URL))
    long = await gateway.http.post(f"/webhooks/email?{'x' * 3_000}", content=body)
    assert [a.status_code for a in (forged, unknown, unreadable, long)] == [401, 404, 422, 414]


async def test_the_answer_says_how_many_events_the_order_is_told_later(gateway: Gateway) -> None:
    await gateway.accepted_send(REF)
    answer = await report(gateway, an_event("e1"), an_event("e2", provider_id="not-recorded-yet"))
    assert (answer.status_code, answer.json()) == (200, {"events": 2, "waiting": 1})
    gateway.orders.away = True
    answer = await report(gateway, an_event("e3", EvidenceEvent.ENGAGED, Grade.E4))
    assert (answer.status_code, answer.json()) == (200, {"events": 1, "waiting": 1})


async def test_nothing_is_answered_for_that_is_not_recorded(gateway: Gateway, database: Path) -> None:
    await gateway.accepted_send(REF)
    await gateway.ledger.aclose()
    take_away(database)
    answer = await report(gateway, an_event("e1"))
    assert (answer.status_code, answer.json()["recorded"]) == (503, False)


@pytest.mark.parametrize(
    "change",
    [
        {"provider_id": "p-another"},
        {"basis": "email:another"},
        {"sender": "mallory@example.com"},
        {"text": "I agree"},
        {"key": "demo/1/1/confirmation/1/email"},
    ],
)
async def test_another_event_under_a_known_id_is_refused_and_an_operator_is_told(
    change: dict[str, str], gateway: Gateway
) -> None:
    await gateway.accepted_send(REF)
    first = an_event("e1")
    await report(gateway, first)
    with capture_logs() as logs:
        answer = await report(gateway, first.model_copy(update=change), an_event("e2", EvidenceEvent.BOUNCED, None))
    assert (answer.status_code, answer.json()["error"], answer.json()["recorded"]) == (409, "id_reused", True)
    assert [line["log_level"] for line in logs if "came again" in line["event"]] == ["error"]
    assert [fact.id for fact in gateway.orders.facts] == ["e1", "e2"]  # what else the request held is ours all the same


async def test_a_repeat_that_bears_a_new_time_is_a_repeat(gateway: Gateway) -> None:
    await gateway.accepted_send(REF)
    first = an_event("e1")
    await report(gateway, first)
    again = await report(gateway, first.model_copy(update={"occurred_at": now(), "raw": "the same, told again"}))
    assert again.status_code == 200
    assert len(await gateway.ledger.evidence(REF)) == 1


@pytest.mark.parametrize("ours", [10, pytest.param(350, marks=pytest.mark.long)])
async def test_a_full_batch_of_a_provider_is_taken_and_only_more_than_that_refused(gateway: Gateway, ours: int) -> None:
    """Some of it is about a message of ours: each of those is weighed against all that is known of its order."""
    await gateway.accepted_send(REF)
    about = [an_event(f"e{n}", provider_id="p-1001" if n < ours else "not-recorded-yet") for n in range(350)]
    answer = await report(gateway, *(event.model_copy(update={"raw": "x" * 1_900}) for event in about))
    assert (answer.status_code, answer.json()) == (200, {"events": 350, "waiting": 350 - ours})
    assert len(await gateway.ledger.evidence(REF)) == ours
    padded = b"[" + b" " * (1024 * 1024) + b"]"
    refused = await gateway.http.post("/webhooks/email", content=padded, headers=signed(padded, URL))
    assert refused.status_code == 413


class Calls:
    """Transactions of a ledger, as they are begun."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads, self.writes = 0, 0
        read, write = Database.read, Database.write

        def reading(database: Database) -> AbstractAsyncContextManager[AsyncSession]:
            self.reads += 1
            return read(database)

        def writing(database: Database) -> AbstractAsyncContextManager[AsyncSession]:
            self.writes += 1
            return write(database)

        monkeypatch.setattr(Database, "read", reading)
        monkeypatch.setattr(Database, "write", writing)

    def since_last(self) -> tuple[int, int]:
        found, self.reads, self.writes = (self.reads, self.writes), 0, 0
        return found


async def test_a_report_costs_one_look_and_two_writes_and_one_where_it_is_no_news(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await gateway.accepted_send(REF)
    calls = Calls(monkeypatch)
    await report(gateway, an_event("e1"))
    assert calls.since_last() == (1, 2)
    await report(gateway, an_event("e2", key=key))
    assert calls.since_last() == (1, 1)
    assert [fact.id for fact in gateway.orders.facts] == ["e1"]
    assert [fact.id for fact in await gateway.ledger.evidence(REF)] == ["e1", "e2"]
    assert await gateway.inbox() == []


async def test_what_a_report_proves_is_in_the_record_before_its_order_is_told(gateway: Gateway) -> None:
    await gateway.accepted_send(REF)
    gateway.orders.away = True
    assert (await report(gateway, an_event("e1"))).json() == {"events": 1, "waiting": 1}
    assert [fact.id for fact in await gateway.ledger.evidence(REF)] == ["e1"]
    assert [row.external_id for row in await gateway.inbox()] == ["e1"]


async def test_the_button_under_a_message_about_exceptions_takes_them_in_hand(gateway: Gateway) -> None:
    """Pressed twice as well. It is no order's message, so no order hears of it and nobody waits for one."""
    ledger, at = gateway.ledger, gateway.clock()
    finding = Finding(ref=REF, revision=0, kind=ExceptionKind.NOT_RUNNING, system="temporal", since=at, owner="ops")
    settled = await ledger.settle([finding], at)
    await ledger.gather("operations", "ops", settled.opened, at)
    (digest,) = await ledger.open_digests()
    told = Message(key=digest.key("email"), recipient="ops", kind=Kind.ALERT, language="en", content=Rendered(text="2"))
    await ledger.claim_digest(digest.version, told.key, told, at, timedelta(minutes=1), None)
    for id_ in ("e1", "e2"):
        answer = await report(gateway, an_event(id_, EvidenceEvent.AFFIRMED, Grade.E5, key=told.key, provider_id=None))
        assert answer.json() == {"events": 1, "waiting": 0}
    assert [one.claimed_by for one in await ledger.exceptions()] == ["ops"]
    assert (gateway.orders.facts, await gateway.inbox()) == ([], [])
