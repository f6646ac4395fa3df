"""Rows and columns (CSV, XLSX, a table in HTML or in text) → lines and labelled fields."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from orderack.sources._mail_found import Found, Gathered, Item
from orderack.sources._mail_lines import code_in
from orderack.sources._mail_numbers import GUESS, LIKELY, SURE, Marks, amount_in, marks_of
from orderack.sources._mail_words import column_of, label_of, plain

Cell = str | Decimal
Row = Sequence[Cell]
MOST_ROWS = 5_000
_SUMS = frozenset({"total", "subtotal", "tax", "shipping", "discount"})
_NUMBERS = ("quantity", "price", "amount")


def read_grid(
    rows: Sequence[Row], place: str, own: Mapping[str, str], about: str = "", *, by_spaces: bool = False
) -> Gathered:
    """Fields above and below the lines by their labels, lines by their columns' headers. `about`: the whole text,
    whose other numbers tell how decimals are written. `by_spaces`: a cell that is empty is not there at all, so a row
    with other than the header's cells may be shifted. A row that says something else than lines do is named."""
    unread = [f"what is below row {MOST_ROWS} of {place}"] if len(rows) > MOST_ROWS else []
    rows = [tuple(_clean(cell) for cell in row) for row in rows[:MOST_ROWS]]
    marks = marks_of(about or "\n".join(" ; ".join(_text(cell) for cell in row) for row in rows))
    header = _header(rows)
    if header is None:
        labelled = {name: found for row in rows for name, found in _labelled(row, own, marks).items()}
        return Gathered(place=place, fields=labelled, unread=tuple(unread))
    at, columns = header
    fields: dict[str, Found] = {}
    items: list[Item] = []
    ended = False
    for index, row in enumerate(rows):
        if index == at or not any(_text(cell) for cell in row):
            continue
        sums = _labelled(row, own, marks, sums_only=at < index and not ended)
        if index < at or ended:
            fields |= {name: found for name, found in sums.items() if name not in fields}
        elif sums and _is_sum(row, columns, own):
            fields |= sums
        elif by_spaces and 1 < len(row) < len(rows[at]) and _item(row, columns, marks) is not None:
            unread.append(f"a row of {place} that lacks a cell: {' | '.join(_text(cell) for cell in row)[:120]}")
        elif (item := _item(row, columns, marks)) is not None:
            items.append(_shifted(item) if by_spaces and len(row) != len(rows[at]) else item)
        elif below := _labelled(row, own, marks):
            ended = True
            fields |= {name: found for name, found in below.items() if name not in fields}
        elif not _is_note(row) and _text(_cell(row, columns, "quantity")) not in _NONE_ORDERED:
            unread.append(f"a row of {place}: {' | '.join(_text(cell) for cell in row)[:120]}")
    if currency := _one_currency(rows[at + 1 :], columns):
        fields.setdefault("currency", currency)
    return Gathered(place=place, fields=fields, items=tuple(items), unread=tuple(unread[:20]))


_NONE_ORDERED = frozenset({"", "0", "0.0", "0,0", "0.00", "0,00", "-", "–"})
"""Forms list what is not ordered too."""


def _shifted(item: Item) -> Item:
    """Its row has other cells than the header: what stands in which column is a guess."""
    return item.model_copy(
        update={
            name: found.model_copy(update={"confidence": GUESS, "why": "its row has other columns than the header"})
            for name, found in (("sku", item.sku), ("quantity", item.quantity), ("price", item.price))
            if found is not None
        }
    )


def is_header(row: Row) -> bool:
    """Whether these cells name columns, a quantity among them."""
    return len(_columns(row)) >= 2


def header_of(rows: Sequence[Row]) -> int:
    """How many columns the header names; 0 where there is none."""
    found = _header(rows)
    return len(found[1]) if found else 0


def _header(rows: Sequence[Row]) -> tuple[int, Mapping[str, int]] | None:
    for index, row in enumerate(rows[:100]):
        if columns := _columns(row):
            return index, columns
    return None


def _columns(row: Row) -> Mapping[str, int]:
    """Column → its place; empty unless there is a quantity and an item or its description."""
    found: dict[str, int] = {}
    for place, cell in enumerate(row[:60]):
        if (name := column_of(_text(cell))) and name not in found:
            found[name] = place
    known = "quantity" in found and ("sku" in found or "description" in found)
    return found if known and len(found) >= 2 else {}


def _clean(cell: Cell) -> Cell:
    return cell if isinstance(cell, Decimal) else " ".join(str(cell).split()).lstrip("'")


def _text(cell: Cell) -> str:
    return f"{cell:f}" if isinstance(cell, Decimal) else cell


def _number(cell: Cell, marks: Marks, why: str) -> Found | None:
    if isinstance(cell, Decimal):
        return Found(value=f"{cell:f}", confidence=SURE, why=why) if cell >= 0 else None
    found = amount_in(cell, marks)
    if found is None or cell.startswith("-"):
        return None
    number, confidence = found
    return Found(value=f"{number:f}", confidence=confidence, why=why if confidence >= LIKELY else f"{why}; {_MARK}")


_MARK = "whether its mark parts thousands or decimals nothing tells"


def _cell(row: Row, columns: Mapping[str, int], name: str) -> Cell:
    place = columns.get(name)
    return row[place] if place is not None and place < len(row) else ""


