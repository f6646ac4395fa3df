"""The generated part of docs/performance.md: the tables of one run, between two markers."""

from pathlib import Path

from tests.bench.figures import MET, Report, Result

PAGE = Path("docs/performance.md")
BEGIN, END = "<!-- figures: begin (python -m tests.bench --page) -->", "<!-- figures: end -->"


def refresh(figures: Path, page: Path = PAGE) -> None:
    """Write these figures into the page. Raises OSError or ValidationError where they cannot be read."""
    report = Report.model_validate_json(figures.read_text())
    page.write_text(with_tables(page.read_text(), report))


def with_tables(text: str, report: Report) -> str:
    """The page with its tables anew; everything outside the markers stays. Raises ValueError without markers."""
    before, found, rest = text.partition(BEGIN)
    _, ends, after = rest.partition(END)
    if not found or not ends:
        raise ValueError(f"the page has no {BEGIN} … {END}")
    size = "a quick run, a tenth of the orders" if report.quick else "a full run"
    head = f"Measured on {report.cores} cores and {report.memory_gib} GiB, {size}."
    return "\n\n".join([before + BEGIN, head, *(table(result) for result in report.results), END + after])


def table(result: Result) -> str:
    """One bench as Markdown."""
    rows = [f"| {_cell(one.what)} | {_cell(one.measured)} | {one.aim} | {MET[one.met]} |" for one in result.lines]
    head = [f"### {result.bench}: {result.title}", "", "| | measured | aim | met |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows, *(f"\n{note}" for note in result.notes)])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
