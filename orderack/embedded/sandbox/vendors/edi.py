"""A trading partner with its mailbox: it sends 850 and 860, takes 997, 855 and 865, and answers those with a 997."""

import secrets
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order
from orderack.embedded.sandbox import signatures
from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike, ShopDeed, bearer
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors._x12 import BUYER, SELLER, Read, Wrong, cancelled, changed, enclosed, ordered

PARTNER = "sandbox"
PROFILE: Mapping[str, object] = {
    "theirs": {"qualifier": "ZZ", "id": BUYER},
    "ours": {"qualifier": "ZZ", "id": SELLER},
    "versions": ["004010"],
    "name": "Sandbox buyer",
    "time_zone": "UTC",
}
"""What a store's policy has to say under `connections.edi_x12.partners.sandbox`."""

_CODES = {"PO": "850", "PC": "860"}


class TradingPartner(LookAlike):
    """One buyer. It knows what it has ordered, and every control number it has taken with its bytes."""

    target: ClassVar[Target] = Target.EDI
    source: ClassVar[str] = "edi_x12"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._secret = "whsec_" + b64encode(secrets.token_bytes(24)).decode()
        self._token = secrets.token_urlsafe(24)
        self._orders: dict[str, list[Order]] = {}
        """Each as it was placed, and as each change left it."""
        self._taken: dict[str, bytes] = {}
        self._control = 0

    def routes(self) -> Sequence[BaseRoute]:
        return (Route("/{partner}", self.endpoint(Operation.SEND, self._take), methods=["POST"]),)

    def connection(self, url: str) -> Mapping[str, str]:
        return {"inbound_secret": self._secret, "outbound_url": url, "outbound_secret": self._token}

    def shop(self, deed: ShopDeed, order: Order) -> Sequence[Webhook]:
        """An 850; 860s for what is changed and cancelled. A purchase order is on account: nobody pays it here."""
        if deed is ShopDeed.PAY:
            return ()
        kind, body = "PO", ordered(order)
        if deed is not ShopDeed.PLACE:
            known, kind = self._orders[order.number], "PC"
            body = changed(known[-1], order, len(known)) if deed is ShopDeed.CHANGE else cancelled(known[-1])
            known.append(order)
        else:
            self._orders[order.number] = [order]
        return (self._webhook(order.store, kind, _CODES[kind], body),)

    def refused(self, code: str | None) -> Response:
        return PlainTextResponse(code or "not taken", 422)

    def throttled(self, retry_after: int) -> Response:
        return Response(status_code=429, headers={"Retry-After": str(retry_after)})

    def failed(self, status: int) -> Response:
        return Response(status_code=status)

    def too_large(self) -> Response:
        return PlainTextResponse("too large", 413)

    async def _take(self, request: Request, plan: Plan) -> Response:
        body = await request.body()
        if not bearer(request, self._token) or request.path_params["partner"] != PARTNER:
            return PlainTextResponse("not our seller's", 401)
        try:
            read = Read(body.decode())
            repeated = self._is_known(read, body)
            number = read.number if read.code in ("855", "865") else ""
            wrong = self._wrong(read, number)
        except (Wrong, ValueError, IndexError, KeyError) as no:
            return PlainTextResponse(f"not taken: {no}", 422)
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=read.control,
            recipient=PARTNER,
            key=f"{read.code}/{number}" if number else read.code,
            idempotency_key=read.control,
            repeated=repeated,
            faults=plan.actions,
        )
        if not repeated:
            self.state.outbox.put(
                self.target,
                recipient=PARTNER,
                provider_id=read.control,
                subject=f"{read.code} {number}",
                text=body.decode(),
            )
            if number:
                self.state.announce(self._heard(self._orders[number][0].store, read, wrong), plan)
        return Response(status_code=202)

    def _is_known(self, read: Read, body: bytes) -> bool:
        known = self._taken.setdefault(read.control, body)
        if known is not body and known != body:
            raise Wrong("the control number was used for another interchange")
        return known is not body

    def _wrong(self, read: Read, number: str) -> str:
        """Why the partner's software rejects this answer; empty: it does not."""
        if not number:
            return ""
        try:
            read.check_answer(self._orders[number][read.sequence].lines)
        except Wrong as no:
            return str(no)
        return ""

    def _heard(self, store: str, read: Read, wrong: str) -> Webhook:
        """Its 997."""
        status = "R*5" if wrong else "A"
        whole = "R*1*1*0" if wrong else "A*1*1*1"
        kind = {"855": "PR", "865": "CA"}[read.code]
        body = [f"AK1*{kind}*{read.group}", f"AK2*{read.code}*0001", f"AK5*{status}", f"AK9*{whole}"]
        return self._webhook(store, "FA", "997", body)

    def _webhook(self, store: str, kind: str, code: str, body: Sequence[str]) -> Webhook:
        self._control += 1
        name = f"{code} {self._control:09d}"
        interchange = enclosed(kind, [(code, body)], self._control, datetime.now(UTC))

        def signed(url: str) -> Mapping[str, str]:
            proof = signatures.standard_webhooks(self._secret, name.replace(" ", "-"), int(time.time()), interchange)
            return {"content-type": "application/edi-x12", **proof}

        return Webhook(name, lambda: self.state.callback(f"/intake/{store}/edi_x12"), signed, interchange)


LOOK_ALIKE = TradingPartner
