"""What buyers write back: bound to the message it answers; it affirms only in so many words, from the very address."""

import base64
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from orderack.channels.twilio_sms import TwilioSettings, TwilioSms
from orderack.contracts.journal import Journal, Stage
from orderack.contracts.updates import BuyerQuestion, Reply
from orderack.domain.acknowledgement import Kind, SendKey, SendOutcome, SendState
from orderack.domain.evidence import Assurance, EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import OrderRef
from orderack.errors import Unavailable
from orderack.gateway.announce import PATIENCE, announce_stragglers
from orderack.gateway.app import create_app
from orderack.gateway.binding import ANSWERS
from orderack.ledger.tables import Evidence
from orderack.ports import ChannelEvent, Message, Rendered
from tests.gateway.conftest import PUBLIC, Gateway
from tests.gateway.fakes import signed
from tests.temporal.server import now

REF = OrderRef(store="demo", number="1001")
OTHER = OrderRef(store="demo", number="2002")
ADA = "+15005550006"
BOB = "+15005550007"


async def out(
    gateway: Gateway,
    ref: OrderRef = REF,
    kind: Kind = Kind.CONFIRMATION,
    *,
    revision: int = 1,
    channel: str = "text",
    to: str = ADA,
    ago: timedelta = timedelta(minutes=5),
    state: SendState = SendState.ACCEPTED,
    stage: Stage = Stage.CONFIRMED,
) -> SendKey:
    """A message that went out a while ago."""
    at = now() - ago
    key = SendKey(ref=ref, revision=revision, kind=kind, n=1, channel=channel)
    content = Rendered(text="Please confirm that you have it.")
    await gateway.ledger.claim(
        key, Message(key=key, recipient=to, kind=kind, language="en", content=content), at, timedelta(minutes=1)
    )
    await gateway.ledger.finish(key, SendOutcome(channel=channel, state=state, provider_id=f"p-{key}"), at)
    await gateway.ledger.write(Journal(ref=ref, stage=stage, revision=revision))
    return key


def reply(text: str, id: str = "m1", sender: str = ADA) -> ChannelEvent:
    return ChannelEvent(
        id=id,
        event=EvidenceEvent.REPLIED,
        grade=Grade.E4,
        occurred_at=now(),
        basis="text:reply",
        raw="the provider's own words",
        sender=sender,
        text=text,
    )


def button(key: SendKey, id: str = "b1", sender: str | None = ADA) -> ChannelEvent:
    return ChannelEvent(
        id=id,
        event=EvidenceEvent.AFFIRMED,
        grade=Grade.E5,
        key=str(key),
        occurred_at=now(),
        basis=f"{key.channel}:button",
        raw="{}",
        sender=sender,
    )


async def report(gateway: Gateway, event: ChannelEvent, channel: str = "text") -> httpx.Response:
    body = b"[" + event.model_dump_json().encode() + b"]"
    url = f"{PUBLIC}/webhooks/{channel}"
    answer = await gateway.http.post(f"/webhooks/{channel}", content=body, headers=signed(body, url))
    assert answer.status_code == 200, answer.text
    return answer


async def only_fact(gateway: Gateway, ref: OrderRef = REF) -> EvidenceFact:
    (fact,) = await gateway.ledger.evidence(ref)
    return fact


async def test_yes_from_the_address_affirms_the_confirmation(gateway: Gateway) -> None:
    await out(gateway)
    await report(gateway, reply("Yes!"))
    fact = await only_fact(gateway)
    assert (fact.event, fact.grade, fact.kind, fact.revision) == (
        EvidenceEvent.AFFIRMED,
        Grade.E5,
        Kind.CONFIRMATION,
        1,
    )
    assert fact.basis == "text:reply:yes"
    assert gateway.orders.facts == [fact]
    assert gateway.orders.questions == []


