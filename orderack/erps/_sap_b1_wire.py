"""What the Service Layer says, as far as we read it (OData 3 under /b1s/v1, OData 4 under /b1s/v2), and its codes."""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from orderack.domain.order import OrderRef
from orderack.erps._line_marks import LineMark, read_line_mark

YES, NO = "tYES", "tNO"
CLOSED = "bost_Close"
NOT_FOUND_OR_DRAFT = "-2028"
"""No such record; and also "it went into a draft, for an approval procedure is active" (commerce.md §15)."""
NO_SESSION = frozenset({"301", "-301"})
HELD = frozenset({"-2039", "-1"})
HELD_WORDS = ("locked by", "another user")
"""Another user has the record, or changed it meanwhile: ask again. In words where a code says less."""
UNKNOWN_PROPERTY = "-1000"
KEY_LENGTH = 100
"""Characters of the field that holds our key, as docs/erps/sap_b1.md has it made."""


class Fields(BaseModel):
    """The names of the customer's own fields."""

    model_config = ConfigDict(frozen=True)

    key: str
    revision: str
    line: str


def literal(text: str) -> str:
    """A string of an OData filter: quotes doubled, so that no order number and no sku can end it."""
    return "'" + text.replace("'", "''") + "'"


def query(**options: str) -> str:
    """`$filter=…&$select=…`, each option percent-encoded whole."""
    return "&".join(f"${name}={quote(text, safe='')}" for name, text in options.items())


def key_of(ref: OrderRef) -> str:
    """What our key field holds: `store/number`, each percent-encoded; the tail of a long one becomes a digest of it."""
    key = "/".join(quote(part, safe="") for part in (ref.store, ref.number))
    if len(key) <= KEY_LENGTH:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: KEY_LENGTH - 65]}~{digest}"


def _day(value: object) -> object:
    return (value[:10] or None) if isinstance(value, str) else value


Day = Annotated[date | None, BeforeValidator(_day)]
"""OData 3 writes `2026-11-21`, OData 4 `2026-11-21T00:00:00Z`."""
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else str(value))]
Tag = Annotated[
    Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,200}$")] | None, BeforeValidator(lambda value: value or None)
]
"""An entity tag goes back in a header."""
Number = Annotated[Decimal, BeforeValidator(lambda value: Decimal(0) if value is None else value)]
"""What a row has nothing to say about is null: a text row has neither item nor quantity."""


class DocumentLine(BaseModel):
    """One row of an order."""

    model_config = ConfigDict(extra="allow")

    number: int = Field(alias="LineNum")
    item: Text = Field(alias="ItemCode", default="")
    quantity: Number = Field(alias="Quantity")
    open: Decimal | None = Field(alias="RemainingOpenQuantity", default=None)
    warehouse: str | None = Field(alias="WarehouseCode", default=None)
    status: Text = Field(alias="LineStatus", default="bost_Open")
    per_unit: Decimal | None = Field(alias="UnitsOfMeasurment", default=None)
    """Stock units in one unit that is sold. The vendor spells it so."""

    def mark(self, fields: Fields) -> LineMark | None:
        """Which line of ours it is; None: none."""
        return read_line_mark(str((self.model_extra or {}).get(fields.line) or ""))

    @property
    def undelivered(self) -> Decimal:
        """What has not left: of a closed row only what it says itself."""
        assumed = Decimal(0) if self.done else self.quantity
        return min(max(assumed if self.open is None else self.open, Decimal(0)), self.quantity)

    @property
    def left(self) -> Decimal:
        """What has been delivered of it."""
        return self.quantity - self.undelivered

    @property
    def done(self) -> bool:
        """Nothing can be changed in it."""
        return self.status == CLOSED

    @property
    def closed_short(self) -> bool:
        """Somebody closed it before all of it had left."""
        return self.done and self.undelivered > 0

    @property
    def still_open(self) -> Decimal:
        """What is still to be delivered, and committed of the stock."""
        return Decimal(0) if self.done else self.undelivered

    @property
    def units(self) -> Decimal:
        return self.per_unit or Decimal(1)


