"""The Klaviyo account in the sandbox: the adapter, set up by the sandbox's settings alone, gets along with it."""

import pytest

from orderack.channels.klaviyo import Klaviyo, KlaviyoSettings
from orderack.domain.acknowledgement import Reason
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from tests.conformance.channel import a_message
from tests.conformance.orders import ORDER

MESSAGE = a_message("klaviyo", "ada@example.com").model_copy(update={"order": ORDER})


@pytest.fixture
async def channel(sandbox, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    made = Klaviyo(KlaviyoSettings())
    yield made
    await made.aclose()


async def test_an_event_becomes_one_mail_however_often_it_is_posted(channel, sandbox):
    for _ in range(2):
        assert (await channel.send(MESSAGE)).provider_id is None
    entries = sandbox.state.log.entries(Target.KLAVIYO, key=MESSAGE.key_text)
    assert [entry.repeated for entry in entries] == [False, True]
    (posted,) = sandbox.state.outbox.find("A-1001", Target.KLAVIYO)
    assert (posted.recipient, posted.sender) == ("ada@example.com", "flow for Confirmed Order")
    assert (posted.subject, posted.html) == (MESSAGE.content.subject, MESSAGE.content.html)


async def test_a_lost_answer_is_in_doubt_and_the_second_event_settles_it(channel, sandbox):
    sandbox.state.faults.add(Fault(target=Target.KLAVIYO, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(InDoubt):
        await channel.send(MESSAGE)
    await channel.send(MESSAGE)
    assert len(sandbox.state.outbox.find("", Target.KLAVIYO)) == 1
    assert sandbox.state.faults.unfired() == ()


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ({"action": Action.REFUSE}, Refused),
        ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable),
        ({"action": Action.FAIL}, InDoubt),
        ({"action": Action.NONSENSE}, InDoubt),
    ],
)
async def test_every_fault_has_its_fate(channel, sandbox, fault, fate):
    sandbox.state.faults.add(Fault(target=Target.KLAVIYO, **fault))
    with pytest.raises(fate) as caught:
        await channel.send(MESSAGE)
    if isinstance(caught.value, Refused):
        assert caught.value.reason is Reason.BAD_RECIPIENT
    if isinstance(caught.value, Unavailable):
        assert caught.value.retry_after.total_seconds() == 7


async def test_the_check_names_the_account_and_a_wrong_key_is_named(channel, monkeypatch):
    assert "SANDBX" in await channel.check()
    monkeypatch.setenv("ORDERACK_KLAVIYO_API_KEY", "pk_wrong")
    stranger = Klaviyo(KlaviyoSettings())
    for asking in (stranger.check(), stranger.send(MESSAGE)):
        with pytest.raises(Misconfigured, match="API_KEY"):
            await asking
    await stranger.aclose()


@pytest.mark.parametrize(
    ("profile", "pointer"),
    [
        ({}, "/data/attributes/profile/data/attributes"),
        ({"email": "a, b"}, "/data/attributes/profile/data/attributes/email"),
    ],
)
async def test_a_bad_event_is_refused_in_json_api(http, sandbox, profile, pointer):
    metric = {"data": {"type": "metric", "attributes": {"name": "Placed Order"}}}
    attributes = {"properties": {}, "metric": metric, "profile": {"data": {"type": "profile", "attributes": profile}}}
    headers = {"Authorization": f"Klaviyo-API-Key {sandbox.environment()['ORDERACK_KLAVIYO_API_KEY']}", "revision": "x"}
    body = {"data": {"type": "event", "attributes": attributes}}
    answer = await http.post("/klaviyo/api/events", json=body, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["source"]["pointer"]) == (400, pointer)
    assert sandbox.state.log.entries() == ()
