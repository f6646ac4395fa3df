"""The Twilio look-alike against Twilio's description, Twilio's library and Twilio's signature check."""

import asyncio
from urllib.parse import parse_qsl

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response as TwilioResponse
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from orderack.embedded.sandbox import Action, Fault, Sandbox, Target
from orderack.embedded.sandbox.twilio_rules import segments

GOOD = {"To": "+15005550010", "From": "+15005550006", "Body": "Order A-1: received"}


@pytest.fixture
def twilio(description):
    return description("twilio_sms/twilio_api_v2010.messages.json", "https://api.twilio.com", "/twilio")


def messages(sandbox: Sandbox) -> str:
    return f"/twilio/2010-04-01/Accounts/{sandbox.state.credentials.twilio_account_sid}/Messages.json"


def auth(sandbox: Sandbox) -> tuple[str, str]:
    return sandbox.state.credentials.twilio_account_sid, sandbox.state.credentials.twilio_auth_token


async def test_a_good_message_is_accepted_as_twilio_describes(sandbox, http, twilio):
    response = await http.post(messages(sandbox), data=GOOD, auth=auth(sandbox))
    assert response.status_code == 201
    assert twilio.accepts(response.request)
    twilio.check(response)
    assert response.json()["sid"].startswith("SM")
    assert response.json()["status"] == "queued"
    assert [entry.provider_id for entry in sandbox.state.log.entries(Target.TWILIO)] == [response.json()["sid"]]


@pytest.mark.parametrize("missing", ["To", "From", "Body"])
async def test_a_message_that_lacks_something_is_refused(sandbox, http, missing):
    form = {name: value for name, value in GOOD.items() if name != missing}
    response = await http.post(messages(sandbox), data=form, auth=auth(sandbox))
    assert (response.status_code, response.json()["code"]) == (
        400,
        {"To": 21604, "From": 21603, "Body": 21602}[missing],
    )
    assert set(response.json()) == {"code", "message", "more_info", "status"}
    assert sandbox.state.log.entries() == ()


async def test_a_json_body_is_refused_by_the_description_and_the_look_alike(sandbox, http, twilio):
    response = await http.post(messages(sandbox), json=GOOD, auth=auth(sandbox))
    assert response.status_code == 400
    assert not twilio.accepts(response.request)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"To": "12345"}, 21211),
        ({"To": "+15005550001"}, 21211),
        ({"To": "+15005550004"}, 21610),
        ({"Body": "x" * 1601}, 21617),
        ({"StatusCallback": "http://under_score.example/x"}, 21609),
        ({"StatusCallback": "http://[half"}, 21609),
    ],
)
async def test_what_twilio_refuses_is_refused_with_its_code(sandbox, http, change, code):
    response = await http.post(messages(sandbox), data=GOOD | change, auth=auth(sandbox))
    assert (response.status_code, response.json()["code"]) == (400, code)


async def test_a_wrong_password_or_account_is_turned_away(sandbox, http):
    sid, _ = auth(sandbox)
    wrong = await http.post(messages(sandbox), data=GOOD, auth=(sid, "wrong"))
    assert (wrong.status_code, wrong.json()["code"]) == (401, 20003)
    other = await http.post(messages(sandbox).replace(sid, "AC" + "0" * 32), data=GOOD, auth=auth(sandbox))
    assert other.status_code == 404


async def test_status_callbacks_are_signed_as_twilios_own_library_expects(sandbox, http, gateway):
    callback = f"{gateway.url}/webhooks/twilio_sms?orderack_key=shop/A-1/1/received/1/twilio_sms"
    response = await http.post(messages(sandbox), data=GOOD | {"StatusCallback": callback}, auth=auth(sandbox))
    posts = await gateway.wait_for(2)
    forms = [dict(parse_qsl(post.body.decode())) for post in posts]
    assert [form["MessageStatus"] for form in forms] == ["sent", "delivered"]
    assert {form["MessageSid"] for form in forms} == {response.json()["sid"]}
    validator = RequestValidator(sandbox.state.credentials.twilio_auth_token)
    for post, form in zip(posts, forms, strict=True):
        assert validator.validate(callback, form, post.headers["X-Twilio-Signature"])
        assert not validator.validate(callback + "x", form, post.headers["X-Twilio-Signature"])
    assert [entry.key for entry in sandbox.state.log.entries()] == ["shop/A-1/1/received/1/twilio_sms"]


async def test_a_bounce_is_reported_as_undelivered_with_its_code(sandbox, http, gateway):
    sandbox.state.faults.add(Fault(target=Target.TWILIO, action=Action.BOUNCE, code="30006"))
    await http.post(messages(sandbox), data=GOOD | {"StatusCallback": f"{gateway.url}/x"}, auth=auth(sandbox))
    last = dict(parse_qsl((await gateway.wait_for(2))[1].body.decode()))
    assert (last["MessageStatus"], last["ErrorCode"]) == ("undelivered", "30006")


async def test_the_list_finds_a_message_by_recipient_and_day(sandbox, http, twilio):
    for number in ("+15005550010", "+15005550011", "+15005550010"):
        await http.post(messages(sandbox), data=GOOD | {"To": number}, auth=auth(sandbox))
    response = await http.get(messages(sandbox), params={"To": "+15005550010"}, auth=auth(sandbox))
    twilio.check(response)
    found = response.json()["messages"]
    assert [message["to"] for message in found] == ["+15005550010"] * 2
    day = sandbox.state.log.entries()[0].at.date().isoformat()
    for query, count in (
        ({"DateSent": day}, 3),
        ({"DateSent>": day}, 3),
        ({"DateSent<": "2008-01-02"}, 0),
        ({"DateSent>": "2999-01-02"}, 0),
    ):
        answer = await http.get(messages(sandbox), params=query, auth=auth(sandbox))
        assert len(answer.json()["messages"]) == count, query
    single = await http.get(messages(sandbox).replace(".json", f"/{found[0]['sid']}.json"), auth=auth(sandbox))
    twilio.check(single)
    assert single.json()["sid"] == found[0]["sid"]


class _Redirected(TwilioHttpClient):
    """Twilio's own HTTP client, sent to the sandbox."""

    def __init__(self, base: str) -> None:
        super().__init__(pool_connections=False)
        self._base = base

    def request(self, method, url, *args, **kwargs) -> TwilioResponse:
        return super().request(method, url.replace("https://api.twilio.com", self._base), *args, **kwargs)


async def test_twilios_own_library_sends_lists_pages_and_is_refused(sandbox):
    client = Client(*auth(sandbox), http_client=_Redirected(f"{sandbox.url}/twilio"))

    def talk():
        sent = [
            client.messages.create(to=GOOD["To"], from_=GOOD["From"], body=f"Order A-{number}") for number in range(3)
        ]
        listed = client.messages.list(to=GOOD["To"], page_size=2)
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(to="+15005550004", from_=GOOD["From"], body="Order A-1")
        return sent, listed, refused.value

    sent, listed, refused = await asyncio.to_thread(talk)
    assert [message.sid for message in listed] == [message.sid for message in reversed(sent)]
    assert listed[0].date_created is not None
    assert (refused.status, refused.code) == (400, 21610)


@pytest.mark.parametrize(
    ("body", "parts"),
    [("a" * 160, 1), ("a" * 161, 2), ("€" * 80, 1), ("€" * 81, 2), ("ш" * 70, 1), ("ш" * 71, 2), ("😀" * 35, 1)],
)
def test_segments_are_counted_in_the_alphabet_the_text_needs(body, parts):
    assert segments(body) == parts
