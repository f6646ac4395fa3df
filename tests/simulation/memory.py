"""The ledger in memory: what the real activities ask of it while they send, book and answer.

The same promises as `orderack.ledger` gives (claim with a lease, the first writer wins, an accepted send stays
accepted), in dictionaries. `tests/simulation/test_memory.py` holds it against the real one.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import Entry, Journal
from orderack.domain.acknowledgement import Reason, SendKey, SendOutcome, SendState
from orderack.domain.evidence import EvidenceEvent, EvidenceFact
from orderack.domain.order import OrderRef
from orderack.domain.source import Answered, AnswerKey, AnswerState
from orderack.errors import Unavailable
from orderack.ports import ClaimResult, Message, Pause, StoredRevision, StoredSend, Terms

FINAL = frozenset({SendState.ACCEPTED, SendState.REJECTED, SendState.UNKNOWN})
VOUCHED = frozenset({SendState.REJECTED, SendState.UNKNOWN})
_SETTLED = frozenset({SendState.ACCEPTED, SendState.REJECTED})
_SAYS_NOTHING = frozenset({EvidenceEvent.UNKNOWN, EvidenceEvent.OPTED_OUT, EvidenceEvent.OPTED_IN})


class Row(NamedTuple):
    """A send's row, as `ledger.tables.Sends` has it."""

    identity: SendKey
    message_json: str
    state: SendState
    claimed_at: datetime
    lease_until: datetime
    attempts: int = 1
    in_doubt_since: datetime | None = None
    provider_id: str | None = None
    reason: str = ""
    detail: str = ""