async def test_the_fact_keeps_whose_word_it_is_and_on_which_bytes(gateway: Gateway) -> None:
    key = await out(gateway)
    await report(gateway, reply("yes"))
    async with gateway.ledger._database.read() as session:
        row = (await session.execute(select(Evidence))).scalar_one()
    send = await gateway.ledger.send(str(key))
    assert send is not None
    assert row.content_sha256 == send.body_sha256
    assert (row.assurance, row.verified, row.recipient_role) == (Assurance.ADDRESS, True, "buyer")


async def test_a_machines_touch_keeps_why_it_was_judged_one(gateway: Gateway) -> None:
    key = await out(gateway, channel="email")
    touch = ChannelEvent(
        id="t1",
        event=EvidenceEvent.MACHINE_TOUCH,
        grade=Grade.M,
        key=str(key),
        occurred_at=now(),
        basis="email:open",
        machine=("apple_mail_preload",),
    )
    await report(gateway, touch, "email")
    async with gateway.ledger._database.read() as session:
        row = (await session.execute(select(Evidence))).scalar_one()
    assert (row.machine, row.assurance) == ('["apple_mail_preload"]', Assurance.PROVIDER)


async def test_the_latest_confirmation_is_affirmed_and_no_earlier_revision(gateway: Gateway) -> None:
    await out(gateway, revision=1, ago=timedelta(hours=2))
    await out(gateway, revision=2, ago=timedelta(hours=1))
    await out(gateway, kind=Kind.UPDATE, revision=2, ago=timedelta(minutes=1))
    await report(gateway, reply("ok"))
    fact = await only_fact(gateway)
    assert (fact.kind, fact.revision) == (Kind.CONFIRMATION, 2)


async def test_without_a_confirmation_the_latest_message_is_affirmed(gateway: Gateway) -> None:
    await out(gateway, kind=Kind.RECEIVED, ago=timedelta(hours=1), stage=Stage.AWAITING_ERP)
    await out(gateway, kind=Kind.HOLDING, ago=timedelta(minutes=1), stage=Stage.AWAITING_ERP)
    await report(gateway, reply("ok"))
    assert (await only_fact(gateway)).kind is Kind.HOLDING


@pytest.mark.parametrize(
    ("last", "revision"), [(Kind.CANCELLATION, 1), (Kind.REJECTION, 1), (Kind.CHANGE_RECEIVED, 2), (Kind.RECEIVED, 2)]
)
async def test_an_ok_to_what_ended_or_changed_the_order_affirms_no_earlier_confirmation(
    last: Kind, revision: int, gateway: Gateway
) -> None:
    await out(gateway, ago=timedelta(hours=2))
    await out(gateway, kind=last, revision=revision, ago=timedelta(minutes=1))
    await report(gateway, reply("ok"))
    fact = await only_fact(gateway)
    assert (fact.kind, fact.revision, fact.event) == (last, revision, EvidenceEvent.AFFIRMED)


@pytest.mark.parametrize("last", [Kind.QUESTION, Kind.ANSWER])
async def test_a_yes_to_a_persons_question_affirms_nothing_and_a_person_reads_it(last: Kind, gateway: Gateway) -> None:
    await out(gateway, ago=timedelta(hours=2))
    await out(gateway, kind=last, ago=timedelta(minutes=1))
    await report(gateway, reply("Yes"))
    fact = await only_fact(gateway)
    assert (fact.kind, fact.event, fact.grade) == (last, EvidenceEvent.REPLIED, Grade.E4)
    assert [question.text for question in gateway.orders.questions] == ["Yes"]


async def test_a_reply_cannot_answer_a_message_that_came_after_it(gateway: Gateway) -> None:
    await out(gateway, revision=1, ago=timedelta(hours=1))
    early = reply("yes").model_copy(update={"occurred_at": now() - timedelta(minutes=30)})
    await out(gateway, revision=2, ago=timedelta(minutes=1))
    await report(gateway, early)
    assert (await only_fact(gateway)).revision == 1


