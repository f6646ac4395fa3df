"""An 860 laid over the order as it stands. An 860 says what changes; everybody else is told of whole orders."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from orderack.domain.money import minor_unit
from orderack.domain.order import Doubt, ExternalId, Line, Order, Totals
from orderack.edi.acknowledgment import SEQUENCE
from orderack.edi.partner import QuantityChange
from orderack.edi.purchase import Item, Purchase
from orderack.sources._edi_x12_context import Context
from orderack.sources._edi_x12_order import (
    doubt_of_length,
    doubtful_price,
    line_ids,
    line_of_item,
    order_of,
    remade,
    sums_of,
)
from orderack.sources._edi_x12_places import is_split
from orderack.sources._reading import priced, prose_of, refuse

APPLIED = "x12_applied"
"""`Order.external_ids`: which 860s are in the order already, so that one that is read again changes nothing."""

REPLACES = "05"
"""BCH01 of an 860 that holds the whole order."""

_QUANTITY, _PRICE, _ITEM = "quantity", "price", "item"
_TAKES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("QD", "QI", "RQ"), frozenset({_QUANTITY})),
    "PC": frozenset({_PRICE}),
    **dict.fromkeys(("PQ", "PR"), frozenset({_QUANTITY, _PRICE})),
    **dict.fromkeys(("CA", "CH", "MU", "RZ", "RE", "OA"), frozenset({_QUANTITY, _PRICE, _ITEM})),
}
"""POC02 → what of the line is taken from the change. Of every change, notes and dates are."""

_ADDS, _DELETES = "AI", "DI"


def changed(purchase: Purchase, standing: Order, identity: str, context: Context) -> Order:
    """The whole order with the change in it. Raises InvalidInput naming the segment that does not fit it."""
    if any(one.system == APPLIED and one.id == identity for one in standing.external_ids):
        return standing
    if purchase.currency not in ("", standing.currency):
        raise refuse("CUR02", f"is not the order's currency, {standing.currency}", "send a new order")
    if purchase.purpose == REPLACES:
        ids = line_ids(purchase.items)
        lines = tuple(line_of_item(item, own, context.profile) for item, own in zip(purchase.items, ids, strict=True))
    else:
        lines = _lines(purchase, standing, context)
    if not lines:
        raise refuse("POC02", "leaves no line of the order", "cancel it with BCH01 01")
    header = order_of(_header(purchase, standing), context)
    cut = doubt_of_length("instructions", standing.instructions, *_news(standing.instructions, header.instructions))
    update = {
        "lines": lines,
        "totals": _totals(purchase, standing, lines),
        "external_ids": _external_ids(purchase, standing, header, identity),
        "instructions": _told(standing.instructions, header.instructions),
        "doubts": (*_doubts(purchase, standing), *_price_doubts(purchase, lines), *_place_doubts(purchase), *cut),
        **_said(purchase, header),
    }
    whole = standing.model_copy(update=update)
    return remade(whole.model_dump(exclude={"origin"}))


def _header(purchase: Purchase, standing: Order) -> Purchase:
    """The change without its lines, read as an order's heading is."""
    header = Purchase(
        code=purchase.code,
        number=purchase.number,
        release=purchase.release,
        sequence=purchase.sequence,
        day=purchase.day,
        contract=purchase.contract,
        currency=standing.currency,
        contacts=purchase.contacts,
        terms=purchase.terms,
    )
    header.notes, header.dates, header.parties = purchase.notes, purchase.dates, purchase.parties
    header.references, header.others = purchase.references, purchase.others
    return header


def _said(purchase: Purchase, header: Order) -> dict[str, object]:
    """What the heading replaces: only what it names."""
    found: dict[str, object] = {}
    if header.delivery_window is not None:
        found["delivery_window"] = header.delivery_window
    if purchase.party("ST") is not None and header.delivery_address is not None:
        found["delivery_address"] = header.delivery_address
    if purchase.party("BT") is not None and header.billing_address is not None:
        found["billing_address"] = header.billing_address
    if purchase.terms:
        found["payment"] = header.payment
    if purchase.contacts:
        found["contacts"] = header.contacts
    return found


def _lines(purchase: Purchase, standing: Order, context: Context) -> tuple[Line, ...]:
    lines = {line.line_id: line for line in standing.lines}
    ids = line_ids(purchase.items, lines)
    for item, own in zip(purchase.items, ids, strict=True):
        old = lines.get(own)
        if item.change == _ADDS:
            new = line_of_item(item, own, context.profile)
            if old is not None and old != new:
                raise refuse(item.segment.name(1), "is a line that the order has already", "change it, or number anew")
            lines[new.line_id] = new
            continue
        if old is None:
            raise refuse(item.segment.name(1), "is no line of the order as it stands", "send the line's own number")
        if item.change == _DELETES:
            del lines[item.id]
            continue
        if (made := _changed_line(item, old, context)) is None:
            del lines[item.id]
        else:
            lines[item.id] = made
    return tuple(lines.values())


