"""How buyers were reached, in words (docs/reachability.md)."""

from collections.abc import Iterator

from orderack.diagnostics.weekly import words
from orderack.diagnostics.weekly.statistics import Share
from orderack.diagnostics.wording import counted, duration
from orderack.domain.reach_words import sentence
from orderack.domain.reachability import ChannelFigures, ReachReport

COLUMNS = ("channel", "messages", "delivered", "read", "affirmed", "half affirmed within")


def row(one: ChannelFigures) -> tuple[str, ...]:
    """One channel's figures of the week, under `COLUMNS`."""
    shares = (words.share(Share(hits=hits, of=one.messages)) for hits in (one.delivered, one.read, one.affirmed))
    within = duration(one.affirmed_after) if one.affirmed_after is not None else words.NOTHING
    return (one.channel, str(one.messages), *shares, within)


def said(one: ChannelFigures) -> str:
    """The same in a line: `smtp_email: 12 messages, delivered 83.3 % (10/12), …`."""
    name, _, delivered, read, affirmed, within = row(one)
    soon = "" if one.affirmed_after is None else f", half of those within {within}"
    return f"{name}: {counted(one.messages, 'message')}, delivered {delivered}, read {read}, affirmed {affirmed}{soon}"


def suggestions(reach: ReachReport) -> Iterator[str]:
    """How many customers would be reached better otherwise, and the clearest of them."""
    if not reach.customers:
        return
    customers = words.which(reach.customers, "customer", "who was", "who were")
    yield (
        f"Of {customers} written to, {reach.suggestions} would be reached better by another channel; "
        f"enough is known of {reach.known}."
    )
    for one in reach.strongest:
        yield f"{one.customer_id or 'a customer without an id'}: {sentence(one.suggestion)}"
