"""What is wrong with the rows by which orders come in and go to an ERP: connections, ERPs, a shop's own fields."""

import re
from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta

from orderack.domain.order import Name
from orderack.domain.problem import Problem
from orderack.domain.unknown_fields import closest
from orderack.domain.value import Value
from orderack.policy.duration import in_words
from orderack.policy.model import ConnectionPolicy, Policy


class SourceFacts(Value):
    """What the policy has to know of a system that orders come from."""

    poll_every: timedelta | None = None
    """As often as its documentation lets it be asked; None: it is not asked."""
    answers: bool = False
    partners: bool = False
    """It serves several trading partners, and each needs a row."""
    senders: bool = False
    """It may name partners whose mails need no person."""
    words: frozenset[Name] | None = None
    """What `fields:` may name; None: a path of the shop's own, too."""


def connection_problems(policy: Policy, systems: Mapping[str, SourceFacts], erps: Collection[str]) -> Iterator[Problem]:
    """Every finding. `systems` and `erps`: what this installation has files for."""
    for name, erp in policy.erps.items():
        yield from _unknown(f"erps.{name}.system", "ERP system", erp.system, erps)
    yield from _erps_apart(policy)
    seen: dict[str, str] = {}
    for store_name, store in policy.stores.items():
        for system, row in store.connections.items():
            path = f"stores.{store_name}.connections.{system}"
            if row.source not in policy.sources:
                yield from _unknown(f"{path}.source", "source", row.source, policy.sources)
            if system not in systems:
                yield from _unknown(path, "system", system, systems)
                continue
            yield from _row(path, row, systems[system])
            words = settings_words(store_name, system)
            if seen.setdefault(words, path) != path:
                yield Problem(
                    field=path,
                    problem=f"has the settings of {seen[words]}",
                    remedy="give one of the stores another id",
                )


def settings_words(*names: str) -> str:
    """As they stand in the names of settings: what two of them share there, each gets of the other."""
    return "_".join(_NO_WORD.sub("_", name) for name in names).upper()


_NO_WORD = re.compile(r"[^A-Za-z0-9]+")


def _erps_apart(policy: Policy) -> Iterator[Problem]:
    """An installation is a row of its own, or goes by its system's name where a store says just that."""
    bare = (store.erp.name for store in policy.stores.values() if store.erp)
    seen: dict[str, str] = {}
    for name in dict.fromkeys((*policy.erps, *bare)):
        other = seen.setdefault(settings_words(name), name)
        if other != name:
            yield Problem(
                field=f"erps.{other if other in policy.erps else name}",
                problem=f"has the settings of the ERP {name if other in policy.erps else other}",
                remedy="give one of the two another name",
            )


def _row(path: str, row: ConnectionPolicy, facts: SourceFacts) -> Iterator[Problem]:
    if row.poll_every is not None and facts.poll_every is None:
        yield Problem(field=f"{path}.poll_every", problem="is for systems that can be asked", remedy="take it out")
    elif row.poll_every is not None and facts.poll_every is not None and row.poll_every < facts.poll_every:
        remedy = f"ask it every {in_words(facts.poll_every)} or less often: its own limit"
        yield Problem(field=f"{path}.poll_every", problem="is more often than the system allows", remedy=remedy)
    if row.partners and not (facts.partners or facts.senders):
        yield Problem(field=f"{path}.partners", problem="is for EDI and e-mail", remedy="take it out")
    elif facts.partners and not row.partners:
        yield Problem(
            field=f"{path}.partners", problem="is empty", remedy="describe each trading partner (docs/edi.md)"
        )
    for name, word in row.fields.items():
        if facts.words is not None and word not in facts.words:
            yield from _unknown(f"{path}.fields.{name}", "field", word, facts.words)


def _unknown(path: str, kind: str, name: str, known: Collection[str]) -> Iterator[Problem]:
    if name in known:
        return
    near = closest(name, list(known))
    remedy = f"did you mean {near}?" if near else f"use one of {', '.join(sorted(known))}"
    yield Problem(field=path, problem=f"names no {kind}: {name}", remedy=remedy)
