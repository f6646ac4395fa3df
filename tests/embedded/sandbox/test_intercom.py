"""Intercom's look-alike and our adapter, configured by the sandbox's environment alone."""

from collections.abc import AsyncIterator

import pytest

from orderack import channels
from orderack.channels.intercom import Intercom
from orderack.domain.acknowledgement import Kind, Reason, SendKey
from orderack.domain.evidence import EvidenceEvent
from orderack.domain.order import OrderRef
from orderack.embedded.sandbox import Action, Fault, Sandbox, Target
from orderack.errors import InDoubt, Refused, Unavailable
from orderack.ports import Message, RawRequest, Rendered

ADA = "ada@example.com"


def message(recipient: str = ADA) -> Message:
    return Message(
        key=SendKey(ref=OrderRef(store="shop", number="A-1"), revision=1, kind=Kind.RECEIVED, n=1, channel="intercom"),
        recipient=recipient,
        kind=Kind.RECEIVED,
        language="en",
        content=Rendered(subject="Order A-1", text="We have order A-1"),
    )


@pytest.fixture
async def intercom(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Intercom]:
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    built = channels.build(["intercom"])
    assert built.not_configured == {}
    found = built["intercom"]
    assert isinstance(found, Intercom)
    yield found
    await found.aclose()


async def test_a_message_reaches_the_contact_and_the_mailbox(sandbox, intercom):
    sent = await intercom.send(message())
    (entry,) = sandbox.state.log.entries(Target.INTERCOM)
    assert (entry.provider_id, entry.recipient) == (sent.provider_id, ADA)
    (shown,) = sandbox.state.outbox.find("A-1", Target.INTERCOM)
    assert shown.html == "<p>We have order A-1</p>"
    assert await intercom.check() == "signed in as admin 991267"


async def test_an_unknown_address_is_no_recipient_and_a_cut_off_message_is_in_doubt(sandbox, intercom):
    with pytest.raises(Refused) as refused:
        await intercom.send(message("stranger@example.com"))
    assert refused.value.reason is Reason.NO_RECIPIENT
    sandbox.state.faults.add(Fault(target=Target.INTERCOM, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(InDoubt):
        await intercom.send(message())
    assert len(sandbox.state.log.entries(Target.INTERCOM)) == 1


async def test_a_refusal_and_a_throttle_are_told_in_intercoms_words(sandbox, intercom):
    sandbox.state.faults.add(Fault(target=Target.INTERCOM, action=Action.REFUSE))
    with pytest.raises(Refused) as refused:
        await intercom.send(message())
    assert (refused.value.reason, refused.value.code) == (Reason.CONTENT, "422 parameter_not_found")
    sandbox.state.faults.add(Fault(target=Target.INTERCOM, action=Action.THROTTLE, retry_after=7))
    with pytest.raises(Unavailable) as later:
        await intercom.send(message())
    assert later.value.retry_after is not None
    assert 5 <= later.value.retry_after.total_seconds() <= 7
    assert sandbox.state.faults.unfired() == ()


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"body": ""}, 400, "parameter_invalid"),
        ({"subject": ""}, 422, "parameter_not_found"),
        ({"template": "grand"}, 400, "parameter_invalid"),
        ({"from": {"type": "admin", "id": 1}}, 404, "admin_not_found"),
        ({"to": {"type": "user", "id": "nobody"}}, 404, "not_found"),
    ],
)
async def test_a_message_that_intercom_would_not_take_is_refused(sandbox, http, change, status, code):
    own = sandbox.environment()
    headers = {"Authorization": f"Bearer {own['ORDERACK_INTERCOM_ACCESS_TOKEN']}"}
    query = {"query": {"field": "email", "operator": "=", "value": ADA}}
    found = (await http.post("/intercom/contacts/search", json=query, headers=headers)).json()["data"][0]
    good = {
        "message_type": "email",
        "subject": "s",
        "body": "b",
        "template": "plain",
        "from": {"type": "admin", "id": 991267},
        "to": {"type": "user", "id": found["id"]},
    }
    assert (await http.post("/intercom/messages", json=good, headers=headers)).status_code == 200
    answer = await http.post("/intercom/messages", json=good | change, headers=headers)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)
    assert (await http.post("/intercom/messages", json=good)).status_code == 401


@pytest.mark.parametrize(("deed", "meaning"), [("write", EvidenceEvent.REPLIED), ("opt_out", EvidenceEvent.OPTED_OUT)])
async def test_what_the_contact_does_is_verified_and_read_by_the_adapter(gateway, http, intercom, deed, meaning):
    sent = await intercom.send(message())
    asked = {"channel": "intercom", "match": "A-1", "text": "Yes & <thanks> ✓", "deed": deed}
    assert (await http.post("/reply", json=asked)).status_code == 202
    (post,) = await gateway.wait_for(1, "/webhooks/intercom")
    request = RawRequest(url=post.url, headers=dict(post.headers), body=post.body)
    await intercom.verify(request)
    (event,) = intercom.events(request)
    assert (event.event, event.sender) == (meaning, ADA)
    if meaning is EvidenceEvent.REPLIED:
        assert (event.provider_id, event.text) == (sent.provider_id, "Yes & <thanks> ✓")
    else:
        with pytest.raises(Refused) as refused:
            await intercom.send(message())
        assert refused.value.reason is Reason.OPTED_OUT
