"""The SendGrid look-alike against SendGrid's description, SendGrid's library and its signature check."""

import asyncio
import json

import pytest
from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.eventwebhook import EventWebhook
from sendgrid.helpers.mail import CustomArg, Mail

from orderack.embedded.sandbox import Action, Behaviour, Fault, Sandbox, Target

KEY = "shop/A-1/1/confirmation/1/sendgrid_email"
GOOD = {
    "personalizations": [{"to": [{"email": "ada@example.com"}]}],
    "from": {"email": "orders@shop.example"},
    "subject": "Order A-1",
    "content": [{"type": "text/plain", "value": "Thank you"}, {"type": "text/html", "value": "<p>Thank you</p>"}],
    "custom_args": {"orderack_key": KEY},
}
SEND = "/sendgrid/v3/mail/send"


@pytest.fixture
def sendgrid(description):
    return description("sendgrid/tsg_mail_v3.patched.json", "https://api.sendgrid.com", "/sendgrid")


def auth(sandbox: Sandbox) -> dict[str, str]:
    return {"Authorization": f"Bearer {sandbox.state.credentials.sendgrid_api_key}"}


async def test_a_good_mail_is_accepted_with_an_empty_body_and_a_message_id(sandbox, http, sendgrid):
    response = await http.post(SEND, json=GOOD, headers=auth(sandbox))
    assert (response.status_code, response.content) == (202, b"")
    assert sendgrid.accepts(response.request)
    sendgrid.check(response)
    (entry,) = sandbox.state.log.entries()
    assert (entry.key, entry.provider_id) == (KEY, response.headers["X-Message-Id"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"personalizations": []}, "personalizations"),
        ({"personalizations": [{"to": []}]}, "personalizations.0.to"),
        ({"personalizations": [{"to": [{"email": "not an address"}]}]}, "personalizations.0.to.0.email"),
        ({"from": {}}, "from.email"),
        ({"subject": ""}, "subject"),
        ({"content": []}, "content"),
        ({"content": [{"type": "text/plain", "value": ""}]}, "content.0.value"),
        ({"custom_args": {"orderack_key": "x" * 10_000}}, "custom_args"),
        ({"content": "text"}, "content"),
    ],
)
async def test_a_bad_mail_is_refused_with_the_field_at_fault(sandbox, http, sendgrid, change, field):
    response = await http.post(SEND, json=GOOD | change, headers=auth(sandbox))
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == field
    sendgrid.check(response)
    assert sandbox.state.log.entries() == ()


@pytest.mark.parametrize("change", [{"from": None}, {"personalizations": None}, {"content": "text"}])
async def test_what_the_description_refuses_the_look_alike_refuses(sandbox, http, sendgrid, change):
    body = {name: value for name, value in (GOOD | change).items() if value is not None}
    response = await http.post(SEND, json=body, headers=auth(sandbox))
    assert not sendgrid.accepts(response.request)
    assert response.status_code == 400


async def test_a_wrong_key_a_huge_mail_and_a_throttled_one_have_the_described_shapes(sandbox, http, sendgrid):
    stranger = await http.post(SEND, json=GOOD, headers={"Authorization": "Bearer SG.wrong"})
    huge = await http.post(SEND, content=b" " * (30 * 1024 * 1024 + 1), headers=auth(sandbox))
    assert (stranger.status_code, huge.status_code) == (401, 413)
    sendgrid.check(stranger)
    assert huge.json()["errors"][0]["message"] == "content too large"
    sandbox.state.faults.add(Fault(target=Target.SENDGRID, action=Action.THROTTLE, retry_after=7))
    throttled = await http.post(SEND, json=GOOD, headers=auth(sandbox))
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "7")
    assert throttled.headers["X-RateLimit-Remaining"] == "0"
    assert sandbox.state.log.entries() == ()


async def test_events_come_in_a_batch_that_sendgrids_own_library_verifies(sandbox, http, gateway):
    response = await http.post(SEND, json=GOOD, headers=auth(sandbox))
    (post,) = await gateway.wait_for(1, "/webhooks/sendgrid_email")
    key = (await http.get("/sendgrid/sandbox/public_key")).json()["public_key"]
    signature = post.headers["X-Twilio-Email-Event-Webhook-Signature"]
    timestamp = post.headers["X-Twilio-Email-Event-Webhook-Timestamp"]
    assert EventWebhook(key).verify_signature(post.body.decode(), signature, timestamp)
    assert not EventWebhook(key).verify_signature(post.body.decode().strip(), signature, timestamp)
    events = json.loads(post.body)
    assert [event["event"] for event in events] == ["processed", "delivered"]
    assert {event["orderack_key"] for event in events} == {KEY}
    assert {event["sg_message_id"].split(".")[0] for event in events} == {response.headers["X-Message-Id"]}
    assert len({event["sg_event_id"] for event in events}) == 2


async def test_an_open_is_reported_where_someone_opens_mail(sandbox, http, gateway):
    sandbox.state.behaviour = Behaviour(delivered_after=0.02, opened_after=0.02)
    await http.post(SEND, json=GOOD, headers=auth(sandbox))
    posts = await gateway.wait_for(2)
    assert [json.loads(post.body)[-1]["event"] for post in posts] == ["delivered", "open"]


async def test_a_bounce_is_accepted_first_and_reported_later(sandbox, http, gateway):
    sandbox.state.faults.add(Fault(target=Target.SENDGRID, action=Action.BOUNCE, match="ada@"))
    assert (await http.post(SEND, json=GOOD, headers=auth(sandbox))).status_code == 202
    bounce = json.loads((await gateway.wait_for(1))[0].body)[-1]
    assert (bounce["event"], bounce["type"], bounce["status"]) == ("bounce", "bounce", "5.1.1")


async def test_sendgrids_own_library_sends_and_is_refused(sandbox):
    client = SendGridAPIClient(sandbox.state.credentials.sendgrid_api_key, host=f"{sandbox.url}/sendgrid")

    def talk():
        mail = Mail("orders@shop.example", "ada@example.com", "Order A-1", "Thank you", "<p>Thank you</p>")
        mail.custom_arg = CustomArg("orderack_key", KEY)
        accepted = client.send(mail)
        try:
            SendGridAPIClient("SG.wrong", host=client.host).send(mail)
        except HTTPError as error:
            return accepted, error.status_code
        return accepted, None

    accepted, refused = await asyncio.to_thread(talk)
    assert (accepted.status_code, refused) == (202, 401)
    (message,) = sandbox.state.outbox.find("ada@example.com")
    assert (message.key, message.subject, message.html) == (KEY, "Order A-1", "<p>Thank you</p>")
