"""What a channel's report comes to: the message it is about, the fact it is, and whether its order must hear of it."""

from dataclasses import dataclass
from datetime import datetime

from orderack.domain.acknowledgement import SendKey, SendState
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.proof import proves_reading
from orderack.gateway.binding import bind, provenance_of
from orderack.gateway.parts import GatewayParts
from orderack.ports import ChannelEvent, Report, Reported, StoredSend

_NEVER_NEWS = frozenset({EvidenceEvent.OPTED_IN})
"""It is about the next message; no workflow acts on it."""

_ALWAYS_NEWS = frozenset(
    {
        *(EvidenceEvent.BOUNCED, EvidenceEvent.AFFIRMED, EvidenceEvent.ASSENTED, EvidenceEvent.DECLINED),
        *(EvidenceEvent.DISPUTED, EvidenceEvent.OPTED_OUT),
    }
)


@dataclass(frozen=True)
class Weighed:
    """One report about one message of ours."""

    event: ChannelEvent
    """Bound to its message."""
    key: SendKey
    report: Report
    news: bool
    """Whether its order has to hear of it."""


async def weighed(
    parts: GatewayParts, channel: str, event: ChannelEvent, heard_at: datetime, *, weigh: bool
) -> Weighed | None:
    """None: it is about no message that we know (yet). `weigh` false: it is news unless that can never be."""
    event, about = await bind(parts, channel, event)
    if about is None:
        return None
    key = about.send.identity
    fact = EvidenceFact(
        id=event.id,
        event=event.event,
        grade=event.grade or Grade.E0,
        channel=channel,
        revision=key.revision,
        kind=key.kind,
        n=key.n,
        occurred_at=_when(event, heard_at, about.send),
        basis=event.basis,
    )
    report = Report(fact=fact, raw=event.raw, provenance=provenance_of(parts, channel, event, about.send))
    news = fact.event not in _NEVER_NEWS and (not weigh or is_news(fact, about))
    return Weighed(event, key, report, news)


def is_news(fact: EvidenceFact, about: Reported) -> bool:
    """Whether the workflow would act on it: each signal is a billed Action and four events of history.

    A stronger grade, or a reading where an attested arrival had the strongest and proved none.
    """
    if fact.event in _ALWAYS_NEWS or about.send.state is not SendState.ACCEPTED:
        return True
    known = [other for other in about.facts if other.id != fact.id]
    if proves_reading(fact):
        known = [other for other in known if proves_reading(other)]
    return fact.grade.rank > max([Grade.E1.rank, *(other.grade.rank for other in known)])


def _when(event: ChannelEvent, heard_at: datetime, send: StoredSend) -> datetime:
    """Not before the send was begun, and in no case after we heard of it: providers' clocks are not ours, and a
    worker's may be ahead of the gateway's.

    A time from the future would be the buyer's last word for ever. What the provider wrote stands in the raw event.
    """
    return min(heard_at, max(send.claimed_at, event.occurred_at))
