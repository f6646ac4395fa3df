"""What chats post for a buyer's press, through the real adapters, to the evidence it ends as."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from orderack.channels.line import Line
from orderack.channels.telegram import Telegram
from orderack.channels.viber import Viber
from orderack.contracts.journal import Journal, Stage
from orderack.domain.acknowledgement import Kind, SendKey, SendOutcome, SendState
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import OrderRef
from orderack.gateway.app import create_app
from orderack.ports import Channel, Message, RawRequest, Rendered
from tests.channels import test_line as line
from tests.channels import test_telegram as telegram
from tests.channels import test_viber as viber
from tests.gateway.conftest import Gateway
from tests.payloads import payload
from tests.temporal.server import now

REF = OrderRef(store="demo", number="1001")
NOWHERE = "http://127.0.0.1:9"
CHANNELS: Mapping[str, Channel] = {
    "line": Line(line.settings(NOWHERE)),
    "telegram": Telegram(telegram.settings(NOWHERE)),
    "viber": Viber(viber.settings(NOWHERE)),
}
ADA = {"line": line.ADA, "telegram": telegram.ADA, "viber": viber.ADA}
BOB = {"line": "Ub0b0000000000000000000000000b0b0", "telegram": "15005550007", "viber": "01234567890Bob=="}


async def out(gateway: Gateway, channel: str) -> SendKey:
    """A confirmation that Ada got by this chat a while ago."""
    key = SendKey(ref=REF, revision=1, kind=Kind.CONFIRMATION, n=1, channel=channel)
    at = now() - timedelta(minutes=5)
    content = Rendered(text="Please confirm that you have it.")
    message = Message(key=key, recipient=ADA[channel], kind=key.kind, language="en", content=content)
    await gateway.ledger.claim(key, message, at, timedelta(minutes=1))
    outcome = SendOutcome(channel=channel, state=SendState.ACCEPTED, provider_id=f"{ADA[channel]}/42")
    await gateway.ledger.finish(key, outcome, at)
    await gateway.ledger.write(Journal(ref=REF, stage=Stage.CONFIRMED, revision=1))
    return key


def pressed(channel: str, key: SendKey, who: str) -> RawRequest:
    """The press of our button, as that vendor posts it."""
    at = int(now().timestamp())
    if channel == "line":
        body = json.loads(payload("line/callback.json"))
        body["events"][0] |= {"type": "postback", "timestamp": at * 1_000, "source": {"type": "user", "userId": who}}
        body["events"][0]["postback"] = {"data": f"orderack:affirm:{key}"}
        return line.TestLine().signed(json.dumps(body).encode(), now())
    if channel == "telegram":
        body = json.loads(payload("telegram/callback_query.json"))
        body["callback_query"]["data"] = "oa#" + "0" * 32  # a key too long for a button
        body["callback_query"]["message"]["chat"]["id"] = int(who)
        return telegram.TestTelegram().signed(json.dumps(body).encode(), now())
    body = json.loads(payload("viber/message.json"))
    body |= {"timestamp": at * 1_000, "sender": {"id": who}, "silent": True}
    body["message"]["text"] = f"orderack:affirm:{key}"
    return viber.TestViber().signed(json.dumps(body).encode(), now())


@asynccontextmanager
async def posting(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(replace(gateway.parts, channels=CHANNELS))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as http:
        yield http


@pytest.mark.parametrize("channel", sorted(CHANNELS))
async def test_the_buyers_press_affirms_the_message_however_often_it_is_posted(gateway: Gateway, channel: str) -> None:
    request = pressed(channel, await out(gateway, channel), ADA[channel])
    async with posting(gateway) as http:
        for _ in range(2):
            answer = await http.post(f"/webhooks/{channel}", content=request.body, headers=dict(request.headers))
            assert answer.status_code == 200, answer.text
    (fact,) = await gateway.ledger.evidence(REF)
    assert (fact.event, fact.grade, fact.channel) == (EvidenceEvent.AFFIRMED, Grade.E5, channel)
    assert len(gateway.orders.facts) == 1


@pytest.mark.parametrize("channel", sorted(CHANNELS))
async def test_somebody_elses_press_affirms_nothing(gateway: Gateway, channel: str) -> None:
    request = pressed(channel, await out(gateway, channel), BOB[channel])
    async with posting(gateway) as http:
        answer = await http.post(f"/webhooks/{channel}", content=request.body, headers=dict(request.headers))
        assert answer.status_code == 200, answer.text
    assert [fact.grade for fact in await gateway.ledger.evidence(REF) if fact.grade.rank >= Grade.E4.rank] == []
    assert gateway.orders.facts == []


@pytest.mark.parametrize("channel", sorted(CHANNELS))
async def test_a_press_that_the_vendor_did_not_vouch_for_is_not_taken(gateway: Gateway, channel: str) -> None:
    request = pressed(channel, await out(gateway, channel), ADA[channel])
    async with posting(gateway) as http:
        (name,) = request.headers
        for proof in ("", "x", request.headers[name][::-1]):
            answer = await http.post(f"/webhooks/{channel}", content=request.body, headers={name: proof})
            assert answer.status_code == 401
    assert await gateway.ledger.evidence(REF) == []
