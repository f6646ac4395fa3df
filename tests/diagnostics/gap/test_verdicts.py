"""The doctor names the cause of made-up shops' gaps, or refuses: a few of each, and in the long form a hundred."""

from collections import Counter

import pytest

from tests.diagnostics.gap.confusion import TOO_FEW, TRUTHS, cases, right, said

SHORT = tuple(cases(range(300, 303), most=2_000))
LONG = range(5_000, 5_100)


@pytest.mark.parametrize("case", SHORT, ids=lambda case: f"{case[0]}-{case[1]}".replace(" ", "-"))
def test_the_cause_of_a_made_up_shops_gap_is_named_or_rightly_not(case: tuple[str, int, int]) -> None:
    verdict, story = said(case)
    assert right(case[0], verdict), f"{verdict}: {story}"


def test_only_a_refusal_is_right_with_too_few_and_only_the_cause_with_enough() -> None:
    assert [right(TOO_FEW, "refused"), right("trigger", "trigger")] == [True, True]
    assert [right(TOO_FEW, "trigger"), right("trigger", "refused"), right("mixed", "trigger")] == [False] * 3


@pytest.mark.long
@pytest.mark.parametrize("truth", [*TRUTHS, TOO_FEW])
def test_of_a_hundred_shops_of_each_cause_at_least_ninety_five_are_told_rightly(truth: str) -> None:
    found = {case: said(case) for case in cases(LONG) if case[0] == truth}
    wrong = {case: answer for case, answer in found.items() if not right(truth, answer[0])}
    assert len(found) == len(LONG)
    assert len(wrong) <= 0.05 * len(found), (Counter(verdict for verdict, _ in wrong.values()), wrong)