def _item(row: Row, columns: Mapping[str, int], marks: Marks) -> Item | None:
    numbers = {name: _number(_cell(row, columns, name), marks, f"found in the column {name}") for name in _NUMBERS}
    quantity = numbers["quantity"]
    sku, description = _text(_cell(row, columns, "sku")), _text(_cell(row, columns, "description"))
    if not (sku or description) or quantity is None or Decimal(quantity.value) <= 0:
        return None
    code, beside = _sku(sku)
    return Item(
        sku=code,
        quantity=quantity,
        price=numbers["price"],
        amount=numbers["amount"],
        description=" ".join(part for part in (beside, description) if part),
        unit=_text(_cell(row, columns, "unit")),
        instructions=_text(_cell(row, columns, "instructions")),
        buyer_item=_text(_cell(row, columns, "buyer_item")),
    )


def _sku(cell: str) -> tuple[Found | None, str]:
    """The item's number, and the words that stand beside it in one cell."""
    if " " not in cell:
        return Found(value=cell, confidence=SURE, why="found in the column sku") if cell else None, ""
    found, words = code_in(cell)
    whole = Found(value=cell[:200], confidence=GUESS, why="several words in the column sku")
    return (found.model_copy(update={"confidence": GUESS}), words.strip()) if found else (whole, "")


def _is_sum(row: Row, columns: Mapping[str, int], own: Mapping[str, str]) -> bool:
    """A row below the lines that adds up: it has a label of a sum and no quantity of a thing."""
    named = [cell for cell in row if isinstance(cell, str) and label_of(cell.rstrip(": "), own) in _SUMS]
    return bool(named) and not (_text(_cell(row, columns, "sku")) and _text(_cell(row, columns, "quantity")))


def _is_note(row: Row) -> bool:
    """A line of text between the lines."""
    return sum(bool(_text(cell)) for cell in row) == 1


def _labelled(row: Row, own: Mapping[str, str], marks: Marks, sums_only: bool = False) -> dict[str, Found]:
    """`PO number | 4711` → the field; for sums the last number of the row."""
    cells = [cell for cell in row if _text(cell)]
    if not cells or not isinstance(cells[0], str):
        return {}
    first, colon, behind = cells[0].partition(":")
    name = next((label_of(cell.rstrip(": "), own) for cell in cells if isinstance(cell, str) and plain(cell)), None)
    name = name or (label_of(first, own) if colon else None)
    if name is None or name == "ignored" or (sums_only and name not in _SUMS):
        return {}
    values: list[Cell] = [*([behind.strip()] if behind.strip() else []), *cells[1:]]
    if name in _SUMS:
        numbers = [found for cell in values if (found := _number(cell, marks, "found under its label"))]
        return {name: numbers[-1]} if numbers else {}
    told = [_text(cell) for cell in values if plain(_text(cell)) not in _NUMBER_WORDS]
    value = ", ".join(told)
    if name == "purchase_order" and len(value.split()) > 1:
        return {name: Found(value=value, confidence=GUESS, why="several words stand beside its label")}
    return {name: Found(value=value, confidence=SURE, why="found under its label")} if value else {}


_NUMBER_WORDS = frozenset({"no", "nr", "n", "num", "number", "nummer", "numero", "numero n", "#", ""})


def _one_currency(rows: Sequence[Row], columns: Mapping[str, int]) -> Found | None:
    said = {_text(_cell(row, columns, "currency")).upper() for row in rows} - {""}
    if len(said) != 1:
        return None
    return Found(value=said.pop(), confidence=SURE, why="found in the column currency")


def positional(rows: Sequence[Row], place: str, own: Mapping[str, str]) -> Gathered:
    """Rows without a header: item, quantity and price guessed from what each looks like."""
    labelled = read_grid(rows, place, own)
    if any(sum(column_of(_text(_clean(cell))) is not None for cell in row[:60]) >= 2 for row in rows[:20]):
        unread = (*labelled.unread, f"{place}: its columns name no quantity")
        return labelled.model_copy(update={"unread": unread})
    items = [item for row in rows[:MOST_ROWS] if (item := _guessed(row)) is not None]
    return labelled.model_copy(update={"items": tuple(items)})


def _guessed(row: Row) -> Item | None:
    cells = [_clean(cell) for cell in row if _text(_clean(cell))]
    if len(cells) < 2 or not isinstance(cells[0], str) or label_of(cells[0].rstrip(": "), {}):
        return None
    marks = marks_of(" ; ".join(_text(cell) for cell in cells))
    why = "guessed from its place: the table names no columns"
    numbers = [found for cell in cells[1:] if (found := _number(cell, marks, why))]
    whole = [found for found in numbers if Decimal(found.value) == int(Decimal(found.value))]
    if not whole:
        return None
    prices = [found for found in numbers if found is not whole[0]]
    words = [cell for cell in cells[1:] if isinstance(cell, str) and amount_in(cell, marks) is None]
    return Item(
        sku=Found(value=cells[0], confidence=GUESS, why=why),
        quantity=whole[0].model_copy(update={"confidence": GUESS}),
        price=prices[0].model_copy(update={"confidence": GUESS}) if prices else None,
        description=" ".join(words),
    )
