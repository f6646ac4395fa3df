"""The HTML mail: holds up without images, scripts, styles sheets or a network, and reads well for everyone."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orderack.domain.acknowledgement import Kind
from orderack.messages import MessageRenderer
from orderack.messages.brand import contrast, store_view
from orderack.messages.samples import STORE, samples
from orderack.ports import Content

Make = Callable[..., Content]

INK_ON_PAPER = (
    ("#1f2328", "#ffffff"),
    ("#1f2328", "#f3f6f9"),
    ("#57606a", "#ffffff"),
    ("#57606a", "#f3f6f9"),
    ("#57606a", "#eef1f4"),
    ("#0b5394", "#ffffff"),
    ("#6b4300", "#fff3d1"),
    ("#11532a", "#dcf5e3"),
    ("#8c1620", "#fde3e4"),
    ("#e6ebf0", "#1a2027"),
    ("#e6ebf0", "#222b35"),
    ("#e6ebf0", "#3d2c05"),
    ("#a9b4c0", "#1a2027"),
    ("#a9b4c0", "#222b35"),
    ("#a9b4c0", "#101418"),
    ("#8ab8f0", "#1a2027"),
    ("#9be3b4", "#12351f"),
    ("#ffd98a", "#3d2c05"),
    ("#ffb8bd", "#47161b"),
)
RULES = {"#e3e8ed", "#35404b", "#b27300"}


def _html(renderer: MessageRenderer, content: Content) -> str:
    return renderer.render(content).html or ""


@pytest.mark.parametrize(("ink", "paper"), INK_ON_PAPER)
def test_every_pair_of_colours_reads_well(ink: str, paper: str) -> None:
    assert contrast(ink, paper) >= 4.5


def test_no_colour_is_used_that_was_not_looked_at(messages_dir: Path) -> None:
    used = set(re.findall(r"#[0-9a-f]{6}", (messages_dir / "_layout" / "email.mjml.j2").read_text()))
    assert used == {colour for pair in INK_ON_PAPER for colour in pair} | RULES


@pytest.mark.parametrize("brand", ["#ffffff", "#000000", "#ff0000", "#808080", "#00ff00", "#1f3a5f", "#f5a623"])
def test_the_stores_name_reads_well_on_any_brand_colour(brand: str) -> None:
    store = store_view(STORE.model_copy(update={"brand_colour": brand}))
    assert store.brand == brand
    assert contrast(store.on_brand, store.brand) >= 4.5


@pytest.mark.parametrize(
    "brand", ["red", "#fff", "#12345g", '#000000"onload="x', "url(https://evil.example)", "#000000\n"]
)
def test_what_is_not_a_colour_never_reaches_a_style(renderer: MessageRenderer, plain: Make, brand: str) -> None:
    html = _html(renderer, plain(Kind.RECEIVED, store__brand_colour=brand))
    assert f"background:{brand};" not in html
    assert "background:#1f3a5f;" in html


@pytest.mark.parametrize("kind", tuple(Kind))
def test_a_mail_fetches_nothing_and_runs_nothing(renderer: MessageRenderer, kind: Kind) -> None:
    for content in samples(kind, "en"):
        html = _html(renderer, content)
        addresses = set(re.findall(r"https?://[^\s\"'<>)]+", html))
        ours = {content.page_url, content.sheet_url.replace("&", "&amp;")}
        assert addresses <= {"http://www.w3.org/1999/xhtml", *ours}
        for live in ("<img", "<script", "<link", "<iframe", "<form", "@import", "url(", " onload", " onclick"):
            assert live not in html.lower()


@pytest.mark.parametrize("kind", tuple(Kind))
def test_a_mail_is_made_of_tables_that_a_screen_reader_passes_over(renderer: MessageRenderer, kind: Kind) -> None:
    html = _html(renderer, next(samples(kind, "de")))
    tables = re.findall(r"<table[^>]*>", html)
    assert tables
    assert all('role="presentation"' in table for table in tables)
    assert '<html lang="de" dir="ltr"' in html
    assert html.count("<h1") == 1
    assert 'name="color-scheme" content="light dark"' in html
    assert "max-width:600px" in html
    assert "{{" not in html
    assert "{%" not in html


def test_the_preheader_is_the_first_text_and_is_not_seen(renderer: MessageRenderer, plain: Make) -> None:
    html = _html(renderer, plain(Kind.RECEIVED))
    body = html[html.index("<body") :]
    first = re.search(r"<div style=\"display:none[^>]*>([^<]+)</div>", body)
    assert first is not None
    assert first[1].startswith("We have your order and are checking it.")
    assert body.index(first[0]) < body.index("<table")


@pytest.mark.parametrize("layout", ["email.mjml.j2", "text.txt.j2"])
def test_the_layout_has_no_words_of_its_own(messages_dir: Path, layout: str) -> None:
    source = (messages_dir / "_layout" / layout).read_text()
    bare = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<mj-style>.*?</mj-style>|<[^>]+>", " ", source, flags=re.DOTALL)
    assert re.findall(r"\w{2,}", bare) == []


def test_an_ordinary_mail_stays_far_below_where_gmail_cuts_it(renderer: MessageRenderer) -> None:
    assert max(len(_html(renderer, c).encode()) for c in samples(Kind.CONFIRMATION, "de")) < 50_000


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "ftp://files.example.com", "https://", "https://a b", "", "//x"]
)
def test_only_a_web_address_becomes_the_button(renderer: MessageRenderer, plain: Make, url: str) -> None:
    message = renderer.render(plain(Kind.RECEIVED, page_url=url))
    assert message.link is None
    assert "View your order" not in message.text
    assert 'href="javascript' not in (message.html or "")
