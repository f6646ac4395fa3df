"""The one sentence about a message that people are shown or may copy, generated from its evidence: never more than it.

Receipt, reading and assent are clauses of their own, each with its time and with who vouches for it; what is not proved
is said to be unproved. A machine touch proves nothing. (mission.md §4)
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.proof import Mark, Proof

PAGE = "portal"
"""The channel of what the buyer does on the order's page; such facts' bases begin with `page:`."""


class SendOf(Protocol):
    """One channel of a message."""

    @property
    def channel(self) -> str: ...
    @property
    def state(self) -> SendState: ...


class Said(Protocol):
    """One message and what is known of it; `contracts.queries.AcknowledgementStatus` is one."""

    @property
    def kind(self) -> Kind: ...
    @property
    def revision(self) -> int: ...
    @property
    def n(self) -> int: ...
    @property
    def out_at(self) -> datetime | None: ...
    @property
    def grade(self) -> Grade | None: ...
    @property
    def proof(self) -> Proof: ...
    @property
    def sends(self) -> Sequence[SendOf]: ...


TITLE: Mapping[Kind, str] = {
    Kind.RECEIVED: "first notice",
    Kind.HOLDING: "holding notice",
    Kind.UPDATE: "update",
    Kind.CONFIRMATION: "confirmation",
    Kind.CHANGE_RECEIVED: "notice of the change",
    Kind.REJECTION: "rejection",
    Kind.CANCELLATION: "cancellation",
    Kind.QUESTION: "question",
    Kind.ANSWER: "answer to the question",
    Kind.ALERT: "internal alert",
}
"""How a message is called here: no name may sound like evidence (`received` is a kind, not a fact)."""

_WHERE: Mapping[str, str] = {"sms": " to the handset", "email": " to the recipient's mail server"}
"""Where a delivery ends, by the medium in a channel's name; elsewhere the provider does not say."""

_LEFT: Mapping[SendState, str] = {
    SendState.UNKNOWN: "By {channels} it may or may not have gone out.",
    SendState.REJECTED: "By {channels} it was refused or came back.",
    SendState.UNAVAILABLE: "By {channels} nothing went out.",
}

_IMPLIES: Mapping[Grade, str] = {
    Grade.E3P: "a probable display",
    Grade.E3: "a display",
    Grade.E4: "an act on it",
    Grade.E5: "an answer to it",
    Grade.E6: "an attestation",
}
"""What an arrival follows from, where no delivery was reported before."""

_ACT: Mapping[EvidenceEvent, str] = {
    EvidenceEvent.REPLIED: "reached us",
    EvidenceEvent.DISPUTED: "disputed it",
    EvidenceEvent.DECLINED: "answered it",
    EvidenceEvent.ASSENTED: "affirmed its receipt",
    EvidenceEvent.AFFIRMED: "affirmed its receipt",
}
"""What a person did, for facts of E4 and E5; of any other event only that it was acted on."""

_UNTIMED: Mapping[Grade, str] = {
    Grade.E3P: "It was probably displayed.",
    Grade.E3: "It was displayed, by the provider's report.",
    Grade.E4: "It was acted on.",
    Grade.E5: "Its receipt was affirmed.",
    Grade.E6: "Its receipt was attested.",
}
"""A grade whose fact is not at hand: nothing is said of when and by whom."""

_NOT_PROVED: Mapping[Grade, str] = {
    Grade.E3P: "that a person read it",
    Grade.E3: "that a person read it",
    Grade.E4: "that anyone affirmed its receipt",
}


def claim(said: Said, zone: tzinfo = UTC) -> str:
    """What may be said of this message and no more. The same facts in any order give the same words.

    Times are in `zone`, the store's, and carry date and zone.
    """
    clauses = (
        *_out(said, zone),
        *_receipt(said, zone),
        *_returned(said, zone),
        *_machine(said.proof, zone),
        *_reading(said, zone),
        *_assent(said.proof, zone),
        *_absent(said),
    )
    return " ".join(clauses)


def title(said: Said) -> str:
    """The message's name: `The confirmation of revision 2`."""
    number = f" no. {said.n}" if said.n > 1 else ""
    return f"The {TITLE[said.kind]}{number} of revision {said.revision}"


def moment(at: datetime, zone: tzinfo) -> str:
    """`21 Nov 2026 10:02 UTC`: a sentence may be read years later."""
    return f"{at.astimezone(zone):%d %b %Y %H:%M %Z}"


def _out(said: Said, zone: tzinfo) -> list[str]:
    """Whether it went out. A provider's acceptance is only that: it is not called sent.

    Of several channels one acceptance is the first, and the arrival of one is not the others'.
    """
    name, by = title(said), _channels(said.sends, SendState.ACCEPTED)
    if kept := _channels(said.sends, SendState.KEPT):
        return [f"{name} did not go out: the order is in a shadow run, and what would go by {kept} is kept."]
    left = [words.format(channels=found) for state, words in _LEFT.items() if (found := _channels(said.sends, state))]
    if said.out_at is None and _arrived(said):
        return [f"{name} has no provider's acceptance on record.", *left]
    if said.out_at is None and by:  # of an internal alert it is kept that it went out, and not when
        return [f"{name} was accepted by the provider ({by}).", *left]
    if said.out_at is None:
        doubt = bool(_channels(said.sends, SendState.UNKNOWN))
        return [f"{name} is in doubt." if doubt else f"{name} is not out yet.", *left]
    at = moment(said.out_at, zone)
    if ", " in by:
        return [f"{name} was accepted by several providers ({by}), by the first of them on {at}.", *left]
    if _arrived(said):
        return [f"{name} went out on {at}{f' by {by}' if by else ''}.", *left]
    return [f"{name} was accepted by the provider{f' ({by})' if by else ''} on {at}.", *left]