def _changed_line(item: Item, old: Line, context: Context) -> Line | None:
    """None: nothing of it is wanted any more."""
    takes = _TAKES.get(item.change, frozenset())
    quantity = _quantity(item, old, context.profile.quantity_changes) if _QUANTITY in takes else old.quantity
    if not quantity:
        return None
    each = item.price if _PRICE in takes and item.price is not None else None
    asked = Item(
        id=item.id,
        quantity=quantity,
        unit=item.unit,
        price=each if each is not None else Decimal(0),
        basis=item.basis,
        numbers=item.numbers,
        descriptions=item.descriptions,
        segment=item.segment,
    )
    asked.notes, asked.dates, asked.parties, asked.others = item.notes, item.dates, item.parties, item.others
    new = line_of_item(asked, old.line_id, context.profile)
    line = old.model_copy(update={"quantity": quantity, "subtotal": None})
    if each is not None:
        line = line.model_copy(update={"unit_price": new.unit_price, "subtotal": new.subtotal})
    else:
        line = priced(line, old.amount / old.quantity * quantity)
    if _ITEM in takes and item.numbers:
        line = line.model_copy(update={"sku": new.sku, "codes": new.codes})
    if _ITEM in takes and item.descriptions:
        line = line.model_copy(update={"description": new.description})
    return line.model_copy(update={"instructions": _told(old.instructions, new.instructions)})


def _quantity(item: Item, old: Line, means: QuantityChange) -> Decimal:
    """What is ordered now. Raises InvalidInput where a raise raises nothing: then the partner means it otherwise."""
    if item.quantity is None:
        return old.quantity
    signs = {"QI": 1, "QD": -1}
    if means is QuantityChange.DIFFERENCE and item.change in signs:
        new = old.quantity + signs[item.change] * item.quantity
        if new < 0:
            raise refuse(item.segment.name(3), "takes off more than was ordered", "send the quantity taken off")
        return new
    wrong = (item.change == "QI" and item.quantity <= old.quantity) or (
        item.change == "QD" and item.quantity >= old.quantity
    )
    if wrong:
        remedy = "send the quantity ordered from now on; differences have to be agreed on (quantity_changes)"
        raise refuse(item.segment.name(3), f"is no {item.change} of what was ordered", remedy)
    return item.quantity


def _totals(purchase: Purchase, standing: Order, lines: tuple[Line, ...]) -> Totals:
    """The change's own charges and taxes in place of the order's of that kind; the rest stays."""
    said = sums_of([purchase, *purchase.items])
    old = standing.totals
    gone = {line.line_id for line in standing.lines} - {line.line_id for line in lines}
    lost = sum((line.discount for line in standing.lines if line.line_id in gone), Decimal(0))
    parts = {
        "discount": said["discount"] or max(Decimal(0), old.discount - lost),
        "tax": said["tax"] or old.tax,
        "shipping": said["shipping"] or old.shipping,
        "fees": said["fees"] or old.fees,
    }
    worth = sum((line.amount for line in lines), Decimal(0))
    whole = worth - parts["discount"] + parts["tax"] + parts["shipping"] + parts["fees"] - old.credit
    total = purchase.total
    if total is None:
        total = whole.quantize(minor_unit(standing.currency), ROUND_HALF_UP)
    if total < 0:
        raise refuse("POC, SAC", "come to less than nothing", "check the allowances")
    return old.model_copy(update={**parts, "total": total})


def _external_ids(purchase: Purchase, standing: Order, header: Order, identity: str) -> tuple[ExternalId, ...]:
    replaced = {SEQUENCE} if purchase.sequence else set()
    kept = [one for one in standing.external_ids if one.system not in replaced]
    known = {one.system for one in kept}
    new = [one for one in header.external_ids if one.system not in known]
    return (*kept, *new, ExternalId(system=APPLIED, id=identity))


def _doubts(purchase: Purchase, standing: Order) -> tuple[Doubt, ...]:
    """An order with tax whose change names none: nobody has reckoned it anew."""
    if not standing.totals.tax or purchase.total is not None or any(said.taxes for said in (purchase, *purchase.items)):
        return standing.doubts
    stale = Doubt(field="totals.tax", why="the change says nothing of the tax", confidence=Decimal(0))
    return (*(one for one in standing.doubts if one.field != stale.field), stale)


def _price_doubts(purchase: Purchase, lines: tuple[Line, ...]) -> tuple[Doubt, ...]:
    """Lines that the change brings, or prices, with a price that is none."""
    places = {line.line_id: at for at, line in enumerate(lines)}
    found: list[Doubt] = []
    for item in purchase.items:
        brought = purchase.purpose == REPLACES or item.change == _ADDS
        why = (
            doubtful_price(item)
            if brought or (item.price is not None and _PRICE in _TAKES.get(item.change, ()))
            else ""
        )
        if why:
            field = f"lines[{places[item.id]}].unit_price" if item.id in places else "lines"
            found.append(Doubt(field=field, why=why, confidence=Decimal(0)))
    return tuple(found)


def _place_doubts(purchase: Purchase) -> tuple[Doubt, ...]:
    """A change that sends a line somewhere else than the whole: one order has one address here."""
    lines_own = any(party.role == "ST" for item in purchase.items for party in item.parties)
    if not (lines_own or is_split(purchase)):
        return ()
    return (Doubt(field="delivery_address", why="the order goes to several places", confidence=Decimal(0)),)


def _told(before: str | None, now: str | None) -> str | None:
    """What the order says, and of the change what is new in it."""
    return prose_of(before, *_news(before, now))


def _news(before: str | None, now: str | None) -> list[str]:
    known = (before or "").splitlines()
    return [line for line in (now or "").splitlines() if line not in known]
