"""What may stand beside a confirmation that leaves nothing open: paying, and other offers (mission.md 1d.10)."""

from collections.abc import Sequence
from urllib.parse import quote

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.evidence import EvidenceEvent, EvidenceFact
from orderack.domain.order import PaymentStatus
from orderack.domain.response import Outcome
from orderack.domain.store import Offer, PageRules
from orderack.domain.web_address import web_address
from orderack.gateway.standing import called_off

_SETTLED = frozenset({Stage.CONFIRMED, Stage.HANDED_OFF})
_SUPPLIED = frozenset({Outcome.ACCEPT, Outcome.QUANTITY, Outcome.PRICE, Outcome.DATE, Outcome.SUBSTITUTE})


def pay_url(rules: PageRules, status: OrderStatus | None, facts: Sequence[EvidenceFact], number: str) -> str:
    """Where the buyer pays, while the payment is pending; empty where it must not be shown."""
    if not rules.pay_url or status is None or not is_clean(status, facts) or status.payment != PaymentStatus.PENDING:
        return ""
    return web_address(rules.pay_url.replace("{number}", quote(number, safe="")))


def offers(rules: PageRules, status: OrderStatus | None, facts: Sequence[EvidenceFact]) -> tuple[Offer, ...]:
    """What else the store offers; nothing while a line is late, missing or unanswered."""
    if status is None or not is_clean(status, facts):
        return ()
    supplied = all(
        answer.outcome in _SUPPLIED and not answer.backordered and not answer.rejected for answer in status.answers
    )
    if not supplied or not status.answers:
        return ()
    return tuple(offer for offer in rules.offers if web_address(offer.url))


def is_clean(status: OrderStatus, facts: Sequence[EvidenceFact]) -> bool:
    """The current revision is confirmed, and nothing about it is late, in doubt, in dispute or being changed."""
    return (
        status.stage in _SETTLED
        and status.confirmed_revision == status.revision
        and not status.escalated
        and not called_off(status)
        and status.payment is not PaymentStatus.FLAGGED
        and not any(fact.event is EvidenceEvent.DISPUTED for fact in facts)
        and not any(fact.event is EvidenceEvent.DECLINED and fact.revision == status.revision for fact in facts)
    )
