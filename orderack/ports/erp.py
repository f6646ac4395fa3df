"""What an ERP is asked for: book once, find, cancel, say what is in stock."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Protocol, runtime_checkable

from orderack.domain.order import Line, Name, Order, OrderRef, Text
from orderack.domain.receipt import ErpReceipt, StockVerdict
from orderack.domain.value import Value
from orderack.ports.channel import RawRequest
from orderack.ports.source_book import Awaited


class Stock(Value):
    """What the ERP says is available for one line, now."""

    line_id: Name
    verdict: StockVerdict
    available: Decimal | None = None
    expected_on: date | None = None


class Booking(Value):
    """The ERP's answer to a submission: taken, perhaps booked and answered for at once."""

    document_id: Name | None = None
    receipt: ErpReceipt | None = None
    waits: Text = ""
    """Why it is taken and not booked, where the ERP says: a draft that waits for an approval of its own."""


class Erp(Protocol):
    """One ERP. `name` is its key in the policy."""

    name: str

    async def submit(self, order: Order, revision: int) -> Booking:
        """Book the order's revision once, whatever happens twice (external id). Raises the four fates or InDoubt."""
        ...

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        """The receipt of this revision, if the ERP has booked it and answered for its stock."""
        ...

    async def cancel(self, ref: OrderRef, document_id: str | None, reason: str) -> bool:
        """Tell it that the order is off. False: it does not know the order."""
        ...

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        """Live stock per line."""
        ...

    def verify(self, request: RawRequest) -> None:
        """Raise BadSignature unless the request proves it comes from this ERP."""
        ...

    def receipts(self, request: RawRequest) -> Sequence[ErpReceipt]:
        """The receipts in a verified request. Raises InvalidInput."""
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...


@runtime_checkable
class FindsSeveral(Protocol):
    """An ERP that says of many orders at once which it has booked, for fewer requests than one each."""

    async def find_several(self, wanted: Sequence[Awaited]) -> Sequence[ErpReceipt]:
        """The receipts of those that it has booked and answered for; as `find` for each of them."""
        ...


@runtime_checkable
class Invoices(Protocol):
    """An ERP that is asked to invoice an order that was handed off."""

    async def invoice(self, ref: OrderRef, document_id: str) -> str:
        """Invoice the booked order once, however often it is asked; the invoice's id.

        Raises the four fates or InDoubt.
        """
        ...
