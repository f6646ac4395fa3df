"""A sentence that was altered alone, its manifest made anew, is found by writing the pack again from its chain."""

from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from orderack.dispute import verifier
from orderack.dispute.pack import members
from orderack.dispute.wording import reworded
from orderack.ledger.record import OrderRecord
from orderack.ledger.repository import SqlLedger
from tests.dispute.conftest import EXPORTED, Files, report_on
from tests.dispute.test_verifier import resealed


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_a_pack_as_exported_is_written_alike_again(zone: str, record: OrderRecord) -> None:
    assert reworded(members(record, ZoneInfo(zone), EXPORTED)) == []


async def test_the_pack_of_an_erased_order_is_too(story: SqlLedger, record: OrderRecord) -> None:
    await story.erase(record.ref, "grace", "asked by the buyer", EXPORTED)
    erased = await story.order_record(record.ref)
    assert erased
    assert reworded(members(erased, UTC, EXPORTED)) == []


@pytest.mark.parametrize("names", [(verifier.TIMELINE,), (verifier.TIMELINE, verifier.MESSAGES)])
def test_a_sentence_that_says_more_is_found_though_everything_else_holds(
    names: tuple[str, ...], files: Files, tmp_path: Path
) -> None:
    said = b"No evidence that a person opened it"
    assert said in files[names[0]]
    altered = resealed({**files, **{name: files[name].replace(said, b"It was read by a person") for name in names}})
    if len(names) > 1:
        assert report_on(altered, tmp_path).problems == []
    assert set(names) <= set(reworded(altered))


def test_a_pack_from_before_zones_were_named_cannot_be_compared(files: Files) -> None:
    with pytest.raises(ValueError, match="time zone"):
        reworded({**files, verifier.MANIFEST: b"{}"})
