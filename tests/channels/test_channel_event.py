"""What every channel's reports have in common."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.ports import ChannelEvent

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (NOON.replace(tzinfo=None), NOON),
        (NOON, NOON),
        (NOON.replace(tzinfo=timezone(timedelta(hours=2))), NOON.replace(hour=10)),
    ],
    ids=["no zone", "UTC", "another zone"],
)
def test_a_time_compares_with_ours_whether_or_not_its_provider_names_a_zone(said: datetime, meant: datetime) -> None:
    event = ChannelEvent(id="1", event=EvidenceEvent.DELIVERED, grade=Grade.E2, occurred_at=said)
    assert event.occurred_at == meant
    assert event.occurred_at.tzinfo
