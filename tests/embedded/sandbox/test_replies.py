"""A buyer's text message, as Twilio posts it."""

from urllib.parse import parse_qsl

import pytest
from twilio.request_validator import RequestValidator

from orderack.embedded.sandbox import Sandbox, Target


@pytest.fixture
def texted(sandbox: Sandbox):
    return sandbox.state.outbox.put(
        Target.TWILIO,
        recipient="+493055500001",
        sender="+15005550006",
        provider_id="s1",
        text="Order A-1. YES?",
        key="k/A-1",
    )


async def test_a_reply_comes_from_the_number_written_to_and_twilios_own_library_verifies_it(
    sandbox, http, gateway, texted
):
    answer = await http.post("/reply", json={"channel": "twilio_sms", "match": "A-1", "text": "Yes, thanks ✓"})
    assert answer.status_code == 202
    (post,) = await gateway.wait_for(1, "/webhooks/twilio_sms")
    form = dict(parse_qsl(post.body.decode(), keep_blank_values=True))
    assert (form["From"], form["To"], form["Body"]) == ("+493055500001", "+15005550006", "Yes, thanks ✓")
    assert (form["FromCountry"], form["SmsStatus"], form["NumSegments"]) == ("DE", "received", "1")
    assert form["MessageSid"] == form["SmsSid"] == answer.json()["posted"].split()[1]
    assert form["AccountSid"] == sandbox.state.credentials.twilio_account_sid
    validator = RequestValidator(sandbox.state.credentials.twilio_auth_token)
    assert validator.validate(post.url, form, post.headers["x-twilio-signature"])
    assert not validator.validate(post.url, form | {"Body": "No"}, post.headers["x-twilio-signature"])


async def test_two_replies_are_two_messages(http, gateway, texted):
    for _ in range(2):
        await http.post("/reply", json={"channel": "twilio_sms", "match": "A-1", "text": "YES"})
    posts = await gateway.wait_for(2, "/webhooks/twilio_sms")
    assert len({dict(parse_qsl(post.body.decode()))["MessageSid"] for post in posts}) == 2


async def test_a_reply_to_nothing_is_not_found(http, gateway):
    answer = await http.post("/reply", json={"channel": "twilio_sms", "match": "A-1", "text": "YES"})
    assert answer.status_code == 404
    assert (await http.post("/reply", json={"channel": "fax", "match": "A-1", "text": "YES"})).status_code == 404
    assert gateway.received == []
