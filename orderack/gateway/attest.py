"""`POST /attestations/{store}/{number}`: a system of the store's vouches for who received or agreed (evidence E6).

What we cannot see ourselves: a login to the store's own portal, a signature, a signed AS2 MDN, a qualified delivery
service, the buyer's own order change that repeats our answer (mission.md §4). The content hash binds it to a revision.
"""

import hashlib
from datetime import timedelta
from typing import Annotated

import structlog
from fastapi import APIRouter, Path, Request
from pydantic import ValidationError

from orderack.domain.acknowledgement import SendState
from orderack.domain.attestation import EVENT, Attestation
from orderack.domain.evidence import Assurance, EvidenceEvent, EvidenceFact, Grade, Provenance
from orderack.domain.order import Name, OrderRef
from orderack.domain.validation import problems_of
from orderack.domain.value import Value
from orderack.errors import InvalidInput, Misconfigured, OrderUnknown, Unavailable
from orderack.gateway.announce import InboxKind, announce_evidence
from orderack.gateway.failures import Denied, errors, problem
from orderack.gateway.keys import Grant
from orderack.gateway.openapi import KEYED, body_of
from orderack.gateway.parts import GatewayParts, Parts
from orderack.gateway.paths import StoreName, order_named
from orderack.gateway.requests import demand_store, read_json
from orderack.ports import StoredSend
from orderack.temporal.orders import Told

log = structlog.get_logger(__name__)

MOST = 16 * 1024
"""Bytes: an attestation is one small value, and what is wrong with a large one takes long to list."""

router = APIRouter(tags=["evidence"])

SKEW = timedelta(minutes=5)
"""How far the clock that attests may be behind ours; no fact is recorded as older than its message all the same."""

Number = Annotated[str, Path(min_length=1, max_length=200, description="the order's number, percent-encoded")]


class AttestationReply(Value):
    """The fact as recorded. `told` is false when the order has closed: then it stands in the record alone."""

    id: Name
    grade: Grade
    event: EvidenceEvent
    told: bool


@router.post(
    "/attestations/{store}/{number:path}",
    status_code=202,
    response_model=AttestationReply,
    responses=errors(401, 403, 404, 408, 409, 413, 415, 422, 503),
    openapi_extra=KEYED | body_of(Attestation),
    summary="Attest who received or agreed",
)
async def attest(store: StoreName, number: Number, request: Request, parts: Parts) -> AttestationReply:
    """Evidence of grade E6, for what the store's own systems can prove. It counts for exactly one revision."""
    grant = demand_store(request, parts, store)
    try:
        said = Attestation.model_validate_json(await read_json(request, MOST), strict=True, extra="forbid")
    except ValidationError as error:
        raise InvalidInput(problems_of(error)) from None
    event = EVENT.get((said.method, said.what))
    if event is None:
        may = ", ".join(what for method, what in EVENT if method is said.method)
        raise problem("what", f"cannot be proved by {said.method}", f"send one of: {may}")
    if said.occurred_at > parts.now():
        raise problem("occurred_at", "lies in the future", "send the moment at which it was proved")
    ref = order_named(store, number)
    send = await _sent(parts, ref, said)
    if said.occurred_at < send.claimed_at - SKEW:
        raise problem("occurred_at", "lies before the message went out", "send the moment at which it was proved")
    return await _record(parts, ref, said, event, send, grant)


async def _sent(parts: GatewayParts, ref: OrderRef, said: Attestation) -> StoredSend:
    """The message that is vouched for, as it went out. 404 without the order, 409 when it is not what was said."""
    if await parts.ledger.order(ref) is None:
        raise OrderUnknown(str(ref))
    stored = await parts.ledger.revision(ref, said.revision)
    if stored is None or stored.content_hash != said.content_hash:
        message = "That is not the content of this revision: ask for the order's standing and attest what it says."
        raise Denied(409, "other_content", message)
    wanted = (said.revision, said.kind, said.n)
    for send in await parts.ledger.sends(ref):
        key = send.identity
        if send.state is SendState.ACCEPTED and (key.revision, key.kind, key.n) == wanted:
            return send
    raise Denied(409, "not_sent", "No such message of that revision has gone out, so nobody can have received it.")


async def _record(
    parts: GatewayParts, ref: OrderRef, said: Attestation, event: EvidenceEvent, send: StoredSend, grant: Grant
) -> AttestationReply:
    """Once, however often it is sent; another proof under the same id is refused."""
    identity = "\n".join((ref.store, ref.number, said.id))
    fact = EvidenceFact(
        id=f"attest-{hashlib.sha256(identity.encode()).hexdigest()}",
        event=event,
        grade=Grade.E6,
        channel=said.method.value,
        revision=said.revision,
        kind=said.kind,
        n=said.n,
        occurred_at=max(said.occurred_at, send.claimed_at),
        basis=f"attested:{said.method}",
    )
    row = await parts.ledger.receive(
        "attestations", fact.id, InboxKind.EVIDENCE, ref, fact.model_dump_json(), parts.now()
    )
    another = row.body and EvidenceFact.model_validate_json(row.body) != fact  # an erased order's row has no body
    if another or await _vouches_otherwise(parts, ref, fact.id, said):
        raise Denied(
            409, "id_reused", "A different proof with this id came before; give each its own id.", recorded=True
        )
    provenance = Provenance(
        content_sha256=send.body_sha256, actor=f"vouched for by {grant.name}", assurance=Assurance.IDENTITY
    )
    await parts.ledger.record_evidence(ref, fact, said.model_dump_json(), provenance)
    try:
        told = row.outcome if row.announced_at else await announce_evidence(parts, row, fact)
    except (Unavailable, Misconfigured) as away:
        log.warning("attestation recorded, not announced", row=row.id, why=type(away).__name__)
        raise Denied(503, "unavailable", "Recorded; we tell the order as soon as we can.", recorded=True) from away
    return AttestationReply(id=said.id, grade=fact.grade, event=event, told=told == Told.TOLD)


async def _vouches_otherwise(parts: GatewayParts, ref: OrderRef, fact_id: str, said: Attestation) -> bool:
    """Whether this id came before with another proof behind it: the fact may look the same, its reference does not."""
    known = next((record for record in await parts.ledger.evidence_records(ref) if record.fact.id == fact_id), None)
    return known is not None and bool(known.raw) and Attestation.model_validate_json(known.raw or "") != said
