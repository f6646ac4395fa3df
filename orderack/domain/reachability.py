"""By which channel a customer is reached: what became of the messages to them, and what may be learned from that.

The rule (R130; docs/reachability.md says why):

1. A message by a channel counts once somebody answered it, or when a day is over without an answer.
2. Affirmed counts 1; acted upon or replied to (E4) counts ½; anything else, a fetched image too, counts nothing.
3. What is 90 days old counts half, 180 days a quarter, and so on.
4. A channel's share is what counts divided by its messages plus three: as if three more had gone unanswered, so that
   one lucky message decides nothing. Under three messages nothing is said of it.
5. Shares in the same tenth are equal; then the shorter time to the answer goes first, and then the policy's order.
   A share under a tenth teaches nothing: silence alone never moves a channel.
"""

import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orderack.domain.order import Name
from orderack.domain.value import Value

ENOUGH = 3
"""Messages by a channel from which something may be said of it."""

DOUBT = 3.0
"""Messages that every channel is taken to have sent in vain, besides those it sent."""

ENGAGED_COUNTS = 0.5
"""Beside an affirmation's 1: somebody was there, and did not say that they have it."""

HALF_LIFE = timedelta(days=90)
"""In this time evidence loses half of its weight: habits change, and what is learned keeps others from being tried."""

LOOK_BACK = timedelta(days=365)
MOST = 50
"""Of a customer's orders, and of the messages about them: the newest."""

SETTLES_IN = timedelta(days=1)
"""How long an answer is waited for before a message counts as unanswered."""

_STEPS = 10
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Sent:
    """One message to the buyer by one channel, and what came of it. Facts of machines are none of these."""

    channel: str
    at: datetime
    """When the provider took it, or refused it."""
    delivered_at: datetime | None = None
    """E2 or better, of whatever came first; and so on."""
    read_at: datetime | None = None
    """E3p or better: it was shown, perhaps only fetched."""
    engaged_at: datetime | None = None
    """E4 or better."""
    affirmed_at: datetime | None = None
    """E5: the buyer said so, for or against what it says."""
    failed: bool = False
    """Refused for the recipient's sake, or it came back."""
    opted_out: bool = False
    """They answered it by wanting no more."""
    first: bool = True
    """It opened its leg: no fallback."""
    fell_through: bool = False
    """Another channel of its leg was tried after it."""

    @property
    def answered_at(self) -> datetime | None:
        return self.affirmed_at or self.engaged_at

    @property
    def counts(self) -> float:
        """1, ½ or nothing."""
        return 1.0 if self.affirmed_at else ENGAGED_COUNTS if self.engaged_at else 0.0

    def settled(self, now: datetime) -> bool:
        """Whether it counts: it was answered, it came back, or the time for an answer is over."""
        return self.answered_at is not None or self.failed or now - self.at >= SETTLES_IN


class ChannelFigures(Value):
    """What became of the messages by one channel. Counts include what is stronger: an affirmed one was read."""

    channel: Name
    messages: int
    """Those that count."""
    delivered: int = 0
    read: int = 0
    engaged: int = 0
    affirmed: int = 0
    failed: int = 0
    opted_out: int = 0
    fell_through: int = 0
    first: int = 0
    """Messages that it was the first to be tried for."""
    delivered_after: float | None = None
    """Median seconds from the send; and so on."""
    read_after: float | None = None
    affirmed_after: float | None = None
    weight: float = 0.0
    """The messages, each by its age."""
    answered: float = 0.0
    """The answers, each by its age and what it counts."""
    answered_after: float | None = None
    """Weighted median of the seconds from the send to the affirmation, else to the first act."""

    @property
    def share(self) -> float:
        """Of messages that are answered, as far as may be said; between 0 and 1."""
        return self.answered / (self.weight + DOUBT)

    @property
    def standing(self) -> tuple[int, float]:
        """Sorts the better channel first; `UNKNOWN` where nothing is learned."""
        tenths = int(self.share * _STEPS + _ROUNDING)
        if self.messages < ENOUGH or tenths == 0:
            return UNKNOWN
        return -tenths, self.answered_after or 0.0


UNKNOWN = (0, 0.0)
"""The standing of a channel of which nothing is learned: behind every other, and none before its like."""


