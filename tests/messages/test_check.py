"""What `orderack policy check` finds in a folder of wordings."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from orderack.domain.acknowledgement import Kind
from orderack.errors import Misconfigured
from orderack.messages import MessageRenderer, check_wordings
from orderack.messages.labels import LABELS, load_labels
from orderack.messages.samples import samples

REQUIRED_BLOCKS = (
    "changes", "notices", "details", "items", "totals", "instructions", "address", "next_steps", "link", "contact",
)  # fmt: skip


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def _problems(folder: Path) -> dict[str, str]:
    return {problem.field: problem.problem for problem in check_wordings(folder)}


def test_the_shipped_wordings_have_no_problem(messages_dir: Path) -> None:
    assert check_wordings(messages_dir) == ()


def test_a_missing_kind_is_named_with_its_file(own_messages: Path) -> None:
    (own_messages / "fr" / "update.txt.j2").unlink()
    assert list(_problems(own_messages)) == ["messages/fr/update.txt.j2"]


def test_a_wording_that_went_missing_stops_the_message(own_messages: Path) -> None:
    (own_messages / "fr" / "update.txt.j2").unlink()
    with pytest.raises(Misconfigured, match=r"messages/fr/update\.txt\.j2"):
        MessageRenderer(own_messages).render(next(samples(Kind.UPDATE, "fr")))


LAYOUTS = ("email.mjml.j2", "text.txt.j2")


@pytest.mark.parametrize(
    ("layout", "block"),
    [
        pytest.param(layout, block, marks=() if (place + turn) % 2 == 0 else pytest.mark.long)
        for place, layout in enumerate(LAYOUTS)
        for turn, block in enumerate(REQUIRED_BLOCKS)
    ],
)
def test_a_layout_without_a_required_part_is_caught(own_english: Path, layout: str, block: str) -> None:
    file = own_english / "_layout" / layout
    source = file.read_text()
    part = r"\{% block " + block + r" %\}.*?\{% endblock %\}"
    if layout.startswith("email"):
        part = f"<mj-raw>{part}</mj-raw>"
    emptied = re.sub(part, "", source, count=1, flags=re.DOTALL)
    assert emptied != source
    file.write_text(emptied)
    problems = _problems(own_english)
    assert list(problems) == ["messages/en/confirmation.txt.j2"]
    assert "leaves out" in problems["messages/en/confirmation.txt.j2"]


@pytest.mark.parametrize("value", ["line.ids", "line.price", "line.amount", "line.stock", "note.value", "row.value"])
def test_a_layout_that_forgets_one_value_is_caught(own_english: Path, value: str) -> None:
    file = own_english / "_layout" / "text.txt.j2"
    file.write_text(re.sub(r"\{\{ " + re.escape(value) + r"[^}]*\}\}", "", file.read_text()))
    assert "leaves out" in _problems(own_english)["messages/en/confirmation.txt.j2"]


def test_a_confirmation_that_does_not_say_what_happens_next_is_caught(own_english: Path) -> None:
    file = own_english / "en" / "confirmation.txt.j2"
    file.write_text(re.sub(r"(block next_steps %\}).*?(\{% endblock)", r"\1\2", file.read_text(), flags=re.DOTALL))
    assert "next steps" in _problems(own_english)["messages/en/confirmation.txt.j2"]


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ("{% if customer %", "TemplateSyntaxError"),
        ("{{ custmer }}", "'custmer' is undefined"),
        ("{{ order.__class__ }}", "SecurityError"),
        ("{{ ''.join(['a', 'b']) }}", "SecurityError"),
        ("{{ 'a' * 200000000 }}", "SecurityError"),
        ("{{ '%0999999999d' % 1 }}", "SecurityError"),
        ("{{ 2 ** 99999999 }}", "SecurityError"),
        ("{% for i in range(9) %}x{% endfor %}", "'range' is undefined"),
        ("{{ order | center(99999999) }}", "No filter named 'center'"),
        ("{{ lipsum() }}", "'lipsum' is undefined"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{% include '../../pyproject.toml' %}", "TemplateNotFound"),
        ("x" * 9000, "more than 8000 characters"),
    ],
)
def test_a_wording_that_is_wrong_or_goes_too_far_is_one_clear_problem(
    own_english: Path, spoilt: str, said: str
) -> None:
    _edit(own_english / "en" / "rejection.txt.j2", "{% block body %}\n", "{% block body %}\n" + spoilt + "\n")
    problems = _problems(own_english)
    assert list(problems) == ["messages/en/rejection.txt.j2"]
    assert said in problems["messages/en/rejection.txt.j2"]


@pytest.mark.parametrize("block", ["subject", "preheader", "headline", "body", "next_steps", "sms"])
def test_a_wording_without_a_block_is_one_clear_problem(own_english: Path, block: str) -> None:
    _edit(own_english / "en" / "holding.txt.j2", "block " + block + " %}", "block other %}")
    assert f"block {block} is missing" in _problems(own_english)["messages/en/holding.txt.j2"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("total: Total\nsku:", "sku:", "total"),
        ("total: Total\nsku:", "total: Total\ntotl: Total\nsku:", "totl"),
        ("  flagged: being checked\n", "", "payment_status.flagged"),
        ("  terms: Payment terms\n", "", "changed.terms"),
        ("items:\n  one:", "items:\n  some:", "items"),
        ("items:\n  one: \"{n} item\"\n  other:", "items:\n  one: \"{n} item\"\n  two:", "other"),
        ("order_number:", "order_number: [", "YAML"),
    ],
)  # fmt: skip
def test_labels_with_a_gap_or_a_slip_are_named(own_english: Path, old: str, new: str, said: str) -> None:
    _edit(own_english / "en" / "labels.yaml", old, new)
    problems = _problems(own_english)
    assert list(problems) == ["messages/en/labels.yaml"]
    assert said in problems["messages/en/labels.yaml"]


def test_a_folder_without_the_default_language_cannot_be_used(own_english: Path, tmp_path: Path) -> None:
    shutil.rmtree(own_english / "en")
    with pytest.raises(Misconfigured, match="messages/en"):
        MessageRenderer(own_english)
    with pytest.raises(Misconfigured, match="there is no folder of wordings"):
        MessageRenderer(tmp_path / "nowhere")
    assert check_wordings(own_english)[0].field == "messages"


def test_a_layout_that_is_not_mjml_is_named(own_english: Path) -> None:
    (own_english / "_layout" / "email.mjml.j2").write_text("<mjml><mj-body>")
    with pytest.raises(Misconfigured, match=r"_layout/email\.mjml\.j2"):
        MessageRenderer(own_english)


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_every_source_of_the_shipped_policy_has_words(messages_dir: Path, language: str) -> None:
    policy = yaml.safe_load((messages_dir.parent / "policy.yaml").read_text())
    assert set(policy["sources"]) <= set(load_labels(messages_dir / language / LABELS).sources)
