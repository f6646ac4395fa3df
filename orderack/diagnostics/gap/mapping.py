"""Which column of a log means what: guessed by names and contents, shown, and overridden by `--map`."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import polars as pl

from orderack.diagnostics.gap.keys import found_share
from orderack.diagnostics.gap.quantities import quantities
from orderack.diagnostics.gap.reading import Log, unusable
from orderack.diagnostics.gap.stamps import DayFirst, stamps

_LOOKED_AT = 400
"""Rows of a column whose contents are tried."""

_DAY = r"^(?:19|20)\d{2}-?\d{2}-?\d{2}$|^\d{1,2}[/.]\d{1,2}[/.](?:\d{4}|\d{2})$"
_CLOCK = r"^\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?(\s*[AaPp][Mm])?$|^[0-2]\d[0-5]\d[0-5]\d$"
_ID_ROWS = 2_000

_MOST = 0.9
"""Share of ids that join, over which no other columns are tried."""


class Kind(StrEnum):
    """What a column holds."""

    ID = "id"
    TIME = "time"
    WORD = "word"
    NUMBER = "number"


@dataclass(frozen=True)
class Role:
    """A meaning that a column can have: its usual names, the likeliest first."""

    name: str
    kind: Kind
    needed: bool
    names: tuple[str, ...]


_ORDER_NAMES = (
    r"(web|shop|store|external|source|channel|customer|ecom\w*|po|purchase)_?(order)?_?(no|nr|num|number|id|ref|reference|name)",
    r"order_?(no|nr|num|number|name)",
    r"order_?(id|ref|reference|key)",
    r"(increment_id|order|name|number|reference|ref)",
    r"(externe?|kunden|web|shop)_?(auftrags?|bestell|beleg)_?(nr|nummer|no|id|referenz)",
    r"(auftrags?|bestell)_?(nr|nummer|no|id|referenz)",
    r"(num(ero)?|no?|ref(erence)?)_(de_)?(la_)?(commande|pedido|orden)",
    r"bestellung|auftrag|commande|pedido",
    r".*(order|external|reference|document).*(id|no|nr|num|number|ref|name)?",
    r".*(auftrag|bestell|beleg|commande|pedido).*",
    r"id",
)
_CAPTURED = (
    r"(captured|placed|ordered|purchased|checkout|processed)(_?(at|on|time|date|timestamp|ts))+",
    r"(order_?)?(created|creation)(_?(at|on|time|date|timestamp|ts|utc|gmt))*",
    r"(order_?)?(date|time|datetime|timestamp|ts|at)(_?(utc|gmt))?",
    r"(bestell|auftrags?)_?(datum|zeit|zeitpunkt|eingang)|(bestellt|erstellt|eingegangen|angelegt)(_(am|um))?",
    r"(date|heure)_(de_)?(la_)?commande|commandee?_le|creee?_le|fecha_(de_|del_)?pedido|cread[oa](_el)?",
    r".*(captur|placed|order|creat|submit|purchas|checkout).*",
    r".*(time|date|_at|_ts|when).*",
)
_RECEIPT = (
    r"(erp_?)?(receipt|received|receipted|booked|recorded|imported|posted|entered|registered)(_?(at|on|time|date|timestamp|ts|utc))*",
    r"(erp_?)?(created|creation|entry|document|inserted)(_?(at|on|time|date|timestamp|ts|utc|by))*",
    r"(gebucht|verbucht|erfasst|importiert|eingegangen|angelegt|erstellt)(_(am|um))?",
    r"(eingangs|buchungs|erfassungs|beleg|anlage)_?(datum|zeit|zeitpunkt)",
    r"(recue?|enregistree?|importee?|integree?|creee?)_le|date_(de_|d_)?(reception|enregistrement|import|integration)",
    r"(recibid|registrad|importad|cread)[oa](_el)?|fecha_(de_)?(recepcion|registro|entrada|importacion)",
    r"(date|time|datetime|timestamp|ts|at|datum|fecha)",
    r".*(receip|receiv|book|record|import|post|enter|creat|insert).*",
    r".*(time|date|_at|_ts|when).*",
)
_SENT = (
    r"(confirmation_?)?(sent|confirmed|delivered|mailed|emailed|accepted)(_?(at|on|time|date|timestamp|ts))*",
    r".*confirm.*(at|on|time|date|timestamp|ts)",
    r"(versendet|gesendet|verschickt|versandt|bestatigt|zugestellt)(_(am|um))?|(versand|bestatigungs|sende)_?(datum|zeit)",
    r"(envoyee?|confirmee?)_le|date_(de_|d_)?(envoi|confirmation)",
    r"(enviad|confirmad)[oa](_el)?|fecha_(de_)?(envio|confirmacion)",
    r"(created|date|time|datetime|timestamp|ts|at|datum|fecha)(_?(at|on|time))*",
    r".*(sent|send|confirm|mail|deliver).*",
    r".*(time|date|_at|_ts|when).*",
)
_DELIVERED = (
    r"(delivered|forwarded|handed(_over)?|pushed|sent|completed|finished|processed|integrated|succeeded|synced|done)"
    r"(_?(to|erp|at|on|time|date|timestamp|ts))*",
    r".*(deliver|forward|push|sent|complet|finish|process|integrat|sync).*(at|on|time|date|timestamp|ts)",
)
_RECEIVED = (
    r"(webhook_?)?(received|arrived|enqueued|queued|accepted|ingested)(_?(at|on|time|date|timestamp|ts))*",
    r".*(receiv|arriv|queue|accept|ingest|webhook).*(at|on|time|date|timestamp|ts)",
)
_CHANNEL = (
    r"(sales_?)?channel(_?name)?",
    r"marketplace|storefront|sales_?source|source_?name|origin",
    r"source|store|shop|site",
    r"(vertriebs|verkaufs)?kanal|canal(_de_vent[ea])?|quelle",
)
_SKU = (
    r"(line_?item_?|lineitem_?|item_?|product_?|variant_?)?sku",
    r"(item|product|article|material)(_?(code|no|number|id))?",
    r"artikel_?(nr|nummer|no)?|referencia|(code|ref)_article|articulo",
)
_QUANTITY = (
    r"(line_?item_?|lineitem_?|item_?|ordered_?|order_?)?(quantity|qty|units|pieces)(_?ordered)?",
    r"(bestell_?)?menge|anzahl|stuckzahl|quantite|cantidad",
)

ROLES: Mapping[str, tuple[Role, ...]] = {
    "orders": (
        Role("id", Kind.ID, True, _ORDER_NAMES),
        Role("captured", Kind.TIME, True, _CAPTURED),
        Role("channel", Kind.WORD, False, _CHANNEL),
        Role("sku", Kind.WORD, False, _SKU),
        Role("quantity", Kind.NUMBER, False, _QUANTITY),
    ),
    "erp": (Role("id", Kind.ID, True, _ORDER_NAMES), Role("received", Kind.TIME, True, _RECEIPT)),
    "confirmations": (Role("id", Kind.ID, True, _ORDER_NAMES), Role("sent", Kind.TIME, True, _SENT)),
    "integration": (
        Role("id", Kind.ID, True, _ORDER_NAMES),
        Role("delivered", Kind.TIME, False, _DELIVERED),
        Role("received", Kind.TIME, False, _RECEIVED),
    ),
    "stock": (
        Role("sku", Kind.WORD, True, _SKU),
        Role(
            "quantity",
            Kind.NUMBER,
            True,
            (
                r"(stock|available|on_?hand|quantity|qty|level|inventory)(_?(level|quantity|qty|on_?hand|available))*",
                r".*(stock|quantity|qty).*",
                r"(lager_?)?bestand|menge|verfugbar|quantite|cantidad|existencias|disponib(le|les)",
            ),
        ),
        Role(
            "time",
            Kind.TIME,
            False,
            (
                r"(as_?of|at|date|time|datetime|timestamp|ts|taken|counted|updated|recorded|stand|datum|fecha)(_?(at|on|time|vom))*",
            ),
        ),
    ),
}
"""The meanings that each log can have."""


@dataclass(frozen=True)
class Mapped:
    """One column and its meaning."""

    log: str
    role: str
    column: str
    how: str
    """`told` by `--map`, or guessed by its `name` or its `contents`."""


def overrides(given: Sequence[str]) -> dict[tuple[str, str], str]:
    """`orders.id=order_name` and so on. Raises InvalidInput for a log or meaning that there is none of."""
    found: dict[tuple[str, str], str] = {}
    for each in given:
        place, equals, column = each.partition("=")
        log, _, role = place.strip().partition(".")
        known = [one.name for one in ROLES.get(log, ())]
        if not equals or role not in known:
            there = ", ".join(f"{log}.{one.name}" for log, roles in ROLES.items() for one in roles)
            raise unusable("--map", f"{each[:80]} says nothing", f"write LOG.MEANING=COLUMN; there are {there}")
        found[log, role] = column.strip()
    return found


def with_joint_columns(log: Log, told: Mapping[tuple[str, str], str]) -> Log:
    """With a column more for each that was told as `Date+Time`: both texts, a space between, or none."""
    frame = log.frame
    for (name, _), column in told.items():
        parts = [part.strip() for part in column.split("+")]
        if name == log.name and column not in frame.columns and len(parts) > 1 and set(parts) <= set(log.columns):
            texts = [pl.col(part).cast(pl.String).str.strip_chars() for part in parts]
            frame = frame.with_columns(pl.concat_str(texts, separator=" ").alias(column))
    return replace(log, frame=frame)


def map_log(log: Log, told: Mapping[tuple[str, str], str], first: DayFirst | None) -> tuple[Mapped, ...]:
    """The log's columns. Raises InvalidInput where one that is needed is not found, or a told one is not there."""
    found: list[Mapped] = []
    taken: set[str] = set()
    for role in ROLES[log.name]:
        column = told.get((log.name, role.name))
        if column is not None and column not in log.columns:
            raise unusable("--map", f"{log.file} has no column {column[:60]}", f"it has {', '.join(log.columns)[:400]}")
        if column:
            found.append(Mapped(log.name, role.name, column, "told"))
            taken.add(column)
    for role in ROLES[log.name]:
        if all(each.role != role.name for each in found) and (guess := _guess(log, role, taken, first)):
            found.append(guess)
            taken.add(guess.column)
    _demand(log, found)
    order = [role.name for role in ROLES[log.name]]
    return tuple(sorted(found, key=lambda each: order.index(each.role)))


