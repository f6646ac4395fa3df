"""The comparison, pure: every row of every input and every order of ours ends in exactly one class."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import polars as pl

from orderack.diagnostics.gap.keys import match
from orderack.diagnostics.reconcile.records import FINE, Difference, Kind, Row, Side, Totals
from orderack.ports.captured import CapturedOrder

Owner = Callable[[], str | None]
Judged = tuple[Kind, str, str]
"""The class, our value, theirs."""

NOTHING = "–"
_CENT = Decimal("0.01")


@dataclass
class Met:
    """The rows of one id of theirs, and the orders of ours that it fits."""

    id: str
    rows: list[Row]
    orders: list[CapturedOrder] = field(default_factory=list)

    @property
    def live(self) -> list[Row]:
        return [row for row in self.rows if not row.off]

    @property
    def repeated(self) -> bool:
        """The same thing entered twice: two rows that name no item, or the same item, of what counts."""
        return len(self.live) > 1 and len({row.sku for row in self.live}) < len(self.live)

    @property
    def totals(self) -> tuple[Decimal, ...]:
        """What its rows may mean: each says the whole order's, or each its own item's."""
        said = [row.total for row in self.live if row.total is not None]
        return (said[0], sum(said, Decimal(0))) if said else ()

    @property
    def paid(self) -> Decimal | None:
        """Payments add up."""
        return sum((row.total for row in self.live if row.total is not None and not row.pending), Decimal(0))

    @property
    def units(self) -> Mapping[str, Decimal]:
        found: dict[str, Decimal] = {}
        for row in self.live:
            if row.quantity is not None:
                found[row.sku] = found.get(row.sku, Decimal(0)) + row.quantity
        return found

    @property
    def currency(self) -> str:
        return next((row.currency for row in self.live if row.currency), "")


def meet(rows: Sequence[Row], ours: Sequence[CapturedOrder]) -> list[Met]:
    """Rows by their id, and each id by the orders it fits, however either writes it."""
    by_id: dict[str, list[CapturedOrder]] = {}
    for order in ours:
        for id_ in order.ids:
            by_id.setdefault(id_, []).append(order)
    theirs: dict[str, Met] = {}
    for row in rows:
        if not row.problem:
            theirs.setdefault(row.id, Met(row.id, [])).rows.append(row)
    pairs = match(pl.Series(list(by_id), dtype=pl.String), pl.Series(list(theirs), dtype=pl.String)).pairs
    for id_, our_id in pairs.select("theirs", "ours").iter_rows():
        theirs[id_].orders = by_id[our_id]
    return _together(theirs.values())


def _together(met: Iterable[Met]) -> list[Met]:
    """An order that they know by several ids, each of a row of its own, is one."""
    found: dict[object, Met] = {}
    for one in met:
        key: object = one.orders[0].ref if len(one.orders) == 1 else (one.id,)
        if key in found:
            found[key].rows.extend(one.rows)
        else:
            found[key] = one
    return list(found.values())


def compare(
    side: Side, rows: Sequence[Row], ours: Sequence[CapturedOrder], now: datetime, owner: Owner
) -> tuple[Totals, tuple[Difference, ...]]:
    """The ledger against the ERP's list or the payments'."""
    theirs = meet(rows, ours)
    judge = _of_erp if side is Side.ERP else _of_payments
    judged = [(met, *_judged(met, judge)) for met in theirs]
    seen = {met.orders[0].ref: kind for met, kind, *_ in judged if len(met.orders) == 1}
    unsure = {order.ref for met in theirs if len(met.orders) > 1 for order in met.orders} - seen.keys()
    absent = _not_in_erp if side is Side.ERP else _not_paid
    missing = [(order, *absent(order, now)) for order in ours if order.ref not in seen and order.ref not in unsure]
    bad = [row for row in rows if row.problem]
    by_row = Counter({Kind.UNREADABLE: len(bad)})
    for met, kind, *_ in judged:
        by_row[kind] += len(met.rows)
    by_order = Counter([*seen.values(), *(kind for _, kind, _ in missing)]) + Counter({Kind.AMBIGUOUS: len(unsure)})
    found = [
        *(_of_rows(side, met, kind, here, there, owner) for met, kind, here, there in judged if kind not in FINE),
        *(_unreadable(side, row, owner) for row in bad),
        *(_of_order(side, order, kind, here, owner) for order, kind, here in missing if kind not in FINE),
    ]
    return Totals(side=side, rows=len(rows), by_row=+by_row, ours=len(ours), by_order=by_order), tuple(found)


def _judged(met: Met, judge: Callable[[CapturedOrder, Met], Judged]) -> Judged:
    match met.orders:
        case []:
            return Kind.MISSING_HERE, NOTHING, _shown(met)
        case [order]:
            return judge(order, met)
        case several:
            return Kind.AMBIGUOUS, ", ".join(sorted(str(one.ref) for one in several)), met.id


def _of_rows(side: Side, met: Met, kind: Kind, here: str, there: str, owner: Owner) -> Difference:
    order = met.orders[0] if len(met.orders) == 1 else None
    return Difference(
        side=side,
        kind=kind,
        what=str(order.ref) if order else met.id,
        here=here,
        there=there,
        lines=tuple(row.line for row in met.rows),
        owner=(order.owner if order else None) or owner(),
    )


def _of_order(side: Side, order: CapturedOrder, kind: Kind, here: str, owner: Owner) -> Difference:
    return Difference(side=side, kind=kind, what=str(order.ref), here=here, there=NOTHING, owner=order.owner or owner())


def _unreadable(side: Side, row: Row, owner: Owner) -> Difference:
    return Difference(
        side=side,
        kind=Kind.UNREADABLE,
        what=row.id or f"row {row.line}",
        here=NOTHING,
        there=row.problem,
        lines=(row.line,),
        owner=owner(),
    )


def _of_erp(order: CapturedOrder, met: Met) -> Judged:
    """The gravest first: what would ship, or not, comes before what it costs."""
    if order.ended:
        return (Kind.BOOKED_CANCELLED_HERE if met.live else Kind.AGREES), order.ended, _shown(met)
    if not met.live:
        return Kind.CANCELLED_THERE, "open", "cancelled"
    if met.repeated:
        return Kind.REPEATED, "once", f"{len(met.live)} times"
    units, ordered = met.units, sum(order.units.values(), Decimal(0))
    if units and (differs := _units(order.units, units)):
        return Kind.QUANTITY_DIFFERS, *differs
    if units and sum(units.values(), Decimal(0)) != ordered:
        return Kind.QUANTITY_DIFFERS, f"{ordered:f} in all", f"{sum(units.values(), Decimal(0)):f} in all"
    if met.currency and met.currency != order.currency:
        return Kind.CURRENCY_DIFFERS, order.currency, met.currency
    if met.totals and all(_apart(order.total, total) for total in met.totals):
        return Kind.AMOUNT_DIFFERS, _money(order.total, order.currency), _shown(met)
    if order.paid is False and not order.on_account:
        return Kind.BOOKED_UNPAID, "not paid", _shown(met)
    return Kind.AGREES, "", ""


def _units(ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]) -> tuple[str, str] | None:
    """Per sku, where both name them alike: an ERP may have numbers of its own."""
    if not ours.keys() & theirs.keys():
        return None
    for sku in sorted(ours.keys() | theirs.keys()):
        here, there = ours.get(sku, Decimal(0)), theirs.get(sku, Decimal(0))
        if here != there:
            return f"{here:f} x {sku}", f"{there:f} x {sku}"
    return None


def _not_in_erp(order: CapturedOrder, now: datetime) -> tuple[Kind, str]:
    if order.ended:
        return Kind.ABSENT_RIGHTLY, order.ended
    if order.confirmed_at is not None:
        return Kind.CONFIRMED_NOT_BOOKED, f"confirmed {order.confirmed_at:%Y-%m-%d %H:%M} UTC"
    if order.overdue_at is not None and order.overdue_at > now:
        return Kind.IN_ITS_TIME, "not late yet"
    if order.paid:
        return Kind.PAID_NOT_BOOKED, f"paid, {_money(order.total, order.currency)}"
    return Kind.MISSING_THERE, _money(order.total, order.currency)


def _of_payments(order: CapturedOrder, met: Met) -> Judged:
    paid = met.paid or Decimal(0)
    here, there = _money(order.total, order.currency), _money(paid, met.currency)
    if order.ended:
        return (Kind.PAID_CANCELLED_HERE if paid > 0 else Kind.AGREES), order.ended, there
    if paid <= 0:
        if order.booked_at is not None and not order.on_account:
            return Kind.BOOKED_UNPAID, "booked in the ERP", "not paid"
        return (Kind.UNPAID_THERE, "paid", "not paid") if order.paid else (Kind.AGREES, "", "")
    if met.currency and met.currency != order.currency:
        return Kind.CURRENCY_DIFFERS, order.currency, met.currency
    if _apart(order.total, paid):
        return Kind.AMOUNT_DIFFERS, here, there
    if order.booked_at is None:
        return Kind.PAID_NOT_BOOKED, "not booked in the ERP", there
    return Kind.AGREES, "", ""


def _not_paid(order: CapturedOrder, now: datetime) -> tuple[Kind, str]:
    if order.ended or order.on_account:
        return Kind.ABSENT_RIGHTLY, order.ended or "on account"
    if order.paid:
        return Kind.MISSING_THERE, f"paid, {_money(order.total, order.currency)}"
    if order.booked_at is not None:
        return Kind.BOOKED_UNPAID, "booked in the ERP"
    return Kind.ABSENT_RIGHTLY, "not paid yet"


def stock(
    rows: Sequence[Row], known: Mapping[str, Decimal], promised: Mapping[str, Decimal], owner: Owner
) -> tuple[Totals, tuple[Difference, ...]]:
    """What a marketplace offers against what is left: the ERP's last word, less what was promised since."""
    by_row, found = Counter[Kind](), list[Difference]()
    seen = set[str]()
    for row in rows:
        left = known[row.sku] - promised.get(row.sku, Decimal(0)) if row.sku in known else None
        kind = _offer(row, left, again=row.sku in seen)
        seen.add(row.sku)
        by_row[kind] += 1
        if kind not in FINE:
            here = NOTHING if left is None else f"{left:f} left"
            there = row.problem or f"{row.available or Decimal(0):f} offered"
            what = row.sku or f"row {row.line}"
            found.append(
                Difference(
                    side=Side.MARKETPLACE,
                    kind=kind,
                    what=what,
                    here=here,
                    there=there,
                    lines=(row.line,),
                    owner=owner(),
                )
            )
    return Totals(side=Side.MARKETPLACE, rows=len(rows), by_row=by_row, ours=0, by_order={}), tuple(found)


def _offer(row: Row, left: Decimal | None, *, again: bool) -> Kind:
    if row.problem or row.available is None:
        return Kind.UNREADABLE
    if again:
        return Kind.REPEATED
    if left is None:
        return Kind.STOCK_UNKNOWN
    if row.available == max(left, Decimal(0)):
        return Kind.AGREES
    return Kind.OFFERS_TOO_MUCH if row.available > max(left, Decimal(0)) else Kind.OFFERS_TOO_LITTLE


def _apart(ours: Decimal | None, theirs: Decimal | None) -> bool:
    """By a cent or more, where both say."""
    return ours is not None and theirs is not None and abs(ours - theirs) >= _CENT


def _money(amount: Decimal | None, currency: str) -> str:
    return NOTHING if amount is None else f"{amount:f} {currency}".strip()


def _shown(met: Met) -> str:
    said = {row.total for row in met.live}
    return _money(met.totals[0 if len(said) == 1 else 1], met.currency) if met.totals else met.id
