"""The doctor over orderack's own ledger: what its rows come to."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from orderack.diagnostics.gap.from_ledger import diagnose_rows
from orderack.diagnostics.gap.verdict import Verdict
from orderack.domain.order import OrderRef
from orderack.errors import InvalidInput
from orderack.ledger.gap_times import GapTimes

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def rows(count: int, receipt: float = 300.0) -> list[GapTimes]:
    """Gated orders, one every twenty minutes; each seventh is never booked."""
    random = np.random.default_rng(1)
    made = []
    for place in range(count):
        at = NOW + timedelta(minutes=20 * place)
        booked = at + timedelta(seconds=receipt * float(random.lognormal(0, 0.1))) if place % 7 else None
        made.append(
            GapTimes(
                ref=OrderRef(store="demo", number=f"{place}"),
                source="storefront",
                trigger_at=at,
                received_at=at + timedelta(seconds=1),
                submitted_to_erp_at=at + timedelta(seconds=3),
                erp_receipt_at=booked,
                confirmed_at=booked + timedelta(seconds=float(random.uniform(1, 4))) if booked else None,
                quantities={"MUG": Decimal(2)},
            )
        )
    return made


def test_orders_that_wait_for_the_receipt_show_the_erps_queue_by_their_stages() -> None:
    found = diagnose_rows(rows(700)).diagnosis
    assert found.verdict is Verdict.ERP_QUEUE
    assert found.ruling.stages is not None
    assert found.ruling.stages.first.median.value == 3
    assert found.signals.confirmed_before_receipt == 0
    assert found.signals.not_in_erp == 99 + 1 - found.signals.too_recent - found.signals.before_erp_log
    assert found.signals.unseen_unit == "units"


def test_an_order_that_a_person_decided_about_is_neither_a_delay_nor_missing() -> None:
    plain = rows(700)
    late = plain[0].trigger_at + timedelta(hours=4)
    waited = [
        row.model_copy(update={"ref": OrderRef(store="demo", number=f"r{place}"), "held": True})
        for place, row in enumerate(plain)
    ]
    waited = [
        row.model_copy(update={"submitted_to_erp_at": None if place % 2 else late, "erp_receipt_at": None})
        for place, row in enumerate(waited)
    ]
    found, without = diagnose_rows([*plain, *waited]).diagnosis, diagnose_rows(plain).diagnosis
    assert (found.ruling, found.signals) == (without.ruling, without.signals)
    assert "Left out: 700 orders that a person decided about" in " ".join(found.notes)
    assert "Left out" not in " ".join(without.notes)


def test_the_ledger_has_to_have_orders_with_receipts() -> None:
    with pytest.raises(InvalidInput, match="no order of that time"):
        diagnose_rows([])
