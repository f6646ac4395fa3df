"""What the report holds, as values: what `--json` prints and pages show. Times in UTC, durations in seconds.

No name, address or word of a buyer's stands here: a customer is the store's own id of them.
"""

from datetime import date

from pydantic import AwareDatetime

from orderack.contracts.journal import ClockName
from orderack.diagnostics.weekly.statistics import Share, Spread, Verdict
from orderack.diagnostics.wismo.figures import WismoFigures
from orderack.domain.evidence import Grade
from orderack.domain.reachability import ReachReport
from orderack.domain.value import Value


class Promise(Value):
    """One promised clock, over all its runs."""

    clock: ClockName
    kept: int
    broken: int
    fell_away: int
    """Stopped before it was due: the order was called off or changed, or someone took it in hand."""
    running: int
    """Neither, when the week was looked at."""

    @property
    def share(self) -> Share:
        """Kept, of those that were kept or broken."""
        return Share(hits=self.kept, of=self.kept + self.broken)


class Reached(Value):
    """Confirmations whose evidence is of this grade or a better one."""

    grade: Grade
    share: Share


class Verdicts(Value):
    """How often reviews were decided so."""

    verdict: str
    reviews: int


class Told(Value):
    """How soon buyers heard. An order that owes no word at once (it is withheld) is not among them."""

    in_time: Share
    """Within the promised time."""
    after: Spread
    """From the trigger to the first message that a channel took."""
    untold: int
    """Promised, and not told at all."""


class Receipts(Value):
    """How soon the ERP had booked."""

    after: Spread
    """From the trigger to the ERP receipt of the first revision."""
    missing: int
    """Given to the ERP, not called off, and no receipt came."""


class Confirmed(Value):
    orders: Share
    before_receipt: tuple[str, ...]
    """Every order of which a revision was confirmed before the ERP's receipt of it, or without one: must be none."""


class Escalations(Value):
    orders: Share
    """Orders that were escalated."""
    begun: int
    same_day: Share
    """Ended on the store's day on which they began."""
    left: int
    """Not ended."""


class ReviewFigures(Value):
    opened: int
    decided: int
    took: Spread
    """From the opening to the decision; asking the buyer is none."""
    verdicts: tuple[Verdicts, ...]


class Changes(Value):
    proposed: int
    acknowledged: Share
    """Told "we have your change"."""
    confirmed: Share
    """A confirmation of the new revision, or of a later one, went out."""


class HandoffFigures(Value):
    offered: int
    accepted: Share
    took: Spread
    """From the offer to its acceptance."""
    reassigned: int
    """How often one went to the next in the rota because nobody took it."""


class SendFigures(Value):
    undeliverable: int
    """Orders with a message that no channel could take."""
    in_doubt: int
    """Sends that were cut off, so that nobody knew whether they went out."""
    doubts_left: int
    """Of them, those that nothing has settled."""


class EvidenceFigures(Value):
    confirmations: int
    """That went out, of all revisions."""
    reached: tuple[Reached, ...]


class Ends(Value):
    """Orders that were called off, and what buyers said of the others."""

    cancelled: int
    rejected: int
    disputed: int
    declined: int
    """A part or all."""
    questions: int
    unanswered: int


class WeekFigures(Value):
    """One store's orders of one week, as they stood at `known_by`."""

    week: str
    monday: date
    since: AwareDatetime
    until: AwareDatetime
    known_by: AwareDatetime
    orders: int
    shadow: int
    """Left out: nothing of them left the house."""
    without_content: int
    """Left out: heard of, and their content never came."""
    told: Told
    held: Share
    """Orders that got a `holding` acknowledgement."""
    receipts: Receipts
    confirmed: Confirmed
    escalations: Escalations
    promises: tuple[Promise, ...]
    reviews: ReviewFigures
    changes: Changes
    handoffs: HandoffFigures
    sends: SendFigures
    evidence: EvidenceFigures
    ends: Ends

    @property
    def all_promises(self) -> Share:
        """Every promised clock together."""
        shares = [promise.share for promise in self.promises]
        return Share(hits=sum(one.hits for one in shares), of=sum(one.of for one in shares))


class Line(Value):
    """One figure beside that of the week before, in words."""

    key: str
    title: str
    now: str
    before: str
    said: str
    """The difference, plainly."""
    verdict: Verdict | None
    """None: a number that is only counted."""
    why: str = ""
    """Of no verdict: what keeps it from being one."""


class Wrong(Value):
    """In how many orders this went wrong."""

    what: str
    orders: int


class CustomerFigures(Value):
    """What one customer was promised and what became of it. `customer`: the store's own id."""

    customer: str
    orders: int
    told: Share
    """Within the promised time, of orders that were promised a word at once."""
    held: Share
    """Orders that got a `holding` acknowledgement."""
    confirmed: Share
    quietly: Share
    """Orders that were confirmed and never escalated."""
    promises: Share
    """Promises to the buyer: told in time, held in time, resolved in time, the partner's deadline."""
    with_wrong: Share
    """Orders in which anything went wrong."""
    wrong: tuple[Wrong, ...]
    changes: int
    cancelled: int
    unanswered: int


class CustomerWeek(Value):
    """One week of the customer who was asked for."""

    week: str
    figures: CustomerFigures
    worst_orders: tuple[str, ...]
    """Orders in which something went wrong, with what."""


class StoreReport(Value):
    """One store's week."""

    store: str
    time_zone: str
    weeks: tuple[WeekFigures, ...]
    """The oldest first; the last one is the week of the report."""
    lines: tuple[Line, ...]
    sentences: tuple[str, ...]
    """What matters most, the weightiest first."""
    customers: int
    """Customers with an order in the week."""
    of_nobody: int
    """Orders that name no customer."""
    worst: tuple[CustomerFigures, ...]
    """Those to whom the store was least reliable."""
    reach: ReachReport = ReachReport()
    """How buyers were reached by what was sent in the week, and who would be reached better by another channel."""
    customer: tuple[CustomerWeek, ...] = ()
    """The customer who was asked for, week by week."""

    @property
    def week(self) -> WeekFigures:
        return self.weeks[-1]


class Weekly(Value):
    """The report."""

    week: str
    made_at: AwareDatetime
    settled_hours: float
    """How long after its end each week was looked at."""
    stores: tuple[StoreReport, ...]
    wismo: WismoFigures | None = None
    """Tickets that ask where an order is, of all weeks shown; None: no tickets were given."""
    rule: str
    """When a difference is a finding."""
