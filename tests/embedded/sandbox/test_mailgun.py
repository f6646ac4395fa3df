"""The Mailgun look-alike with our own adapter, and against Mailgun's description."""

import hashlib
import hmac
import json
from typing import ClassVar

import httpx
import pytest

from orderack.domain.evidence import EvidenceEvent
from orderack.embedded.sandbox import Sandbox, Target
from orderack.embedded.sandbox.vendors.mailgun import Mailgun
from orderack.errors import BadSignature
from orderack.ports import Channel, RawRequest
from tests.embedded.sandbox.conftest import Gateway
from tests.embedded.sandbox.reporting_suite import ReportingSuite

SEND = "/mailgun/v3/mg.shop.example/messages"
GOOD = {
    "from": "The Shop <orders@mg.shop.example>",
    "to": "ada@example.com",
    "subject": "Order A-1",
    "text": "We have it",
    "v:orderack_key": "shop/A-1/1/received/1/mailgun_email",
}


def mailgun(sandbox: Sandbox) -> Mailgun:
    return next(vendor for vendor in sandbox.vendors if isinstance(vendor, Mailgun))


def parts(fields: dict[str, str]) -> dict[str, tuple[None, str]]:
    return {name: (None, value) for name, value in fields.items()}


class TestMailgun(ReportingSuite):
    name = "mailgun_email"
    target = Target.MAILGUN
    recipient = "ada@example.com"
    secret = "ORDERACK_MAILGUN_EMAIL_API_KEY"
    reports: ClassVar = (EvidenceEvent.ACCEPTED, EvidenceEvent.DELIVERED)
    retry_after = 7

    async def test_a_changed_token_does_not_verify(self, channel: Channel, gateway: Gateway) -> None:
        await channel.send(self.message(gateway.url))
        (post, _) = await gateway.wait_for(2)
        body = json.loads(post.body)
        body["signature"]["token"] = "another"
        with pytest.raises(BadSignature):
            await channel.verify(RawRequest(url=post.url, headers={}, body=json.dumps(body).encode()))

    async def test_an_open_and_an_unsubscribe_are_read(
        self, channel: Channel, gateway: Gateway, http: httpx.AsyncClient
    ) -> None:
        message = self.message(gateway.url)
        await channel.send(message)
        await self.told(channel, gateway, 2)
        opened = await self.done(channel, gateway, http, "read")
        assert (opened.event, opened.key) == (EvidenceEvent.DISPLAYED, message.key_text)
        gone = await self.done(channel, gateway, http, "opt_out")
        assert (gone.event, gone.sender) == (EvidenceEvent.OPTED_OUT, "ada@example.com")


async def test_a_mail_is_answered_as_mailgun_describes(sandbox, http, description):
    mailgun_api = description("mailgun/mailgun_openapi.messages.json", "https://api.mailgun.net", "/mailgun")
    answer = await http.post(SEND, files=parts(GOOD), auth=("api", mailgun(sandbox).api_key))
    assert answer.status_code == 200
    answer.request.read()
    mailgun_api.check(answer)
    (entry,) = sandbox.state.log.entries(Target.MAILGUN)
    assert (entry.key, f"<{entry.provider_id}>") == (GOOD["v:orderack_key"], answer.json()["id"])


async def test_webhooks_are_signed_as_mailgun_documents_it(sandbox, http, gateway):
    await http.post(SEND, data=GOOD, auth=("api", mailgun(sandbox).api_key))
    tokens = set()
    for post in await gateway.wait_for(2):
        given = json.loads(post.body)["signature"]
        text = given["timestamp"] + given["token"]
        right = hmac.new(mailgun(sandbox).signing_key.encode(), text.encode(), hashlib.sha256).hexdigest()
        assert given["signature"] == right
        tokens.add(given["token"])
    assert len(tokens) == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"from": ""}, "from parameter is missing"),
        ({"from": "nobody"}, "'from' parameter is not a valid address"),
        ({"to": ""}, "to parameter is missing"),
        ({"to": "nobody"}, "'to' parameter is not a valid address"),
        ({"text": ""}, "Need at least one of"),
        ({"v:orderack_key": "x" * 17_000}, "limited to 16KB"),
    ],
)
async def test_what_mailgun_refuses_is_refused_with_its_sentence(sandbox, http, change, says):
    answer = await http.post(SEND, files=parts(GOOD | change), auth=("api", mailgun(sandbox).api_key))
    assert answer.status_code == 400
    assert says in answer.json()["message"]
    assert sandbox.state.log.entries() == ()


async def test_a_wrong_key_or_domain_is_turned_away(sandbox, http):
    assert (await http.post(SEND, data=GOOD, auth=("api", "wrong"))).status_code == 401
    other = SEND.replace("mg.shop.example", "other.example")
    assert (await http.post(other, data=GOOD, auth=("api", mailgun(sandbox).api_key))).status_code == 404