class MemoryLedger:
    """One order's part of the ledger. `up` says whether it can be reached; a dead worker reaches nothing."""

    def __init__(self) -> None:
        self.up = True
        self.revisions: dict[int, StoredRevision] = {}
        self.entries: dict[int, Entry] = {}
        self.rows: dict[str, Row] = {}
        self.handoffs: dict[int, HandOffRequest] = {}
        self.answers: dict[str, Answered] = {}
        self.facts: dict[str, EvidenceFact] = {}
        self.pauses: dict[str, Pause] = {}

    def _reach(self) -> None:
        if not self.up:
            raise Unavailable("the ledger does not answer")

    async def write(self, journal: Journal) -> None:
        self._reach()
        for entry in journal.entries:
            self.entries.setdefault(entry.seq, entry)

    async def write_and_read(self, journal: Journal, revisions: Collection[int]) -> Mapping[int, StoredRevision]:
        await self.write(journal)
        return {revision: self.revisions[revision] for revision in revisions if revision in self.revisions}

    async def save_revision(self, stored: StoredRevision, fingerprint: str, journal: Journal) -> StoredRevision | None:
        await self.write(journal)
        return self.revisions.setdefault(stored.revision, stored)

    async def revision(self, ref: OrderRef, revision: int) -> StoredRevision | None:
        self._reach()
        return self.revisions.get(revision)

    async def turn(self, key: SendKey, rate_per_second: float, now: datetime) -> datetime:
        return now

    async def is_shadow(self, ref: OrderRef) -> bool:
        self._reach()
        return False

    async def note_gate(self, ref: OrderRef, policy_version: str, live_percent: int, now: datetime) -> bool:
        self._reach()
        return False

    async def paused(self) -> Mapping[str, Pause]:
        self._reach()
        return dict(self.pauses)

    async def pause(self, pause: Pause) -> bool:
        self._reach()
        known = self.pauses.get(pause.channel)
        if known and (known.probe_at is None or pause.probe_at is not None):
            return False
        self.pauses[pause.channel] = pause
        return True

    async def probe(self, channel: str, now: datetime, again_at: datetime) -> bool:
        self._reach()
        known = self.pauses.get(channel)
        if known is None or not known.is_due(now):
            return False
        self.pauses[channel] = known.model_copy(update={"probe_at": again_at})
        return True

    async def lift(self, channel: str) -> bool:
        self._reach()
        known = self.pauses.get(channel)
        return known is not None and known.probe_at is not None and bool(self.pauses.pop(channel))

    async def claim(
        self, key: SendKey, message: Message, now: datetime, lease: timedelta, terms: Terms | None = None
    ) -> ClaimResult:
        self._reach()
        row = self.rows.get(str(key))
        held = row is not None and row.reason == Reason.PAUSED
        if row is None:
            row = Row(key, message.model_dump_json(), SendState.CLAIMED, now, now + lease)
        elif row.state in FINAL or (row.state is SendState.CLAIMED and row.lease_until > now):
            return ClaimResult(mine=False, first=False, send=_stored(key, row))
        else:
            doubt = (row.in_doubt_since or now) if row.state is SendState.CLAIMED else row.in_doubt_since
            row = row._replace(
                state=SendState.CLAIMED,
                reason="",
                detail="",
                attempts=row.attempts + 1,
                lease_until=now + lease,
                in_doubt_since=doubt,
            )
        self.rows[str(key)] = row
        first = row.in_doubt_since is None
        paused = self.pauses.get(key.channel) if terms else None
        turn_at = now if terms and first and not paused else None
        return ClaimResult(mine=True, first=first, send=_stored(key, row), paused=paused, held=held, turn_at=turn_at)

    async def finish(self, key: SendKey, outcome: SendOutcome, now: datetime) -> StoredSend:
        self._reach()
        row = self.rows[str(key)]
        if row.state is SendState.ACCEPTED:
            row = row._replace(provider_id=row.provider_id or outcome.provider_id)
        elif outcome.state is SendState.ACCEPTED or (
            row.state is not SendState.REJECTED and (outcome.state in VOUCHED or row.state is not SendState.UNKNOWN)
        ):
            row = row._replace(
                state=outcome.state,
                in_doubt_since=(row.in_doubt_since or now) if outcome.state is SendState.UNKNOWN else None,
                provider_id=outcome.provider_id or row.provider_id,
                reason=outcome.reason or "",
                detail=outcome.detail,
            )
        self.rows[str(key)] = row
        return _stored(key, row)

    async def doubt(self, key: SendKey, detail: str, now: datetime, until: datetime) -> None:
        self._reach()
        row = self.rows.get(str(key))
        if row is not None and row.state is SendState.CLAIMED:
            since, until = row.in_doubt_since or now, min(row.lease_until, until)
            self.rows[str(key)] = row._replace(lease_until=until, in_doubt_since=since, detail=detail)

    async def send(self, key: str) -> StoredSend | None:
        self._reach()
        row = self.rows.get(key)
        return _stored(row.identity, row) if row else None

    def record_evidence(self, key: SendKey, fact: EvidenceFact) -> bool:
        """See `orderack.ports.Ledger.record_evidence`: False when it was known."""
        if fact.id in self.facts:
            return False
        self.facts[fact.id] = fact
        row = self.rows.get(str(key))
        if row is not None and row.state not in _SETTLED and fact.event not in _SAYS_NOTHING:
            self.rows[str(key)] = row._replace(
                state=SendState.ACCEPTED, in_doubt_since=None, reason="", detail=f"by its echo: {fact.event}"
            )
        return True

    async def offer_handoff(self, request: HandOffRequest, now: datetime) -> str:
        self._reach()
        await self.write(request.journal)
        self.handoffs.setdefault(request.revision, request)
        return f"{request.ref}/{request.revision}"

    async def answered(self, key: AnswerKey) -> Answered | None:
        self._reach()
        return self.answers.get(str(key))

    async def record_answer(self, key: AnswerKey, answer: Answered, now: datetime) -> Answered:
        self._reach()
        known = self.answers.get(str(key))
        if known is None or known.state is AnswerState.PENDING:
            self.answers[str(key)] = answer
        return self.answers[str(key)]


def _stored(key: SendKey, row: Row) -> StoredSend:
    return StoredSend.model_construct(
        key=str(key),
        identity=key,
        channel=key.channel,
        state=row.state,
        provider_id=row.provider_id,
        reason=row.reason,
        detail=row.detail,
        body_sha256="0" * 64,
        message_json=row.message_json,
        attempts=row.attempts,
        claimed_at=row.claimed_at,
        lease_until=row.lease_until,
        in_doubt_since=row.in_doubt_since,
    )
