"""The sandbox Cin7 Omni's sales orders, under references that it keeps unique, and the stock that they reserve."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orderack.domain.receipt import StockVerdict
from orderack.embedded.sandbox.stock import Stock

UNKNOWN = "404"
"""How the codes begin of which this account keeps no stock."""
PLENTY = Decimal(10**6)
DRAFT, APPROVED, VOID = "DRAFT", "APPROVED", "VOID"


class NewLine(BaseModel):
    """As POSTed or PUT: what is not sent, or is null, stays as it is. Unknown fields are passed over in silence."""

    model_config = ConfigDict(extra="ignore")

    id: int | None = None
    code: str | None = Field(None, max_length=50)
    name: str | None = None
    qty: float | None = Field(None, ge=0)
    unitPrice: float | None = None
    discount: float | None = None
    lineComments: str | None = None
    sort: int | None = None


class NewOrder(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: int | None = None
    reference: str | None = Field(None, max_length=20)
    email: str | None = Field(None, max_length=250)
    phone: str | None = Field(None, max_length=50)
    deliveryInstructions: str | None = Field(None, max_length=2000)
    currencyCode: str | None = Field(None, min_length=3, max_length=3)
    taxStatus: str | None = Field(None, pattern="^(Incl|Excl|Exempt)$")
    isApproved: bool | None = None
    isVoid: bool | None = None
    lineItems: list[NewLine] | None = None


@dataclass
class Document:
    """One sales order, as it is shown."""

    fields: dict[str, Any]
    lines: list[dict[str, Any]]

    @property
    def id(self) -> int:
        number: int = self.fields["id"]
        return number

    @property
    def reference(self) -> str:
        return str(self.fields["reference"])

    @property
    def approved(self) -> bool:
        return bool(self.fields["isApproved"]) and not self.fields["isVoid"]

    @property
    def shown(self) -> dict[str, Any]:
        status = VOID if self.fields["isVoid"] else APPROVED if self.fields["isApproved"] else DRAFT
        return {**self.fields, "status": status, "lineItems": self.lines}


class Books:
    """Sales orders by id."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._documents: dict[int, Document] = {}
        self._invoices = 0
        self._lines = 0

    def all(self) -> Sequence[Document]:
        return list(self._documents.values())

    def get(self, document: int) -> Document | None:
        return self._documents.get(document)

    def open(self, sent: NewOrder) -> Document | str:
        """The new order, or why there is none."""
        number = 1000 + len(self._documents) + 1
        reference = sent.reference or f"SO-{number}"
        if any(one.reference.upper() == reference.upper() for one in self._documents.values()):
            return f"Reference '{reference}' already exists."
        if not sent.lineItems:
            return "Line items are required."
        now = _now()
        fields = {
            **_said(sent),
            "id": number,
            "reference": reference,
            "createdDate": now,
            "modifiedDate": now,
            "isApproved": True if sent.isApproved is None else sent.isApproved,
            "isVoid": False,
            "stage": "New",
            "invoiceDate": None,
            "invoiceNumber": None,
            "dispatchedDate": None,
        }
        document = Document(fields, [self._new(line) for line in sent.lineItems])
        self._documents[number] = document
        return document

    def change(self, sent: NewOrder) -> Document | str:
        document = self._documents.get(sent.id or 0)
        if document is None:
            return "The order was not found."
        if document.fields["isVoid"]:
            return "The order is void."
        said = _said(sent)
        if said.pop("isVoid", None):
            document.fields["isVoid"] = True
        if said.get("invoiceDate") and not document.fields["invoiceNumber"]:
            self._invoices += 1
            said["invoiceNumber"] = 70_000 + self._invoices
        document.fields |= said | {"modifiedDate": _now()}
        for line in sent.lineItems or ():
            known = next((one for one in document.lines if one["id"] == line.id), None)
            if known is None:
                document.lines.append(self._new(line))
            else:
                known |= line.model_dump(exclude_none=True)
        return document

    def unit(self, code: str, branch: int) -> dict[str, Any] | None:
        """The stock of a code, less what open sales have promised."""
        if code.startswith(UNKNOWN):
            return None
        answer = self._stock.answer(code, PLENTY * 2)
        on_hand = answer.available or (PLENTY if _is_there(answer.verdict) else Decimal(0))
        lines = [line for one in self._documents.values() if one.approved for line in one.lines]
        open_sales = sum(
            (Decimal(str(line["qty"])) - line["qtyShipped"] for line in lines if line["code"] == code), Decimal(0)
        )
        bought = PLENTY if answer.verdict in (StockVerdict.BACKORDERED, StockVerdict.PARTIAL) else Decimal(0)
        return {
            "code": code,
            "branchId": branch,
            "available": float(on_hand - open_sales),
            "stockOnHand": float(on_hand),
            "openSales": float(open_sales),
            "incoming": float(bought),
            "virtual": 0.0,
            "holding": 0.0,
        }

    def approve(self, document: Document) -> None:
        document.fields |= {"isApproved": True, "modifiedDate": _now()}
        for line in document.lines:
            line["code"] = self._stock.answer(line["code"], Decimal(str(line["qty"]))).substitute_sku or line["code"]

    def _new(self, line: NewLine) -> dict[str, Any]:
        self._lines += 1
        return {
            **line.model_dump(exclude={"id"}),
            "id": self._lines,
            "qty": line.qty or 0.0,
            "qtyShipped": 0,
            "holdingQty": 0.0,
        }


def read(model: type[NewOrder], content: object) -> NewOrder | str:
    """One order of a request's list, or what is wrong with it."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def literals(where: str, field: str) -> Sequence[str]:
    """The texts of `field IN ('…', '…')` or `field='…'`."""
    found = re.search(rf"\b{field}\s*(?:IN\s*\(([^)]*)\)|=\s*('[^']*'))", where)
    return re.findall(r"'([^']*)'", found[1] or found[2]) if found else ()


def _is_there(verdict: StockVerdict) -> bool:
    return verdict in (StockVerdict.AVAILABLE, StockVerdict.SUBSTITUTED)


def _said(sent: NewOrder) -> dict[str, Any]:
    return sent.model_dump(exclude={"id", "reference", "lineItems"}, exclude_none=True)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
