"""The buyer's answer by text message, posted to the gateway as Twilio posts what its numbers receive."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal
from urllib.parse import urlencode

from phonenumbers import NumberParseException, parse, region_code_for_number
from pydantic import ConfigDict, StringConstraints
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.value import Value
from orderack.embedded.sandbox import signatures
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Target
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.twilio import API
from orderack.embedded.sandbox.twilio_rules import BODY_MAX, segments

CALLBACK = "/webhooks/twilio_sms"


class Reply(Value):
    """Whose message is answered (the newest that matches: number, our key, words) and with what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: Literal["twilio_sms"]
    match: Annotated[str, StringConstraints(min_length=1)]
    text: Annotated[str, StringConstraints(max_length=BODY_MAX)]


class Replies:
    """`POST /reply`: 202 with the inbound message's SID; the gateway gets it as a webhook of its own."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> Sequence[BaseRoute]:
        return (Route("/reply", self._reply, methods=["POST"]),)

    async def _reply(self, request: Request) -> Response:
        reply = Reply.model_validate_json(await request.body())
        message = next(iter(self._state.outbox.find(reply.match, Target.TWILIO)), None)
        if message is None:
            return JSONResponse({"problems": [{"field": "match", "problem": "no text message matches"}]}, 404)
        form = inbound(self._state.credentials.twilio_account_sid, message, reply.text)
        token = self._state.credentials.twilio_auth_token
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
        webhook = Webhook(
            name=f"twilio {form['MessageSid']} received",
            url=lambda: self._state.callback(CALLBACK),
            signed=lambda url: {**headers, **signatures.twilio(token, url, form)},
            body=urlencode(form).encode(),
        )
        self._state.courier.post(webhook, 0)
        return JSONResponse({"message_sid": form["MessageSid"], "from": form["From"], "to": form["To"]}, 202)


def inbound(account: str, answered: Posted, text: str) -> Mapping[str, str]:
    """The form of an inbound message: from the number that was written to, to the one that wrote."""
    sid = f"SM{secrets.token_hex(16)}"
    unknown = {f"{end}{part}": "" for end in ("From", "To") for part in ("City", "State", "Zip")}
    return {
        **unknown,
        "ToCountry": _country(answered.sender),
        "FromCountry": _country(answered.recipient),
        "SmsMessageSid": sid,
        "SmsSid": sid,
        "MessageSid": sid,
        "SmsStatus": "received",
        "NumMedia": "0",
        "NumSegments": str(segments(text)),
        "Body": text,
        "To": answered.sender,
        "From": answered.recipient,
        "AccountSid": account,
        "ApiVersion": API,
    }


def _country(number: str) -> str:
    try:
        return region_code_for_number(parse(number)) or ""
    except NumberParseException:
        return ""
