"""The page: one file that loads nothing, says what the terminal says, and lets no order write on it."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import async_playwright

from orderack.diagnostics.whatif.page import page
from orderack.diagnostics.whatif.result import Simulation
from tests.diagnostics.whatif.conftest import Past
from tests.diagnostics.whatif.shop import policy, simulated
from tests.diagnostics.whatif.test_against_the_real_assess import EDITS

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
HOSTILE = '<script>alert("1")</script>'


async def much(past: Past, name: str = "much") -> Simulation:
    """A simulation in which all sorts of things are different."""
    wanted = ("a source without a row", "a level for all", "a new rule at the top", "a longer lead time", "a rota")
    new = policy(past.folder, name, *(EDITS[one] for one in wanted))
    return await simulated(past.ledger, past.in_force, new, file=HOSTILE, minutes_per_review=20)


async def test_the_page_is_one_file_that_loads_nothing(past: Past) -> None:
    text = page(await much(past))
    assert not re.findall(r"<(script|link|iframe|img|object|embed|form)\b", text)
    assert not re.findall(r"(?:src|href)\s*=\s*[\"'](?!#|data:image/png)", text)
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []
    assert not re.findall(r"https?://(?!www\.w3\.org/)", text)


async def test_what_comes_from_outside_is_text_on_the_page(past: Past) -> None:
    text = page(await much(past))
    assert HOSTILE not in text
    assert "&lt;script&gt;alert" in text


async def test_the_pictures_are_sound_and_named_and_have_ids_of_their_own(past: Past) -> None:
    drawn = re.findall(r"<svg.*?</svg>", page(await much(past)), re.DOTALL)
    assert len(drawn) == 3
    ids = [one for svg in drawn for one in re.findall(r'\bid="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    for svg in drawn:
        root = ElementTree.fromstring(svg)  # our own
        assert (root.get("role"), bool(root.get("aria-label"))) == ("img", True)


async def test_the_page_has_each_figure_that_the_result_has(past: Past) -> None:
    found = await much(past)
    text = page(found)
    assert f"{found.different} of {found.orders} orders" in text
    for level in found.levels:
        assert level.sentence.replace("'", "&#39;") in text
    for kind in found.kinds:
        assert f"{kind.title}: {kind.orders} orders" in text
    assert "No row for source pos" in text


async def test_a_page_without_any_difference_says_so(past: Past) -> None:
    assert "Nothing is different" in page(await simulated(past.ledger, past.in_force, past.in_force))


async def test_every_element_is_closed(past: Past) -> None:
    class Open(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.stack: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "br"):
                self.stack.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.stack.pop() == tag

    parser = Open()
    parser.feed(page(await much(past)))
    assert parser.stack == []


@pytest.mark.skipif(shutil.which("chromium") is None, reason="there is no chromium")
async def test_axe_finds_no_fault_and_a_phone_does_not_scroll_sideways(past: Past, tmp_path: Path) -> None:
    file = tmp_path / "what-if.html"
    file.write_text(page(await much(past)), encoding="utf-8")
    asked: list[str] = []
    async with async_playwright() as playwright:
        executable = shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        context = await browser.new_context(offline=True, bypass_csp=True, viewport={"width": 1280, "height": 900})
        opened = await context.new_page()
        opened.on("request", lambda request: asked.append(request.url))
        await opened.goto(file.as_uri())
        await opened.evaluate(AXE_SCRIPT)
        options = {"runOnly": {"type": "tag", "values": list(RULES)}, "resultTypes": ["violations"]}
        found = await opened.evaluate("options => axe.run(options).then(found => found.violations)", options)
        await opened.set_viewport_size({"width": 320, "height": 640})
        over = await opened.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        await browser.close()
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
    assert over == 0
    assert asked == [file.as_uri()]