class Reachability(Value):
    """One customer's channels, as the ledger knew them at one moment."""

    orders: int = 0
    """That were looked at."""
    waiting: int = 0
    """Messages that count neither way yet: nobody has answered, and the day for it is not over."""
    channels: tuple[ChannelFigures, ...] = ()
    """The best first; of those that nothing is learned of, by name."""
    opted_out: tuple[Name, ...] = ()
    """Channels whose address wants no messages: never put first."""

    def standing(self, channel: str) -> tuple[int, float]:
        """Sorts the better channel first, and leaves what is not known where it was (a stable sort)."""
        found = self.of(channel)
        return UNKNOWN if found is None or channel in self.opted_out else found.standing

    def of(self, channel: str) -> ChannelFigures | None:
        """The channel's figures; None where no message counts."""
        return next((figures for figures in self.channels if figures.channel == channel), None)

    def ranked(self, channels: Iterable[str]) -> tuple[str, ...]:
        """The same channels, the best first; those of which nothing is learned follow in the order given."""
        return tuple(sorted(channels, key=self.standing))

    @property
    def best(self) -> ChannelFigures | None:
        """None: it can't be said."""
        known = [figures for figures in self.channels if self.standing(figures.channel) < UNKNOWN]
        return min(known, key=lambda figures: (figures.standing, figures.channel), default=None)


class Suggestion(Value):
    """A customer would be reached better by another channel than the one that mostly goes first now."""

    best: ChannelFigures
    instead_of: ChannelFigures

    @property
    def lead(self) -> float:
        """Of the shares."""
        return self.best.share - self.instead_of.share


class CustomerSuggestion(Value):
    """Whom it is about. `customer_id` None: the store has none for them, or their address, which is shown to nobody."""

    store: Name
    customer_id: Name | None
    suggestion: Suggestion


class ReachReport(Value):
    """How buyers were reached in a span of time, and what was learned of the customers who were written to in it."""

    channels: tuple[ChannelFigures, ...] = ()
    """Of all messages of the span together; of the shares, `affirmed / messages` is the plain one."""
    customers: int = 0
    """Who were written to."""
    known: int = 0
    """Customers of whom enough is known of one channel at least."""
    suggestions: int = 0
    """Customers who would be reached better by another channel than the one that mostly goes first."""
    strongest: tuple[CustomerSuggestion, ...] = ()
    """The clearest of them, at most `STRONGEST`."""


STRONGEST = 10


def suggestion(found: Reachability) -> Suggestion | None:
    """None: nothing can be said, or it is the best already. Knows no policy: `learned` weighs an order's own legs."""
    best = found.best
    tried = [figures for figures in found.channels if figures.first]
    if best is None or not tried:
        return None
    usual = min(tried, key=lambda figures: (-figures.first, figures.channel))
    better = usual.channel != best.channel and best.standing < found.standing(usual.channel)
    return Suggestion(best=best, instead_of=usual) if better else None


def figures_of(messages: Iterable[Sent], now: datetime) -> tuple[ChannelFigures, ...]:
    """Each channel's figures, the best first. Pure; the order of the messages makes no difference."""
    by_channel: dict[str, list[Sent]] = defaultdict(list)
    for message in messages:
        if message.settled(now):
            by_channel[message.channel].append(message)
    found = (_figures(channel, sent, now) for channel, sent in by_channel.items())
    return tuple(sorted(found, key=lambda figures: (figures.standing, figures.channel)))


def _figures(channel: str, sent: Sequence[Sent], now: datetime) -> ChannelFigures:
    weights = [0.5 ** (max(now - message.at, timedelta()) / HALF_LIFE) for message in sent]
    answers = [
        ((message.answered_at - message.at).total_seconds(), weight * message.counts)
        for message, weight in zip(sent, weights, strict=True)
        if message.answered_at
    ]
    return ChannelFigures(
        channel=channel,
        messages=len(sent),
        delivered=sum(message.delivered_at is not None for message in sent),
        read=sum(message.read_at is not None for message in sent),
        engaged=sum(message.engaged_at is not None for message in sent),
        affirmed=sum(message.affirmed_at is not None for message in sent),
        failed=sum(message.failed for message in sent),
        opted_out=sum(message.opted_out for message in sent),
        fell_through=sum(message.fell_through for message in sent),
        first=sum(message.first for message in sent),
        delivered_after=_median((message.at, message.delivered_at) for message in sent),
        read_after=_median((message.at, message.read_at) for message in sent),
        affirmed_after=_median((message.at, message.affirmed_at) for message in sent),
        weight=round(sum(sorted(weights)), 6),
        answered=round(sum(sorted(weight for _, weight in answers)), 6),
        answered_after=_weighted_median(answers),
    )


def _median(spans: Iterable[tuple[datetime, datetime | None]]) -> float | None:
    known = [max(until - since, timedelta()).total_seconds() for since, until in spans if until is not None]
    return round(statistics.median(known), 1) if known else None


def _weighted_median(answers: Collection[tuple[float, float]]) -> float | None:
    """The time within which half of the weight was answered."""
    half, seen = sum(weight for _, weight in answers) / 2, 0.0
    for seconds, weight in sorted(answers):
        seen += weight
        if seen >= half - _ROUNDING:
            return round(max(seconds, 0.0), 1)
    return None
