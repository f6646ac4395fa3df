"""Stock as SAP Business One keeps it: by item and warehouse, in stock, committed to orders, ordered from suppliers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from orderack.domain.receipt import LineVerdict, StockVerdict
from orderack.erps._line_marks import LONGEST
from orderack.erps._sap_b1_layer import ServiceLayer
from orderack.erps._sap_b1_wire import NO, Document, DocumentLine, Fields, Item, Items, Purchases, literal, query
from orderack.erps._stock import NONE, Incoming, Part, Position, at_hand, verdict
from orderack.errors import Misconfigured, Unavailable

AT_ONCE = 10
"""Items in one question; the filter of twenty long codes would be too long for a URL."""
MOST_DATED = 20
"""Items that are short whose purchases are asked for, a request each; of more the backorder has no day."""
PURCHASE_LINES = 20
"""The vendor's page."""
ORDERS, ROWS = "PurchaseOrders", "PurchaseOrders/DocumentLines"


@dataclass(frozen=True)
class Place:
    """Where a row is delivered from. No warehouse: all of them together."""

    item: str
    warehouse: str | None


async def positions(
    layer: ServiceLayer, wanted: Mapping[str, Decimal], warehouse: str | None
) -> Mapping[str, Position]:
    """What is free of each item, and coming where it is short. One that is not there is absent.

    Raises Unavailable or Misconfigured.
    """
    places = {Place(sku, warehouse): quantity for sku, quantity in wanted.items()}
    return {place.item: position for place, position in (await _positions(layer, places, {})).items()}


async def verdicts(
    layer: ServiceLayer, document: Document, fields: Fields, warehouse: str | None
) -> tuple[LineVerdict, ...]:
    """For each row that is a line of ours; what the order itself has committed is counted as its own."""
    own: dict[Place, Decimal] = {}
    for row in document.lines:
        place = _place(row, warehouse)
        own[place] = own.get(place, NONE) + row.still_open * row.units
    left = await _positions(layer, own, own)
    parts: dict[str, list[Part]] = {}
    others: dict[str, LineVerdict] = {}
    for row in document.lines:
        place, mark = _place(row, warehouse), row.mark(fields)
        if mark is None:
            continue
        position = left.get(place, Position(NONE))
        here = Position(NONE) if row.closed_short else position.per(row.units)
        part = Part(here, row.undelivered, row.left)
        left[place] = position.less(at_hand(here, row.still_open) * row.units)
        parts.setdefault(mark.line_id, []).append(part)
        if row.item.strip() and not mark.is_of(row.item):
            others[mark.line_id] = LineVerdict(
                line_id=mark.line_id, verdict=StockVerdict.SUBSTITUTED, substitute_sku=row.item[:LONGEST]
            )
    return tuple(others.get(line_id) or verdict(line_id, *found) for line_id, found in parts.items())


def _place(row: DocumentLine, warehouse: str | None) -> Place:
    return Place(row.item, row.warehouse or warehouse)


async def _positions(
    layer: ServiceLayer, wanted: Mapping[Place, Decimal], own: Mapping[Place, Decimal]
) -> dict[Place, Position]:
    """`own`: what of the committed is this order's."""
    items = await _items(layer, sorted({place.item for place in wanted}))
    found: dict[Place, Position] = {}
    asked = 0
    for place, quantity in wanted.items():
        item = items.get(place.item) or items.get(place.item.casefold())
        if item is None:
            continue
        position, ordered = _here(item, place, own.get(place, NONE))
        if ordered > 0 and not position.endless and position.free < quantity:
            asked += 1
            coming = await _incoming(layer, place, ordered) if asked <= MOST_DATED else (Incoming(ordered),)
            position = replace(position, incoming=coming)
        found[place] = position
    return found


async def _items(layer: ServiceLayer, codes: list[str]) -> dict[str, Item]:
    """By code, and by the code in lower case, for a database that ignores case answers so."""
    exact: dict[str, Item] = {}
    for start in range(0, len(codes), AT_ONCE):
        asked = " or ".join(f"ItemCode eq {literal(code)}" for code in codes[start : start + AT_ONCE])
        select = "ItemCode,InventoryItem,ItemWarehouseInfoCollection"
        page = await layer.read(Items, f"/Items?{query(select=select, filter=asked)}")
        exact |= {item.code: item for item in page.items}
    return {code.casefold(): item for code, item in exact.items()} | exact


def _here(item: Item, place: Place, share: Decimal) -> tuple[Position, Decimal]:
    """What is free, and what is ordered from suppliers."""
    if item.stocked == NO:
        return Position(NONE, endless=True), NONE
    here = [one for one in item.warehouses if place.warehouse in (None, one.code)]
    committed = sum((one.committed for one in here), NONE)
    free = sum((one.in_stock for one in here), NONE) - committed + min(share, committed)
    return Position(free), sum((one.ordered for one in here), NONE)


async def _incoming(layer: ServiceLayer, place: Place, ordered: Decimal) -> tuple[Incoming, ...]:
    """Open purchases with their dates; without dates where the Service Layer cannot join rows (before 9.2)."""
    expand = f"{ORDERS}($select=DocEntry),{ROWS}($select=ItemCode,RemainingOpenQuantity,ShipDate,WarehouseCode)"
    conditions = (
        f"{ORDERS}/DocEntry eq {ROWS}/DocEntry",
        f"{ORDERS}/DocumentStatus eq 'bost_Open'",
        f"{ROWS}/LineStatus eq 'bost_Open'",
        f"{ROWS}/ItemCode eq {literal(place.item)}",
    )
    asked = query(expand=expand, filter=" and ".join(conditions), top=str(PURCHASE_LINES))
    try:
        rows = (await layer.read(Purchases, f"/$crossjoin({ORDERS},{ROWS})?{asked}")).rows
    except (Unavailable, Misconfigured):
        return (Incoming(ordered),)
    lines = [row.line for row in rows if place.warehouse in (None, row.line.warehouse) and row.line.open > 0]
    return tuple(Incoming(line.open, line.due) for line in lines) or (Incoming(ordered),)