def _demand(log: Log, found: Sequence[Mapped]) -> None:
    roles = {each.role for each in found}
    missing = [role.name for role in ROLES[log.name] if role.needed and role.name not in roles]
    if log.name == "integration" and not roles & {"delivered", "received"}:
        missing.append("delivered")
    if missing:
        apart = _apart(log, {each.column for each in found})
        times = {role.name: apart for role in ROLES[log.name] if role.kind is Kind.TIME and apart}
        maps = " ".join(f"--map {log.name}.{role}={times.get(role, 'COLUMN')}" for role in missing)
        raise unusable(
            f"--{log.name}",
            f"{log.file} has no column that looks like its {' and '.join(missing)}",
            f"say which: {maps}; it has {', '.join(log.columns)[:400]}",
        )


def _apart(log: Log, taken: set[str]) -> str | None:
    """`Date+Time`, where the day stands in one column and the time of day in another."""
    free = [name for name in log.columns if name not in taken]
    days = [name for name in free if _mostly(log.frame[name], _DAY)]
    clocks = [name for name in free if name not in days and _mostly(log.frame[name], _CLOCK)]
    return f"{days[0]}+{clocks[0]}" if days and clocks else None


def _mostly(values: pl.Series, pattern: str) -> bool:
    text = values.drop_nulls().head(_LOOKED_AT).cast(pl.String).str.strip_chars()
    return text.len() > 0 and int(text.str.contains(pattern).sum()) > text.len() / 2


