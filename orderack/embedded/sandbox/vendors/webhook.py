"""A store's own system behind the signed webhook: it knows every `webhook-id` it has taken, and reports back."""

import base64
import json
import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hmac import compare_digest
from types import MappingProxyType
from typing import ClassVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox import signatures
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import Deed, LookAlike
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState

WINDOW = 300
"""Seconds that a timestamp may be off."""
PATH = "/acknowledgements"
EVENTS = "/webhooks/webhook"

DONE: Mapping[Deed, str] = MappingProxyType(
    {Deed.WRITE: "replied", Deed.PRESS: "affirmed", Deed.READ: "displayed", Deed.OPT_OUT: "opted_out"}
)


class Delivery(BaseModel):
    """As much of a delivery as this system needs."""

    version: int
    key: str
    recipient: str
    subject: str
    text: str
    html: str | None
    store_name: str


class OwnSystem(LookAlike):
    """One system of one store."""

    target: ClassVar[Target] = Target.WEBHOOK
    channel: ClassVar[str] = "webhook"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._secret = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
        self._taken: dict[str, str] = {}

    def routes(self) -> Sequence[BaseRoute]:
        return (Route(PATH, self.endpoint(Operation.SEND, self._take), methods=["POST"]),)

    def environment(self, url: str) -> Mapping[str, str]:
        return {"ORDERACK_WEBHOOK_URL": f"{url}{PATH}", "ORDERACK_WEBHOOK_SECRET": self._secret}

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        return self._report(message.key or "", DONE[deed], sender=message.recipient, text=text)

    def refused(self, code: str | None) -> Response:
        return JSONResponse({"reason": code or "bad_recipient"}, status_code=422)

    def throttled(self, retry_after: int) -> Response:
        return Response(status_code=429, headers={"Retry-After": str(retry_after)})

    def failed(self, status: int) -> Response:
        return Response(status_code=status)

    def too_large(self) -> Response:
        return JSONResponse({"reason": "too_long"}, status_code=413)

    async def _take(self, request: Request, plan: Plan) -> Response:
        body = await request.body()
        if not self._genuine(request, body):
            return JSONResponse({"error": "the signature does not fit"}, status_code=401)
        try:
            delivery = Delivery.model_validate_json(body)
        except ValidationError:
            return JSONResponse({"reason": "content"}, status_code=400)
        name = request.headers["webhook-id"]
        known = self._taken.get(name)
        taken = known or f"own-{uuid.uuid4().hex[:12]}"
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=taken,
            recipient=delivery.recipient,
            key=delivery.key,
            idempotency_key=name,
            repeated=known is not None,
            faults=plan.actions,
        )
        if known is None:
            self._taken[name] = taken
            self._deliver(delivery, taken, plan)
        return JSONResponse({"id": taken}, status_code=409 if known else 200)

    def _genuine(self, request: Request, body: bytes) -> bool:
        """By the published scheme, told twice over: one signature fits, the time is now."""
        name, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
        if not name or not stamp.isdecimal() or abs(int(stamp) - time.time()) > WINDOW:
            return False
        right = signatures.standard_webhooks(self._secret, name, int(stamp), body)["webhook-signature"]
        offered = request.headers.get("webhook-signature", "").split()
        return any(compare_digest(right.encode(), candidate.encode()) for candidate in offered)

    def _deliver(self, delivery: Delivery, taken: str, plan: Plan) -> None:
        self.state.outbox.put(
            self.target,
            recipient=delivery.recipient,
            sender=delivery.store_name,
            provider_id=taken,
            subject=delivery.subject,
            text=delivery.text,
            html=delivery.html,
            key=delivery.key,
        )
        word = "bounced" if plan.happens(Action.BOUNCE) else "delivered"
        report = self._report(delivery.key, word, sender=delivery.recipient)
        self.state.announce(report, plan, self.state.behaviour.delivered_after)

    def _report(self, key: str, event: str, *, sender: str, text: str = "") -> Webhook:
        name = uuid.uuid4().hex
        told = {
            "id": name,
            "key": key,
            "event": event,
            "occurred_at": datetime.now(UTC).isoformat(),
            "sender": sender,
            "text": text,
        }
        body = json.dumps({"events": [told]}).encode()

        def signed(url: str) -> Mapping[str, str]:
            headers = signatures.standard_webhooks(self._secret, f"evt_{name}", int(time.time()), body)
            return {"content-type": "application/json", **headers}

        return Webhook(f"webhook {event}", lambda: self.state.callback(EVENTS), signed, body)


LOOK_ALIKE = OwnSystem