class Document(BaseModel):
    """An order, a draft or an invoice."""

    model_config = ConfigDict(extra="allow")

    entry: int = Field(alias="DocEntry")
    number: int = Field(alias="DocNum")
    customer: Text = Field(alias="CardCode", default="")
    cancelled: Text = Field(alias="Cancelled", default="tNO")
    cancel_status: Text = Field(alias="CancelStatus", default="")
    status: Text = Field(alias="DocumentStatus", default="bost_Open")
    object_code: Text = Field(alias="DocObjectCode", default="")
    authorization: Text = Field(alias="AuthorizationStatus", default="")
    created_on: Day = Field(alias="CreationDate", default=None)
    created_at: Text = Field(alias="DocTime", default="")
    changed_on: Day = Field(alias="UpdateDate", default=None)
    changed_at: Text = Field(alias="UpdateTime", default="")
    etag: Tag = Field(validation_alias=AliasChoices("odata.etag", "@odata.etag"), default=None)
    lines: tuple[DocumentLine, ...] = Field(alias="DocumentLines", default=())

    @property
    def off(self) -> bool:
        """Cancelled; or, of invoices, the document by which another was cancelled."""
        return self.cancelled == YES or self.cancel_status in ("csYes", "csCancellation")

    def own(self, field: str) -> str:
        """The text in one of the customer's own fields."""
        value = (self.model_extra or {}).get(field)
        return "" if value is None else str(value)

    def revision(self, fields: Fields) -> int | None:
        mark = self.own(fields.revision)
        return int(mark) if mark.isascii() and mark.isdigit() and len(mark) < 10 else None

    def recorded_at(self, revision: int, zone: ZoneInfo) -> datetime | None:
        """When it was added; a later revision: when the document was last changed. The company's wall clock."""
        added = revision == 1 or self.changed_on is None
        day, time = (self.created_on, self.created_at) if added else (self.changed_on, self.changed_at)
        if day is None:
            return None
        try:
            return datetime.fromisoformat(f"{day.isoformat()}T{(time or '00:00:00')[:8]}").replace(tzinfo=zone)
        except ValueError:
            return None


class Documents(BaseModel):
    documents: tuple[Document, ...] = Field(alias="value")


class Warehouse(BaseModel):
    code: str = Field(alias="WarehouseCode")
    in_stock: Number = Field(alias="InStock", default=Decimal(0))
    committed: Number = Field(alias="Committed", default=Decimal(0))
    ordered: Number = Field(alias="Ordered", default=Decimal(0))


class Item(BaseModel):
    code: Text = Field(alias="ItemCode")
    stocked: Text = Field(alias="InventoryItem", default=YES)
    warehouses: tuple[Warehouse, ...] = Field(alias="ItemWarehouseInfoCollection", default=())


class Items(BaseModel):
    items: tuple[Item, ...] = Field(alias="value")


class Partner(BaseModel):
    code: Text = Field(alias="CardCode", min_length=1)


class Partners(BaseModel):
    partners: tuple[Partner, ...] = Field(alias="value")


class PurchaseLine(BaseModel):
    item: Text = Field(alias="ItemCode")
    open: Number = Field(alias="RemainingOpenQuantity", default=Decimal(0))
    due: Day = Field(alias="ShipDate", default=None)
    warehouse: str | None = Field(alias="WarehouseCode", default=None)


class _Joined(BaseModel):
    line: PurchaseLine = Field(alias="PurchaseOrders/DocumentLines")


class Purchases(BaseModel):
    rows: tuple[_Joined, ...] = Field(alias="value")


class LoggedIn(BaseModel):
    session: str = Field(alias="SessionId", pattern=r"^[^\s;,\"\\\x00-\x1f\x7f-\U0010ffff]{1,400}$")


class _Message(BaseModel):
    value: str = ""


class _Error(BaseModel):
    code: int | str = ""
    message: str | _Message = ""


class _Failure(BaseModel):
    error: _Error


class Failure(BaseModel):
    """The vendor's own word for a failure; empty where an answer has none."""

    model_config = ConfigDict(frozen=True)

    code: str = ""
    message: str = ""


def failure(response: httpx.Response) -> Failure:
    """`{error: {code, message: {lang, value}}}`, or OData 4's `{error: {code, message}}`."""
    try:
        error = _Failure.model_validate_json(response.content).error
    except ValidationError:
        return Failure()
    message = error.message if isinstance(error.message, str) else error.message.value
    return Failure(code=str(error.code).strip(), message=message)


STATES: Mapping[str, str] = MappingProxyType(
    {
        "dasPending": "waits",
        "dasApproved": "waits",
        "dasWithout": "waits",
        "": "waits",
        "dasRejected": "declined",
        "dasGenerated": "gone",
        "dasGeneratedbyAuthorizer": "gone",
        "dasCancelled": "gone",
    }
)
"""A draft's AuthorizationStatus → what it is for us. Approved is not added: somebody still has to."""
