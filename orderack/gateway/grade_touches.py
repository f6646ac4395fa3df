"""Background work: settled touches get their verdict, and old ones forget whose they were."""

from datetime import timedelta

import structlog

from orderack.domain.acknowledgement import SendKey
from orderack.domain.evidence import Assurance, EvidenceEvent, EvidenceFact, Provenance
from orderack.errors import OrderAckError
from orderack.gateway.announce import InboxKind, announce_evidence
from orderack.gateway.parts import GatewayParts
from orderack.gateway.weighing import is_news
from orderack.ports import StoredSend
from orderack.touches import SETTLED, GradedTouch, SettledTouch, Touch, Verdict, classify

log = structlog.get_logger(__name__)


async def grade_touches(parts: GatewayParts) -> int:
    """Grade what has settled; how many touches that were. Raises Unavailable when the ledger is away.

    Each becomes one fact, however often it came. A touch that comes later and turns the picture (the honeypot, from the
    same address) grades itself and leaves the others as they are: what the record says does not change.
    """
    settled = await parts.ledger.settled_touches(parts.now() - SETTLED)
    for touch in settled:
        await _grade(parts, touch)
    return len(settled)


async def forget_touches(parts: GatewayParts) -> int:
    """Drop whose touches they were after `touch_days`; the verdicts stay. How many rows that were."""
    return await parts.ledger.forget_touches(parts.now() - timedelta(days=parts.touch_days))


async def _grade(parts: GatewayParts, settled: SettledTouch) -> None:
    about = await parts.ledger.reported(settled.touch.send_key, "", None)
    if about is None:
        raise LookupError("a touch without its send")
    send = about.send
    key, verdict = send.identity, classify(settled.touch, settled.others, settled.arrived_at)
    fact = _fact(settled.touch, key, verdict)
    news = is_news(fact, about)
    graded = GradedTouch(
        touch_id=settled.touch.id,
        verdict=verdict,
        ref=key.ref,
        fact=fact,
        provenance=_provenance(verdict, send),
        raw=settled.model_dump_json(include={"touch", "last_at", "count"}),
        announce_as=InboxKind.EVIDENCE if news else None,
    )
    row = await parts.ledger.grade_touch(graded, parts.now())
    if row is None or row.announced_at is not None:
        return
    try:
        await announce_evidence(parts, row, fact)
    except OrderAckError as error:
        log.info("touch left to the sweep", row=row.id, why=type(error).__name__)


def _fact(touch: Touch, key: SendKey, verdict: Verdict) -> EvidenceFact:
    return EvidenceFact(
        id=f"touch-{touch.id}",
        event=EvidenceEvent.MACHINE_TOUCH if verdict.machine else EvidenceEvent.DISPLAYED,
        grade=verdict.grade,
        channel=key.channel,
        revision=key.revision,
        kind=key.kind,
        n=key.n,
        occurred_at=touch.at,
        basis=f"touch:{touch.what}:{'machine' if verdict.machine else 'person'}",
    )


def _provenance(verdict: Verdict, send: StoredSend) -> Provenance:
    return Provenance(
        content_sha256=send.body_sha256,
        actor="a machine" if verdict.machine else "whoever fetched it",
        assurance=Assurance.NONE,
        machine=verdict.reasons,
    )
