"""The comparison: each planted difference is found once, by its kind and with both values; and nothing else is."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from orderack.diagnostics.shadow.compare import KIND_OF, compare
from orderack.diagnostics.shadow.gate import Wanted, ask
from orderack.diagnostics.shadow.page import page
from orderack.diagnostics.shadow.report import REMEDIES, TITLES, Difference, Report, Terms, times
from orderack.domain.acknowledgement import Kind
from orderack.domain.shadow import Figures
from orderack.ledger.shadow import Verdict
from orderack.ledger.shadow_facts import Kept, Old, ShadowFacts, ShadowOrder

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NOW = T0 + timedelta(days=1)
SAYS = Figures(total=Decimal("20.00"), currency="EUR", lines=2, promise_on=date(2026, 3, 5))


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def order(number: str = "1", booked: float | None = 10, **more: object) -> ShadowOrder:
    times_ = {} if booked is None else {1: after(booked)}
    made = ShadowOrder(number=number, trigger_at=T0, stage="handed_off", booked=times_, taken=frozenset(times_))
    return made.model_copy(update=more)


def ours(kind: Kind, at: float, number: str = "1", **more: object) -> Kept:
    made = Kept(number=number, kind=kind, revision=1, n=1, channel="mail", at=after(at), figures=SAYS)
    return made.model_copy(update=more)


def theirs(kind: Kind | None, at: float, number: str = "1", **more: object) -> Old:
    made = Old(
        id=f"{number}-{kind}-{at}",
        number=number,
        kind=kind,
        said=str(kind),
        at=after(at),
        channel="shopmail",
        figures=SAYS,
    )
    return made.model_copy(update=more)


RECEIVED, CONFIRMED = Kind.RECEIVED, Kind.CONFIRMATION
OURS = (ours(RECEIVED, 1), ours(CONFIRMED, 12))
THEIRS = (theirs(RECEIVED, 2), theirs(CONFIRMED, 14))
ALIKE = ShadowFacts(store="north", orders=(order(),), kept=OURS, old=THEIRS)


def found(facts: ShadowFacts, **terms: timedelta) -> Report:
    return compare(facts, Terms(**terms), NOW)


def only(facts: ShadowFacts) -> tuple[str, str, str, str]:
    (one,) = found(facts).discrepancies
    return one.kind, one.order, one.ours, one.old


def but(**change: object) -> ShadowFacts:
    return ALIKE.model_copy(update=change)


def test_two_flows_that_do_the_same_differ_in_nothing() -> None:
    report = found(ALIKE)
    assert (report.orders, report.alike, report.discrepancies) == (1, 1, ())


def test_an_old_confirmation_before_the_receipt_is_that_and_not_a_matter_of_time_too() -> None:
    kind, number, booked, old = only(but(old=(THEIRS[0], theirs(CONFIRMED, 3)), orders=(order(booked=900),), kept=LATE))
    assert (kind, number) == (Difference.OLD_BEFORE_RECEIPT, "1")
    assert "booked 2026-03-02 09:15:00 UTC" in booked
    assert "by shopmail, 3.0 s after the order" in old


LATE = (OURS[0], ours(CONFIRMED, 905))


def test_an_order_that_was_never_booked_was_confirmed_before_its_receipt() -> None:
    kind, _, booked, _ = _first(but(orders=(order(booked=None),), kept=OURS[:1]))
    assert (kind, booked) == (Difference.OLD_BEFORE_RECEIPT, "never booked")


def _first(facts: ShadowFacts) -> tuple[str, str, str, str]:
    one = found(facts).discrepancies[0]
    return one.kind, one.order, one.ours, one.old


@pytest.mark.parametrize("booked", [None, 12.5])
def test_a_confirmation_of_ours_before_the_receipt_is_found_by_what_was_kept(booked: float | None) -> None:
    report = found(but(orders=(order(booked=booked),)))
    assert report.ours_before_receipt == 1
    assert any("before the ERP's receipt" in reason for reason in ask(report, Wanted(orders=1)).reasons)


def test_a_receipt_that_our_order_has_not_taken_lets_us_confirm_nothing() -> None:
    report = found(but(orders=(order(taken=frozenset()),)))
    assert [one.kind for one in report.discrepancies] == [Difference.OURS_BEFORE_RECEIPT]


def test_what_only_the_old_flow_sent_says_why_we_would_not_have() -> None:
    held = order(held_for="high_value", stage="review")
    kind, _, why, old = only(but(orders=(held,), kept=OURS[:1]))
    assert (kind, why) == (Difference.OLD_ONLY, "held for a person: high_value")
    assert "shopmail" in old


def test_what_only_we_would_have_sent_is_named_with_its_order() -> None:
    other = (order("2"), (ours(RECEIVED, 1, "2"), ours(CONFIRMED, 12, "2")), (theirs(RECEIVED, 2, "2"),))
    facts = but(orders=(order(), other[0]), kept=(*OURS, *other[1]), old=(*THEIRS, *other[2]))
    assert only(facts)[:2] == (Difference.OURS_ONLY, "2")


def test_a_message_that_the_old_flow_does_not_have_is_one_finding_for_the_store() -> None:
    orders = [order(str(n)) for n in range(50)]
    kept = [ours(k, at, o.number) for o in orders for k, at in ((RECEIVED, 1.0), (CONFIRMED, 12.0))]
    old = [theirs(CONFIRMED, 14, o.number) for o in orders]
    facts = but(orders=tuple(orders), kept=tuple(kept), old=tuple(old))
    (one,) = found(facts).discrepancies
    assert (one.kind, one.message, one.order) == (Difference.NEVER_BY_OLD, RECEIVED, "")
    assert one.ours.startswith("50 orders")


@pytest.mark.parametrize(("at", "kind"), [(200, Difference.LATER), (130, Difference.EARLIER)])
def test_further_apart_than_the_budget_is_later_or_earlier(at: float, kind: Difference) -> None:
    old_at = 120 if kind is Difference.LATER else 200
    facts = but(kept=(OURS[0], ours(CONFIRMED, at)), old=(THEIRS[0], theirs(CONFIRMED, old_at)))
    assert only(facts)[0] == kind
    assert found(facts, budget=timedelta(minutes=2)).discrepancies == ()


@pytest.mark.parametrize(
    ("figure", "value", "kind", "said"),
    [
        ("total", Decimal("24.90"), Difference.TOTAL, ("20.00 EUR", "24.90 EUR")),
        ("currency", "USD", Difference.TOTAL, ("20.00 EUR", "20.00 USD")),
        ("lines", 3, Difference.LINES, ("2", "3")),
        ("promise_on", date(2026, 3, 4), Difference.PROMISE, ("2026-03-05", "2026-03-04")),
    ],
)
def test_other_figures_are_named_with_both_values(
    figure: str, value: object, kind: Difference, said: tuple[str, str]
) -> None:
    figures = SAYS.model_copy(update={figure: value})
    assert only(but(old=(THEIRS[0], theirs(CONFIRMED, 14, figures=figures)))) == (kind, "1", *said)


def test_figures_that_the_old_flow_does_not_tell_are_not_compared() -> None:
    assert found(but(old=tuple(one.model_copy(update={"figures": Figures()}) for one in THEIRS))).discrepancies == ()
    same = SAYS.model_copy(update={"total": Decimal("20")})
    assert found(but(old=tuple(one.model_copy(update={"figures": same}) for one in THEIRS))).discrepancies == ()


def test_an_order_that_one_side_never_saw_is_found_on_either() -> None:
    lost = (order("2"), (ours(RECEIVED, 1, "2"),))
    facts = but(orders=(order(), lost[0]), kept=(*OURS, *lost[1]), old=(*THEIRS, theirs(CONFIRMED, 9, "3")))
    assert [(one.kind, one.order) for one in found(facts).discrepancies] == [
        (Difference.UNKNOWN_THERE, "2"),
        (Difference.UNKNOWN_HERE, "3"),
    ]


def test_a_live_orders_buyer_who_hears_from_both_is_told_twice() -> None:
    facts = but(live=frozenset({"9"}), old=(*THEIRS, theirs(CONFIRMED, 9, "9")))
    assert only(facts)[:2] == (Difference.TOLD_TWICE, "9")


def test_orders_of_before_the_time_that_is_looked_at_are_not_unknown() -> None:
    assert found(but(before=frozenset({"7"}), old=(*THEIRS, theirs(CONFIRMED, 9, "7")))).discrepancies == ()


def test_young_orders_and_messages_are_left_for_later() -> None:
    young = order("2", trigger_at=NOW - timedelta(minutes=1))
    report = found(but(orders=(order(), young)))
    assert (report.orders, report.young, report.discrepancies) == (1, 1, ())
    late = but(old=(*THEIRS, theirs(Kind.UPDATE, 86_000)))
    assert found(late).discrepancies == ()
    assert only_kind(late, settle=timedelta(0)) == Difference.OLD_ONLY


def only_kind(facts: ShadowFacts, **terms: timedelta) -> Difference:
    (one,) = found(facts, **terms).discrepancies
    return one.kind


def test_one_message_by_several_channels_is_one_on_either_side() -> None:
    kept = (*OURS, ours(CONFIRMED, 13, channel="sms"))
    old = (*THEIRS, theirs(CONFIRMED, 20, channel="sms"))
    assert found(but(kept=kept, old=old)).discrepancies == ()
    twice = (*THEIRS, theirs(CONFIRMED, 20))
    assert only(but(old=twice))[0] == Difference.OLD_ONLY, "twice by the same channel is two"


def test_what_is_none_of_our_kinds_is_compared_with_nothing() -> None:
    assert found(but(old=(*THEIRS, theirs(None, 500)))).discrepancies == ()


def test_the_same_finding_has_the_same_id_whenever_and_with_whatever_else_it_is_found() -> None:
    wrong = SAYS.model_copy(update={"lines": 3})
    facts = but(old=(THEIRS[0], theirs(CONFIRMED, 14, figures=wrong)))
    (one,) = found(facts).discrepancies
    later = compare(facts, Terms(settle=timedelta(0)), NOW + timedelta(days=3))
    assert [again.id for again in later.discrepancies] == [one.id]
    more = but(old=(theirs(CONFIRMED, 14, figures=wrong.model_copy(update={"lines": 4})), THEIRS[0]))
    (other,) = found(more).discrepancies
    assert other.id != one.id, "another value is another discrepancy"


# -- verdicts and the gate --------------------------------------------------------------------------------------------


def verdict(subject: str, *, until: datetime | None = None) -> Verdict:
    return Verdict(subject=subject, verdict="waived", by="grace", at=T0, note="known", expires_at=until)


def test_a_verdict_on_it_or_on_its_kind_closes_it_until_it_expires() -> None:
    facts = but(old=())
    facts = facts.model_copy(update={"old": (theirs(RECEIVED, 2, "2"),)})
    (here, there) = sorted(found(facts).discrepancies, key=lambda one: one.kind)
    assert {here.kind, there.kind} == {Difference.UNKNOWN_HERE, Difference.UNKNOWN_THERE}
    one = facts.model_copy(update={"verdicts": (verdict(here.id),)})
    assert [left.id for left in found(one).open] == [there.id]
    kind = verdict(f"{KIND_OF}{there.kind}", until=NOW + timedelta(hours=1))
    both = facts.model_copy(update={"verdicts": (verdict(here.id), kind)})
    assert found(both).open == ()
    assert [left.id for left in compare(both, Terms(), NOW + timedelta(hours=2)).open] == [there.id]


def test_the_gate_names_every_reason_at_once() -> None:
    slow = but(kept=(ours(RECEIVED, 90), OURS[1]), orders=(order(),))
    answer = ask(found(slow), Wanted())
    assert not answer.allowed
    assert "499 more needed" in answer.reasons[0]
    assert "the first word took 12.0 s" not in " ".join(answer.reasons)
    very_slow = but(kept=(ours(RECEIVED, 90), ours(CONFIRMED, 95)), old=(theirs(RECEIVED, 91), theirs(CONFIRMED, 96)))
    reasons = ask(found(very_slow), Wanted(orders=1)).reasons
    assert reasons == ("the first word took 90.0 s at the 95th percentile: more than 60 s",)
    assert ask(found(ALIKE), Wanted(orders=1)).allowed


def test_orders_that_would_have_heard_nothing_count_as_never_in_the_percentile() -> None:
    silent = but(kept=(), old=THEIRS)
    report = found(silent)
    assert (report.untold, report.first_word.p95) == (1, None)
    assert any("no word at all" in reason for reason in ask(report, Wanted(orders=1)).reasons)
    withheld = silent.model_copy(update={"orders": (order(withheld=True, held_for="high_value"),)})
    assert found(withheld).untold == 0, "a withheld order is owed no word at once"


def test_percentiles_are_of_the_nearest_rank() -> None:
    assert times(range(1, 101)).model_dump() == {"orders": 100, "p50": 50, "p95": 95}
    assert times([3.0]).model_dump() == {"orders": 1, "p50": 3.0, "p95": 3.0}
    assert times([1.0] * 95, never=5).p95 == 1.0
    assert times([1.0] * 94, never=6).p95 is None
    assert times([]).model_dump() == {"orders": 0, "p50": None, "p95": None}


def test_every_kind_has_its_words() -> None:
    assert set(TITLES) == set(REMEDIES) == set(Difference)


def test_the_page_needs_nothing_else_and_takes_nothing_for_markup() -> None:
    hostile = "<script>alert(1)</script>"
    facts = but(old=(*THEIRS, theirs(CONFIRMED, 9, hostile)), store=hostile)
    report = found(facts)
    made = page(report, ask(report, Wanted()))
    assert "<script" not in made
    assert "&lt;script&gt;" in made
    assert "http" not in made
    assert report.discrepancies[0].id in made
    assert made == page(report, ask(report, Wanted()))