async def test_a_reply_of_the_same_second_answers_though_its_vendor_writes_whole_seconds(gateway: Gateway) -> None:
    await out(gateway, kind=Kind.RECEIVED, ago=timedelta(hours=1))
    await out(gateway, ago=timedelta(seconds=1))
    sent = (await gateway.ledger.sends(REF))[-1].claimed_at
    await report(gateway, reply("yes").model_copy(update={"occurred_at": sent - timedelta(milliseconds=900)}))
    assert (await only_fact(gateway)).kind is Kind.CONFIRMATION


async def test_a_reply_from_the_calendars_end_is_taken_as_said_now(gateway: Gateway) -> None:
    await out(gateway)
    await report(gateway, reply("yes").model_copy(update={"occurred_at": datetime.max.replace(tzinfo=UTC)}))
    assert (await only_fact(gateway)).event is EvidenceEvent.AFFIRMED
    assert gateway.orders.facts[0].occurred_at <= now()


@pytest.mark.parametrize("text", ["not ok", "yes, but when?", "no", "Where is line 2?", "<script>alert(1)</script>"])
async def test_other_words_are_a_reply_and_the_owner_reads_them(text: str, gateway: Gateway) -> None:
    await out(gateway, kind=Kind.CONFIRMATION, ago=timedelta(hours=1))
    await out(gateway, kind=Kind.UPDATE, ago=timedelta(minutes=1))
    await report(gateway, reply(text))
    fact = await only_fact(gateway)
    assert (fact.event, fact.grade, fact.kind) == (EvidenceEvent.REPLIED, Grade.E4, Kind.UPDATE)
    (question,) = gateway.orders.questions
    assert (question.text, question.via, question.revision) == (text, "text", 1)


@pytest.mark.parametrize("text", ["yes", "When does it come?"])
async def test_the_same_reply_many_times_is_one_fact_and_one_question(text: str, gateway: Gateway) -> None:
    await out(gateway)
    event = reply(text)
    for _ in range(3):
        await report(gateway, event)
    assert len(await gateway.ledger.evidence(REF)) == len(gateway.orders.facts) == 1
    assert len(gateway.orders.questions) == (text != "yes")


async def test_a_reply_while_temporal_is_away_is_kept_and_told_later(gateway: Gateway) -> None:
    await out(gateway)
    gateway.orders.away = True
    await report(gateway, reply("When?"))
    assert gateway.orders.questions == []
    gateway.orders.away = False
    gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(gateway.parts) == 1
    await announce_stragglers(gateway.parts)
    assert [question.text for question in gateway.orders.questions] == ["When?"]
    assert len({question.id for question in gateway.orders.questions}) == 1


