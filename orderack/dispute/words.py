"""The document's words for our frozen names."""

from collections.abc import Mapping

from orderack.contracts.journal import ClockName
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.difference import Changed
from orderack.domain.evidence import Assurance, EvidenceEvent, Grade
from orderack.domain.response import Outcome

KINDS: Mapping[Kind, str] = {
    Kind.RECEIVED: "First notice: the order arrived, nothing promised",
    Kind.HOLDING: "Holding notice: still being worked on",
    Kind.UPDATE: "Update on a late order",
    Kind.CONFIRMATION: "Confirmation",
    Kind.CHANGE_RECEIVED: "Notice that a change was received",
    Kind.REJECTION: "Rejection",
    Kind.CANCELLATION: "Cancellation",
    Kind.QUESTION: "Question to the buyer",
    Kind.ANSWER: "Answer to the buyer's question",
    Kind.ALERT: "Alert to our own people",
}

STATES: Mapping[SendState, str] = {
    SendState.ACCEPTED: "accepted by the provider",
    SendState.REJECTED: "refused",
    SendState.UNKNOWN: "in doubt: it may or may not have gone out",
}

GRADES: Mapping[Grade, str] = {
    Grade.E0: "Noted; it proves nothing about the message's arrival",
    Grade.E1: "The provider took it",
    Grade.M: "A machine touched it; no evidence about a person",
    Grade.E2: "It entered the recipient's system or device",
    Grade.E3P: "It was probably displayed",
    Grade.E3: "It was displayed, as the recipient's program reports",
    Grade.E4: "A person acted on it",
    Grade.E5: "The recipient affirmed it",
    Grade.E6: "A third party, or an identity that was checked, attests it",
}

EVENTS: Mapping[EvidenceEvent, str] = {
    EvidenceEvent.ACCEPTED: "Accepted by the provider",
    EvidenceEvent.DELIVERED: "Delivered",
    EvidenceEvent.BOUNCED: "Returned by its carrier",
    EvidenceEvent.MACHINE_TOUCH: "Touched by a machine",
    EvidenceEvent.DISPLAYED: "Displayed",
    EvidenceEvent.ENGAGED: "Acted on",
    EvidenceEvent.AFFIRMED: "Affirmed: “I have it”",
    EvidenceEvent.ASSENTED: "Accepted by the buyer",
    EvidenceEvent.DECLINED: "Declined by the buyer, a part or all",
    EvidenceEvent.REPLIED: "Replied to",
    EvidenceEvent.DISPUTED: "Disputed",
    EvidenceEvent.OPTED_OUT: "Opted out of this channel",
    EvidenceEvent.OPTED_IN: "Opted in to this channel",
    EvidenceEvent.UNKNOWN: "Reported in words that we do not know",
}

ASSURANCES: Mapping[Assurance, str] = {
    Assurance.NONE: "anybody could have caused it",
    Assurance.PROVIDER: "the provider's own report",
    Assurance.LINK: "the holder of a signed link that went to the recipient's address",
    Assurance.ADDRESS: "a reply from the address that the message went to",
    Assurance.IDENTITY: "an identity that was checked",
}

CLOCKS: Mapping[ClockName, str] = {
    ClockName.ACKNOWLEDGE: "First word to the buyer",
    ClockName.HOLD: "Holding notice if not yet confirmed",
    ClockName.REVIEW: "A person's decision",
    ClockName.ERP_RECEIPT: "The ERP's receipt",
    ClockName.UPDATE: "Next update to the buyer",
    ClockName.RESOLVE: "Resolution of a late order",
    ClockName.CLAIM: "Somebody takes it in hand",
    ClockName.PARTNER: "The partner's own deadline",
    ClockName.PARTNER_WARNING: "Warning before the partner's deadline",
    ClockName.EVIDENCE: "Evidence that the message arrived",
    ClockName.DOUBT: "Report of the message in doubt, before it is said again",
    ClockName.ERP_BUDGET: "Time given to the ERP before the first word",
    ClockName.STAY_OPEN: "Time in which the order can be changed",
    ClockName.ORPHAN: "Time in which a receipt waits for its order",
}

CHANGED: Mapping[Changed, str] = {
    Changed.LINE_ADDED: "line added",
    Changed.LINE_REMOVED: "line removed",
    Changed.ITEM: "item",
    Changed.QUANTITY: "quantity",
    Changed.UNIT_PRICE: "unit price",
    Changed.LINE_INSTRUCTIONS: "instructions",
    Changed.DESIGN: "design",
    Changed.DIETARY: "dietary",
    Changed.INSTRUCTIONS: "Instructions",
    Changed.ADDRESS: "Delivery address",
    Changed.PICKUP: "Pickup",
    Changed.WINDOW: "Delivery window",
    Changed.DISCOUNT: "Discount",
    Changed.SHIPPING: "Shipping",
    Changed.FEES: "Fees",
    Changed.CREDIT: "Gift card or credit",
    Changed.TAX: "Tax",
    Changed.TOTAL: "Total",
    Changed.TERMS: "Payment terms",
}

ANSWERS: Mapping[Outcome, str] = {
    Outcome.ACCEPT: "accepted",
    Outcome.QUANTITY: "quantity changed",
    Outcome.PRICE: "price changed",
    Outcome.DATE: "date changed",
    Outcome.SUBSTITUTE: "substituted",
    Outcome.BACKORDER: "on backorder",
    Outcome.REJECT: "rejected",
    Outcome.HOLD: "not answered",
}


def plain_words(name: str) -> str:
    """`handoff_accepted` → `Handoff accepted`."""
    text = name.replace("_", " ").replace("erp", "ERP")
    return text[:1].upper() + text[1:]
