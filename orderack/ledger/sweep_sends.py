"""A digest's sends: the protocol of `orderack.ledger.sends` (reliability.md §4.2), for a message that is no order's."""

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.acknowledgement import Reason, SendKey, SendOutcome, SendState
from orderack.errors import Unavailable
from orderack.ledger import audit, channel_book
from orderack.ledger.sends import FINAL
from orderack.ledger.sweep_tables import Digests, DigestSends
from orderack.ports import ClaimResult, Message, StoredSend, Terms
from orderack.ports.digests import digest_of

BEGUN = (SendState.CLAIMED, SendState.ACCEPTED, SendState.UNKNOWN)
"""It has gone out, or may have."""


async def claim(
    session: AsyncSession,
    version: int,
    key: SendKey,
    message: Message,
    now: datetime,
    lease: timedelta,
    terms: Terms | None,
    leg: Collection[str] = (),
) -> ClaimResult:
    """See `orderack.ports.digests.DigestBook.claim_digest`. Nobody inside the house opts out, so no reach is read."""
    digest = await session.get_one(Digests, digest_of(key.ref), with_for_update=True)
    row = await _row(session, key)
    if row is not None and (row.state in FINAL or (row.state == SendState.CLAIMED and row.lease_until > now)):
        return ClaimResult(mine=False, first=False, send=_stored(row, key))
    in_doubt = row is not None and row.state == SendState.CLAIMED
    if not in_doubt and digest.version != version:
        raise Unavailable("the digest has grown since it was rendered")
    if not in_doubt and await _by_another(session, key, leg):
        raise Unavailable("another channel has it, or may have it")
    held = row is not None and row.reason == Reason.PAUSED
    row = _begun(session, row, key, message, now)
    row.attempts += 1
    row.lease_until, row.finished_at = now + lease, None
    paused = (await channel_book.paused(session)).get(key.channel) if terms else None
    first, turn_at = row.in_doubt_since is None, None
    if terms and terms.rate_per_second and first and not paused:
        turn_at = await channel_book.take_turn(session, key, row, terms.rate_per_second, now)
    return ClaimResult(mine=True, first=first, send=_stored(row, key), paused=paused, held=held, turn_at=turn_at)


async def _by_another(session: AsyncSession, key: SendKey, leg: Collection[str]) -> bool:
    """Whether it has gone out by a channel that stands in for this one, or may have."""
    query = select(col(DigestSends.key)).filter_by(digest=digest_of(key.ref))
    query = query.where(col(DigestSends.channel).in_(set(leg) - {key.channel}), col(DigestSends.state).in_(BEGUN))
    return (await session.execute(query.limit(1))).first() is not None


def _begun(
    session: AsyncSession, row: DigestSends | None, key: SendKey, message: Message, now: datetime
) -> DigestSends:
    """The row, claimed: with its own bytes while it is in doubt, else with these."""
    content = message.model_dump_json()
    if row is None:
        row = DigestSends(
            digest=digest_of(key.ref),
            channel=key.channel,
            key=str(key),
            state=SendState.CLAIMED,
            message_sha256=audit.sha256(content),
            claimed_at=now,
            lease_until=now,
        )
        session.add(row)
    if row.state == SendState.CLAIMED and row.message is not None:
        row.in_doubt_since = row.in_doubt_since or now
    else:
        row.message, row.message_sha256, row.claimed_at = content, audit.sha256(content), now
    row.state = SendState.CLAIMED
    row.reason = row.detail = ""
    return row


async def finish(session: AsyncSession, key: SendKey, outcome: SendOutcome, now: datetime) -> StoredSend:
    """See `orderack.ports.digests.DigestBook.finish_digest`. A late yes is the truth; a late anything else is late."""
    row = await _claimed(session, key)
    late = row.state in FINAL and outcome.state is not SendState.ACCEPTED
    if row.state != SendState.ACCEPTED and not late:
        row.state, row.finished_at = outcome.state, now
        row.provider_id = outcome.provider_id or row.provider_id
        row.reason, row.detail = outcome.reason or "", outcome.detail
        row.in_doubt_since = (row.in_doubt_since or now) if outcome.state is SendState.UNKNOWN else None
        if outcome.state in FINAL:
            row.message = None
    return _stored(row, key)


async def doubt(session: AsyncSession, key: SendKey, detail: str, now: datetime, until: datetime) -> None:
    """See `orderack.ports.digests.DigestBook.doubt_digest`. A send that has ended is left as it is."""
    row = await _row(session, key)
    if row is not None and row.state == SendState.CLAIMED:
        row.in_doubt_since = row.in_doubt_since or now
        row.lease_until, row.detail = min(row.lease_until, until), detail


async def turn(session: AsyncSession, key: SendKey, rate_per_second: float, now: datetime) -> datetime:
    """See `orderack.ports.digests.DigestBook.digest_turn`."""
    return await channel_book.take_turn(session, key, await _claimed(session, key), rate_per_second, now)


async def _claimed(session: AsyncSession, key: SendKey) -> DigestSends:
    row = await _row(session, key)
    if row is None:
        raise LookupError("a digest's send must be claimed first")
    return row


async def _row(session: AsyncSession, key: SendKey) -> DigestSends | None:
    query = select(DigestSends).where(col(DigestSends.key) == str(key)).with_for_update()
    return (await session.execute(query)).scalar_one_or_none()


def _stored(row: DigestSends, key: SendKey) -> StoredSend:
    return StoredSend(
        key=row.key,
        identity=key,
        channel=row.channel,
        state=SendState(row.state),
        provider_id=row.provider_id,
        reason=row.reason,
        detail=row.detail,
        body_sha256=row.message_sha256,
        message_json=row.message or "",
        attempts=row.attempts,
        claimed_at=row.claimed_at,
        lease_until=row.lease_until,
        in_doubt_since=row.in_doubt_since,
        turn_at=row.turn_at,
    )