def _guess(log: Log, role: Role, taken: set[str], first: DayFirst | None) -> Mapped | None:
    """The column whose name is the likeliest among those whose contents fit; else the only one that fits."""
    fitting = [name for name in log.columns if name not in taken and _fits(log.frame[name], role, first)]
    named = sorted((rank, place) for place, name in enumerate(fitting) if (rank := _rank(name, role)) is not None)
    if named:
        return Mapped(log.name, role.name, fitting[named[0][1]], "name")
    needed = role.needed or (log.name == "integration" and role.name == "delivered" and not _any(log, taken, first))
    if needed and len(fitting) == 1:
        return Mapped(log.name, role.name, fitting[0], "contents")
    return None


def _any(log: Log, taken: set[str], first: DayFirst | None) -> bool:
    """Whether a column says by its name that the integration *received* the order then."""
    received = ROLES["integration"][2]
    return any(
        _rank(name, received) is not None and _fits(log.frame[name], received, first)
        for name in log.columns
        if name not in taken
    )


def _rank(name: str, role: Role) -> int | None:
    """Place among the role's usual names; None: it is not like any."""
    last = name.rsplit(".", 1)[-1]
    for words in dict.fromkeys((_plain(name), _plain(last))):
        for place, pattern in enumerate(role.names):
            if re.fullmatch(pattern, words):
                return place
    return None


