"""The store's own system in the sandbox: the adapter, set up by the sandbox's settings alone, gets along with it."""

from datetime import UTC, datetime

import pytest

from orderack.channels.webhook import Webhook, WebhookSettings
from orderack.clients.standard_webhooks import secrets_of, sign
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from orderack.ports import RawRequest
from tests.conformance.channel import a_message

MESSAGE = a_message("webhook", "ada@example.com")


@pytest.fixture
async def channel(sandbox, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    made = Webhook(WebhookSettings())
    yield made
    await made.aclose()


async def reported(channel, gateway, count):
    """The newest event, once there are `count` posts."""
    post = (await gateway.wait_for(count, "/webhooks/webhook"))[-1]
    request = RawRequest(url=post.url, headers=dict(post.headers), body=post.body)
    await channel.verify(request)
    (event,) = channel.events(request)
    assert event.key == MESSAGE.key_text
    return event


async def test_a_message_is_taken_once_however_often_it_is_posted(channel, sandbox):
    first, again = [await channel.send(MESSAGE) for _ in range(2)]
    assert first.provider_id == again.provider_id
    entries = sandbox.state.log.entries(Target.WEBHOOK, key=MESSAGE.key_text)
    assert [entry.repeated for entry in entries] == [False, True]
    (posted,) = sandbox.state.outbox.find("A-1001", Target.WEBHOOK)
    assert (posted.recipient, posted.html) == ("ada@example.com", MESSAGE.content.html)


async def test_a_lost_answer_is_in_doubt_and_the_second_post_settles_it(channel, sandbox):
    sandbox.state.faults.add(Fault(target=Target.WEBHOOK, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(InDoubt):
        await channel.send(MESSAGE)
    assert (await channel.send(MESSAGE)).detail == "had it already"
    assert len(sandbox.state.outbox.find("", Target.WEBHOOK)) == 1
    assert sandbox.state.faults.unfired() == ()


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ({"action": Action.REFUSE, "code": "opted_out"}, Refused),
        ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable),
        ({"action": Action.FAIL}, InDoubt),
        ({"action": Action.NONSENSE}, InDoubt),
    ],
)
async def test_every_fault_has_its_fate(channel, sandbox, fault, fate):
    sandbox.state.faults.add(Fault(target=Target.WEBHOOK, **fault))
    with pytest.raises(fate) as caught:
        await channel.send(MESSAGE)
    if isinstance(caught.value, Refused):
        assert caught.value.reason is Reason.OPTED_OUT
    if isinstance(caught.value, Unavailable):
        assert caught.value.retry_after.total_seconds() == 7


async def test_a_stranger_is_turned_away(channel, sandbox, monkeypatch):
    monkeypatch.setenv("ORDERACK_WEBHOOK_SECRET", "whsec_" + "QUJD" * 8)
    stranger = Webhook(WebhookSettings())
    with pytest.raises(Misconfigured, match="ORDERACK_WEBHOOK_SECRET"):
        await stranger.send(MESSAGE)
    await stranger.aclose()
    assert sandbox.state.log.entries() == ()


async def test_a_body_of_another_contract_is_refused_by_its_content(sandbox, http):
    keys = secrets_of(sandbox.environment()["ORDERACK_WEBHOOK_SECRET"])
    signed = dict(sign("msg_1", datetime.now(UTC), b"{}", keys))
    answer = await http.post("/webhook/acknowledgements", content=b"{}", headers=signed)
    assert (answer.status_code, answer.json()) == (400, {"reason": "content"})


async def test_its_delivery_and_its_bounce_are_verified_and_read(channel, sandbox, gateway):
    await channel.send(MESSAGE)
    assert (await reported(channel, gateway, 1)).event is EvidenceEvent.DELIVERED
    sandbox.state.faults.add(Fault(target=Target.WEBHOOK, action=Action.BOUNCE))
    other = MESSAGE.model_copy(update={"key": MESSAGE.key.model_copy(update={"n": 2})})
    await channel.send(other)
    post = (await gateway.wait_for(2, "/webhooks/webhook"))[-1]
    (event,) = channel.events(RawRequest(url=post.url, headers=dict(post.headers), body=post.body))
    assert (event.event, event.key) == (EvidenceEvent.BOUNCED, other.key_text)


async def test_a_duplicate_report_is_the_same_event(channel, sandbox, gateway):
    sandbox.state.faults.add(Fault(target=Target.WEBHOOK, action=Action.DUPLICATE_WEBHOOK))
    await channel.send(MESSAGE)
    first = await reported(channel, gateway, 2)
    assert len({post.body for post in gateway.received}) == 1
    assert first.event is EvidenceEvent.DELIVERED


@pytest.mark.parametrize(
    ("deed", "meaning"),
    [
        ("write", EvidenceEvent.REPLIED),
        ("press", EvidenceEvent.AFFIRMED),
        ("read", EvidenceEvent.DISPLAYED),
        ("opt_out", EvidenceEvent.OPTED_OUT),
    ],
)
async def test_what_the_buyer_does_is_reported_and_read(channel, gateway, http, deed, meaning):
    await channel.send(MESSAGE)
    await gateway.wait_for(1, "/webhooks/webhook")
    done = await http.post("/reply", json={"channel": "webhook", "match": "A-1001", "deed": deed, "text": "At noon."})
    assert done.status_code == 202
    event = await reported(channel, gateway, 2)
    assert (event.event, event.sender) == (meaning, "ada@example.com")
