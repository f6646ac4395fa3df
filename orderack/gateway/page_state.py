"""What is known of an order when its page is shown: by the order itself, and by the record where it can't be asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Audience, Kind, SendState
from orderack.domain.evidence import EvidenceEvent, EvidenceFact
from orderack.domain.order import OrderRef
from orderack.domain.proof import Proof, prove
from orderack.domain.response import LineAnswer
from orderack.domain.store import BuyerMay, StoreProfile
from orderack.errors import OrderUnknown, Refused, Unavailable
from orderack.gateway.buyer_requests import SOURCE, About, BuyerRequest, request_prefix
from orderack.gateway.parts import GatewayParts
from orderack.gateway.standing import called_off
from orderack.links import PageLink
from orderack.messages.page_labels import Standing, Taken
from orderack.ports import Message, OrderRow, StoredRevision

REMEMBERED = 20
"""Of the buyer's own requests, the latest so many are shown."""

OPEN = frozenset({Standing.CONFIRMED, Standing.HANDED_OFF})
"""The revision shown is confirmed, and nothing is under way that could change it."""

_STANDINGS: Mapping[str, Standing] = {
    Stage.AWAITING_ORDER: Standing.AWAITED,
    Stage.ASSESSING: Standing.RECEIVED,
    Stage.AWAITING_ERP: Standing.RECEIVED,
    Stage.REVIEW: Standing.REVIEWED,
    Stage.CONFIRMED: Standing.CONFIRMED,
    Stage.HANDED_OFF: Standing.HANDED_OFF,
    Stage.CANCELLED: Standing.CANCELLED,
    Stage.REJECTED: Standing.REJECTED,
    Stage.CLOSED: Standing.CLOSED,
}
_UNCONFIRMED = frozenset({BuyerMay.AFFIRM, BuyerMay.ASK, BuyerMay.CHANGE, BuyerMay.CANCEL})
_EVERYTHING = frozenset(BuyerMay)
_QUESTION = frozenset({BuyerMay.ASK})
_NOTHING: frozenset[BuyerMay] = frozenset()
_OFFERED: Mapping[Standing, frozenset[BuyerMay]] = {
    Standing.AWAITED: _NOTHING,
    Standing.RECEIVED: _UNCONFIRMED,
    Standing.REVIEWED: _UNCONFIRMED,
    Standing.CONFIRMED: _EVERYTHING,
    Standing.HANDED_OFF: _EVERYTHING,
    Standing.CHANGING: frozenset({BuyerMay.ASK, BuyerMay.CANCEL}),
    Standing.CANCELLED: _QUESTION,
    Standing.REJECTED: _QUESTION,
    Standing.CLOSED: _NOTHING,
}
"""What the order's state lets a buyer do; the store's policy may allow less."""


@dataclass(frozen=True)
class Said:
    """One message to the buyer that went out, by one channel."""

    revision: int
    kind: Kind
    n: int
    channel: str
    at: datetime
    sha256: str
    message: Message | None
    """None: its content was erased."""


@dataclass(frozen=True)
class Asked:
    """One request of the buyer's, and what became of it."""

    request: BuyerRequest
    taken: Taken


@dataclass(frozen=True)
class PageState:
    link: PageLink
    store: StoreProfile
    status: OrderStatus | None
    """None: the order can't be asked now (`away`), or Temporal no longer keeps it."""
    away: bool
    standing: Standing
    confirmed: int | None
    """The revision whose confirmation stands."""
    revision: int
    """The one that the page shows: as confirmed; before that, as received."""
    stored: StoredRevision | None
    previous: StoredRevision | None
    """The one confirmed before it."""
    pending: StoredRevision | None
    """The change that is being checked."""
    said: Sequence[Said]
    facts: Sequence[EvidenceFact]
    asked: Sequence[Asked]
    """The latest first."""

    @property
    def about(self) -> About | None:
        """The message that evidence is about: the confirmation of the revision shown, before that the latest one."""
        out = [said for said in self.said if said.revision == self.revision]
        confirmations = [said for said in out if said.kind is Kind.CONFIRMATION]
        if self.confirmed and not confirmations:
            return About(kind=Kind.CONFIRMATION, n=1)
        latest = max(confirmations if self.confirmed else out, key=lambda said: said.at, default=None)
        if latest is None:
            return None
        same = [said for said in out if (said.kind, said.n) == (latest.kind, latest.n)]
        sent = next((said for said in same if said.channel == self.link.via), same[0])
        return About(kind=sent.kind, n=sent.n, content_sha256=sent.sha256)

    @property
    def answers(self) -> tuple[LineAnswer, ...]:
        """The ERP's answers for the revision shown, as far as they are known now."""
        current = self.status is not None and self.status.revision == self.confirmed
        return self.status.answers if self.status and current else ()

    @property
    def proof(self) -> Proof:
        """What is proved of the message that the page is about."""
        about = self.about
        return prove(
            fact
            for fact in self.facts
            if about and (fact.revision, fact.kind, fact.n) == (self.revision, about.kind, about.n)
        )

    @property
    def affirmed_at(self) -> datetime | None:
        """When the buyer said: I have it."""
        about = self.about
        return min(
            (
                fact.occurred_at
                for fact in self.facts
                if fact.event is EvidenceEvent.AFFIRMED
                and about
                and (fact.revision, fact.kind, fact.n) == (self.revision, about.kind, about.n)
            ),
            default=None,
        )

    @property
    def offered(self) -> frozenset[BuyerMay]:
        """What the page offers this reader to do."""
        if self.link.role != "buyer" or self.stored is None:
            return frozenset()
        offered = _OFFERED[self.standing] & self.store.page.may
        if self.about is None or self.affirmed_at:
            offered -= {BuyerMay.AFFIRM}
        if not self.answers:
            offered -= {BuyerMay.ANSWER}
        return offered

    def takes(self, action: BuyerMay) -> bool:
        """Whether it can be recorded. More than is offered: what an order's end overtook is recorded all the same."""
        if action not in self.store.page.may:
            return False
        if action is BuyerMay.AFFIRM:
            return self.about is not None
        return action is not BuyerMay.ANSWER or self.confirmed is not None

    @property
    def cancels_late(self) -> bool:
        """Whether a cancellation is the owner's to say: the team has the work in hand."""
        return bool(self.status and self.status.handoff_accepted_by)


