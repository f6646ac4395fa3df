"""What `make faults` makes of an outcome: a fault that never fired proves nothing, and fails the run."""

from tests.faults.__main__ import COLUMNS, Row, table
from tests.faults.fault import Outcome


def row(**outcome: object) -> Row:
    made = Outcome.model_validate({"fired": 1, "orders": 2} | outcome)
    return Row(name="F0-A", what="nothing", outcome=made, seconds=1.0)


def test_a_fault_that_never_fired_fails_the_run() -> None:
    assert row(fired=0).wrong == ("the fault never fired: the run proves nothing",)
    assert row(fired=1).wrong == ()


def test_what_is_wrong_is_counted_in_the_fault_s_line() -> None:
    lines = table([row(recovery=5.25, in_doubt=1), row(wrong=("1 lost", "1 doubled"), lost=1, doubled=1)]).splitlines()
    assert lines[0].split() == " ".join(COLUMNS).split()
    assert lines[2].split() == ["F0-A", "1", "2", "0", "0", "1", "5.2", "hold"]
    assert lines[3].split() == ["F0-A", "1", "2", "1", "1", "0", "2", "broken"]
