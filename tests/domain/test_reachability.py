"""The rule by which a customer's channels are ranked: what moves a channel, what never does, and what it says."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.domain.reach_words import sentence, span, words_of
from orderack.domain.reachability import (
    ENOUGH,
    UNKNOWN,
    ChannelFigures,
    Reachability,
    Sent,
    figures_of,
    suggestion,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
MAIL, SMS = "sendgrid_email", "twilio_sms"


def sent(
    channel: str = SMS,
    ago: timedelta = 2 * DAY,
    affirmed: float | None = None,
    engaged: float | None = None,
    **more: object,
) -> Sent:
    """A message; answered after so many minutes."""
    at = NOW - ago
    return Sent(
        channel=channel,
        at=at,
        engaged_at=_after(at, engaged if engaged is not None else affirmed),
        affirmed_at=_after(at, affirmed),
        **more,  # type: ignore[arg-type]
    )


def _after(at: datetime, minutes: float | None) -> datetime | None:
    return None if minutes is None else at + minutes * MINUTE


def reach(*messages: Sent, opted_out: tuple[str, ...] = ()) -> Reachability:
    return Reachability(orders=1, channels=figures_of(messages, NOW), opted_out=opted_out)


def only(*messages: Sent) -> ChannelFigures:
    (found,) = figures_of(messages, NOW)
    return found


ages = st.integers(min_value=25, max_value=24 * 360).map(lambda hours: timedelta(hours=hours))
minutes = st.integers(min_value=0, max_value=3_000)


@st.composite
def messages(draw: st.DrawFn, channels: tuple[str, ...] = (MAIL, SMS, "portal")) -> Sent:
    affirmed = draw(st.none() | minutes)
    engaged = affirmed if affirmed is not None else draw(st.none() | minutes)
    return sent(draw(st.sampled_from(channels)), draw(ages), affirmed, engaged, failed=draw(st.booleans()))


histories = st.lists(messages(), max_size=25)
of_sms = st.lists(messages((SMS,)), max_size=25)


def test_one_lucky_message_decides_nothing() -> None:
    found = reach(sent(affirmed=1), *(sent(MAIL) for _ in range(20)))
    assert found.best is None
    assert found.ranked((MAIL, SMS)) == (MAIL, SMS)


def test_three_answered_messages_are_enough_to_go_first() -> None:
    found = reach(*(sent(affirmed=2) for _ in range(ENOUGH)), *(sent(MAIL) for _ in range(20)))
    assert found.ranked((MAIL, "portal", SMS)) == (SMS, MAIL, "portal")


def test_silence_alone_moves_no_channel() -> None:
    assert reach(*(sent(MAIL) for _ in range(50))).ranked((MAIL, SMS)) == (MAIL, SMS)


def test_of_equal_shares_the_sooner_answer_goes_first_and_then_the_policys_order() -> None:
    slow = [sent(MAIL, affirmed=90) for _ in range(4)]
    assert reach(*slow, *(sent(affirmed=2) for _ in range(4))).ranked((MAIL, SMS)) == (SMS, MAIL)
    same = reach(*slow, *(sent(affirmed=90) for _ in range(4)))
    assert same.ranked((MAIL, SMS)) == (MAIL, SMS)
    assert same.ranked((SMS, MAIL)) == (SMS, MAIL)


def test_an_act_counts_half_of_an_affirmation_and_a_read_or_a_delivery_nothing() -> None:
    at = NOW - 2 * DAY
    assert only(*(sent(affirmed=1) for _ in range(4))).answered == pytest.approx(
        2 * only(*(sent(engaged=1) for _ in range(4))).answered
    )
    shown = [Sent(channel=SMS, at=at, delivered_at=at, read_at=at) for _ in range(9)]
    assert (only(*shown).read, only(*shown).answered, only(*shown).standing) == (9, 0, UNKNOWN)


def test_a_message_of_today_says_nothing_until_it_is_answered_or_comes_back() -> None:
    young = timedelta(hours=3)
    assert figures_of([sent(ago=young)], NOW) == ()
    assert only(sent(ago=young, affirmed=1)).messages == 1
    assert only(sent(ago=young, failed=True)).messages == 1


def test_a_channel_whose_address_wants_no_messages_is_never_put_first() -> None:
    answered = [sent(affirmed=1) for _ in range(9)]
    assert reach(*answered).ranked((MAIL, SMS)) == (SMS, MAIL)
    assert reach(*answered, opted_out=(SMS,)).ranked((MAIL, SMS)) == (MAIL, SMS)
    assert reach(*answered, opted_out=(SMS,)).best is None


@pytest.mark.parametrize(("days", "share"), [(0, 0.77), (90, 0.62), (180, 0.45)])
def test_what_was_learned_fades(days: int, share: float) -> None:
    found = only(*(sent(ago=days * DAY, affirmed=1) for _ in range(10)))
    assert found.share == pytest.approx(share, abs=0.006)


def test_three_affirmations_are_forgotten_after_285_days() -> None:
    assert only(*(sent(ago=284 * DAY, affirmed=1) for _ in range(3))).standing < UNKNOWN
    assert only(*(sent(ago=286 * DAY, affirmed=1) for _ in range(3))).standing == UNKNOWN


def test_a_new_habit_is_noticed_after_three_fallbacks() -> None:
    old = [sent(ago=180 * DAY, affirmed=2) for _ in range(10)]
    for new, first in ((2, SMS), (3, MAIL)):
        fallen = [sent(ago=2 * DAY, fell_through=True) for _ in range(new)]
        answered = [sent(MAIL, 2 * DAY, affirmed=5, first=False) for _ in range(new)]
        assert reach(*old, *fallen, *answered).ranked((SMS, MAIL))[0] == first


@given(histories, ages, minutes)
def test_another_affirmed_message_never_lowers_a_channels_share(
    history: list[Sent], ago: timedelta, after: int
) -> None:
    before, more = reach(*history), reach(*history, sent(ago=ago, affirmed=after))
    was, now = before.of(SMS), more.of(SMS)
    assert now is not None
    assert was is None or now.share >= was.share - 1e-6
    assert now.standing[0] <= (was.standing[0] if was else 0)


@given(histories, ages)
def test_an_affirmation_as_quick_as_any_never_lowers_a_channels_place(history: list[Sent], ago: timedelta) -> None:
    order = (MAIL, "portal", SMS)
    before, after = reach(*history), reach(*history, sent(ago=ago, affirmed=0))
    assert after.ranked(order).index(SMS) <= before.ranked(order).index(SMS)


@given(histories, messages((MAIL, "portal")))
def test_a_message_in_vain_by_another_channel_never_lowers_this_ones_place(history: list[Sent], other: Sent) -> None:
    order = (MAIL, "portal", SMS)
    vain = dataclasses.replace(other, engaged_at=None, affirmed_at=None)
    few = sum(one.channel == other.channel for one in history) < ENOUGH
    before, after = reach(*history), reach(*history, vain)
    if few:  # the third message by a channel is what lets it be spoken of at all
        return
    assert after.ranked(order).index(SMS) <= before.ranked(order).index(SMS)


@given(of_sms, st.data())
def test_stronger_evidence_of_a_message_never_lowers_the_share(history: list[Sent], data: st.DataObject) -> None:
    if not history:
        return
    place = data.draw(st.integers(0, len(history) - 1))
    better = list(history)
    better[place] = dataclasses.replace(better[place], affirmed_at=better[place].at + MINUTE)
    assert only(*better).share >= only(*history).share


@given(histories, st.randoms())
def test_the_order_in_which_messages_are_read_makes_no_difference(history: list[Sent], dice: object) -> None:
    mixed = list(history)
    dice.shuffle(mixed)  # type: ignore[attr-defined]
    assert figures_of(mixed, NOW) == figures_of(history, NOW)


@given(histories, st.permutations((MAIL, SMS, "portal", "line")))
def test_ranking_keeps_every_channel_and_adds_none(history: list[Sent], leg: list[str]) -> None:
    found = reach(*history)
    ranked = found.ranked(leg)
    assert sorted(ranked) == sorted(leg)
    assert found.ranked(ranked) == ranked
    unknown = [name for name in leg if found.standing(name) == UNKNOWN]
    assert [name for name in ranked if name in unknown] == unknown


@given(histories)
def test_figures_survive_being_stored(history: list[Sent]) -> None:
    found = reach(*history)
    again = Reachability.model_validate_json(found.model_dump_json())
    assert again == found
    assert again.ranked((MAIL, "portal", SMS)) == found.ranked((MAIL, "portal", SMS))


def test_a_suggestion_says_what_it_rests_on() -> None:
    hint = suggestion(
        reach(*(sent(affirmed=2, first=False) for _ in range(5)), sent(first=False), *(sent(MAIL) for _ in range(9)))
    )
    assert hint is not None
    assert sentence(hint) == (
        "twilio_sms reaches them better than sendgrid_email: 5 of 6 messages by twilio_sms were affirmed, half of the "
        "answers within 2 min; none of 9 messages by sendgrid_email was answered."
    )


def test_where_the_usual_channel_is_the_best_there_is_nothing_to_suggest() -> None:
    assert suggestion(reach(*(sent(MAIL, affirmed=2) for _ in range(5)))) is None
    assert suggestion(reach(*(sent(MAIL) for _ in range(5)))) is None
    assert suggestion(reach()) is None


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (
            [sent(engaged=1) for _ in range(2)],
            "2 of 2 messages by twilio_sms were acted on and none affirmed, half of the answers within 1 min",
        ),
        (
            [sent(affirmed=300), sent(engaged=300), sent()],
            "1 of 3 messages by twilio_sms were affirmed, 1 more acted on, half of the answers within 5 h",
        ),
    ],
)
def test_acts_and_affirmations_are_told_apart(given_: list[Sent], said: str) -> None:
    assert words_of(only(*given_)) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (7_100, "118 min"), (7_200, "2 h"), (172_800, "2 d")],
)
def test_spans_are_said_in_whole_units(seconds: float, said: str) -> None:
    assert span(seconds) == said
