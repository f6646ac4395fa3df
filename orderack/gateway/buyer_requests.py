"""What a buyer says or asks on the order's page, as it stands in the inbox, and how the order is told of it.

One POST is one request. Telling it twice is harmless: facts, questions, changes and cancellations carry ids made from
the request's own.
"""

import hashlib
from collections.abc import Mapping

from pydantic import AwareDatetime

from orderack.contracts.queries import OrderStatus
from orderack.contracts.updates import BuyerQuestion, CancelRequest, ChangeRequest, Reply
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import HOLDER_OF_LINK, Assurance, EvidenceEvent, EvidenceFact, Grade, Provenance
from orderack.domain.order import Name, Order, OrderRef, Text
from orderack.domain.value import Value
from orderack.errors import OrderNotOpen, OrderUnknown, Refused
from orderack.gateway.parts import GatewayParts
from orderack.links import PageLink
from orderack.messages.page_labels import Deed, Taken

SOURCE = "page"
"""The inbox's `source` of these requests."""

CHANNEL = "portal"
"""Evidence from the page counts for the portal, whose medium the page is."""

_ASKS_TO_CANCEL = "The buyer asks to cancel: "
_NO_REASON = "no reason given"
_LONGEST = 2_000

_EVENTS: Mapping[Deed, EvidenceEvent] = {
    Deed.AFFIRMED: EvidenceEvent.AFFIRMED,
    Deed.ACCEPTED: EvidenceEvent.ASSENTED,
    Deed.DECLINED: EvidenceEvent.DECLINED,
    Deed.DECLINED_ALL: EvidenceEvent.DECLINED,
}
"""What a deed proves of the message before the buyer; any other shows a person at work on it."""


class BuyerRequest(Value):
    """One of them, complete: whoever reads it from the inbox needs nothing else to tell it."""

    id: Name
    ref: OrderRef
    deed: Deed
    revision: int
    """The one that the buyer was looking at."""
    at: AwareDatetime
    text: Text = ""
    """The buyer's own words."""
    declined: tuple[Name, ...] = ()
    """Line ids."""
    order: Order | None = None
    """The order as the buyer wants it."""
    base: Name | None = None
    """Content hash of the revision that `order` was made from."""
    facts: tuple[EvidenceFact, ...] = ()
    provenance: Provenance

    @property
    def said(self) -> str:
        """The request's own words as raw evidence: without the order, which the ledger holds already."""
        return self.model_dump_json(exclude={"order", "facts", "provenance"})


class About(Value):
    """The message that evidence from the page is about."""

    kind: Kind
    n: int
    content_sha256: Name | None = None

    def __str__(self) -> str:
        return f"{self.kind}/{self.n}"


class Draft(Value):
    """A form that makes sense: what the buyer did, before it has an id."""

    deed: Deed
    text: Text = ""
    declined: tuple[Name, ...] = ()
    order: Order | None = None


def request_prefix(ref: OrderRef) -> str:
    """What the ids of all requests of one order begin with: hexadecimal, whatever the order's number."""
    return hashlib.sha256(f"{ref.store}\n{ref.number}".encode()).hexdigest()[:16]


def request_id(link: PageLink, revision: int, about: About | None, draft: Draft, form_id: str) -> str:
    """The same for the same form sent twice. To affirm one message again is always the same request."""
    deed = draft.deed
    if deed is Deed.AFFIRMED and about:
        form_id = str(about)
    content = Draft(**{**dict(draft), "order": None}).model_dump_json()
    wanted = draft.order.content_hash if draft.order else ""
    parts = (link.role, deed, str(revision), form_id, content, wanted)
    return request_prefix(link.ref) + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]


def request_of(
    link: PageLink, revision: int, base: str | None, about: About | None, draft: Draft, id_: str, now: AwareDatetime
) -> BuyerRequest:
    """The request with the evidence that it brings; none where no message of that revision is out."""
    event = _EVENTS.get(draft.deed, EvidenceEvent.ENGAGED)
    fact = about and EvidenceFact(
        id=f"{id_}-{event}",
        event=event,
        grade=Grade.E4 if event is EvidenceEvent.ENGAGED else Grade.E5,
        channel=CHANNEL,
        revision=revision,
        kind=about.kind,
        n=about.n,
        occurred_at=now,
        basis=f"{SOURCE}:{draft.deed}",
    )
    return BuyerRequest(
        id=id_,
        ref=link.ref,
        revision=revision,
        at=now,
        base=base if draft.order else None,
        facts=(fact,) if fact else (),
        provenance=Provenance(
            content_sha256=about.content_sha256 if about else None,
            recipient_role=link.role,
            actor=f"{HOLDER_OF_LINK}{link.via}" if link.via else "the holder of the link made by hand",
            assurance=Assurance.LINK,
            verified=True,
        ),
        **dict(draft),
    )


async def tell(parts: GatewayParts, request: BuyerRequest, status: OrderStatus | None = None) -> Taken:
    """Record the evidence, tell it, and put the request to the order. `status`: the order's, if just read.

    Raises Unavailable or Misconfigured: not now. Whatever the order says, the answer is one that a buyer can be told.
    """
    for fact in request.facts:
        await parts.ledger.record_evidence(request.ref, fact, request.said, request.provenance)
    for fact in request.facts:
        await parts.orders.evidence(request.ref, fact)
    try:
        return await _ask_the_order(parts, request, status)
    except (OrderNotOpen, OrderUnknown):
        return Taken.CLOSED
    except Refused:
        return Taken.REFUSED


async def _ask_the_order(parts: GatewayParts, request: BuyerRequest, status: OrderStatus | None) -> Taken:
    match request.deed:
        case Deed.AFFIRMED:
            return Taken.TOLD
        case Deed.ASKED:
            return _taken(await _ask(parts, request, request.text, "question"))
        case Deed.CANCELLED | Deed.DECLINED_ALL:
            return await _cancel(parts, request, status or await parts.orders.status(request.ref))
    # A change and an acceptance have no place for words, so these reach the order's owner as a question does.
    noted = _taken(await _ask(parts, request, request.text, "note")) if request.text else Taken.TOLD
    if request.order is None:
        return noted
    return await _change(parts, request, request.order, status or await parts.orders.status(request.ref))


async def _change(parts: GatewayParts, request: BuyerRequest, order: Order, status: OrderStatus) -> Taken:
    """Propose it, unless the order has become another one since: it would be undone silently."""
    if status.content_hash not in (request.base, order.content_hash):
        return Taken.OUTDATED
    change = ChangeRequest(id=request.id, order=order, note=request.text)
    return _taken(await parts.orders.change(request.ref, change))


async def _cancel(parts: GatewayParts, request: BuyerRequest, status: OrderStatus) -> Taken:
    """Call it off; once the team has accepted the work, that is its owner's to say."""
    if status.handoff_accepted_by:
        words = (_ASKS_TO_CANCEL + (request.text or _NO_REASON))[:_LONGEST]
        asked = _taken(await _ask(parts, request, words, "cancel"))
        return Taken.ASKED_INSTEAD if asked is Taken.TOLD else asked
    return _taken(await parts.orders.cancel(request.ref, CancelRequest(id=request.id, reason=request.text)))


async def _ask(parts: GatewayParts, request: BuyerRequest, text: str, what: str) -> Reply:
    question = BuyerQuestion(id=f"{request.id}-{what}", revision=request.revision, via=CHANNEL, text=text)
    return await parts.orders.ask(request.ref, question)


def _taken(reply: Reply) -> Taken:
    return Taken.TOLD if reply.accepted else Taken.REFUSED
