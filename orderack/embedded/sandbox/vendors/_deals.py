"""A CRM's deals, as far as the CRMs are alike: one is won, changed, lost again, and has notes. It is made of our order.

What no CRM's deal has a field for (shipping, fees, credit) stands on it as the people there write it: as a line.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from orderack.domain.order import Order, TaxBasis
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.embedded.sandbox.state import SandboxState

ZERO = Decimal(0)


@dataclass(frozen=True)
class Note:
    id: str
    title: str
    body: str


@dataclass(frozen=True)
class Row:
    """One line of a deal. `off`: what is taken off the whole of it."""

    id: str
    sku: str | None
    name: str
    note: str | None
    quantity: Decimal
    price: Decimal
    off: Decimal = ZERO

    @property
    def amount(self) -> Decimal:
        return (self.price * self.quantity - self.off).quantize(Decimal("0.0001"))


@dataclass
class Deal:
    """`order` is ours; what the API says is made of it at each asking."""

    id: str
    order: Order
    won: bool
    placed: datetime
    modified: datetime
    notes: list[Note] = field(default_factory=list)

    def rows(self, new_id: Callable[[int], str], *, taxes: bool) -> Sequence[Row]:
        """The order's lines, then what is beside them. `taxes`: a tax is a line too."""
        order, totals = self.order, self.order.totals
        own = [
            Row(
                id=new_id(n),
                sku=line.sku,
                name=line.description,
                note="\n".join(filter(None, (line.instructions, line.design, line.dietary))) or None,
                quantity=line.quantity,
                price=line.unit_price if line.subtotal is None else line.subtotal / line.quantity,
                off=line.discount,
            )
            for n, line in enumerate(order.lines)
        ]
        tax = totals.tax if taxes and totals.tax_basis is not TaxBasis.INCLUDED else ZERO
        rest = totals.discount - sum((line.discount for line in order.lines), ZERO)
        beside = (
            ("Shipping", totals.shipping),
            ("Fees", totals.fees),
            ("Tax", tax),
            ("Discount", -rest),
            ("Credit", -totals.credit),
        )
        named = [(name, price) for name, price in beside if price]
        count = len(own)
        return [
            *own,
            *(Row(new_id(count + n), None, name, None, Decimal(1), price) for n, (name, price) in enumerate(named)),
        ]

    def window(self) -> str | None:
        """The wanted delivery, as people write it into a field of text."""
        asked = self.order.delivery_window
        return f"{asked.start:%Y-%m-%d} {asked.start:%H:%M}-{asked.end:%H:%M}" if asked else None


class Deals:
    """All deals of one account."""

    def __init__(self, state: SandboxState, target: Target, new_id: Callable[[], str]) -> None:
        self._state = state
        self._target = target
        self._new_id = new_id
        self._deals: dict[str, Deal] = {}

    def happen(self, deed: ShopDeed, order: Order) -> Deal:
        """Let it happen. Nobody pays a deal: it stays as it is. Raises KeyError for one that is not there."""
        now = datetime.now(UTC)
        deal = self._of(order)
        if deal is None:
            if deed is not ShopDeed.PLACE:
                raise KeyError(str(order.ref))
            deal = Deal(self._new_id(), order, won=True, placed=now, modified=now)
            self._deals[deal.id] = deal
            return deal
        if deed in (ShopDeed.PLACE, ShopDeed.CHANGE):
            deal.order, deal.won = order, True
        elif deed is ShopDeed.CANCEL:
            deal.won = False
        deal.modified = now
        return deal

    def _of(self, order: Order) -> Deal | None:
        known = (deal for deal in self._deals.values() if deal.order.store == order.store)
        return next((deal for deal in known if order.number in (deal.order.number, deal.id)), None)

    def get(self, deal: str) -> Deal | None:
        return self._deals.get(deal)

    def since(self, at: datetime) -> Sequence[Deal]:
        """Modified then or later, oldest first."""
        found = (deal for deal in self._deals.values() if deal.modified >= at)
        return sorted(found, key=lambda deal: (deal.modified, deal.id))

    def note(self, deal: Deal, note: Note, plan: Plan) -> None:
        """It is written, and seen by the people there."""
        deal.notes.append(note)
        key = note.body.strip().splitlines()[-1] if note.body.strip() else note.title
        self._state.log.accept(
            self._target,
            Operation.SEND,
            provider_id=note.id,
            recipient=f"deal {deal.id}",
            key=key,
            idempotency_key=f"{deal.id}/{key}",
            faults=plan.actions,
        )
        self._state.outbox.put(
            self._target,
            recipient=f"deal {deal.id}",
            provider_id=note.id,
            subject=note.title,
            text=note.body,
            key=key,
        )
