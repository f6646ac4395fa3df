"""An order's content from its own history: from every recorded story, those that were continued as new among them."""

import pytest

from orderack.temporal.recalled import payloads_of, revisions_in
from tests.replay.histories import recorded

HISTORIES = recorded()
UNASSESSED = {"cancelled_before_its_assessment"}
"""Stories in which no order was ever assessed."""


@pytest.mark.parametrize("name", HISTORIES)
def test_what_was_assessed_in_a_run_is_found_in_its_history_whole(name: str) -> None:
    events = HISTORIES[name].events
    found = revisions_in([payload for event in events for payload in payloads_of(event)])
    assert found or name in UNASSESSED
    assert all(order.content_hash == assessment.content_hash for order, assessment in found)
    assert [assessment.revision for _, assessment in found] == sorted({a.revision for _, a in found})


def test_a_run_that_was_continued_as_new_knows_the_revision_that_it_began_with() -> None:
    events = HISTORIES["continued_as_new-2"].events
    assert revisions_in([payload for event in events[:1] for payload in payloads_of(event)])
