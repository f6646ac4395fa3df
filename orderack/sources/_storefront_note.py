"""What a shop's people read beside the order: where its acknowledgement stands. Never seen by the buyer."""

import hashlib

from orderack.domain.response import Outcome
from orderack.domain.source import AnswerKey, AnswerStage
from orderack.ports import SourceAnswer
from orderack.sources._reading import prose_of

_STATES = {
    AnswerStage.RECEIVED: "received; nothing is promised to the buyer yet",
    AnswerStage.CONFIRMED: "confirmed to the buyer",
    AnswerStage.REJECTED: "rejected",
    AnswerStage.CANCELLED: "cancelled",
}


def marker(key: AnswerKey) -> str:
    """A note's own name: short, and the same for the same answer for ever."""
    return f"orderack {hashlib.sha256(str(key).encode()).hexdigest()[:16]}"


def note_of(answer: SourceAnswer) -> str:
    """Its state, the ERP's number, the date, the lines that are not simply accepted, the page, and its marker."""
    key = answer.key
    head = f"Order {key.ref.number}, revision {key.revision}: {_STATES[key.stage]}."
    erp = f"ERP document: {answer.document_id}" if answer.document_id else None
    promised = f"Promised for {answer.promise_on.isoformat()}" if answer.promise_on else None
    why = f"Reason: {answer.reason}" if answer.reason else None
    skus = {line.line_id: line.sku for line in answer.order.lines}
    odd = [
        f"{skus.get(line.line_id, line.line_id)}: {line.outcome}"
        for line in answer.lines
        if line.outcome is not Outcome.ACCEPT
    ]
    return "\n".join(filter(None, (prose_of(head, erp, promised, why, *odd, answer.page_url), marker(key))))
