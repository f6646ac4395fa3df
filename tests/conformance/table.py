"""`make conformance`: every channel against what every channel must do, as a table that the tests themselves fill.

A cell counts the tests that passed. One failed, or none there where the channel's kind demands some, fails the run.
"""

import argparse
import importlib
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from orderack.channels import load
from orderack.domain.evidence import EvidenceEvent
from tests.conformance.channel import ChannelConformance, HttpChannelConformance, WebhookConformance

ROOT = Path(__file__).resolve().parents[2]

SENDS = {
    "accepted": r"accepted_(send|message)_returns|message_is_there_at_once",
    "refused": r"every_documented_refusal|ours_to_mend|without_a_page_is_unsupported|declared_length_is_unsupported",
    "throttled": r"throttling_is_unavailable|temporary_refusal|cannot_do_now",
    "down": r"down_is_unavailable|does_not_resolve|fails_before_the_send",
    "cut off": r"cut_off|silence_after|breakdown_after|says_nothing|calls_unclear|look_up",
    "twice": r"same_key_twice|twice_is_the_same_page",
}
EVENTS = {
    "events": r"every_vendor_status|vendor_invents_tomorrow|claims_more_than|two_statuses|not_the_vendors",
    "events twice": r"same_callback_twice",
    "signature good": r"every_vendor_status|published_signature",
    "bad": r"one_changed_byte|truncated_missing|unsigned_request|not_utf_8",
    "old": r"old_or_early",
}
DESCRIBED = {"as the vendor describes": r"describe|documents"}
COLUMNS = {**SENDS, **DESCRIBED, **EVENTS}
OTHERWISE = {"smtp_email": ("throttled", "down", "cut off"), "portal": ()}
"""Columns that a channel without HTTP must fill all the same, besides accepted, refused and twice."""


class Cell(BaseModel):
    """Tests of one kind of one channel."""

    passed: int = 0
    failed: int = 0
    demanded: bool = False
    note: str = ""

    @property
    def well(self) -> bool:
        return not self.failed and (self.passed > 0 or not self.demanded)

    def __str__(self) -> str:
        if self.failed:
            return f"FAILED {self.failed}"
        if not self.passed:
            return "MISSING" if self.demanded else "–"
        return f"{self.passed}{f' ({self.note})' if self.note else ''}"


class Platform(BaseModel):
    """One channel's row."""

    channel: str
    cells: dict[str, Cell]
    event_kinds: tuple[str, ...]
    vendor_words: int
    tests: int

    @property
    def well(self) -> bool:
        return all(cell.well for cell in self.cells.values())


class Report(BaseModel):
    """What build/conformance.json holds."""

    ok: bool
    channels: tuple[Platform, ...]


class Tally:
    """Per channel, the names of the tests that passed and of those that did not."""

    def __init__(self, junit: Path) -> None:
        self.passed: dict[str, list[str]] = defaultdict(list)
        self.failed: dict[str, list[str]] = defaultdict(list)
        for case in ElementTree.parse(junit).iter("testcase"):
            found = re.match(r"tests\.channels\.test_(\w+)", case.get("classname", ""))
            if found is not None and case.find("skipped") is None:
                broken = case.find("failure") is not None or case.find("error") is not None
                (self.failed if broken else self.passed)[found.group(1)].append(case.get("name", ""))


def suite(channel: str) -> type[ChannelConformance]:
    """The channel's own suite: the one class of its test file that bears its name."""
    module = importlib.import_module(f"tests.channels.test_{channel}")
    (found,) = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, ChannelConformance) and getattr(kind, "name", "") == channel
    ]
    return found


def platform(channel: str, tally: Tally) -> Platform:
    """This channel's row, from what was counted and from what its suite says of its vendor."""
    kind, passed, failed = suite(channel), tally.passed[channel], tally.failed[channel]
    demanded = set(SENDS) if issubclass(kind, HttpChannelConformance) else {"accepted", "refused", "twice"}
    demanded |= set(OTHERWISE.get(channel, ()))
    statuses: Mapping[str, tuple[EvidenceEvent, object]] = {}
    notes: dict[str, str] = {}
    if issubclass(kind, WebhookConformance):
        demanded |= set(EVENTS)
        statuses = kind.statuses
        notes |= {} if kind.has_window else {"old": "no time signed: by id"}
        notes |= {} if kind.signs_body else {"bad": "body not signed"}
    cells = {
        column: Cell(
            passed=sum(bool(re.search(pattern, name)) for name in passed),
            failed=sum(bool(re.search(pattern, name)) for name in failed),
            demanded=column in demanded,
            note=notes.get(column, ""),
        )
        for column, pattern in COLUMNS.items()
        if column in demanded or column not in EVENTS
    }
    kinds = sorted({meaning.value for meaning, _ in statuses.values() if meaning is not EvidenceEvent.UNKNOWN})
    others = [name for name in failed if not any(re.search(pattern, name) for pattern in COLUMNS.values())]
    if others:
        cells["other"] = Cell(failed=len(others))
    return Platform(
        channel=channel, cells=cells, event_kinds=tuple(kinds), vendor_words=len(statuses), tests=len(passed)
    )


def show(console: Console, report: Report) -> None:
    """One row for each channel."""
    table = Table(title=f"{len(report.channels)} channels: tests passed per demand", title_justify="left")
    for column in ("channel", *COLUMNS, "event kinds", "tests"):
        table.add_column(column, overflow="fold")
    for row in report.channels:
        cells = [str(row.cells.get(column, Cell())) for column in COLUMNS]
        table.add_row(row.channel, *cells, ", ".join(row.event_kinds) or "none reported", str(row.tests))
    console.print(table)
    for row in report.channels:
        if not row.well:
            bad = ", ".join(f"{column}: {cell}" for column, cell in row.cells.items() if not cell.well)
            console.print(f"{row.channel}: {bad}")


def run(names: Sequence[str]) -> Report:
    """Run these channels' tests and count."""
    files = [str(ROOT / "tests" / "channels" / f"test_{name}.py") for name in names]
    with TemporaryDirectory() as folder:
        junit = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-n", "3", "--tb=short", f"--junitxml={junit}", *files]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        if not junit.is_file():
            sys.exit("the tests did not run")
        tally = Tally(junit)
    rows = tuple(platform(name, tally) for name in names)
    return Report(ok=code == 0 and all(row.well for row in rows), channels=rows)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.table", description=__doc__)
    parser.add_argument("channels", nargs="*", help="only these; none: every channel")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there, too")
    asked = parser.parse_args()
    known = sorted(load())
    if unknown := sorted(set(asked.channels) - set(known)):
        parser.error(f"no such channel: {', '.join(unknown)}; there are {', '.join(known)}")
    report = run(asked.channels or known)
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(report.model_dump_json(indent=1) + "\n")
    show(Console(width=None if sys.stdout.isatty() else 220), report)
    sys.exit(0 if report.ok else 1)


if __name__ == "__main__":
    main()
