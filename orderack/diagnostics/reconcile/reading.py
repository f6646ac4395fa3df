"""The inputs: which column is what, and each row as a `Row`; a row that cannot be used is one with a problem."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from orderack.diagnostics.gap.reading import LINE, Log, read_log, unusable
from orderack.diagnostics.reconcile.records import Row, Side

_ID = (
    r"(web|shop|store|external|source|channel|customer|merchant|po|purchase)_?(order)?_?(no|nr|number|id|ref|reference)",
    r"order_?(no|nr|number|name|id|ref|reference)",
    r"(reference|ref|name|number|increment_id|order)",
    r"id",
)
_TOTAL = (
    r"(grand_?|order_?)?total(_?(amount|price|value|gross))?",
    r"(gross_?|paid_?|captured_?|payment_?|order_?)?(amount|value)(_?(gross|paid|captured))?",
    r"gross|sum",
)
_CURRENCY = (r"(order_?|payment_?)?currency(_?code)?",)
_STATUS = (r"(order_?|payment_?|document_?|financial_?)?(status|state)",)
_SKU = (r"(seller_?|item_?|product_?|line_?item_?|variant_?)?sku", r"(item|product|article)(_?(code|no|number|id))?")
_QUANTITY = (r"(line_?|item_?|ordered_?|order_?)?(quantity|qty|units)(_?(ordered|sold))?",)
_AVAILABLE = (
    r"(quantity|qty|stock|units)?_?(available|on_?hand|offered|listed|sellable|fulfillable)(_?(quantity|qty|stock))?",
    r"(stock|inventory)(_?(level|quantity|qty))?",
    r"quantity|qty",
)

ROLES: Mapping[Side, Mapping[str, tuple[bool, tuple[str, ...]]]] = {
    Side.ERP: {
        "id": (True, _ID),
        "total": (False, _TOTAL),
        "currency": (False, _CURRENCY),
        "status": (False, _STATUS),
        "sku": (False, _SKU),
        "quantity": (False, _QUANTITY),
    },
    Side.PAYMENTS: {
        "id": (True, _ID),
        "total": (True, _TOTAL),
        "currency": (False, _CURRENCY),
        "status": (False, _STATUS),
    },
    Side.MARKETPLACE: {"sku": (True, _SKU), "available": (True, _AVAILABLE)},
}
"""Each side's columns: whether it is needed, and how it is usually named."""

_OFF = re.compile(r"cancel|void|refund|fail|declin|reject|chargeback|expired|delet|storno", re.IGNORECASE)
_PENDING = re.compile(r"pend|open|unpaid|authori[sz]|await|created|process", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d[\d.,'\u00a0 ]*\Z")


@dataclass(frozen=True)
class Input:
    """One side's rows, and what was taken for what."""

    side: Side
    file: str
    columns: Mapping[str, str]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def read(side: Side, path: Path, told: Mapping[tuple[str, str], str]) -> Input:
    """The file's rows. Raises InvalidInput where it cannot be read or a column that is needed is not found."""
    log = read_log(str(side), path)
    columns = _columns(side, log, told)
    rows = [*_rows(log, columns), *(Row(line=bad.line, problem=bad.why) for bad in log.bad)]
    return Input(side, log.file, columns, tuple(sorted(rows, key=lambda row: row.line)), log.notes)


def overrides(given: Sequence[str]) -> dict[tuple[str, str], str]:
    """`erp.total=gross` and so on. Raises InvalidInput for a side or a meaning that there is none of."""
    found: dict[tuple[str, str], str] = {}
    known = [f"{side}.{role}" for side, roles in ROLES.items() for role in roles]
    for each in given:
        place, equals, column = each.partition("=")
        side, _, role = place.strip().partition(".")
        if not equals or f"{side}.{role}" not in known:
            raise unusable("--map", f"{each[:80]} says nothing", f"write it as erp.total=COLUMN; of {', '.join(known)}")
        found[side, role] = column.strip()
    return found


def _columns(side: Side, log: Log, told: Mapping[tuple[str, str], str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for role in ROLES[side]:
        column = told.get((side, role))
        if column is None:
            continue
        if column not in log.columns:
            raise unusable("--map", f"{log.file} has no column {column[:60]}", f"it has {', '.join(log.columns)[:400]}")
        found[role] = column
    for role, (needed, names) in ROLES[side].items():
        free = [name for name in log.columns if name not in found.values()]
        if role not in found and (guess := _guess(free, names)):
            found[role] = guess
        if needed and role not in found:
            raise unusable(
                f"--{side}",
                f"{log.file} has no column that is named like its {role}",
                f"say which: --map {side}.{role}=COLUMN; it has {', '.join(log.columns)[:400]}",
            )
    return found


def _guess(columns: Sequence[str], names: Sequence[str]) -> str | None:
    for pattern in names:
        for column in columns:
            if re.fullmatch(pattern, _plain(column)):
                return column
    return None


def _plain(name: str) -> str:
    """`order.totalAmount` → `total_amount`."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.rsplit(".", 1)[-1])
    return re.sub(r"[^a-z0-9]+", "_", split.lower()).strip("_")


def _rows(log: Log, columns: Mapping[str, str]) -> Iterator[Row]:
    for found in log.frame.iter_rows(named=True):
        words = {role: "" if found[name] is None else str(found[name]).strip() for role, name in columns.items()}
        yield _row(int(found[LINE]), words)


def _row(line: int, words: Mapping[str, str]) -> Row:
    key = "sku" if "available" in words else "id"
    if not words[key]:
        return Row(line, problem=f"has no {key}")
    numbers: dict[str, Decimal | None] = {}
    for role in ("total", "quantity", "available"):
        text = words.get(role, "")
        numbers[role] = number(text)
        if text and numbers[role] is None:
            return Row(line, id=words[key], problem=f"its {role} is no number")
    status = words.get("status", "")
    return Row(
        line,
        id=words.get("id", ""),
        total=numbers["total"],
        currency=words.get("currency", "").upper(),
        sku=words.get("sku", ""),
        quantity=numbers["quantity"],
        off=bool(_OFF.search(status)),
        pending=bool(_PENDING.search(status)),
        available=numbers["available"],
    )


def number(text: str) -> Decimal | None:
    """`1,234.50`, `1.234,50`, `€ 12.00` …; None: it is none. One comma before three digits parts thousands."""
    bare = re.sub(r"^[^\d+\-.,]+|[^\d.,]+$", "", text.strip())
    negative = text.strip().startswith(("-", "(")) or bare.startswith("-")
    bare = bare.lstrip("+-")
    if not _NUMBER.fullmatch(bare or " "):
        return None
    bare = re.sub(r"['\u00a0 ]", "", bare)
    if "," in bare and "." in bare:
        thousands = "," if bare.rfind(".") > bare.rfind(",") else "."
        bare = bare.replace(thousands, "")
    elif bare.count(",") > 1 or re.search(r",\d{3}\Z", bare):
        bare = bare.replace(",", "")
    try:
        found = Decimal(bare.replace(",", "."))
    except InvalidOperation:
        return None
    return -found if negative else found
