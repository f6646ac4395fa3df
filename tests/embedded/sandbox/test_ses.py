"""The SES look-alike with our own adapter: SigV4 checked, a subscription to confirm, events signed as SNS signs."""

import json
from typing import ClassVar

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from orderack.domain.evidence import EvidenceEvent
from orderack.embedded.sandbox import Action, Fault, Sandbox, Target
from orderack.embedded.sandbox.vendors.ses import REGION, Ses
from orderack.errors import BadSignature
from orderack.ports import Channel, RawRequest
from tests.embedded.sandbox.conftest import Gateway
from tests.embedded.sandbox.reporting_suite import ReportingSuite

SEND = "/ses/v2/email/outbound-emails"
GOOD = {
    "FromEmailAddress": "The Shop <orders@shop.example>",
    "Destination": {"ToAddresses": ["ada@example.com"]},
    "Content": {"Simple": {"Subject": {"Data": "Order A-1"}, "Body": {"Text": {"Data": "We have it"}}}},
    "EmailTags": [{"Name": "orderack_key", "Value": "c2hvcC9BLTE"}],
    "ConfigurationSetName": "orderack",
}


def ses(sandbox: Sandbox) -> Ses:
    return next(vendor for vendor in sandbox.vendors if isinstance(vendor, Ses))


def signed(sandbox: Sandbox, body: bytes, region: str = REGION) -> dict[str, str]:
    """Headers as botocore writes them."""
    request = AWSRequest("POST", f"{sandbox.url}{SEND}", headers={"Content-Type": "application/json"}, data=body)
    SigV4Auth(Credentials(*ses(sandbox).key), "ses", region).add_auth(request)
    return dict(request.headers.items())


async def posted(sandbox: Sandbox, http: httpx.AsyncClient, change: dict[str, object]) -> httpx.Response:
    body = json.dumps(GOOD | change).encode()
    return await http.post(SEND, content=body, headers=signed(sandbox, body))


class TestSes(ReportingSuite):
    name = "ses_email"
    target = Target.SES
    recipient = "ada@example.com"
    secret = "ORDERACK_SES_EMAIL_SECRET_ACCESS_KEY"
    reports: ClassVar = (EvidenceEvent.ACCEPTED, EvidenceEvent.DELIVERED)
    greetings = 1

    async def test_nothing_is_posted_before_the_subscription_is_confirmed(
        self, sandbox: Sandbox, channel: Channel, gateway: Gateway
    ) -> None:
        await channel.send(self.message(gateway.url))
        (asked,) = await gateway.wait_for(1)
        assert json.loads(asked.body)["Type"] == "SubscriptionConfirmation"
        assert not ses(sandbox).topic.confirmed
        await self.told(channel, gateway, 2)
        assert ses(sandbox).topic.confirmed

    async def test_a_confirmation_with_another_token_confirms_nothing(
        self, sandbox: Sandbox, channel: Channel, http: httpx.AsyncClient
    ) -> None:
        query = {"Action": "ConfirmSubscription", "TopicArn": "arn:aws:sns:x", "Token": "guessed"}
        assert (await http.get("/ses/", params=query)).status_code == 400
        assert not ses(sandbox).topic.confirmed

    async def test_a_changed_event_does_not_verify(self, channel: Channel, gateway: Gateway) -> None:
        await channel.send(self.message(gateway.url))
        await self.told(channel, gateway, 1)
        post = gateway.received[-1]
        for changed in (
            post.body.replace(b"messageId", b"messageID"),
            post.body.replace(b"Email Event", b"Email event"),
        ):
            assert changed != post.body
            with pytest.raises(BadSignature):
                await channel.verify(RawRequest(url=post.url, headers={}, body=changed))

    async def test_a_soft_bounce_says_so(self, sandbox: Sandbox, channel: Channel, gateway: Gateway) -> None:
        sandbox.state.faults.add(Fault(target=Target.SES, action=Action.BOUNCE, code="4.4.7"))
        await channel.send(self.message(gateway.url))
        events = await self.told(channel, gateway, 2)
        assert "ses_email:Bounce:Transient:General" in {event.basis for event in events}

    async def test_an_open_and_a_complaint_are_read(
        self, channel: Channel, gateway: Gateway, http: httpx.AsyncClient
    ) -> None:
        message = self.message(gateway.url)
        await channel.send(message)
        await self.told(channel, gateway, 2)
        opened = await self.done(channel, gateway, http, "read")
        assert (opened.event, opened.key) == (EvidenceEvent.DISPLAYED, message.key_text)
        complained = await self.done(channel, gateway, http, "opt_out")
        assert (complained.event, complained.sender) == (EvidenceEvent.OPTED_OUT, "ada@example.com")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({}, 200, None),
        ({"ConfigurationSetName": None}, 200, None),
        ({"ConfigurationSetName": "other"}, 404, "NotFoundException"),
        ({"FromEmailAddress": "somebody@else.example"}, 400, "MessageRejected"),
        ({"Destination": {"ToAddresses": ["not an address"]}}, 400, "BadRequestException"),
        ({"Destination": {"ToAddresses": []}}, 400, "BadRequestException"),
        ({"Destination": {"ToAddresses": ["ada@example.com"] * 51}}, 400, "BadRequestException"),
        ({"Content": {}}, 400, "BadRequestException"),
        ({"Content": {"Simple": {"Subject": {"Data": "x"}, "Body": {}}}}, 400, "BadRequestException"),
        ({"EmailTags": [{"Name": "k", "Value": "a/b"}]}, 400, "BadRequestException"),
        ({"EmailTags": [{"Name": "k", "Value": "x" * 257}]}, 400, "BadRequestException"),
        ({"EmailTags": [{"Name": "k", "Value": "x"}] * 2}, 400, "BadRequestException"),
    ],
)
async def test_what_ses_refuses_is_refused_with_its_code(sandbox, http, change, status, code):
    answer = await posted(sandbox, http, change)
    assert (answer.status_code, answer.headers.get("x-amzn-errortype")) == (status, code)
    assert len(sandbox.state.log.entries(Target.SES)) == (1 if status == 200 else 0)


async def test_without_a_configuration_set_nothing_is_ever_reported(sandbox, http, gateway):
    await posted(sandbox, http, {"ConfigurationSetName": None})
    await posted(sandbox, http, {})
    posts = await gateway.wait_for(1)
    assert [json.loads(post.body)["Type"] for post in posts] == ["SubscriptionConfirmation"]


async def test_a_signature_that_does_not_hold_is_turned_away(sandbox, http):
    body = json.dumps(GOOD).encode()
    good = signed(sandbox, body)
    for headers, sent in (
        ({}, body),
        (good, body + b" "),
        (signed(sandbox, body, "us-east-1"), body),
        (good | {"X-Amz-Date": "20260101T000000Z"}, body),
        (good | {"Authorization": good["Authorization"].replace("AKIA", "AKIB")}, body),
        (good | {"Authorization": good["Authorization"][:-1] + "g"}, body),
    ):
        assert (await http.post(SEND, content=sent, headers=headers)).status_code == 403
    assert (await http.post(SEND, content=body, headers=good)).status_code == 200
