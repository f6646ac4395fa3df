"""Orders with the same change, counted once each, with their share and worth and a few of them as examples."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from orderack.diagnostics.whatif.fields import FIELDS, KIND_WORDS, Change, Kind
from orderack.diagnostics.whatif.plans import Compared
from orderack.diagnostics.whatif.result import Differences, Example, Group, Worth
from orderack.domain.order import OrderRef

EXAMPLES = 3

_ORDER = {one.name: position for position, one in enumerate(FIELDS)}

Total = tuple[str, Decimal]


@dataclass
class _Members:
    """Orders, each with its total; the first of them with the words."""

    totals: dict[OrderRef, Total] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)

    def add(self, row: Compared, change: Change) -> None:
        new = row.ref not in self.totals
        self.totals[row.ref] = (row.currency, row.total)
        if new and len(self.examples) < EXAMPLES:
            self.examples.append(_example(row, change))


class Tally:
    """Counts what is different."""

    def __init__(self, *, every: bool = False) -> None:
        self._all: dict[OrderRef, Total] = {}
        self._different: dict[OrderRef, Total] = {}
        self._rule_only: set[OrderRef] = set()
        self._kinds: dict[Kind, dict[OrderRef, Total]] = defaultdict(dict)
        self._groups: dict[tuple[str, str, str], _Members] = defaultdict(_Members)
        self._titles: dict[str, Change] = {}
        self._keeps = every
        self.every: list[Example] = []

    def take(self, row: Compared) -> None:
        """One order revision under both policies."""
        total = (row.currency, row.total)
        self._all[row.ref] = total
        if row.changes:
            self._different[row.ref] = total
        elif row.before.rule != row.after.rule:
            self._rule_only.add(row.ref)
        for change in row.changes:
            self._kinds[change.field.kind][row.ref] = total
            self._groups[change.field.name, *change.alike].add(row, change)
            self._titles.setdefault(change.field.name, change)
            if self._keeps:
                self.every.append(_example(row, change))

    @property
    def worth(self) -> Worth:
        return _worth(self._all)

    @property
    def different(self) -> int:
        return len(self._different)

    @property
    def different_worth(self) -> Worth:
        return _worth(self._different)

    @property
    def rule_only(self) -> int:
        """Orders that another rule decides, and nothing else about them changes."""
        return len(self._rule_only - self._different.keys())

    def share(self, orders: int) -> float:
        """Of all that was compared."""
        return round(orders / len(self._all), 4) if self._all else 0.0

    def kinds(self) -> tuple[Differences, ...]:
        """By kind, in the order in which people ask; in each the most frequent change of a field first."""
        return tuple(self._kind(kind) for kind in Kind if self._kinds[kind])

    def _kind(self, kind: Kind) -> Differences:
        orders, worth, of = self._kinds[kind], _worth(self._kinds[kind]), self.worth
        groups = [
            self._group(key, members)
            for key, members in self._groups.items()
            if self._titles[key[0]].field.kind is kind
        ]
        return Differences(
            kind=kind,
            title=KIND_WORDS[kind],
            orders=len(orders),
            share=self.share(len(orders)),
            worth=worth,
            worth_share={name: round(float(value / of[name]), 4) if of[name] else 0.0 for name, value in worth.items()},
            groups=tuple(sorted(groups, key=lambda one: (_ORDER[one.field], -one.orders, one.before, one.after))),
        )

    def _group(self, key: tuple[str, str, str], members: _Members) -> Group:
        name, before, after = key
        return Group(
            field=name,
            title=self._titles[name].field.title,
            before=before,
            after=after,
            orders=len(members.totals),
            share=self.share(len(members.totals)),
            worth=_worth(members.totals),
            examples=tuple(members.examples),
        )


def _worth(orders: Mapping[OrderRef, Total]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for currency, total in orders.values():
        found[currency] += total
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def _example(row: Compared, change: Change) -> Example:
    return Example(
        order=str(row.ref),
        revision=row.revision,
        at=row.at,
        source=row.source,
        total=row.total,
        currency=row.currency,
        before=change.before,
        after=change.after,
        rule_before=row.before.rule,
        rule_after=row.after.rule,
        why=row.why,
    )
