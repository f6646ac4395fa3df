"""The send protocol's rows (reliability.md §4.2): claim, finish, doubt, and the evidence that settles a doubt."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.acknowledgement import Kind, Reason, SendKey, SendOutcome, SendState
from orderack.domain.address import address_sha256
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Provenance, stronger
from orderack.domain.order import OrderRef
from orderack.domain.proof import Mark, Proof, prove
from orderack.ledger import audit, channel_book, counts, erasure
from orderack.ledger.audit import ENDS_VOUCHED_FOR
from orderack.ledger.database import insert_new, sql_table
from orderack.ledger.orders import lock_order
from orderack.ledger.tables import Acknowledgements, Evidence, Orders, Sends
from orderack.ports import ClaimResult, Message, Pause, Reach, Reported, StoredSend, Terms

FINAL = frozenset({SendState.ACCEPTED, SendState.REJECTED, SendState.UNKNOWN})
"""Not to be claimed again. `unknown` ends when it is settled; `unavailable` was certainly not sent, so it may be."""

PROVES_SENT = frozenset(EvidenceEvent) - {EvidenceEvent.UNKNOWN, EvidenceEvent.OPTED_OUT, EvidenceEvent.OPTED_IN}
"""Events that only a message which went out can bring about: even a bounce does. An opt-out or an opt-in may answer
another one, or none."""


async def claim(
    session: AsyncSession,
    key: SendKey,
    message: Message,
    now: datetime,
    lease: timedelta,
    terms: Terms | None = None,
) -> ClaimResult:
    """See `orderack.ports.Ledger.claim`.

    `first` is also true after `unavailable`: nothing can be in doubt then. A lease that ran out is a doubt.
    `claimed_at` stays the first claim's, so that a lookup at the provider reaches back to the attempt in doubt.
    """
    await lock_order(session, key.ref)
    row = await _row(session, key)
    if row is not None and (row.state in FINAL or (row.state == SendState.CLAIMED and row.lease_until > now)):
        counts.again(session, "send")
        return ClaimResult(mine=False, first=False, send=_stored(row))
    paused, reach = await _in_the_way(session, message, terms)
    if row is None:
        heard_at = reach.heard_at if terms and terms.window else message.heard_at
        row = await _first_claim(session, key, message.model_copy(update={"heard_at": heard_at}), now)
    elif row.state == SendState.CLAIMED:
        row.in_doubt_since = row.in_doubt_since or now
    held = row.reason == Reason.PAUSED
    row.state = SendState.CLAIMED
    row.reason = row.detail = ""
    row.attempts += 1
    row.lease_until, row.finished_at = now + lease, None
    first, turn_at = row.in_doubt_since is None, None
    if terms and terms.rate_per_second and first and not paused and not reach.opted_out:
        turn_at = await channel_book.take_turn(session, key, row, terms.rate_per_second, now)
    return ClaimResult(
        mine=True, first=first, send=_stored(row), paused=paused, reach=reach, held=held, turn_at=turn_at
    )


async def _in_the_way(session: AsyncSession, message: Message, terms: Terms | None) -> tuple[Pause | None, Reach]:
    """Whether the channel is paused or marked down, and what is known of the address."""
    if terms is None:
        return None, Reach()
    channel = message.key.channel
    paused = (await channel_book.paused(session)).get(channel)
    if not terms.reach:
        return paused, Reach()
    return paused, await channel_book.reach(session, channel, address_sha256(message.recipient))


async def _first_claim(session: AsyncSession, key: SendKey, message: Message, now: datetime) -> Sends:
    acknowledgement = {name: value for name, value in _identity(key).items() if name != "channel"}
    await insert_new(session, Acknowledgements, acknowledgement | {"first_claimed_at": now})
    content = message.model_dump_json()
    row = Sends(
        store=key.ref.store,
        number=key.ref.number,
        revision=key.revision,
        kind=key.kind,
        n=key.n,
        channel=key.channel,
        key=str(key),
        state=SendState.CLAIMED,
        message=content,
        message_sha256=audit.sha256(content),
        recipient_sha256=address_sha256(message.recipient),
        attempts=0,
        claimed_at=now,
        lease_until=now,
    )
    session.add(row)
    return row


async def finish(session: AsyncSession, key: SendKey, outcome: SendOutcome, now: datetime) -> StoredSend:
    """See `orderack.ports.Ledger.finish`. Raises LookupError for a send that was never claimed.

    Rejected gives way only to accepted: a late yes is the truth, a late anything else is a straggler.
    """
    order = await lock_order(session, key.ref)
    row = await _row(session, key)
    if row is None:
        raise LookupError("a send must be claimed before it can end")
    if row.state == SendState.ACCEPTED:
        if row.provider_id is None and outcome.provider_id:
            row.provider_id = outcome.provider_id
            await audit.append(session, order, "acceptance", row)
    elif outcome.state is SendState.ACCEPTED:
        await _accept(session, order, row, outcome, now)
    elif row.state != SendState.REJECTED and (outcome.state in ENDS_VOUCHED_FOR or row.state != SendState.UNKNOWN):
        row.in_doubt_since = (row.in_doubt_since or now) if outcome.state is SendState.UNKNOWN else None
        if outcome.state in FINAL and row.state != outcome.state:
            counts.sent(session, row.channel, outcome.state)
        _end(row, outcome, now)
        if outcome.state in ENDS_VOUCHED_FOR:
            await audit.append(session, order, "refusal", row)
    return _stored(row)


async def _accept(session: AsyncSession, order: Orders, row: Sends, outcome: SendOutcome, at: datetime) -> None:
    row.in_doubt_since = None
    _end(row, outcome, at)
    acknowledgement = await session.get(Acknowledgements, (row.store, row.number, row.revision, row.kind, row.n))
    counts.sent(session, row.channel, SendState.ACCEPTED)
    if acknowledgement is not None:
        if acknowledgement.out_at is None:
            counts.acknowledged(session, row.kind, row.store, order.trigger_at, at)
        acknowledgement.out_at = min(acknowledgement.out_at or at, at)
    await audit.append(session, order, "acceptance", row)


def _end(row: Sends, outcome: SendOutcome, at: datetime) -> None:
    row.state, row.finished_at = outcome.state, at
    row.provider_id = outcome.provider_id or row.provider_id
    row.reason, row.detail = outcome.reason or "", outcome.detail


async def doubt(session: AsyncSession, key: SendKey, detail: str, now: datetime, until: datetime) -> None:
    """See `orderack.ports.Ledger.doubt`. A send that has ended is left as it is."""
    await lock_order(session, key.ref)
    row = await _row(session, key)
    if row is not None and row.state == SendState.CLAIMED:
        row.in_doubt_since = row.in_doubt_since or now
        row.lease_until, row.detail = min(row.lease_until, until), detail


async def record_evidence(
    session: AsyncSession, ref: OrderRef, fact: EvidenceFact, raw: str, provenance: Provenance
) -> bool:
    """See `orderack.ports.Ledger.record_evidence`. Of an erased order the raw event is not kept, only its SHA-256."""
    order = await lock_order(session, ref)
    erased = await erasure.is_erased(session, ref)
    row = Evidence(
        **fact.model_dump(exclude={"id"}),
        store=ref.store,
        number=ref.number,
        event_id=fact.id,
        recorded_at=datetime.now(UTC),
        raw=None if erased else raw,
        raw_sha256=audit.sha256(raw),
        form=2,
        **provenance.model_dump(exclude={"machine"}),
        machine=json.dumps(provenance.machine),
    )
    if not await insert_new(session, Evidence, row.model_dump(exclude={"id"})):
        counts.again(session, "evidence")
        return False
    await audit.append(session, order, "graded_evidence", row)
    key = SendKey(ref=ref, revision=fact.revision, kind=fact.kind, n=fact.n, channel=fact.channel)
    await _prove(session, key)
    if fact.event in PROVES_SENT and (send := await _in_doubt(session, key)) is not None:
        outcome = SendOutcome(channel=fact.channel, state=SendState.ACCEPTED, detail=f"by its echo: {fact.event}")
        await _accept(session, order, send, outcome, fact.occurred_at)
    return True


async def _in_doubt(session: AsyncSession, key: SendKey) -> Sends | None:
    """The send, unless it is known how it ended."""
    settled = (SendState.ACCEPTED, SendState.REJECTED)
    query = select(Sends).filter_by(**_identity(key)).where(col(Sends.state).not_in(settled))
    return (await session.execute(query)).scalar_one_or_none()


async def _prove(session: AsyncSession, key: SendKey) -> None:
    """Fold every fact about exactly this message anew, so that the order in which they came makes no difference."""
    message = {"store": key.ref.store, "number": key.ref.number, "revision": key.revision, "kind": key.kind, "n": key.n}
    row = await session.get(Acknowledgements, tuple(message.values()))
    if row is None:
        return
    facts = await _facts(session, message)
    proof = prove(facts)
    row.grade = reduce(stronger, (fact.grade for fact in facts))
    for name, value in marks(proof).items():
        setattr(row, name, value)


def _when(mark: Mark | None) -> tuple[datetime, str] | tuple[None, None]:
    return (mark.at, mark.basis) if mark else (None, None)


def marks(proof: Proof) -> Mapping[str, datetime | str | None]:
    """The columns of an acknowledgement that say what is proved."""
    assent = None if proof.assented is None else "assented" if proof.assented else "declined"
    found: dict[str, datetime | str | None] = {"assent": assent}
    for name in ("receipt", "reading", "assent"):
        mark: Mark | None = getattr(proof, name)
        found |= dict(zip((f"{name}_at", f"{name}_basis"), _when(mark), strict=True))
    return found


async def evidence(session: AsyncSession, ref: OrderRef) -> Sequence[EvidenceFact]:
    """Every fact about the order, in the order in which it was recorded."""
    return await _facts(session, {"store": ref.store, "number": ref.number})


_FACT = sql_table(Evidence).c
_FACTS = select(
    _FACT.event_id.label("id"),
    *(_FACT[name] for name in EvidenceFact.model_fields if name != "id"),
).order_by(_FACT.id)


async def _facts(session: AsyncSession, of: Mapping[str, object]) -> list[EvidenceFact]:
    """Those whose columns are so; as columns and not as rows of the ORM, which cost several times as much."""
    query = _FACTS.where(*(_FACT[name] == value for name, value in of.items()))
    return [EvidenceFact.model_validate(dict(row)) for row in (await session.execute(query)).mappings()]


async def sends(session: AsyncSession, ref: OrderRef) -> Sequence[StoredSend]:
    """Every send of the order, in the order of their first claims' acknowledgements."""
    query = (
        select(Sends)
        .filter_by(store=ref.store, number=ref.number)
        .order_by(col(Sends.revision), col(Sends.claimed_at), col(Sends.key))
    )
    return [_stored(row) for row in (await session.execute(query)).scalars()]


