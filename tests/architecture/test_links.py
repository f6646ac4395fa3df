"""Whoever follows a link in the documentation arrives: at a file that is there, and at a heading that it has."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orderack import erps, sources
from orderack.cli import erp_page, source_page

ROOT = Path(__file__).parents[2]
WRITTEN = {
    ROOT / "docs/sources.md": lambda: source_page.page(sources.load()),
    ROOT / "docs/erps.md": lambda: erp_page.page(erps.load()),
}
"""Pages that a command writes: what it writes now is looked at, whenever it was last run."""
FILES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "policy/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]

_LINK = re.compile(r"\]\(([^()\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z][a-z+.-]*:")
_FENCED = re.compile(r"^\s*(```|~~~).*?^\s*\1", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(.*?)\s*$", re.MULTILINE)


def words(file: Path) -> str:
    text = WRITTEN[file]() if file in WRITTEN else file.read_text(encoding="utf-8")
    return _FENCED.sub("", text)


def anchors(file: Path) -> set[str]:
    """As GitHub makes them: small letters, spaces to hyphens, all marks but hyphens and underscores gone."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in _HEADING.findall(words(file))}


def dead(file: Path) -> Iterator[str]:
    for link in _LINK.findall(words(file)):
        if _ELSEWHERE.match(link):
            continue
        path, _, anchor = link.partition("#")
        there = (file.parent / path).resolve() if path else file
        arrives = there.exists() and there.is_relative_to(ROOT)
        if arrives and anchor and there.suffix == ".md":
            arrives = anchor in anchors(there)
        if not arrives:
            yield link


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_leads_somewhere(file: Path) -> None:
    assert list(dead(file)) == []


@pytest.mark.parametrize("folder", ["sources", "erps"])
def test_every_page_of_a_system_is_linked_from_the_page_that_lists_them(folder: str) -> None:
    lists = words(ROOT / "docs" / f"{folder}.md")
    pages = {f"{folder}/{page.name}" for page in (ROOT / "docs" / folder).glob("*.md")}
    assert pages <= set(_LINK.findall(lists))
    assert len(pages) > 4
