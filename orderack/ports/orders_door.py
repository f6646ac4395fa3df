"""The orders, as those who bring news see them."""

from typing import Protocol

from orderack.contracts.updates import CancelRequest, ChangeRequest, PaymentChanged, Reply, SubmitReply
from orderack.domain.order import Order, OrderRef
from orderack.domain.receipt import ErpReceipt


class NewsDoor(Protocol):
    """The part of `orderack.temporal.orders.Orders` by which orders, their changes and their receipts come in."""

    async def submit(self, order: Order) -> SubmitReply: ...

    async def change(self, ref: OrderRef, request: ChangeRequest) -> Reply: ...

    async def cancel(self, ref: OrderRef, request: CancelRequest) -> Reply: ...

    async def payment(self, ref: OrderRef, changed: PaymentChanged) -> str: ...

    async def receipt(self, receipt: ErpReceipt) -> str: ...
