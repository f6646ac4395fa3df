"""The conformance table can fail: a failed test, a demand without a test, and a test that no column knows."""

from pathlib import Path

import pytest

from tests.conformance.table import Tally, platform

CASE = '<testcase classname="tests.channels.test_slack.TestSlack" name="{name}">{end}</testcase>'
SENT = (
    *("test_an_accepted_send_returns_the_providers_id", "test_every_documented_refusal_has_our_reason"),
    *("test_throttling_is_unavailable_until_the_time_it_names[a]", "test_a_provider_that_is_down_is_unavailable"),
    *("test_cut_off_after_sending_is_in_doubt", "test_the_same_key_twice_is_the_same_request_byte_for_byte"),
)
TOLD = (
    *("test_every_vendor_status_has_our_meaning_and_grade", "test_the_same_callback_twice_has_the_same_event_id"),
    *("test_one_changed_byte_breaks_the_signature", "test_an_old_or_early_signature_is_refused"),
)


@pytest.fixture
def tally(tmp_path: Path):
    def counted(passed: tuple[str, ...], failed: tuple[str, ...] = ()) -> Tally:
        cases = [CASE.format(name=name, end="") for name in passed]
        cases += [CASE.format(name=name, end="<failure/>") for name in failed]
        junit = tmp_path / "junit.xml"
        junit.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
        return Tally(junit)

    return counted


def test_a_channel_that_does_all_that_is_demanded_is_well(tally) -> None:
    row = platform("slack", tally(SENT + TOLD))
    assert row.well
    assert row.tests == len(SENT + TOLD)
    assert row.event_kinds == ("affirmed",)


@pytest.mark.parametrize("missing", SENT + TOLD)
def test_a_demand_without_a_test_is_missing(tally, missing: str) -> None:
    row = platform("slack", tally(tuple(name for name in SENT + TOLD if name != missing)))
    assert not row.well
    assert "MISSING" in [str(cell) for cell in row.cells.values()]


@pytest.mark.parametrize("failed", [*SENT, *TOLD, "test_a_thing_that_only_slack_does"])
def test_a_failed_test_is_shown_wherever_it_belongs(tally, failed: str) -> None:
    row = platform("slack", tally(SENT + TOLD, (failed,)))
    assert not row.well
    assert "FAILED 1" in [str(cell) for cell in row.cells.values()]
