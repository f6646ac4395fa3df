"""`orderack demo`: the main job, on this machine, in about two minutes."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.live import Live as Screen
from rich.padding import Padding
from rich.table import Table

from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import Grade
from orderack.embedded.demo.driver import told
from orderack.embedded.demo.report import DemoRecord, EvidenceRecord, StoryRecord
from orderack.embedded.demo.run import DIVISOR, Live, demo
from orderack.embedded.demo.stories import STORIES

GRADES = "M machine touch, E2 delivered, E3p probably displayed, E4 acted on, E5 affirmed"

JsonFile = Annotated[Path | None, typer.Option("--json", help="write what was found to this file")]
Keep = Annotated[bool, typer.Option("--keep", help="leave everything running afterwards, to look at, until Ctrl-C")]
Quiet = Annotated[bool, typer.Option("--quiet", help="no live table; the result only")]


def run_demo(json_file: JsonFile = None, keep: Keep = False, quiet: Quiet = False) -> None:
    """Run the order stories side by side on a real Temporal server; check that each ends, and is proved, as told.

    Clocks are scaled: 15 minutes take 6 seconds. Exit code 1 when a story did not end as told.

    Example: orderack demo --json build/demo.json --keep
    """
    console = Console()
    console.print(f"{len(STORIES)} orders side by side; the policy's clocks run {DIVISOR:g} times as fast. Starting …")
    with tempfile.TemporaryDirectory(prefix="orderack-demo-") as folder:
        with _screen(console, quiet) as screen:

            def draw(lives: list[Live]) -> None:
                if screen:
                    screen.update(_table(lives))

            def look(record: DemoRecord) -> None:
                if screen:
                    screen.stop()
                _show(console, record, json_file)
                console.print(f"\nTemporal UI  {record.ui}\nmailbox      {record.mailbox}\nCtrl-C ends it.")

            try:
                record = asyncio.run(demo(Path(folder), draw, look if keep else None))
            except KeyboardInterrupt:
                raise typer.Exit(130) from None
        _show(console, record, json_file)
    raise typer.Exit(0 if record.ok else 1)


@contextlib.contextmanager
def _screen(console: Console, quiet: bool) -> Iterator[Screen | None]:
    if quiet or not console.is_terminal:
        yield None
        return
    with Screen(console=console, refresh_per_second=4) as screen:
        yield screen


def _table(lives: list[Live]) -> Table:
    table = Table("story", "order", "stage", "told", "waits for", expand=True)
    for live in lives:
        status = live.status
        said = ", ".join(f"{m.kind}" for m in told(status)) if status else ""
        stage = f"{status.stage.replace('_', ' ')}{', escalated' if status.escalated else ''}" if status else "…"
        waits = live.ended or (status.waiting_for if status else "its order")
        colour = {"as told": "green", "not as told": "red"}.get(live.ended, "")
        table.add_row(live.story.name, live.order.number, stage, said, waits, style=colour)
    return table


def _show(console: Console, record: DemoRecord, json_file: Path | None) -> None:
    for story in record.stories:
        _story(console, story)
    console.print(f"\nWhat is proved ({GRADES}):", highlight=False)
    console.print(_proofs(record))
    went = ", ".join(f"{name} {count}" for name, count in record.channels.items())
    console.print(f"Sent through {len(record.channels)} channels: {went}.", highlight=False)
    good = sum(story.ok for story in record.stories)
    colour = "green" if record.ok else "red"
    console.print(f"\n[{colour}]{good} of {len(record.stories)} stories ended as told[/], in {record.seconds:g} s.")
    if json_file:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(record.model_dump_json(indent=2))
        console.print(f"Written: {json_file}")


def _story(console: Console, story: StoryRecord) -> None:
    mark = "[green]✓[/]" if story.ok else "[red]✗[/]"
    console.print(f"\n{mark} [bold]{story.name}[/] ({story.order}): {story.sentence}")
    if not story.ok:
        console.print(f"  [red]{story.why_not}[/]")
    for line in story.timeline:
        console.print(f"  {line}", style="dim", highlight=False, markup=False)
    for message in story.messages:
        times = f" = {message.multiple:.2f} × {message.clock}" if message.clock else ""
        again = f" of revision {message.revision}" if message.kind is Kind.CONFIRMATION else ""
        console.print(
            f"  told: {message.kind}{again} by {message.channel} after {message.after_seconds:.2f} s{times}",
            highlight=False,
        )
    levels = ", ".join(f"{clock.name} {clock.outcome}" for clock in story.service_levels)
    console.print(f"  service levels: {levels or 'none started'}", highlight=False)
    proof = ", ".join(f"{e.kind} {e.revision}: {e.grade}" for e in story.evidence)
    console.print(f"  evidence: {proof or 'none beyond the acceptance by its provider'}", highlight=False)
    for said in story.evidence:
        if said.decisive:
            console.print(Padding(f"may be said: {said.claim}", (0, 0, 0, 2)), highlight=False)


def _proofs(record: DemoRecord) -> Table:
    """What is proved of the messages that the stories are about."""
    table = Table("order", "message", "grade", "receipt", "reading", "assent", box=SIMPLE, pad_edge=False)
    for story in record.stories:
        for proof in story.evidence:
            if proof.decisive:
                table.add_row(story.name, f"{proof.kind} {proof.revision}", proof.grade, *_facts(proof))
    return table


def _facts(proof: EvidenceRecord) -> tuple[str, str, str]:
    """Receipt, reading and assent: three answers, never one."""
    reading = "probable" if proof.grade == Grade.E3P else "yes" if proof.reading else "-"
    assent = {True: "agreed", False: "declined", None: "-"}[proof.assented]
    return "yes" if proof.receipt else "-", reading, assent
