"""The vendors' published signatures verify as they are; with any one byte changed, anywhere, they do not."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from urllib.parse import parse_qsl, urlencode

import pytest

from orderack.channels.sendgrid_email import SendgridEmail
from orderack.channels.slack import Slack
from orderack.channels.twilio_sms import TwilioSms
from orderack.errors import BadSignature
from orderack.ports import Channel, RawRequest
from tests.channels import test_sendgrid_email, test_slack, test_twilio_sms
from tests.conformance.channel import WEBHOOK_URL
from tests.conformance.openapi import spec

BITS = tuple(1 << bit for bit in range(8))
NOWHERE = "http://127.0.0.1:9"
Signed = tuple[Channel, RawRequest]

# "Verifying requests from Slack", docs.slack.dev
SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SLACK_TIME = 1531420618
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
    b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SLACK_SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


def twilio() -> list[Signed]:
    vectors = json.loads(spec("twilio_sms/signature_vectors.json").read_text())["vectors"]
    found: list[Signed] = []
    for vector in vectors:
        if "X-Twilio-Signature" not in vector:
            continue  # a hash of a JSON body, which signs nothing by itself
        pairs = vector.get("params_list") or list(vector["params"].items())
        channel = TwilioSms(test_twilio_sms.settings(NOWHERE, token=vector["auth_token"]))
        headers = {"x-twilio-signature": vector["X-Twilio-Signature"]}
        body = urlencode([tuple(pair) for pair in pairs]).encode()
        found.append((channel, RawRequest(url=vector["url"], headers=headers, body=body)))
    assert len(found) == 2
    return found


def _at(moment: datetime) -> datetime:
    return moment


def sendgrid() -> list[Signed]:
    found: list[Signed] = []
    for vector in json.loads(spec("sendgrid/signature_vectors.json").read_text())["vectors"]:
        names = ("X-Twilio-Email-Event-Webhook-Signature", "X-Twilio-Email-Event-Webhook-Timestamp")
        then = datetime.fromtimestamp(int(vector[names[1]]), UTC)
        channel = SendgridEmail(test_sendgrid_email.settings(NOWHERE, vector["public_key"]), clock=partial(_at, then))
        headers = {name.lower(): vector[name] for name in names}
        found.append((channel, RawRequest(url=WEBHOOK_URL, headers=headers, body=vector["raw_body"].encode())))
    assert found
    return found


def slack() -> list[Signed]:
    then = datetime.fromtimestamp(SLACK_TIME, UTC)
    channel = Slack(test_slack.settings(NOWHERE, SLACK_SECRET), clock=lambda: then)
    headers = {"x-slack-request-timestamp": str(SLACK_TIME), "x-slack-signature": SLACK_SIGNATURE}
    return [(channel, RawRequest(url=WEBHOOK_URL, headers=headers, body=SLACK_BODY))]


VENDORS = {"twilio_sms": twilio, "sendgrid_email": sendgrid, "slack": slack}


def changed(data: bytes) -> Iterator[bytes]:
    """The same with one bit of one byte turned: every byte, every bit."""
    for place, byte in enumerate(data):
        for bit in BITS:
            yield data[:place] + bytes([byte ^ bit]) + data[place + 1 :]


async def _refuses(channel: Channel, request: RawRequest, **update: object) -> None:
    with pytest.raises(BadSignature):
        await channel.verify(request.model_copy(update=update))


@pytest.mark.parametrize("vendor", list(VENDORS))
async def test_the_published_signatures_verify(vendor: str) -> None:
    for channel, request in VENDORS[vendor]():
        await channel.verify(request)


@pytest.mark.parametrize("vendor", list(VENDORS))
async def test_no_byte_of_the_body_can_be_changed(vendor: str) -> None:
    for channel, request in VENDORS[vendor]():
        meant = parse_qsl(request.body.decode(), keep_blank_values=True)
        for body in changed(request.body):
            if vendor == "twilio_sms" and parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True) == meant:
                continue  # %2b for %2B: another spelling of the form that Twilio signs, byte by byte the same values
            await _refuses(channel, request, body=body)


@pytest.mark.parametrize("vendor", list(VENDORS))
async def test_no_byte_of_the_signature_or_its_time_can_be_changed(vendor: str) -> None:
    for channel, request in VENDORS[vendor]():
        for name, value in request.headers.items():
            for other in changed(value.encode()):
                await _refuses(channel, request, headers={**request.headers, name: other.decode("latin-1")})


async def test_no_byte_of_the_address_can_be_changed_where_the_vendor_signs_it() -> None:
    for channel, request in twilio():
        for url in (url.decode("latin-1") for url in changed(request.url.encode())):
            if url[:5].lower() + url[5:] != request.url:  # HTTPS and https are one scheme
                await _refuses(channel, request, url=url)


@pytest.mark.parametrize("vendor", list(VENDORS))
async def test_no_byte_can_be_left_out_or_put_in(vendor: str) -> None:
    for channel, request in VENDORS[vendor]():
        body = request.body
        for place in range(len(body)):
            if vendor != "twilio_sms" or body[place : place + 1] != b"=":  # Twilio signs names and values without it
                await _refuses(channel, request, body=body[:place] + body[place + 1 :])
            await _refuses(channel, request, body=body[:place] + b"x" + body[place:])