async def send(session: AsyncSession, key: str) -> StoredSend | None:
    """The send with this key."""
    row = (await session.execute(select(Sends).filter_by(key=key))).scalar_one_or_none()
    return _stored(row) if row else None


async def reported(session: AsyncSession, key: str | None, channel: str, provider_id: str | None) -> Reported | None:
    """See `orderack.ports.Ledger.reported`."""
    found = await send(session, key) if key else None
    if found is None and provider_id:
        found = await _by_provider_id(session, channel, provider_id)
    if found is None:
        return None
    message = {"store": found.identity.ref.store, "number": found.identity.ref.number}
    facts = await _facts(session, message | found.identity.model_dump(include={"revision", "kind", "n"}))
    return Reported(send=found, facts=tuple(facts))


async def _by_provider_id(session: AsyncSession, channel: str, provider_id: str) -> StoredSend | None:
    query = select(Sends).filter_by(channel=channel, provider_id=provider_id).order_by(col(Sends.claimed_at).desc())
    row = (await session.execute(query.limit(1))).scalar_one_or_none()
    return _stored(row) if row else None


async def sends_to(session: AsyncSession, channel: str, recipient_sha256: str, since: datetime) -> Sequence[StoredSend]:
    """See `orderack.ports.Ledger.sends_to`."""
    query = (
        select(Sends)
        .filter_by(channel=channel, recipient_sha256=recipient_sha256)
        .where(col(Sends.claimed_at) >= since)
        .order_by(col(Sends.claimed_at).desc(), col(Sends.key).desc())
    )
    return [_stored(row) for row in (await session.execute(query)).scalars()]


async def _row(session: AsyncSession, key: SendKey) -> Sends | None:
    return (await session.execute(select(Sends).filter_by(**_identity(key)))).scalar_one_or_none()


def _identity(key: SendKey) -> dict[str, object]:
    return {"store": key.ref.store, "number": key.ref.number, **key.model_dump(exclude={"ref"})}


def _stored(row: Sends) -> StoredSend:
    return StoredSend(
        key=row.key,
        identity=SendKey(
            ref=OrderRef(store=row.store, number=row.number),
            revision=row.revision,
            kind=Kind(row.kind),
            n=row.n,
            channel=row.channel,
        ),
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
