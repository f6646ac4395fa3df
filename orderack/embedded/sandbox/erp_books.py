"""The sandbox ERP's books: one document per order, one booking per revision, whatever is submitted twice."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orderack.domain.order import Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.embedded.sandbox.stock import Stock

ERP = "sandbox"
"""The ERP's name in receipts and in the policy."""


@dataclass(frozen=True)
class Booking:
    """One submitted revision. `receipt` is there once it is booked."""

    document_id: str
    order: Order
    revision: int
    receipt: ErpReceipt | None = None
    cancelled: bool = False


class Books:
    """Bookings by order and revision. Later revisions amend the order's document; they do not make another."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._bookings: dict[tuple[OrderRef, int], Booking] = {}
        self._documents: dict[OrderRef, str] = {}
        self._opened = int(datetime.now(UTC).timestamp())

    def get(self, ref: OrderRef, revision: int) -> Booking | None:
        return self._bookings.get((ref, revision))

    def open(self, order: Order, revision: int) -> Booking:
        """Enter a revision that is not known yet. No number comes again after a restart: the ledger outlives it."""
        document_id = self._documents.setdefault(order.ref, f"SO-{self._opened}-{len(self._documents) + 1}")
        booking = Booking(document_id=document_id, order=order, revision=revision)
        self._bookings[order.ref, revision] = booking
        return booking

    def book(self, ref: OrderRef, revision: int) -> Booking | None:
        """Book an entered revision and answer for its stock, once. None: it was cancelled before."""
        booking = self._bookings[ref, revision]
        if booking.cancelled:
            return None
        if booking.receipt is None:
            receipt = ErpReceipt(
                id=f"{booking.document_id}/{revision}",
                erp=ERP,
                store=ref.store,
                number=ref.number,
                revision=revision,
                document_id=booking.document_id,
                recorded_at=datetime.now(UTC),
                lines=self._stock.verdicts(booking.order.lines),
            )
            booking = replace(booking, receipt=receipt)
            self._bookings[ref, revision] = booking
        return booking

    def cancel(self, ref: OrderRef) -> str | None:
        """Cancel all revisions of an order; its document id, or None when the order is not known."""
        known = [key for key in self._bookings if key[0] == ref]
        for key in known:
            self._bookings[key] = replace(self._bookings[key], cancelled=True)
        return self._documents[ref] if known else None
