"""Figures in words, the same on a terminal and on the page."""

from collections.abc import Iterator

from orderack.diagnostics.whatif.looks import Unkept
from orderack.diagnostics.whatif.result import Level, SelfCheck, Worth

CURRENCIES = 2
"""Currencies that are named; the others are counted."""

UNKEPT_WORDS = {
    Unkept.ERASED: "erased since: their content is gone",
    Unkept.FAILED: "could not be assessed then: their findings were not kept",
    Unkept.NO_INPUTS: "have no findings beside the decision",
}


def money(worth: Worth) -> str:
    """`1,234.50 EUR, 80.00 USD and 2 more currencies`."""
    said = [f"{total:,.2f} {name}" for name, total in list(worth.items())[:CURRENCIES]]
    if not said:
        return "no value"
    left = len(worth) - CURRENCIES
    return ", ".join(said) + (f" and {left} more {'currency' if left == 1 else 'currencies'}" if left > 0 else "")


def most(worth: Worth) -> str:
    """The largest sum, and how many other currencies there are: `1,234.50 EUR +2`."""
    first, *others = worth.items()
    return f"{first[1]:,.2f} {first[0]}{f' +{len(others)}' if others else ''}"


def percent(share: float) -> str:
    """A share as people read it; a small one is never called nothing."""
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{share * 100:.3g} %"


def checked(check: SelfCheck) -> str:
    """How far the past is proved, in one sentence."""
    if not check.checked:
        return "nothing could be checked: no decision of the policy in force is recorded here."
    return f"{check.as_recorded} of {check.checked} revisions decided as recorded."


def not_kept(check: SelfCheck) -> Iterator[str]:
    """What is not proved and not compared, and how much of it."""
    for version, number in check.other_versions.items():
        yield f"{number} were decided by policy {version}, which is not at hand"
    for name, number in check.not_kept.items():
        yield f"{number} {UNKEPT_WORDS[Unkept(name)]}; left out"
    if check.without_content:
        yield f"{check.without_content} orders never had any content; left out"
    if check.undated:
        yield f"{check.undated} had no promise date: the store's queue of then is not kept, and counts as empty"


def estimated(level: Level) -> str:
    """What is added where runs would take another way than the one that was measured."""
    if not level.unknown:
        return ""
    runs = f"{level.unknown} more {'takes' if level.unknown == 1 else 'take'} another way than then"
    if level.estimate is None:
        return f"; {runs}, and too few like them were measured: unknown"
    one = level.estimate
    return f"; {runs}: estimated {one.mean:g} of them (95 %: {one.low} to {one.high}, from {one.basis} measured)"
