"""What we make of an interchange when it comes for the first time: kept, so that a repeat is answered as it was.

A partner's profile may have changed meanwhile, and a 997 must not take back what it said, nor say that an order is
taken which was refused.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from orderack.domain.value import Value
from orderack.edi.envelope import Envelope, Interchange, wrap
from orderack.edi.functional import acknowledge, read_report, report
from orderack.edi.partner import PartnerProfile
from orderack.edi.syntax import Malformed, Segment, seg
from orderack.ports import Given
from orderack.sources._edi_x12_judge import Judged, fingerprint

LONGEST_RESPONSE = 10_000
"""Characters of 997s; where they would be more, they do not name the segments."""

Written = tuple[str, ...]
"""A segment: its name, and its elements."""


class Account(Value):
    """One interchange. Its transaction sets are deliveries of their own, each as it came."""

    partner: str
    """Empty: a stranger's."""
    control: str
    fingerprint: str
    refusal: str = ""
    """Why nothing in it is taken, in words."""
    problems: tuple[str, ...] = ()
    """What a person must see besides: groups that are not taken, interchanges of ours that the partner refused."""
    groups: tuple[tuple[Written, ...], ...] = ()
    """The 997 of each group, without ST and SE."""
    reports: tuple[Written, ...] = ()
    """TA1."""
    is_test: bool = False
    sets: int = 0
    """How many are recorded by themselves."""
    text: str = ""
    """The interchange, where not all of it is recorded by itself."""

    @property
    def is_owed(self) -> bool:
        return bool(self.partner and (self.groups or self.reports))


def account_of(judged: Judged, at: datetime) -> Account:
    """Pure: of the same interchange, partner's profile and time, the same."""
    refusal, interchange = judged.refusal, judged.interchange
    reports = [report(interchange, refusal.note if refusal else "000", at)] if refusal or interchange.wants_ta1 else []
    said = [read_report(segment) for segment in interchange.reports]
    problems = [*(f"TA1: {one}" for one in said if not one.accepted), *judged.wrong_groups]
    return Account(
        partner=judged.partner,
        control=interchange.control,
        fingerprint=fingerprint(interchange.tokens.text),
        refusal=str(refusal or ""),
        problems=tuple(problems),
        groups=() if refusal else _groups(judged),
        reports=tuple(map(_written, reports)),
        is_test=judged.is_test,
        sets=sum(1 for _ in judged.taken),
        text=interchange.tokens.text if refusal or judged.wrong_groups or judged.is_test else "",
    )


def _groups(judged: Judged) -> tuple[tuple[Written, ...], ...]:
    for details in (True, False):
        groups = [acknowledge(group, found, details=details) for group, found in judged.acknowledged]
        found = tuple(tuple(map(_written, segments)) for segments in groups)
        if sum(len("*".join(one)) for group in found for one in group) < LONGEST_RESPONSE:
            break
    return found


def refused(account: Account, malformed: Malformed, interchange: Interchange, at: datetime) -> Account:
    """The account of another interchange of the same partner, for which nothing is owed but the refusal."""
    reports = (_written(report(interchange, malformed.note, at)),)
    return account.model_copy(update={"refusal": str(malformed), "groups": (), "reports": reports})


def owed(account: Account, profile: PartnerProfile, given: Given) -> str:
    """The interchange that answers it, under the control number that was given for it."""
    groups = [[_read(one) for one in group] for group in account.groups]
    reports = [_read(one) for one in account.reports]
    return wrap("997", groups, envelope(profile, given), profile.delimiters, reports)


def envelope(profile: PartnerProfile, given: Given) -> Envelope:
    """Of what goes out to this partner."""
    return Envelope(
        sender=profile.ours.party,
        receiver=profile.theirs.party,
        group_sender=profile.ours.group_id,
        group_receiver=profile.theirs.group_id,
        version=profile.version,
        usage=profile.usage,
        control=given.number,
        at=given.at.astimezone(UTC),
    )


def _written(segment: Segment) -> Written:
    return (segment.tag, *segment.elements)


def _read(written: Sequence[str]) -> Segment:
    return seg(*written)
