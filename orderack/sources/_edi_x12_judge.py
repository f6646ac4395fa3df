"""What we make of an interchange: whose it is, and which of its transaction sets can be taken."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from orderack.domain.order import Order
from orderack.edi.checks import check_purchase
from orderack.edi.envelope import (
    GROUP_IN_WORDS,
    IN_WORDS,
    Group,
    GroupError,
    Interchange,
    SetError,
    TransactionSet,
    read_interchanges,
)
from orderack.edi.functional import Verdict
from orderack.edi.partner import PartnerProfile, Usage
from orderack.edi.purchase import CANCELS, Purchase, read_purchase
from orderack.edi.rules import Finding, WrongSegment
from orderack.edi.syntax import Malformed
from orderack.errors import InvalidInput
from orderack.ports import Connection
from orderack.sources._edi_x12_context import Context
from orderack.sources._edi_x12_order import order_of

MOST_INTERCHANGES, MOST_GROUPS, MOST_SETS = 10, 50, 200
"""Of one request: each interchange and each set is a record of its own."""

_OF_GROUP = {"PO": "850", "PC": "860", "FA": "997"}
"""GS01 → the sets that are taken."""
_ACKNOWLEDGED = frozenset({"PO", "PC"})


@dataclass
class Judged:
    """One interchange."""

    interchange: Interchange
    partner: str = ""
    profile: PartnerProfile | None = None
    refusal: Malformed | None = None
    """Why nothing in it is taken."""
    verdicts: list[tuple[Group, list[Verdict]]] = field(default_factory=list)

    @property
    def is_test(self) -> bool:
        return self.interchange.usage == Usage.TEST

    @property
    def acknowledged(self) -> list[tuple[Group, list[Verdict]]]:
        """The groups that a 997 is owed for: never one of 997s."""
        return [(group, found) for group, found in self.verdicts if group.functional_id != "FA"]

    @property
    def taken(self) -> Iterator[tuple[Group, Verdict]]:
        """Every set that is recorded by itself, refused ones too: a person sees each."""
        if not self.is_test:
            yield from ((group, one) for group, found in self.verdicts if not group.errors for one in found)

    @property
    def wrong_groups(self) -> list[str]:
        return [
            f"group {group.control}: {GROUP_IN_WORDS[error]}" for group, _ in self.verdicts for error in group.errors
        ]


def interchanges(text: str) -> list[Interchange]:
    """All in one request. Raises Malformed."""
    found = list(read_interchanges(text))
    if sum(len(group.sets) for one in found for group in one.groups) > MOST_SETS:
        raise Malformed(
            "the request", f"holds more than {MOST_SETS} transaction sets: send smaller interchanges", "024"
        )
    return found


def fingerprint(text: str) -> str:
    """Of one interchange, line ends and all."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def judge(interchange: Interchange, partners: Mapping[str, PartnerProfile], here: Connection, at: datetime) -> Judged:
    """Whose it is and what of it is taken. Pure: the same interchange is judged alike for ever."""
    known = {(one.theirs.party, one.ours.party): name for name, one in partners.items()}
    partner = known.get((interchange.sender, interchange.receiver))
    if partner is None:
        return Judged(interchange, refusal=_stranger(interchange, partners))
    profile = partners[partner]
    judged = Judged(interchange, partner, profile, interchange.fault)
    if judged.refusal is None and interchange.usage not in (Usage.TEST, profile.usage):
        judged.refusal = Malformed("ISA15 (segment 1)", "is not the usage indicator agreed on", "020")
    if judged.refusal is None:
        context = Context(here, partner, profile, at)
        judged.verdicts = [(group, _of_group(group, context)) for group in interchange.groups]
    return judged


def _stranger(interchange: Interchange, partners: Mapping[str, PartnerProfile]) -> Malformed:
    if any(one.theirs.party == interchange.sender for one in partners.values()):
        return Malformed("ISA08 (segment 1)", f"is not our id with this partner: {interchange.receiver}", "008")
    return Malformed("ISA06 (segment 1)", f"is no partner of this store: {interchange.sender}", "006")


def _of_group(group: Group, context: Context) -> list[Verdict]:
    if group.functional_id not in _OF_GROUP:
        group.errors.append(GroupError.NOT_SUPPORTED)
    elif not any(group.version.startswith(version) for version in context.profile.versions):
        group.errors.append(GroupError.VERSION)
    return [_verdict(found, group, context) for found in group.sets]


def _verdict(found: TransactionSet, group: Group, context: Context) -> Verdict:
    verdict = Verdict(found, list(found.errors))
    if found.code != _OF_GROUP.get(group.functional_id):
        verdict.errors.append(SetError.NOT_SUPPORTED)
    if verdict.errors or group.functional_id not in _ACKNOWLEDGED:
        return verdict
    verdict.findings = check_purchase(found, hash_total=context.profile.hash_total)
    if not verdict.findings and found.code == "850":
        verdict.findings = _unfit(found, context)
    return verdict


def _unfit(found: TransactionSet, context: Context) -> list[Finding]:
    """What keeps an 850 that is well formed from being an order: said at once, never after it was accepted."""
    purchase = read_purchase(found)
    try:
        ordered(purchase, context)
    except InvalidInput as no:
        begin = found.segments[1]
        return [
            Finding(begin.tag, begin.position, WrongSegment.ELEMENTS, f"{one.field} {one.problem}")
            for one in no.problems
        ]
    return []


def ordered(purchase: Purchase, context: Context) -> Order:
    """The order of an 850. Raises InvalidInput; of one that is cancelled, the lines are of no interest."""
    if purchase.purpose == CANCELS:
        purchase.items = []
    return order_of(purchase, context)


def problems_with(verdict: Verdict) -> Sequence[str]:
    """In words, by segment and element."""
    start = verdict.of.segments[0]
    envelope = [
        f"{start.name()}: {IN_WORDS.get(error, 'is no kind of set that is taken here')}" for error in verdict.errors
    ]
    return [*envelope, *(f"{one.where}: {one.words}" for one in verdict.findings)]
