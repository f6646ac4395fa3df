"""A report about everything up to a moment, as reports about each message that had gone out by then."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from orderack.domain.acknowledgement import SendState
from orderack.domain.address import address_sha256
from orderack.gateway.parts import GatewayParts
from orderack.ports import ChannelEvent, StoredSend

REACHES_BACK = timedelta(days=30)
NEWEST = 50
"""Messages that one such report can be about."""

_PLAIN_ID = 160
"""Characters of a report's id that are kept as they are; with what is added they stay within a name's 200."""


async def spread(parts: GatewayParts, channel: str, event: ChannelEvent) -> Sequence[ChannelEvent]:
    """One event for each of them, the newest first; the same ids every time. The event itself where it is an ordinary
    one; nothing where no message of ours had gone out to its sender by then."""
    if event.watermark is None:
        return [event]
    if event.sender is None:
        return []
    since = event.watermark - REACHES_BACK
    sends = await parts.ledger.sends_to(channel, address_sha256(event.sender), since)
    out = [send for send in sends if send.state is SendState.ACCEPTED and _begun(send) <= event.watermark]
    return [event.model_copy(update={"id": id_of(event.id, send.key), "key": send.key}) for send in out[:NEWEST]]


def id_of(report: str, key: str) -> str:
    """The id of one message's share in a report: the report's, a colon, and 32 hexadecimal digits of the key's hash.

    Erasing an order's personal data finds the report by it (`orderack.ledger.erasure`).
    """
    plain = report if len(report) <= _PLAIN_ID else hashlib.sha256(report.encode()).hexdigest()
    return f"{plain}:{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def _begun(send: StoredSend) -> datetime:
    """When it was on its way: its last turn, for it may have waited long. When we heard that the vendor took it would
    be too late a time; the buyer may have read it by then."""
    return max(send.claimed_at, send.turn_at or send.claimed_at)
