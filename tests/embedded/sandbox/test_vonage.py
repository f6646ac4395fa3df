"""The Vonage look-alike with our own adapter, and against Vonage's description."""

from typing import ClassVar
from urllib.parse import parse_qsl

import httpx
import pytest

from orderack.domain.evidence import EvidenceEvent
from orderack.embedded.sandbox import Action, Fault, Sandbox, Target
from orderack.embedded.sandbox.vendors.vonage import Vonage
from orderack.errors import BadSignature
from orderack.ports import Channel, RawRequest
from tests.embedded.sandbox.conftest import Gateway
from tests.embedded.sandbox.reporting_suite import ReportingSuite

SEND = "/vonage/sms/json"


def vonage(sandbox: Sandbox) -> Vonage:
    return next(vendor for vendor in sandbox.vendors if isinstance(vendor, Vonage))


def good(sandbox: Sandbox) -> dict[str, str]:
    login = {"api_key": vonage(sandbox).key, "api_secret": vonage(sandbox).secret}
    return {**login, "from": "Fjord", "to": "15005550010", "text": "Order A-1", "client-ref": "shop/A-1"}


class TestVonage(ReportingSuite):
    name = "vonage_sms"
    target = Target.VONAGE
    recipient = "+15005550010"
    secret = "ORDERACK_VONAGE_SMS_API_SECRET"
    reports: ClassVar = (EvidenceEvent.ACCEPTED, EvidenceEvent.DELIVERED)

    async def test_every_part_of_a_long_message_reports_and_none_is_lost(
        self, channel: Channel, gateway: Gateway
    ) -> None:
        message = self.message(gateway.url, sms="x" * 161)
        sent = await channel.send(message)
        assert sent.detail == "2 parts"
        events = await self.told(channel, gateway, 4)
        assert {event.key for event in events} == {message.key_text}
        assert len({event.id for event in events}) == 4
        assert sent.provider_id in {event.provider_id for event in events}

    async def test_a_text_outside_the_alphabet_arrives_as_it_was_sent(
        self, sandbox: Sandbox, channel: Channel, gateway: Gateway
    ) -> None:
        await channel.send(self.message(gateway.url, sms="Order A-1 ✓ ł"))
        (shown,) = sandbox.state.outbox.find("A-1", Target.VONAGE)
        assert shown.text == "Order A-1 ✓ ł"

    async def test_a_failure_carries_its_code(self, sandbox: Sandbox, channel: Channel, gateway: Gateway) -> None:
        sandbox.state.faults.add(Fault(target=Target.VONAGE, action=Action.BOUNCE, code="6"))
        await channel.send(self.message(gateway.url))
        events = await self.told(channel, gateway, 2)
        assert "vonage_sms:failed:6" in {event.basis for event in events}

    async def test_a_changed_receipt_does_not_verify(self, channel: Channel, gateway: Gateway) -> None:
        await channel.send(self.message(gateway.url))
        post = (await gateway.wait_for(2))[1]
        changed = post.body.replace(b"status=delivered", b"status=accepted")
        assert changed != post.body
        with pytest.raises(BadSignature):
            await channel.verify(RawRequest(url=post.url, headers={}, body=changed))

    @pytest.mark.parametrize(
        ("deed", "text", "meaning"),
        [
            ("write", "Yes & thanks = ✓", EvidenceEvent.REPLIED),
            ("opt_out", "", EvidenceEvent.OPTED_OUT),
            ("write", "START", EvidenceEvent.OPTED_IN),
        ],
    )
    async def test_what_the_buyer_writes_is_verified_and_read(
        self,
        channel: Channel,
        gateway: Gateway,
        http: httpx.AsyncClient,
        deed: str,
        text: str,
        meaning: EvidenceEvent,
    ) -> None:
        await channel.send(self.message(gateway.url))
        await self.told(channel, gateway, 2)
        event = await self.done(channel, gateway, http, deed, text)
        assert (event.event, event.sender) == (meaning, self.recipient)
        assert event.text == (text if meaning is EvidenceEvent.REPLIED else "")


async def test_a_message_is_answered_as_vonage_describes(sandbox, http, description):
    sms_api = description("nexmo_sms/sms_v1.0.10.yml", "https://rest.nexmo.com", "/vonage")
    answer = await http.post(SEND, data=good(sandbox))
    assert answer.json()["messages"][0]["status"] == "0"
    assert answer.json()["message-count"] == "1"
    assert sms_api.accepts(answer.request)


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"api_secret": "wrong"}, "4", "Bad Credentials"),
        ({"to": ""}, "2", "Missing to param"),
        ({"text": ""}, "2", "Missing text param"),
        ({"to": "+15005550010"}, "3", "parameter: to"),
        ({"from": "much too long a name"}, "15", "Illegal Sender"),
        ({"text": "x" * 3_201}, "12", "too long"),
        ({"client-ref": "x" * 101}, "3", "client-ref"),
        ({"callback": "https://x.example/" + "x" * 100}, "23", "callback"),
    ],
)
async def test_what_vonage_refuses_is_refused_inside_a_200(sandbox, http, change, status, says):
    answer = await http.post(SEND, data=good(sandbox) | change)
    assert answer.status_code == 200
    (part,) = answer.json()["messages"]
    assert part["status"] == status
    assert says in part["error-text"]
    assert sandbox.state.log.entries() == ()


async def test_without_a_callback_of_its_own_the_account_s_webhook_is_told(sandbox, http, gateway):
    await http.post(SEND, data=good(sandbox))
    posts = await gateway.wait_for(2, "/webhooks/vonage_sms")
    assert {dict(parse_qsl(post.body.decode()))["status"] for post in posts} == {"accepted", "delivered"}