async def test_words_that_were_asked_before_a_crash_are_the_same_question_after_it(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await out(gateway)
    asked: list[str] = []

    async def ask(ref: OrderRef, question: BuyerQuestion) -> Reply:
        asked.append(question.id)
        if len(asked) == 1:
            raise Unavailable("the answer was lost")
        return Reply(accepted=True, stage=Stage.CONFIRMED, revision=1, message="asked")

    monkeypatch.setattr(gateway.orders, "ask", ask)
    await report(gateway, reply("When?"))
    gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(gateway.parts) == 1
    assert len(asked) == 2
    assert len(set(asked)) == 1


async def test_what_twilio_posts_for_a_buyers_yes_ends_as_an_affirmation(gateway: Gateway) -> None:
    token, path = "0123456789abcdef0123456789abcdef", "/webhooks/twilio_sms"
    twilio = TwilioSms(TwilioSettings(account_sid="AC1", auth_token=SecretStr(token), sender="+15005550001"))
    app = create_app(replace(gateway.parts, channels={"twilio_sms": twilio}))
    await out(gateway, channel="twilio_sms")
    form = {"MessageSid": "SM1", "From": ADA, "To": "+15005550001", "Body": "Yes 👍", "SmsStatus": "received"}
    text = f"{PUBLIC}{path}" + "".join(f"{name}{form[name]}" for name in sorted(form))
    mac = base64.b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as http:
        forged = await http.post(path, data=form, headers={"x-twilio-signature": f"x{mac[1:]}"})
        assert forged.status_code == 401
        for _ in range(2):
            assert (await http.post(path, data=form, headers={"x-twilio-signature": mac})).status_code == 200
    await twilio.aclose()
    fact = await only_fact(gateway)
    assert (fact.event, fact.grade, fact.channel) == (EvidenceEvent.AFFIRMED, Grade.E5, "twilio_sms")
    assert len(gateway.orders.facts) == 1


async def test_a_reply_that_waited_is_bound_as_it_was_when_it_came(gateway: Gateway) -> None:
    await out(gateway)
    gateway.orders.away = True
    await report(gateway, reply("yes"))
    await out(gateway, OTHER, ago=timedelta(minutes=1))
    gateway.orders.away = False
    gateway.clock.ahead = timedelta(minutes=1)
    await announce_stragglers(gateway.parts)
    assert (await only_fact(gateway)).event is EvidenceEvent.AFFIRMED
    assert await gateway.ledger.evidence(OTHER) == []


async def test_of_two_open_orders_a_plain_yes_affirms_neither_and_the_owner_is_asked(gateway: Gateway) -> None:
    await out(gateway, REF, ago=timedelta(minutes=9))
    await out(gateway, OTHER, ago=timedelta(minutes=1))
    await report(gateway, reply("yes"))
    assert await gateway.ledger.evidence(REF) == []
    fact = await only_fact(gateway, OTHER)
    assert (fact.event, fact.grade, fact.basis) == (EvidenceEvent.REPLIED, Grade.E0, "text:reply:ambiguous")
    assert [question.text for question in gateway.orders.questions] == ["yes"]


async def test_an_order_that_is_named_is_the_one_that_is_meant(gateway: Gateway) -> None:
    await out(gateway, REF, ago=timedelta(minutes=9))
    await out(gateway, OTHER, ago=timedelta(minutes=1))
    await report(gateway, reply("YES 1001"))
    assert (await only_fact(gateway)).event is EvidenceEvent.AFFIRMED
    assert await gateway.ledger.evidence(OTHER) == []


async def test_an_order_that_has_ended_is_not_meant_while_another_is_open(gateway: Gateway) -> None:
    await out(gateway, REF, ago=timedelta(minutes=9))
    await out(gateway, OTHER, ago=timedelta(minutes=1), stage=Stage.CANCELLED)
    await report(gateway, reply("yes"))
    assert (await only_fact(gateway)).event is EvidenceEvent.AFFIRMED


async def test_a_yes_from_another_address_affirms_nothing(gateway: Gateway) -> None:
    await out(gateway)
    await report(gateway, reply("yes", sender=BOB))
    assert await gateway.ledger.evidence(REF) == []
    gateway.clock.ahead = PATIENCE + timedelta(minutes=1)
    await announce_stragglers(gateway.parts)
    assert await gateway.ledger.evidence(REF) == []
    assert await gateway.inbox() == []


@pytest.mark.parametrize("state", [SendState.REJECTED, SendState.UNKNOWN])
async def test_a_message_that_never_went_out_for_certain_is_not_answered(state: SendState, gateway: Gateway) -> None:
    await out(gateway, state=state)
    await report(gateway, reply("yes"))
    assert await gateway.ledger.evidence(REF) == []


async def test_a_reply_long_after_the_message_answers_it_no_more(gateway: Gateway) -> None:
    await out(gateway, ago=ANSWERS + timedelta(days=1))
    await report(gateway, reply("yes"))
    assert await gateway.ledger.evidence(REF) == []


async def test_an_opt_out_is_recorded_and_affirms_nothing(gateway: Gateway) -> None:
    await out(gateway)
    stop = reply("").model_copy(update={"event": EvidenceEvent.OPTED_OUT, "grade": None, "basis": "text:stop"})
    await report(gateway, stop)
    fact = await only_fact(gateway)
    assert (fact.event, fact.grade) == (EvidenceEvent.OPTED_OUT, Grade.E0)
    assert gateway.orders.questions == []


async def test_an_opt_out_that_may_mean_the_order_is_read_by_its_owner(gateway: Gateway) -> None:
    await out(gateway)
    await report(gateway, reply("CANCEL").model_copy(update={"event": EvidenceEvent.OPTED_OUT, "grade": None}))
    assert [question.text for question in gateway.orders.questions] == ["CANCEL"]


async def test_a_button_pressed_by_the_recipient_affirms(gateway: Gateway) -> None:
    key = await out(gateway, channel="chat", to="U0ADA")
    await report(gateway, button(key, sender="U0ADA"), "chat")
    assert (await only_fact(gateway)).grade is Grade.E5


@pytest.mark.parametrize("sender", ["U0BOB", None])
async def test_a_button_pressed_by_anybody_else_proves_nothing(sender: str | None, gateway: Gateway) -> None:
    key = await out(gateway, channel="chat", to="U0ADA")
    await report(gateway, button(key, sender=sender), "chat")
    fact = await only_fact(gateway)
    assert (fact.event, fact.grade) == (EvidenceEvent.UNKNOWN, Grade.E0)
    assert fact.basis == "chat:button:other_address"


async def test_what_the_team_presses_never_counts_for_the_buyer(gateway: Gateway) -> None:
    key = await out(gateway, channel="alerts", to="ops")
    await report(gateway, button(key, sender="ops"), "alerts")
    assert (await only_fact(gateway)).grade is Grade.E0
    alert = await out(gateway, kind=Kind.ALERT, channel="alerts", to="ops")
    await report(gateway, button(alert, id="b2", sender=None), "alerts")
    facts = await gateway.ledger.evidence(REF)
    assert [(fact.kind, fact.grade) for fact in facts] == [(Kind.CONFIRMATION, Grade.E0), (Kind.ALERT, Grade.E5)]


async def test_a_late_bounce_takes_nothing_back(gateway: Gateway) -> None:
    key = await out(gateway)
    await report(gateway, reply("yes"))
    bounce = ChannelEvent(
        id="late", event=EvidenceEvent.BOUNCED, grade=None, key=str(key), occurred_at=now(), basis="text:failed"
    )
    await report(gateway, bounce)
    facts = await gateway.ledger.evidence(REF)
    assert max(fact.grade.rank for fact in facts) == Grade.E5.rank


@pytest.mark.parametrize(
    ("text", "event", "grade"),
    [
        ("Yes, thanks!", EvidenceEvent.AFFIRMED, Grade.E5),
        ("ok 1001", EvidenceEvent.AFFIRMED, Grade.E5),
        ("Yes, but at the back door", EvidenceEvent.REPLIED, Grade.E4),
    ],
)
async def test_a_reply_that_names_its_message_affirms_that_one_though_another_followed(
    text: str, event: EvidenceEvent, grade: Grade, gateway: Gateway
) -> None:
    named = await out(gateway, ago=timedelta(hours=2))
    await out(gateway, OTHER)
    answer = reply(text).model_copy(update={"provider_id": f"p-{named}"})
    for _ in range(2):
        await report(gateway, answer)
    (fact,) = await gateway.ledger.evidence(REF)
    assert (fact.event, fact.grade) == (event, grade)
    assert await gateway.ledger.evidence(OTHER) == []


async def test_a_reply_that_names_its_message_from_another_address_affirms_nothing(gateway: Gateway) -> None:
    named = await out(gateway)
    await report(gateway, reply("yes", sender=BOB).model_copy(update={"provider_id": f"p-{named}"}))
    (fact,) = await gateway.ledger.evidence(REF)
    assert (fact.event, fact.grade) == (EvidenceEvent.UNKNOWN, Grade.E0)


async def test_a_yes_to_a_question_is_for_a_person_though_it_names_the_message(gateway: Gateway) -> None:
    named = await out(gateway, kind=Kind.QUESTION)
    await report(gateway, reply("yes").model_copy(update={"provider_id": f"p-{named}"}))
    (fact,) = await gateway.ledger.evidence(REF)
    assert fact.event is EvidenceEvent.REPLIED
