"""Sentences about how a customer is reached, made of the figures and saying no more than they do."""

from orderack.domain.order import Text
from orderack.domain.reachability import ChannelFigures, Suggestion

_UNITS = (("d", 86_400, 2), ("h", 3_600, 2), ("min", 60, 1), ("s", 1, 0))
"""Unit, its seconds, from how many of it on it is used."""


def span(seconds: float) -> Text:
    """`40 s`, `2 min`, `3 h`, `5 d`: rounded to whole ones."""
    unit, size = next((unit, size) for unit, size, least in _UNITS if seconds >= least * size)
    return f"{round(seconds / size)} {unit}"


def words_of(figures: ChannelFigures) -> Text:
    """`5 of 6 messages by twilio_sms were affirmed, half of the answers within 2 min`."""
    all_, channel, acted = figures.messages, figures.channel, figures.engaged - figures.affirmed
    if not figures.engaged:
        return f"none of {all_} messages by {channel} was answered"
    soon = "" if figures.answered_after is None else f", half of the answers within {span(figures.answered_after)}"
    if not figures.affirmed:
        return f"{acted} of {all_} messages by {channel} were acted on and none affirmed{soon}"
    more = f", {acted} more acted on" if acted else ""
    return f"{figures.affirmed} of {all_} messages by {channel} were affirmed{more}{soon}"


def sentence(found: Suggestion) -> Text:
    """Why the customer would be reached better by another channel."""
    best, usual = found.best, found.instead_of
    return f"{best.channel} reaches them better than {usual.channel}: {words_of(best)}; {words_of(usual)}."
