"""What must hold of any touch in any company."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.domain.evidence import Grade
from orderack.touches import Touch, What, classify
from orderack.touches.networks import NETWORKS
from tests.touches.test_corpus import CASES, DELIVERED

AGENTS = sorted({case.agent for case in CASES} | {""})
ADDRESSES = sorted({case.address for case in CASES} | {"", "not an address"})

touches = st.builds(
    Touch,
    send_key=st.just("demo/1/1/confirmation/1/sendgrid_email"),
    what=st.sampled_from(What),
    method=st.sampled_from(["GET", "HEAD"]),
    address=st.sampled_from(ADDRESSES),
    user_agent=st.sampled_from(AGENTS) | st.text(max_size=40),
    headers=st.dictionaries(st.sampled_from(["sec-purpose", "purpose"]), st.sampled_from(["prefetch", ""]), max_size=1),
    at=st.floats(-30, 90).map(lambda seconds: DELIVERED + timedelta(seconds=seconds)),
)


@given(touches, st.lists(touches, max_size=6).flatmap(lambda many: st.tuples(st.just(many), st.permutations(many))))
def test_the_order_in_which_the_others_come_means_nothing(
    touch: Touch, orders: tuple[list[Touch], list[Touch]]
) -> None:
    one, other = orders
    assert classify(touch, one, DELIVERED) == classify(touch, other, DELIVERED)


@given(touches, st.lists(touches, max_size=6), touches)
def test_another_touch_never_turns_a_machines_into_a_persons(touch: Touch, others: list[Touch], more: Touch) -> None:
    before, after = classify(touch, others, DELIVERED), classify(touch, [*others, more], DELIVERED)
    assert set(before.reasons) <= set(after.reasons)


@given(touches, st.lists(touches, max_size=6))
def test_a_get_is_never_more_than_probably_a_person(touch: Touch, others: list[Touch]) -> None:
    verdict = classify(touch, others, DELIVERED)
    assert verdict.grade in (Grade.M, Grade.E3P)
    assert verdict.machine == (verdict.grade is Grade.M)


@given(touches, st.lists(touches, max_size=6))
def test_the_same_touch_told_twice_changes_nothing(touch: Touch, others: list[Touch]) -> None:
    assert classify(touch, [*others, *others], DELIVERED) == classify(touch, others, DELIVERED)


def test_like_touches_are_one_and_unlike_ones_are_not() -> None:
    one = CASES[0].touch
    assert one.id == one.model_copy(update={"at": DELIVERED, "headers": {"purpose": "prefetch"}}).id
    others = {"send_key": "x", "what": What.SHOP, "method": "HEAD", "address": "203.0.113.9", "user_agent": "x"}
    assert len({one.id, *(one.model_copy(update={name: value}).id for name, value in others.items())}) == 6


@pytest.mark.parametrize("reason", NETWORKS)
def test_no_network_of_the_table_is_private_or_reaches_too_far(reason: str) -> None:
    for network in NETWORKS[reason]:  # type: ignore[index]
        assert network.is_global, network
        assert network.prefixlen >= 9, network
