"""The gate before the cutover: what has to hold before the first order of a shadow store goes live (R167–R169)."""

from collections.abc import Iterator
from datetime import timedelta

from orderack.diagnostics.shadow.report import TITLES, Report
from orderack.domain.order import Text
from orderack.domain.value import Value


class Wanted(Value):
    """What the cutover asks for."""

    orders: int = 500
    """The baseline that S3 asks for (R175)."""
    p95: timedelta = timedelta(seconds=60)
    """To the first word, of orders that were owed one at once."""


class Answer(Value):
    """Whether the store may go live, and everything that speaks against it."""

    allowed: bool
    reasons: tuple[Text, ...] = ()
    orders: int
    ours_before_receipt: int
    old_before_receipt: int
    p95: float | None
    resolved: int
    waived: int


def ask(report: Report, wanted: Wanted) -> Answer:
    """Every reason at once: who mends one must not meet the next one only then."""
    reasons = tuple(_reasons(report, wanted))
    verdicts = [found.verdict.verdict for found in report.discrepancies if found.verdict]
    return Answer(
        allowed=not reasons,
        reasons=reasons,
        orders=report.orders,
        ours_before_receipt=report.ours_before_receipt,
        old_before_receipt=report.old_before_receipt,
        p95=report.first_word.p95,
        resolved=verdicts.count("resolved"),
        waived=verdicts.count("waived"),
    )


def _reasons(report: Report, wanted: Wanted) -> Iterator[str]:
    if report.orders < wanted.orders:
        more = wanted.orders - report.orders
        young = f" ({report.young} are too young to be compared)" if report.young else ""
        yield f"{report.orders} shadow orders were compared: {more} more needed{young}"
    if report.ours_before_receipt:
        yield f"{report.ours_before_receipt} confirmations of ours would have gone out before the ERP's receipt"
    budget, p95 = wanted.p95.total_seconds(), report.first_word.p95
    if report.orders and p95 is None:
        yield f"no p95 of the first word can be told: {report.untold} orders would have had no word at all"
    elif p95 is not None and p95 > budget:
        yield f"the first word took {p95:.1f} s at the 95th percentile: more than {budget:g} s"
    for found in report.open:
        about = " ".join(filter(None, (found.order, (found.message or "").replace("_", " "))))
        yield f"{found.id} {about}: {TITLES[found.kind]} (ours: {found.ours}; old: {found.old})"