async def look(parts: GatewayParts, link: PageLink) -> PageState | None:
    """Everything that the page needs; None where we have no such order or store. Raises Unavailable: no ledger."""
    ref, ledger = link.ref, parts.ledger
    status, away = await _status(parts, ref)
    row = await ledger.order(ref)
    if (row is None and status is None) or ref.store not in parts.stores:
        return None
    said = await _said(parts, ref)
    confirmed = _confirmed(status, row, said)
    revision = confirmed or (status.revision if status else row.revision if row else 0)
    earlier = _confirmed_before(revision, said) if confirmed else None
    latest = status.revision if status else revision
    return PageState(
        link=link,
        store=parts.stores[ref.store],
        status=status,
        away=away,
        standing=_standing(status, row, away, confirmed),
        confirmed=confirmed,
        revision=revision,
        stored=await ledger.revision(ref, revision),
        previous=await ledger.revision(ref, earlier) if earlier else None,
        pending=await ledger.revision(ref, latest) if confirmed and latest > confirmed else None,
        said=said,
        facts=await ledger.evidence(ref),
        asked=await _asked(parts, ref),
    )


async def _status(parts: GatewayParts, ref: OrderRef) -> tuple[OrderStatus | None, bool]:
    """What the order says of itself, and whether it is out of reach."""
    try:
        return await parts.orders.status(ref), False
    except OrderUnknown:
        return None, False
    except (Unavailable, Refused):
        return None, True


def _standing(status: OrderStatus | None, row: OrderRow | None, away: bool, confirmed: int | None) -> Standing:
    stage = status.stage if status else row.stage if row else Stage.ASSESSING
    standing = _STANDINGS.get(stage, Standing.RECEIVED)
    if status is None and not away and standing not in (Standing.CANCELLED, Standing.REJECTED):
        return Standing.CLOSED  # Temporal keeps no order that is open from us
    if confirmed and standing in (Standing.RECEIVED, Standing.REVIEWED):
        return Standing.CHANGING
    return standing


def _confirmed(status: OrderStatus | None, row: OrderRow | None, said: Sequence[Said]) -> int | None:
    """The order's own word; while it can't be asked, the latest confirmation that went out and was not taken back."""
    if status is not None:
        return None if called_off(status) else status.confirmed_revision
    ended = {Kind.CANCELLATION, Kind.REJECTION} & {each.kind for each in said}
    if ended or (row is not None and row.stage in (Stage.CANCELLED, Stage.REJECTED)):
        return None
    return max((each.revision for each in said if each.kind is Kind.CONFIRMATION), default=None)


def _confirmed_before(revision: int, said: Sequence[Said]) -> int | None:
    earlier = (each.revision for each in said if each.kind is Kind.CONFIRMATION and each.revision < revision)
    return max(earlier, default=None)


async def _said(parts: GatewayParts, ref: OrderRef) -> list[Said]:
    """What we told the buyer and by which channel, in the order in which it went out; never an internal alert."""
    found = []
    for send in sorted(await parts.ledger.sends(ref), key=lambda send: send.claimed_at):
        channel = parts.channels.get(send.channel)
        if send.state is not SendState.ACCEPTED or not channel or channel.traits.audience is not Audience.BUYER:
            continue
        _, revision, kind, n, _ = send.key.rsplit("/", 4)
        if kind != Kind.ALERT:
            message = Message.model_validate_json(send.message_json) if send.message_json else None
            found.append(
                Said(int(revision), Kind(kind), int(n), send.channel, send.claimed_at, send.body_sha256, message)
            )
    return found


async def _asked(parts: GatewayParts, ref: OrderRef) -> list[Asked]:
    found = []
    for row in await parts.ledger.received(SOURCE, request_prefix(ref), REMEMBERED):
        try:
            request = BuyerRequest.model_validate_json(row.body)
        except ValidationError:
            continue  # its content was erased
        known = row.outcome in set(Taken)
        taken = Taken(row.outcome) if known else Taken.REFUSED if row.announced_at else Taken.RECORDED
        found.append(Asked(request, taken))
    return found
