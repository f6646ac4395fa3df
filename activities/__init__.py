"""One verb a file: each calls a port and translates its errors. `activities_of` gathers them for a worker."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from activities._outages import Outages as Outages
from activities._owners_told import Telling as ToOwners
from activities.acknowledge import Acknowledge
from activities.answer_source import AnswerSource
from activities.assess import Assess
from activities.cancel_in_erp import CancelInErp
from activities.hand_off import HandOff
from activities.invoice_in_erp import InvoiceInErp
from activities.look import Look
from activities.mail_weekly_report import MailWeeklyReport
from activities.record import Record
from activities.sending import Sending
from activities.submit_to_erp import SubmitToErp
from activities.sweep import Sweep

Activity = Callable[..., object]


def utc_now() -> datetime:
    return datetime.now(UTC)


def for_orders(assess: Assess, hand_off: HandOff, record: Record) -> Sequence[Activity]:
    """The `orders` queue: our own ledger and quick look-ups."""
    return [assess.assess, hand_off.hand_off, record.record]


def for_messaging(acknowledge: Acknowledge) -> Sequence[Activity]:
    """The `messaging` queue: everything that reaches people."""
    return [acknowledge.acknowledge]


def for_erp(
    submit: SubmitToErp, cancel: CancelInErp, invoice: InvoiceInErp, look: Look, sweep: Sweep
) -> Sequence[Activity]:
    """The `erp` queue: everything that changes an ERP, or asks one for long."""
    asks = (look.look_at_erp, sweep.sweep_erp, sweep.sweep_books)
    return [submit.submit_to_erp, cancel.cancel_in_erp, invoice.invoice_in_erp, *asks]


def for_sources(answer: AnswerSource, look: Look, report: MailWeeklyReport) -> Sequence[Activity]:
    """The `sources` queue: the systems that orders come from, and what no order waits for."""
    return [answer.answer_source, look.look_at_source, report.mail_weekly_report]


__all__ = [
    "Acknowledge",
    "AnswerSource",
    "Assess",
    "CancelInErp",
    "HandOff",
    "InvoiceInErp",
    "Look",
    "MailWeeklyReport",
    "Record",
    "Sending",
    "SubmitToErp",
    "Sweep",
    "ToOwners",
    "for_erp",
    "for_messaging",
    "for_orders",
    "for_sources",
    "utc_now",
]
