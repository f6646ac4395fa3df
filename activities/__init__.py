"""One verb a file: each calls a port and translates its errors. `activities_of` gathers them for a worker."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from activities.acknowledge import Acknowledge
from activities.assess import Assess
from activities.cancel_in_erp import CancelInErp
from activities.hand_off import HandOff
from activities.record import Record
from activities.sending import Sending
from activities.submit_to_erp import SubmitToErp

Activity = Callable[..., object]


def utc_now() -> datetime:
    return datetime.now(UTC)


def for_orders(assess: Assess, hand_off: HandOff, record: Record) -> Sequence[Activity]:
    """The `orders` queue: our own ledger and quick look-ups."""
    return [assess.assess, hand_off.hand_off, record.record]


def for_messaging(acknowledge: Acknowledge) -> Sequence[Activity]:
    """The `messaging` queue: everything that reaches people."""
    return [acknowledge.acknowledge]


def for_erp(submit: SubmitToErp, cancel: CancelInErp) -> Sequence[Activity]:
    """The `erp` queue: everything that changes an ERP."""
    return [submit.submit_to_erp, cancel.cancel_in_erp]


__all__ = [
    "Acknowledge",
    "Assess",
    "CancelInErp",
    "HandOff",
    "Record",
    "Sending",
    "SubmitToErp",
    "for_erp",
    "for_messaging",
    "for_orders",
    "utc_now",
]