def _plain(name: str) -> str:
    """`createdAt`, `Created at` → `created_at`; `Bestätigt am` → `bestatigt_am`."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    bare = "".join(each for each in unicodedata.normalize("NFKD", split.lower()) if not unicodedata.combining(each))
    return re.sub(r"[^a-z0-9]+", "_", bare).strip("_")


def _fits(values: pl.Series, role: Role, first: DayFirst | None) -> bool:
    known = values.drop_nulls()
    if known.dtype == pl.String:
        known = known.filter(known.str.strip_chars() != "")
    if not known.len():
        return False
    step = max(1, known.len() // _LOOKED_AT)
    some = known.gather_every(step)
    match role.kind:
        case Kind.TIME:
            return _times(some, first)
        case Kind.NUMBER:
            return quantities(some).null_count() < some.len() / 2
        case Kind.ID:
            return not _times(some, first) and known.n_unique() > known.len() / 20
        case Kind.WORD:
            return not _times(some, first) and (role.name == "sku" or 0 < known.n_unique() <= 60)


def _times(some: pl.Series, first: DayFirst | None) -> bool:
    read = stamps(some, "UTC", first).at
    return read.null_count() <= some.len() / 2


def matched_ids(orders: Log, of_orders: Sequence[Mapped], other: Log, of_other: Sequence[Mapped]) -> tuple[str, str]:
    """The pair of id columns that join most: names mislead (`id` may be the shop's, or the ERP's own).

    Columns that were told stay; the named pair stays where it joins nearly as well as any.
    """
    one, two = _id_of(of_orders), _id_of(of_other)
    if found_share(_some(other, two.column), orders.frame[one.column]) >= _MOST:
        return one.column, two.column
    ones, twos = _candidates(orders, one), _candidates(other, two)
    shares = {(a, b): found_share(_some(other, b), orders.frame[a]) for a in ones for b in twos}
    best = max(shares, key=lambda pair: shares[pair])
    return best if shares[best] > shares[one.column, two.column] + 0.1 else (one.column, two.column)


def _id_of(mapped: Sequence[Mapped]) -> Mapped:
    return next(each for each in mapped if each.role == "id")


def _candidates(log: Log, mapped: Mapped) -> list[str]:
    if mapped.how == "told":
        return [mapped.column]
    role = ROLES[log.name][0]
    fitting = [name for name in log.columns if _fits(log.frame[name], role, None)]
    ranked = sorted(fitting, key=lambda name: (_rank(name, role) is None, _rank(name, role) or 0))
    return list(dict.fromkeys((mapped.column, *ranked[:5])))


def _some(log: Log, column: str) -> pl.Series:
    values = log.frame[column].drop_nulls()
    return values.gather_every(max(1, values.len() // _ID_ROWS))


def with_id(mapped: Sequence[Mapped], column: str) -> tuple[Mapped, ...]:
    """The same mapping, with this column for the id."""
    return tuple(
        replace(each, column=column, how="contents") if each.role == "id" and each.column != column else each
        for each in mapped
    )


def column_of(mapped: Sequence[Mapped], role: str) -> str | None:
    """The role's column; None: there is none."""
    return next((each.column for each in mapped if each.role == role), None)
