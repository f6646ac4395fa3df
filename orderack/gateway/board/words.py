"""How the board says it: stages, clocks, ages and times in plain words. Nothing of an order's own text is made here."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.numbers import format_currency

from orderack.contracts.journal import ClockName, Stage
from orderack.domain.assessment import FlagName
from orderack.domain.response import Outcome
from orderack.ports.sweeps import ExceptionKind

STAGES: Mapping[str, str] = {
    Stage.AWAITING_ORDER: "Receipt without order",
    Stage.ASSESSING: "Being checked",
    Stage.REVIEW: "In review",
    Stage.AWAITING_ERP: "Waiting for the ERP",
    Stage.CONFIRMED: "Confirmed",
    Stage.HANDED_OFF: "With the team",
    Stage.CANCELLED: "Cancelled",
    Stage.REJECTED: "Rejected",
    Stage.CLOSED: "Closed",
}
"""In the order in which an order goes through them."""

CLOCKS: Mapping[str, str] = {
    ClockName.ACKNOWLEDGE: "First word to the buyer",
    ClockName.HOLD: "Holding message",
    ClockName.REVIEW: "Review decided",
    ClockName.ERP_RECEIPT: "ERP receipt",
    ClockName.UPDATE: "Next update to the buyer",
    ClockName.RESOLVE: "Escalation resolved",
    ClockName.CLAIM: "Taken in hand",
    ClockName.PARTNER: "Partner's deadline",
    ClockName.PARTNER_WARNING: "Partner's deadline, warning",
    ClockName.EVIDENCE: "Evidence, else the next channel",
    ClockName.DOUBT: "In doubt, else said again",
    ClockName.STAY_OPEN: "Open for changes until",
    ClockName.ORPHAN: "Order for a receipt",
    ClockName.ERP_BUDGET: "ERP's time before “received” goes out",
}

FLAGS: Mapping[str, str] = {
    FlagName.INCOMPLETE: "Incomplete",
    FlagName.HIGH_VALUE: "High value",
    FlagName.UNUSUAL_QUANTITY: "Unusual quantity",
    FlagName.BILLING_MISMATCH: "Billing and delivery differ",
    FlagName.NEW_CLIENT: "New customer",
    FlagName.PROBABLE_DUPLICATE: "Probable duplicate",
    FlagName.PAYMENT_FLAGGED: "Payment flagged",
    FlagName.TOTALS_MISMATCH: "Totals do not add up",
    FlagName.STOCK_GONE: "Out of stock",
    FlagName.ERP_REFUSED: "Refused by the ERP",
    FlagName.ASSESSMENT_FAILED: "Could not be checked",
    FlagName.CHANGE_AFTER_HANDOFF: "Changed after the handoff",
    FlagName.RULE: "A rule asks for it",
    FlagName.DOUBTFUL: "Read with doubt",
    FlagName.PRICE_CHANGED: "Another price in the ERP",
}

OUTCOMES: Mapping[str, str] = {
    Outcome.ACCEPT: "as ordered",
    Outcome.QUANTITY: "another quantity",
    Outcome.PRICE: "another price",
    Outcome.DATE: "another date",
    Outcome.SUBSTITUTE: "replaced",
    Outcome.BACKORDER: "on backorder",
    Outcome.REJECT: "not available",
    Outcome.HOLD: "not answered yet",
}
"""The ERP's answer for a line."""

ABSENCES: Mapping[str, str] = {
    ExceptionKind.MISSING_IN_ERP: "not in the ERP",
    ExceptionKind.NOT_SUBMITTED: "not through to the ERP yet",
    ExceptionKind.WAITS_IN_ERP: "waits for an approval in the ERP",
    ExceptionKind.RECEIPT_NOT_TAKEN: "booked, and its receipt was not taken",
    ExceptionKind.NO_ERP_TO_ASK: "there is no ERP to ask",
    ExceptionKind.NOT_RUNNING: "no workflow runs",
    ExceptionKind.NOT_IN_LEDGER: "a workflow runs, and its content is not in the ledger",
    ExceptionKind.NOT_ANNOUNCED: "recorded, and never handed to a workflow",
}

BANDS = ("< 15 min", "15–60 min", "1–4 h", "4–24 h", "> 1 day")
"""See `orderack.ports.board.BANDS`."""

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def spelled(word: object) -> str:
    """`in_doubt` → `In doubt`, `erp_receipt` → `ERP receipt`."""
    said = str(word).replace("_", " ")
    return (said[:1].upper() + said[1:]).replace("Erp ", "ERP ").replace(" erp", " ERP")


def stage(name: str) -> str:
    return STAGES.get(name, spelled(name))


def absence(kind: str) -> str:
    return ABSENCES.get(kind, spelled(kind).lower())


def clock(name: str) -> str:
    return CLOCKS.get(name, spelled(name))


def flag(name: str) -> str:
    return FLAGS.get(name, spelled(name))


def reasons(why: str) -> str:
    """Why a review was opened, `new_client, rule`, in the words of the order's own page."""
    first, *others = (flag(name) for name in why.split(", "))
    return ", ".join((first, *(f"{other[:1].lower()}{other[1:]}" for other in others)))


def outcome(name: str) -> str:
    return OUTCOMES.get(name, spelled(name))


def span(time: timedelta) -> str:
    """How long, to about a tenth: `20 s`, `12 min`, `3 h 05`, `4 d`. What is under ten seconds is a moment."""
    seconds = int(abs(time.total_seconds()))
    if seconds < 10:
        return "a moment"
    if seconds < _MINUTE:
        return f"{seconds // 10 * 10} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < 2 * _DAY:
        return f"{seconds // _HOUR} h {seconds % _HOUR // _MINUTE:02}"
    return f"{seconds // _DAY} d"


def ago(at: datetime | None, now: datetime) -> str:
    if at is None:
        return "never"
    return "just now" if abs(now - at) < timedelta(seconds=10) else f"{span(now - at)} ago"


def until(at: datetime, now: datetime) -> str:
    return f"in {span(at - now)}" if at > now else f"{span(now - at)} over"


def seconds(value: float) -> str:
    """A latency: `0.4 s`, `12 s`, `3 min`."""
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 2 * _MINUTE else f"{value / _MINUTE:.0f} min"


def zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def at_clock(at: datetime, here: ZoneInfo, now: datetime) -> str:
    """`14:05`, on another day `Mon 23 Nov 14:05`."""
    local, today = at.astimezone(here), now.astimezone(here)
    return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%a %d %b %H:%M}"


def in_full(at: datetime, here: ZoneInfo) -> str:
    return f"{at.astimezone(here):%a %d %b %Y, %H:%M:%S %Z}"


def money(amount: Decimal | None, currency: str | None) -> str:
    if amount is None or currency is None:
        return ""
    return format_currency(amount, currency, locale="en_GB")


def number(value: Decimal) -> str:
    """`2`, `2.5`, never `2.0000`."""
    return f"{value.normalize():f}"
