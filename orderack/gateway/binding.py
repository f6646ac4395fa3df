"""Which message an event is about, and whether the one who speaks in it is the one whom the message went to.

A provider's report names its message. A buyer's reply may name it too (a mail's In-Reply-To does); where it names only
the address it came from, it answers the latest message to that address. It affirms that message where it says so in a
word that can mean nothing else (docs/adr/0011).
"""

from collections.abc import Sequence
from datetime import timedelta

from orderack.contracts.journal import Stage
from orderack.domain.acknowledgement import Audience, Kind, SendKey, SendState
from orderack.domain.address import address_sha256
from orderack.domain.evidence import Assurance, EvidenceEvent, Grade, Provenance
from orderack.domain.order import OrderRef
from orderack.domain.replies import affirms, names
from orderack.gateway.parts import GatewayParts
from orderack.ports import ChannelEvent, Message, Reported, StoredSend

ANSWERS = timedelta(days=30)
"""How long after a message a reply is taken for an answer to it."""

WHOLE_SECOND = timedelta(seconds=1)
"""Vendors write the second in which a reply came: it may have been begun before the message that it answers."""

ENDED = frozenset({Stage.CLOSED, Stage.CANCELLED, Stage.REJECTED})

CONVERSATION = frozenset({Kind.QUESTION, Kind.ANSWER})
"""A "yes" to one of these answers a person, who has to read it; what else it means, nobody can tell."""

ENDS = frozenset({Kind.CANCELLATION, Kind.REJECTION})
"""An "ok" to one of these affirms no confirmation that went out before."""

BUYERS_WORD = frozenset({EvidenceEvent.REPLIED, EvidenceEvent.AFFIRMED, EvidenceEvent.ASSENTED, EvidenceEvent.DECLINED})
"""Events that are worth what the address is worth from which they came."""


async def bind(parts: GatewayParts, channel: str, event: ChannelEvent) -> tuple[ChannelEvent, Reported | None]:
    """The event with its message's key, and worth no more than its sender vouches for; and the message.

    One whose message we do not know (yet) comes back as it is. Binding it again is harmless.
    """
    if event.sender and not event.key and not event.provider_id:
        event = await _answering(parts, channel, event, event.sender)
    about = await find_send(parts, channel, event)
    if about is None:
        return event, None
    if _counts(parts, channel, event, about.send):
        return _in_a_word(parts, channel, event, about.send), about
    update = {"event": EvidenceEvent.UNKNOWN, "grade": None, "basis": f"{event.basis}:other_address"}
    return event.model_copy(update=update), about


async def find_send(parts: GatewayParts, channel: str, event: ChannelEvent) -> Reported | None:
    """The send an event is about: by our own key where the provider gives it back, else by the provider's id."""
    if not event.key and not event.provider_id:
        return None
    about = await parts.ledger.reported(event.key, channel, event.provider_id)
    return about if about and about.send.channel == channel else None


def provenance_of(parts: GatewayParts, channel: str, event: ChannelEvent, send: StoredSend) -> Provenance:
    """Where a report comes from. Its signature has been checked: nothing else gets past the route."""
    replied = event.sender is not None and event.event in BUYERS_WORD
    return Provenance(
        content_sha256=send.body_sha256,
        recipient_role=_audience(parts, channel).value,
        actor=f"a reply from the address it went to by {channel}" if replied else f"{channel}'s report",
        assurance=Assurance.ADDRESS if replied else Assurance.PROVIDER,
        verified=True,
        machine=event.machine,
    )


def _counts(parts: GatewayParts, channel: str, event: ChannelEvent, send: StoredSend) -> bool:
    """The buyer's word comes from the very address; what is said inside the house is nobody's word on a message."""
    if _audience(parts, channel) is Audience.INTERNAL:
        return send.identity.kind is Kind.ALERT
    if event.event not in BUYERS_WORD:
        return True
    if not event.sender or not send.message_json:
        return False
    recipient = Message.model_validate_json(send.message_json).recipient
    return address_sha256(event.sender) == address_sha256(recipient)


def _in_a_word(parts: GatewayParts, channel: str, event: ChannelEvent, send: StoredSend) -> ChannelEvent:
    """A reply that names the very message it answers affirms that one, where it says so and nothing else."""
    key = send.identity
    # one without a grade may be about several orders (see `_answering`)
    answers = event.event is EvidenceEvent.REPLIED and event.grade is not None
    if not answers or not parts.channels[channel].traits.replies:
        return event
    if _audience(parts, channel) is Audience.INTERNAL or key.kind in CONVERSATION:
        return event
    word = affirms(event.text, [key.ref.number])
    if word is None:
        return event
    affirmed = {"event": EvidenceEvent.AFFIRMED, "grade": Grade.E5, "basis": f"{event.basis}:{word}"}
    return event.model_copy(update=affirmed)


def _audience(parts: GatewayParts, channel: str) -> Audience:
    return parts.channels[channel].traits.audience if channel in parts.channels else Audience.BUYER


async def _answering(parts: GatewayParts, channel: str, event: ChannelEvent, sender: str) -> ChannelEvent:
    """The reply bound to the message that it answers: of the order it names, or of the only one it can mean."""
    at = min(event.occurred_at, parts.now())  # one from the calendar's end could not be reckoned with
    sends = [
        send
        for send in await parts.ledger.sends_to(channel, address_sha256(sender), at - ANSWERS)
        if send.state is SendState.ACCEPTED and send.claimed_at <= at + WHOLE_SECOND
    ]
    orders = list(dict.fromkeys(send.identity.ref for send in sends))
    named = [ref for ref in orders if names(event.text, ref.number)]
    meant = named or await _open(parts, orders) or orders
    told = [send for send in sends if send.identity.ref in meant]
    if not told:
        return event
    latest = told[0].identity
    plain = event.event is EvidenceEvent.REPLIED and latest.kind not in CONVERSATION
    word = affirms(event.text, [ref.number for ref in named]) if plain else None
    if len(meant) > 1:
        update: dict[str, object] = {"key": told[0].key, "grade": None, "basis": f"{event.basis}:ambiguous"}
    elif word:
        confirmations = [send for send in told if _stands(send.identity, latest)]
        affirmed = {"event": EvidenceEvent.AFFIRMED, "grade": Grade.E5, "basis": f"{event.basis}:{word}"}
        update = {"key": (confirmations or told)[0].key, **affirmed}
    else:
        update = {"key": told[0].key}
    return event.model_copy(update=update)


def _stands(key: SendKey, latest: SendKey) -> bool:
    """Whether this is a confirmation of which the latest message says nothing else."""
    return key.kind is Kind.CONFIRMATION and key.revision == latest.revision and latest.kind not in ENDS


async def _open(parts: GatewayParts, orders: Sequence[OrderRef]) -> list[OrderRef]:
    rows = [await parts.ledger.order(ref) for ref in orders]
    return [row.ref for row in rows if row is not None and row.stage not in ENDED]
