"""Vonage's SMS API, as its OpenAPI description has it, with a signed delivery receipt for every part."""

import base64
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Deed, LookAlike
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.twilio_rules import GSM_BASIC, GSM_EXTENDED, segments

CALLBACK = "/webhooks/vonage_sms"
SENDER = "15005550001"
TEXT_MAX = 3_200
REFERENCE_MAX = 100
CALLBACK_MAX = 100
PRICE = "0.03330000"

ERRORS: Mapping[str, str] = {
    "1": "Throttled",
    "2": "Missing to param",
    "3": "Invalid value for parameter: to",
    "4": "Bad Credentials",
    "5": "Internal error",
    "6": "Unroutable message",
    "7": "Number barred.",
    "9": "Partner quota exceeded",
    "12": "Message too long",
    "15": "Illegal Sender Address - rejected",
    "23": "Invalid callback url",
}


@dataclass(frozen=True)
class Sms:
    """One message as the account holds it: an id for each of its parts."""

    parts: tuple[str, ...]
    to: str
    sender: str
    text: str
    reference: str
    callback: str


class Vonage(LookAlike):
    """Sends texts, and reports each part of each by itself."""

    target: ClassVar[Target] = Target.VONAGE
    channel: ClassVar[str] = "vonage_sms"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self.key = secrets.token_hex(4)
        self.secret = secrets.token_hex(8)
        self.signature_secret = secrets.token_urlsafe(32)

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/sms/json", self.endpoint(Operation.SEND, self._send), methods=["POST"]),
            Route("/account/get-balance", self.endpoint(Operation.LOOKUP, self._balance), methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_VONAGE_SMS_API_KEY": self.key,
            "ORDERACK_VONAGE_SMS_API_SECRET": self.secret,
            "ORDERACK_VONAGE_SMS_SENDER": SENDER,
            "ORDERACK_VONAGE_SMS_SIGNATURE_SECRET": self.signature_secret,
            "ORDERACK_VONAGE_SMS_SIGNATURE_METHOD": "sha256",
            "ORDERACK_VONAGE_SMS_BASE_URL": url,
        }

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """An inbound message from the number that was written to."""
        if deed not in (Deed.WRITE, Deed.OPT_OUT):
            return None
        words = text or "STOP"
        fields = {
            "msisdn": message.recipient.removeprefix("+"),
            "to": message.sender,
            "messageId": _id(),
            "text": words,
            "type": "text" if set(words) <= GSM_BASIC | GSM_EXTENDED else "unicode",
            "keyword": words.split()[0].upper(),
        }
        return self._webhook("inbound", "", fields)

    def refused(self, code: str | None) -> Response:
        return _parts({"status": code or "6"})

    def throttled(self, retry_after: int) -> Response:
        """Inside a 200, and without a delay."""
        return _parts({"status": "1"})

    def failed(self, status: int) -> Response:
        return Response(status_code=status)

    def too_large(self) -> Response:
        return _parts({"status": "12"})

    async def _balance(self, request: Request, plan: Plan) -> Response:
        right = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), f"Basic {right}".encode()):
            return JSONResponse({"error-code": "401", "error-code-label": "authentication failed"}, 401)
        return JSONResponse({"value": 10.28, "autoReload": False})

    async def _send(self, request: Request, plan: Plan) -> Response:
        form = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
        if (wrong := self._wrong_with(form)) is not None:
            return _parts({"status": wrong[0], "error-text": wrong[1]})
        text = form["text"] if form.get("type") == "unicode" else _in_gsm(form["text"])
        sms = Sms(
            parts=tuple(_id() for _ in range(segments(text))),
            to=form["to"],
            sender=form["from"],
            text=text,
            reference=form.get("client-ref", ""),
            callback=form.get("callback", ""),
        )
        self._record(sms, plan)
        self._announce(sms, plan)
        said = {"to": sms.to, "status": "0", "remaining-balance": "10.28", "message-price": PRICE, "network": "12345"}
        said |= {"client-ref": sms.reference} if sms.reference else {}
        return _parts(*({**said, "message-id": part} for part in sms.parts))

    def _wrong_with(self, form: Mapping[str, str]) -> tuple[str, str] | None:
        """The status and the sentence of the first thing that Vonage would refuse."""
        right = form.get("api_key") == self.key and hmac.compare_digest(
            form.get("api_secret", "").encode(), self.secret.encode()
        )
        missing = next((name for name in ("api_key", "api_secret", "from", "to", "text") if not form.get(name)), "")
        checks = (
            ("2", f"Missing {missing} param", bool(missing)),
            ("4", ERRORS["4"], not right),
            ("3", ERRORS["3"], re.fullmatch(r"\d{7,15}", form.get("to", "")) is None),
            ("15", ERRORS["15"], re.fullmatch(r"\d{3,15}|[A-Za-z0-9 ]{1,11}", form.get("from", "")) is None),
            ("12", ERRORS["12"], len(form.get("text", "")) > TEXT_MAX),
            ("3", "Invalid value for parameter: client-ref", len(form.get("client-ref", "")) > REFERENCE_MAX),
            ("23", ERRORS["23"], len(form.get("callback", "")) > CALLBACK_MAX),
        )
        return next(((status, sentence) for status, sentence, wrong in checks if wrong), None)

    def _record(self, sms: Sms, plan: Plan) -> None:
        key = sms.reference or None
        self.state.log.accept(
            self.target, Operation.SEND, provider_id=sms.parts[0], recipient=sms.to, key=key, faults=plan.actions
        )
        self.state.outbox.put(
            self.target, recipient=sms.to, sender=sms.sender, provider_id=sms.parts[0], text=sms.text, key=key
        )

    def _announce(self, sms: Sms, plan: Plan) -> None:
        """Each part: accepted by the carrier, then delivered or failed."""
        bounced = plan.happens(Action.BOUNCE)
        code = ((plan.aftermath and plan.aftermath.code) or "9") if bounced else "0"
        for part in sms.parts:
            for status, error, after in (
                ("accepted", "0", 0.0),
                ("failed" if bounced else "delivered", code, self.state.behaviour.delivered_after),
            ):
                self.state.announce(self._receipt(sms, part, status, error), plan, after)

    def _receipt(self, sms: Sms, part: str, status: str, error: str) -> Webhook:
        fields = {
            "msisdn": sms.to,
            "to": sms.sender,
            "network-code": "12345",
            "messageId": part,
            "price": PRICE,
            "status": status,
            "scts": f"{datetime.now(UTC):%y%m%d%H%M}",
            "err-code": error,
            **({"client-ref": sms.reference} if sms.reference else {}),
        }
        return self._webhook(f"{part} {status}", sms.callback, fields)

    def _webhook(self, name: str, callback: str, fields: Mapping[str, str]) -> Webhook:
        now = datetime.now(UTC)
        signed = self._signed(
            {
                **fields,
                "api-key": self.key,
                "message-timestamp": f"{now:%Y-%m-%d %H:%M:%S}",
                "timestamp": str(int(time.time())),
                "nonce": secrets.token_hex(16),
            }
        )
        return Webhook(
            name=f"vonage {name}",
            url=lambda: callback or self.state.callback(CALLBACK),
            signed=lambda url: {"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(signed).encode(),
        )

    def _signed(self, fields: Mapping[str, str]) -> Mapping[str, str]:
        """With `sig`, in capitals as in Vonage's own examples."""
        digest = hmac.new(self.signature_secret.encode(), digestmod=hashlib.sha256)
        for name, value in sorted(fields.items()):
            digest.update(f"&{name}={value.translate(_UNSAFE)}".encode())
        return {**fields, "sig": digest.hexdigest().upper()}


_UNSAFE = str.maketrans("&=", "__")


def _in_gsm(text: str) -> str:
    """What a message of type `text` arrives as: what the alphabet lacks becomes a question mark."""
    return "".join(character if character in GSM_BASIC | GSM_EXTENDED else "?" for character in text)


def _id() -> str:
    return f"0A{secrets.token_hex(7).upper()}"


def _parts(*parts: Mapping[str, str]) -> Response:
    """200, whatever became of them."""
    told = [
        part if part["status"] == "0" else {"error-text": ERRORS.get(part["status"], "Refused"), **part}
        for part in parts
    ]
    return JSONResponse({"message-count": str(len(told)), "messages": told})


LOOK_ALIKE = Vonage