def _receipt(said: Said, zone: tzinfo) -> list[str]:
    mark = said.proof.receipt
    if mark is None:
        return ["Its delivery was reported."] if said.grade is Grade.E2 else []
    at = moment(mark.at, zone)
    if mark.event is not EvidenceEvent.DELIVERED and mark.grade in _IMPLIES:
        return [f"It had arrived by {at}, as {_IMPLIES[mark.grade]} then implies."]
    if mark.grade is Grade.E6:
        return [f"Its delivery was attested on {at} ({mark.basis or mark.channel})."]
    where = _WHERE.get(mark.channel.rpartition("_")[2], "")
    return [f"Its delivery{where} was reported by {mark.channel} on {at}."]


def _returned(said: Said, zone: tzinfo) -> list[str]:
    """A return that the ends of its sends do not tell: it came after word of an arrival, and takes nothing from it."""
    mark = said.proof.returned
    if mark is None or any(send.channel == mark.channel and send.state is SendState.REJECTED for send in said.sends):
        return []
    return [f"By {mark.channel}'s report of {moment(mark.at, zone)} it failed or came back."]


def _machine(proof: Proof, zone: tzinfo) -> list[str]:
    mark, delivery = proof.machine, proof.receipt
    if mark is None:
        return []
    after = ""
    if delivery and delivery.event is EvidenceEvent.DELIVERED and mark.at >= delivery.at:
        after = f", {(mark.at - delivery.at).total_seconds():.0f} s after its delivery"
    return [f"A machine fetched its image or a link in it on {moment(mark.at, zone)}{after}: that proves no reading."]


def _reading(said: Said, zone: tzinfo) -> list[str]:
    mark, grade = said.proof.reading, _reading_grade(said)
    if grade is None:
        return []
    if mark is None:
        return [_UNTIMED[grade]]
    at = moment(mark.at, zone)
    if grade in (Grade.E4, Grade.E5):
        return [f"{_who(mark)} {_ACT.get(mark.event, 'acted on it')} on {at}."]
    if grade is Grade.E6:
        return [f"Its receipt was attested on {at} ({mark.basis or mark.channel})."]
    probably = "probably " if grade is Grade.E3P else ""
    return [f"It was {probably}displayed on {at}, by {_report(mark)}."]


def _assent(proof: Proof, zone: tzinfo) -> list[str]:
    mark = proof.assent
    if mark is None:
        return []
    if mark.grade is Grade.E6:
        word = "Agreement to its content" if proof.assented else "A refusal of its content, a part or all of it,"
        return [f"{word} was attested on {moment(mark.at, zone)} ({mark.basis or mark.channel})."]
    word = "agreed to its content" if proof.assented else "declined its content, a part or all of it,"
    return [f"{_who(mark)} {word} on {moment(mark.at, zone)}."]


def _absent(said: Said) -> list[str]:
    """What nobody may read into the rest. Of a message that is not out there is nothing to say."""
    if said.out_at is None and not _arrived(said) and not _channels(said.sends, SendState.ACCEPTED):
        return []
    missing = [] if _arrived(said) else ["that it arrived"]
    grade = _reading_grade(said)
    if grade is None:
        missing.append("that a person opened it")
    elif grade in _NOT_PROVED:
        missing.append(_NOT_PROVED[grade])
    if said.proof.assent is None:
        missing.append("that anyone agreed to its content")
    return [f"No evidence {_listed(missing)}."] if missing else []


def _reading_grade(said: Said) -> Grade | None:
    """The grade of what proves a reading; None: nothing does. An attested receipt is a receipt only."""
    if said.proof.reading:
        return said.proof.reading.grade
    if said.grade is None or said.grade not in _UNTIMED:
        return None
    return None if said.grade is Grade.E6 and said.proof.receipt else said.grade


def _arrived(said: Said) -> bool:
    return said.proof.receipt is not None or (said.grade is not None and said.grade.rank >= Grade.E2.rank)


def _channels(sends: Sequence[SendOf], state: SendState) -> str:
    return ", ".join(sorted({send.channel for send in sends if send.state is state}))


def _who(mark: Mark) -> str:
    """Who did it, as far as that is known: a link or an address, never a person."""
    if mark.channel == PAGE or mark.basis.startswith("page:"):
        return "The holder of its link"
    return f"A reply from the address it went to ({mark.channel})"


def _report(mark: Mark) -> str:
    return (
        f"{mark.channel}'s report"
        if mark.basis.startswith(f"{mark.channel}:")
        else "our own record of what was fetched"
    )


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"
