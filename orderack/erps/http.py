"""Any ERP that speaks our own HTTP protocol (docs/erp-http.md; http.openapi.yaml beside this file).

Every call may be repeated: submissions carry an Idempotency-Key, cancelling twice is cancelling once, and the rest
reads. So nothing is ever in doubt here: what may have happened is Unavailable, and is simply sent again.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import httpx
from pydantic import BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings

from orderack.clients.http import NO_HEADERS, BaseUrl, Clock, Http, retry_after, segment, utc_now
from orderack.clients.wire import scrub
from orderack.domain.acknowledgement import Reason
from orderack.domain.order import Line, Name, Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.domain.value import Value
from orderack.erps._pushed import Pushed, WebhookSecret, WireReceipt
from orderack.errors import Refused, Unavailable
from orderack.ports import Booking, RawRequest, Stock
from orderack.registry import ErpSpec, settings_config

LOCKED = frozenset({httpx.codes.LOCKED, httpx.codes.TOO_EARLY})
"""Another process holds the order now: ask again."""


class HttpErpSettings(BaseSettings):
    """`ORDERACK_ERP_HTTP_…`"""

    model_config = settings_config("ORDERACK_ERP_HTTP_")

    base_url: BaseUrl = Field(description="the ERP's base URL; our paths are appended to it")
    api_key: SecretStr = Field(description="sent as `Authorization: Bearer …`")
    webhook_secret: WebhookSecret = Field(
        description="`whsec_<base64>`: signs the receipts the ERP pushes; two, comma separated, while rotating"
    )


class Submission(Value):
    """What is POSTed to /orders."""

    order: Order
    revision: int


class Cancellation(Value):
    """What is POSTed to …/cancellation."""

    document_id: Name | None
    reason: str


class AskedLine(Value):
    line_id: Name
    sku: Name
    quantity: str


class Inquiry(Value):
    """What is POSTed to /availability."""

    lines: tuple[AskedLine, ...]


class Standing(StrEnum):
    """`queued`: taken, receipt follows. `booked`: the receipt is here. `refused`: it will not be booked."""

    QUEUED = "queued"
    BOOKED = "booked"
    REFUSED = "refused"


class Submitted(BaseModel):
    """The answer to a submission. Fields that a newer ERP adds are ignored."""

    document_id: Name | None = None
    status: Standing
    receipt: WireReceipt | None = None
    reason: str = ""


class Availability(BaseModel):
    lines: tuple[Stock, ...]


class _Refusal(BaseModel):
    reason: str = ""
    error: str = ""


class HttpErp:
    """One ERP that speaks the protocol. `name` is its key in the policy and in `/receipts/{name}`."""

    def __init__(
        self, name: str, settings: HttpErpSettings, prefix: str = "ORDERACK_ERP_HTTP_", clock: Clock = utc_now
    ) -> None:
        self.name = name
        self._prefix = prefix
        self._pushed = Pushed(name, settings.webhook_secret, clock)
        self._http = Http(
            f"ERP {name}",
            settings.base_url,
            headers={
                "Authorization": f"Bearer {settings.api_key.get_secret_value()}",
                "Content-Type": "application/json",
            },
            repeatable=True,
            clock=clock,
        )

    async def submit(self, order: Order, revision: int) -> Booking:
        """POST /orders. Raises Refused with the ERP's reason, Unavailable for all that may be tried again."""
        key = f"{segment(order.store)}/{segment(order.number)}/{revision}"
        body = Submission(order=order, revision=revision).model_dump_json().encode()
        response = await self._call("POST", "/orders", body, {"Idempotency-Key": key})
        answer = self._http.read(Submitted, self._accepted(response))
        if answer.status is Standing.REFUSED:
            raise _refused(self.name, answer.reason, Standing.REFUSED)
        if answer.receipt is None:
            return Booking(document_id=answer.document_id)
        receipt = self._about(answer.receipt, order.ref, revision)
        return Booking(document_id=answer.document_id or receipt.document_id, receipt=receipt)

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        """GET the order. None: not booked, booked in another revision only, or not yet answered for its stock."""
        response = await self._call("GET", f"{_path(ref)}?revision={revision}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        receipt = self._about(self._http.read(WireReceipt, self._accepted(response)), ref, revision)
        return receipt if receipt.revision == revision and receipt.lines else None

    async def cancel(self, ref: OrderRef, document_id: str | None, reason: str) -> bool:
        """POST …/cancellation. Raises Refused when the ERP says that it is too late."""
        body = Cancellation(document_id=document_id, reason=reason).model_dump_json().encode()
        response = await self._call("POST", f"{_path(ref)}/cancellation", body)
        if response.status_code == httpx.codes.NOT_FOUND:
            return False
        self._accepted(response)
        return True

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        """POST /availability. Lines that were not asked for are dropped; a line it is silent on is absent."""
        asked = tuple(AskedLine(line_id=line.line_id, sku=line.sku, quantity=str(line.quantity)) for line in lines)
        response = await self._call("POST", "/availability", Inquiry(lines=asked).model_dump_json().encode())
        known = {line.line_id for line in lines}
        stocks = self._http.read(Availability, self._accepted(response)).lines
        return tuple(stock for stock in stocks if stock.line_id in known)

    async def _call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> httpx.Response:
        response = await self._http.send(method, path, content=body, headers=headers)
        if response.status_code in LOCKED:
            wait = retry_after(response.headers, self._http.clock())
            raise Unavailable(f"ERP {self.name} holds the order ({response.status_code})", wait)
        return response

    def _accepted(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        self._http.ours_to_mend(response, f"{self._prefix}API_KEY and {self._prefix}BASE_URL")
        try:
            refusal = _Refusal.model_validate_json(response.content)
        except ValidationError:
            refusal = _Refusal()
        raise _refused(self.name, refusal.reason or refusal.error, str(response.status_code))

    def _about(self, wire: WireReceipt, ref: OrderRef, revision: int) -> ErpReceipt:
        receipt = wire.spoken_by(self.name, revision)
        if (receipt.store, receipt.number) != (ref.store, ref.number):
            raise Unavailable(f"ERP {self.name} answered about another order")
        return receipt

    def verify(self, request: RawRequest) -> None:
        """Standard Webhooks with any of the live secrets, within five minutes."""
        self._pushed.verify(request)

    def receipts(self, request: RawRequest) -> Sequence[ErpReceipt]:
        """One receipt, or `{"receipts": [...]}`. All or none: a batch with one problem is refused with all of them."""
        return self._pushed.receipts(request)

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()


def _path(ref: OrderRef) -> str:
    return f"/orders/{segment(ref.store)}/{segment(ref.number)}"


def _refused(erp: str, reason: str, code: str) -> Refused:
    return Refused(f"ERP {erp} refused: {scrub(reason) or 'no reason given'} ({code})", Reason.OTHER, code)


def make(name: str, prefix: str) -> HttpErp:
    """The installation of this name, with the settings of this prefix. Raises pydantic's ValidationError."""
    return HttpErp(name, HttpErpSettings(_env_prefix=prefix), prefix)


ERP: ErpSpec = ErpSpec(
    description="Any ERP, or integration before one, that speaks our HTTP protocol (docs/erp-http.md)",
    obtain="agree on them with whoever runs the ERP's side",
    settings=HttpErpSettings,
    make=make,
    once="Each submission carries an Idempotency-Key: the order and its revision.",
    receipts="It pushes them, signed as Standard Webhooks are; and it is asked for those that did not come.",
)
