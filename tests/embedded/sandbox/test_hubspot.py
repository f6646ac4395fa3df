"""HubSpot in the sandbox: the adapter, set up by the sandbox's settings alone, gets along with it."""

import pytest

from orderack.channels.hubspot_email import HubspotEmail, HubspotEmailSettings
from orderack.domain.acknowledgement import Reason
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from tests.conformance.channel import a_message

MESSAGE = a_message("hubspot_email", "ada@example.com")
SEND = "/hubspot/marketing/v3/transactional/single-email/send"


@pytest.fixture
async def channel(sandbox, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    made = HubspotEmail(HubspotEmailSettings())
    yield made
    await made.aclose()


@pytest.fixture
def auth(sandbox):
    return {"Authorization": f"Bearer {sandbox.environment()['ORDERACK_HUBSPOT_EMAIL_TOKEN']}"}


async def test_a_mail_is_sent_once_however_often_it_is_posted(channel, sandbox):
    first, again = [await channel.send(MESSAGE) for _ in range(2)]
    assert first.provider_id == again.provider_id
    assert again.detail == "IDEMPOTENT_IGNORE"
    entries = sandbox.state.log.entries(Target.HUBSPOT, key=MESSAGE.key_text)
    assert [entry.repeated for entry in entries] == [False, True]
    (posted,) = sandbox.state.outbox.find("A-1001", Target.HUBSPOT)
    assert (posted.recipient, posted.subject, posted.sender) == (
        "ada@example.com",
        "Your order A-1001",
        "Order confirmation",
    )
    assert [link.url for link in posted.links()] == [MESSAGE.content.link]


async def test_a_lost_answer_is_in_doubt_and_the_second_send_settles_it(channel, sandbox):
    sandbox.state.faults.add(Fault(target=Target.HUBSPOT, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(InDoubt):
        await channel.send(MESSAGE)
    await channel.send(MESSAGE)
    assert len(sandbox.state.outbox.find("", Target.HUBSPOT)) == 1
    assert sandbox.state.faults.unfired() == ()


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ({"action": Action.REFUSE, "code": "ADDRESS_OPTED_OUT"}, Refused),
        ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable),
        ({"action": Action.FAIL}, InDoubt),
        ({"action": Action.NONSENSE}, InDoubt),
        ({"action": Action.CUT_OFF_BEFORE}, InDoubt),
    ],
)
async def test_every_fault_has_its_fate(channel, sandbox, fault, fate):
    sandbox.state.faults.add(Fault(target=Target.HUBSPOT, **fault))
    with pytest.raises(fate) as caught:
        await channel.send(MESSAGE)
    if isinstance(caught.value, Refused):
        assert caught.value.reason is Reason.OPTED_OUT
    if isinstance(caught.value, Unavailable):
        assert caught.value.retry_after.total_seconds() == 7


async def test_a_refusal_without_a_code_is_a_bad_address(channel, sandbox):
    sandbox.state.faults.add(Fault(target=Target.HUBSPOT, action=Action.REFUSE))
    with pytest.raises(Refused) as caught:
        await channel.send(MESSAGE)
    assert caught.value.reason is Reason.BAD_RECIPIENT


async def test_a_stranger_is_turned_away_and_a_template_that_is_not_there_is_ours_to_mend(
    channel, sandbox, monkeypatch
):
    assert await channel.check() == "signed in to HubSpot account 143000001"
    monkeypatch.setenv("ORDERACK_HUBSPOT_EMAIL_EMAIL_IDS", '{"confirmation": 7}')
    lost = HubspotEmail(HubspotEmailSettings())
    with pytest.raises(Misconfigured, match="ORDERACK_HUBSPOT_EMAIL_EMAIL_IDS"):
        await lost.send(MESSAGE)
    monkeypatch.setenv("ORDERACK_HUBSPOT_EMAIL_TOKEN", "pat-of-someone-else")
    stranger = HubspotEmail(HubspotEmailSettings())
    with pytest.raises(Misconfigured, match="ORDERACK_HUBSPOT_EMAIL_TOKEN"):
        await stranger.send(MESSAGE)
    with pytest.raises(Misconfigured, match="ORDERACK_HUBSPOT_EMAIL_TOKEN"):
        await stranger.check()
    await lost.aclose()
    await stranger.aclose()
    assert sandbox.state.log.entries() == ()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"emailId": "142000001"}, "emailId"),
        ({"message": {}}, "message.to"),
        ({"customProperties": {"lines": ["a", "list"]}}, "customProperties.lines"),
        ({"sendId": "at the wrong place"}, "sendId"),
    ],
)
async def test_a_body_that_hubspot_would_not_read_names_its_field(http, auth, change, where):
    body = {"emailId": 142000001, "message": {"to": "ada@example.com"}} | change
    answer = await http.post(SEND, json=body, headers=auth)
    assert (answer.status_code, answer.json()["errors"][0]["in"]) == (400, where)


async def test_its_answers_are_what_hubspot_describes(sandbox, http, auth, description):
    hubspot = description(
        "../commerce/hubspot/transactional_single_send_v3.openapi.json", "https://api.hubapi.com", "/hubspot"
    )
    body = {"emailId": 142000001, "message": {"to": "ada@example.com", "sendId": "s-1"}}
    for _ in range(2):
        answer = await http.post(SEND, json=body, headers=auth)
        assert answer.status_code == 200
        hubspot.check(answer)
    sandbox.state.faults.add(Fault(target=Target.HUBSPOT, action=Action.REFUSE))
    hubspot.check(await http.post(SEND, json=body, headers=auth))
