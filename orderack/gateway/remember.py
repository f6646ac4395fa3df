"""What an event says of an address, whichever message it is about: it wants no more messages, or it wrote to us."""

from orderack.domain.acknowledgement import Audience
from orderack.domain.address import address_sha256
from orderack.domain.evidence import EvidenceEvent
from orderack.gateway.binding import BUYERS_WORD, find_send
from orderack.gateway.parts import GatewayParts
from orderack.ports import ChannelEvent, InboxEvent, Message

OPTS = {EvidenceEvent.OPTED_OUT: True, EvidenceEvent.OPTED_IN: False}
"""Events about whether an address wants messages → whether it wants none."""

SPEAKS = BUYERS_WORD | OPTS.keys()
"""Events in which somebody speaks, where they have a sender."""


async def remember(parts: GatewayParts, row: InboxEvent, channel: str, event: ChannelEvent) -> None:
    """Remember it by the sender's address, or by that of the message it is about. Twice is once; the time decides.

    Not later than we heard of it: a provider's clock must not keep an address silent for ever.
    """
    if event.event not in SPEAKS or _is_internal(parts, channel):
        return
    at = min(event.occurred_at, row.received_at)
    if event.event in OPTS and (address := await _address(parts, channel, event)):
        await parts.ledger.opted(channel, address, out=OPTS[event.event], at=at, basis=event.basis)
    if event.sender:
        await parts.ledger.heard(channel, address_sha256(event.sender), at)


def _is_internal(parts: GatewayParts, channel: str) -> bool:
    return channel in parts.channels and parts.channels[channel].traits.audience is Audience.INTERNAL


async def _address(parts: GatewayParts, channel: str, event: ChannelEvent) -> str | None:
    """The sender's, or that which the message went to; nobody knows that once the order's data is erased."""
    if event.sender:
        return address_sha256(event.sender)
    about = await find_send(parts, channel, event)
    if about is None or not about.send.message_json:
        return None
    return address_sha256(Message.model_validate_json(about.send.message_json).recipient)
