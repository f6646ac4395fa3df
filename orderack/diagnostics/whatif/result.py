"""What a simulation says: figures, examples and warnings, as `--json` prints them."""

from collections.abc import Mapping
from decimal import Decimal

from pydantic import AwareDatetime

from orderack.contracts.journal import ClockName
from orderack.diagnostics.whatif.fields import Kind
from orderack.diagnostics.whatif.load import Load
from orderack.diagnostics.whatif.shares import Estimate
from orderack.domain.order import Name, Text
from orderack.domain.problem import Problem
from orderack.domain.value import Value

Worth = Mapping[str, Decimal]
"""Order totals added up, by currency."""


class Otherwise(Value):
    """A recorded decision that could not be made again, and what came out differently."""

    order: Text
    revision: int
    what: tuple[str, ...]


class SelfCheck(Value):
    """The proof that the past is read rightly: the policy that decided, decides the same again.

    What is `otherwise` or not kept is left out of everything that follows. What another version decided is compared,
    but nothing proves it: give that version's file (--recorded), and it is checked as well.
    """

    checked: int
    as_recorded: int
    otherwise: tuple[Otherwise, ...] = ()
    other_versions: Mapping[str, int] = {}
    """Policy version → revisions that it decided and whose file is not at hand."""
    not_kept: Mapping[str, int] = {}
    without_content: int = 0
    """Orders of which nothing but their ERP receipt, or a first word, ever came."""
    undated: int = 0
    """Revisions without a date then: the store's queue was not kept, and counts as empty."""
    unlearned: int = 0
    """Revisions whose store would learn from its customers under the new policy, and of which it was not kept how the
    customer had answered by then: they keep the policy's order of channels."""


class Example(Value):
    """One order that the change concerns."""

    order: Text
    revision: int
    at: AwareDatetime
    source: Text
    total: Decimal
    currency: Name
    before: Text
    after: Text
    rule_before: Text
    rule_after: Text
    why: Text


class Group(Value):
    """Orders with the same change: `field` from `before` to `after`."""

    field: Name
    title: Text
    before: Text
    after: Text
    orders: int
    share: float
    worth: Worth
    examples: tuple[Example, ...]


class Differences(Value):
    """One kind of change."""

    kind: Kind
    title: Text
    orders: int
    share: float
    worth: Worth
    worth_share: Mapping[str, float]
    groups: tuple[Group, ...]


class Level(Value):
    """One service level under both policies, by what was measured."""

    clock: ClockName
    title: Text
    before: Text
    """The level, or the few that there are."""
    after: Text
    runs_before: int
    runs_after: int
    broken_before: int
    broken_after: int
    """Of the runs whose end is known."""
    unknown: int = 0
    """Runs whose end under the new policy nobody knows."""
    estimate: Estimate | None = None
    """Of those; None where too few were measured to say."""
    recorded: int | None = None
    """As the ledger recorded it when it happened; beside `broken_before` it shows how well the model holds."""
    sentence: Text
    counts_messages: bool = False
    """What is counted as broken are messages, to so many escalated orders."""
    newly: tuple[str, ...] = ()
    """Orders for which it would newly be broken, the first of them."""


class Rowless(Value):
    """A source or a store of real orders that the new policy has no row for."""

    what: Name
    name: Name
    orders: int


class Simulation(Value):
    """Everything that was found."""

    made_at: AwareDatetime
    policy_in_force: Name
    policy_new: Name
    file: Text
    since: AwareDatetime
    until: AwareDatetime
    store: Name | None = None
    orders_file: Text = ""
    divisor: float = 1.0
    orders: int
    """Different orders among what was compared."""
    revisions: int
    worth: Worth
    self_check: SelfCheck
    lint: tuple[Problem, ...] = ()
    rowless: tuple[Rowless, ...] = ()
    different: int
    different_share: float
    different_worth: Worth
    rule_only: int = 0
    """Orders that another rule decides, to the same effect."""
    kinds: tuple[Differences, ...] = ()
    levels: tuple[Level, ...] = ()
    load: Load | None = None
    warnings: tuple[Text, ...] = ()
    every: tuple[Example, ...] = ()
    """Each change of each order, where it was asked for."""
