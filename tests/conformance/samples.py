"""`make samples`: what becomes of each sample order that vendors, or shops of theirs, have published: docs/samples.md.

Each system's own suite reads its samples as its test does; here they are counted and written down. A name and files of
yours are read the same way: `python -m tests.conformance.samples shopify my-order.json`.
"""

import argparse
import asyncio
import importlib
import pkgutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

import tests.sources
from tests.conformance.source import SPECS, SampleConformance

PAGE = Path(__file__).resolve().parents[2] / "docs" / "samples.md"
COLUMNS = ("order, adds up", "order, flagged", "refused", "skipped", "no order")
HEAD = """# Samples

Written by `make samples` from what the tests read; it needs the vendors' published samples beside the checkout. An
order *adds up* when its lines, discounts, taxes, shipping, fees and credit come to the total that the vendor's own body
says (read by other code than the adapter's). One that does not is taken as it is and *flagged*, for a person to see.
*Refused* names the field that is wrong; *skipped* is not ours to acknowledge; *no order* is a file of something else.
Files of your own: `python -m tests.conformance.samples shopify my-order.json`.

"""


class Result(BaseModel):
    """One sample: what became of it, and why."""

    sample: str
    became: str
    why: str

    @property
    def column(self) -> str:
        return self.became if self.became != "order" else COLUMNS[self.why != "adds up"]


class System(BaseModel):
    """All samples of one system."""

    system: str
    results: tuple[Result, ...]

    def count(self) -> Counter[str]:
        return Counter(one.column for one in self.results)


def suites() -> dict[str, SampleConformance]:
    """By the name of the source whose test file holds it."""
    found = {}
    for module in pkgutil.iter_modules(tests.sources.__path__):
        if module.name.startswith("test_"):
            file = importlib.import_module(f"tests.sources.{module.name}")
            for kind in vars(file).values():
                if isinstance(kind, type) and issubclass(kind, SampleConformance) and kind is not SampleConformance:
                    found[module.name.removeprefix("test_").removesuffix("_samples")] = kind()
    return found


async def read(system: str, suite: SampleConformance, files: Sequence[Path]) -> System:
    """These files, or all that were published. Raises AssertionError where a total is not the vendor's."""
    results = suite.results(files or None)
    reasons = {**suite.off, **suite.refused, **suite.skipped}
    return System(
        system=system,
        results=tuple(
            [
                Result(sample=name, became=became, why="; ".join(filter(None, (why, reasons.get(name)))))
                async for name, became, why in results
            ]
        ),
    )


def page(systems: Sequence[System]) -> str:
    """docs/samples.md."""
    rows = [f"| system | {' | '.join(COLUMNS)} |", "| --- |" + " ---: |" * len(COLUMNS)]
    rows += [f"| `{one.system}` | {' | '.join(str(one.count()[c] or '–') for c in COLUMNS)} |" for one in systems]
    rows.append("")
    for one in systems:
        reasons = Counter((result.column, result.why) for result in one.results if result.column != COLUMNS[0])
        rows += ["", f"## {one.system}", ""] if reasons else []
        rows += [f"- {column}: {' '.join(why.split())} ({count})" for (column, why), count in sorted(reasons.items())]
    return HEAD + "\n".join(rows) + "\n"


def show(console: Console, systems: Sequence[System], each: bool) -> None:
    table = Table("system", *COLUMNS)
    for one in systems:
        table.add_row(one.system, *(str(one.count()[column] or "–") for column in COLUMNS))
    console.print(table)
    for result in systems[0].results if each else ():
        console.print(f"{result.sample}: {result.became}: {result.why}", markup=False)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.samples", description=__doc__)
    parser.add_argument("system", nargs="?", help="only this one's")
    parser.add_argument("files", nargs="*", type=Path, help="these, instead of those that were published")
    parser.add_argument("--page", action="store_true", help="write docs/samples.md")
    asked = parser.parse_args()
    known = suites()
    if asked.system and asked.system not in known:
        parser.error(f"no samples are read for {asked.system}; there are {', '.join(known)}")
    if not asked.files and not SPECS.is_dir():
        parser.error("the vendors' samples are not beside this checkout")
    wanted = {asked.system: known[asked.system]} if asked.system else known

    async def every() -> list[System]:
        return [await read(name, suite, asked.files) for name, suite in wanted.items()]

    try:
        systems = asyncio.run(every())
    except AssertionError as wrong:
        sys.exit(f"a total is not the vendor's: {wrong}")
    if asked.page:
        PAGE.write_text(page(systems), encoding="utf-8")
    show(Console(width=None if sys.stdout.isatty() else 160), systems, bool(asked.system))


if __name__ == "__main__":
    main()
