"""The words of the buyer's page: all there, in every language, and found wanting by the check."""

from pathlib import Path

import pytest

from orderack.errors import Misconfigured
from orderack.messages import check_wordings
from orderack.messages.page_labels import PAGE, PageWording, load_page_labels


def edit(folder: Path, old: str, new: str) -> None:
    file = folder / "en" / PAGE
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
def test_every_language_has_every_word_and_fills_the_same_names(messages_dir: Path, language: str) -> None:
    def names(value: object) -> object:
        if isinstance(value, dict):
            return {key: names(item) for key, item in value.items()}
        return frozenset(part.split("}")[0] for part in str(value).split("{")[1:])

    english = load_page_labels(messages_dir / "en" / PAGE).model_dump()
    assert names(load_page_labels(messages_dir / language / PAGE).model_dump()) == names(english)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("skip: Skip to the order\n", "", "skip"),
        ("skip: Skip to the order\n", "skip: x\nskpi: y\n", "skpi"),
        ("skip: Skip to the order\n", "skip: ''\n", "skip"),
        ("  hold: Still being checked\n", "", "answers.hold"),
        ("  not_sure: ", "  nut_sure: ", "not_sure"),
        ("  outdated: ", "  out_dated: ", "outdated"),
        ("    headline: Your order is cancelled.\n", "", "headline"),
        ("  other: message\n", "", "media.other"),
        ("title:", "title: [", "YAML"),
        ("It is not confirmed yet.", "It will be delivered on Friday.", "promises"),
        ("  received: Please tell us", "  received: Your order is confirmed. Please tell us", "promises"),
        ("  heading: Has it reached you?", "  heading: Your order is accepted.", "promises"),
    ],
)
def test_a_gap_a_slip_or_an_early_promise_is_one_problem_that_names_it(
    own_english: Path, old: str, new: str, said: str
) -> None:
    edit(own_english, old, new)
    (problem,) = check_wordings(own_english)
    assert problem.field == "messages/en/page.yaml"
    assert said in problem.problem


def test_a_language_without_page_words_is_found(own_english: Path) -> None:
    (own_english / "en" / PAGE).unlink()
    (problem,) = check_wordings(own_english)
    assert problem.field == "messages/en/page.yaml"
    with pytest.raises(Misconfigured, match=r"page\.yaml"):
        PageWording(own_english).words("en")


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("DE", "de"),
        ("pl", "en"),
        ("", "en"),
        ("../en", "en"),
        ("/etc", "en"),
        ("_layout", "en"),
    ],
)
def test_a_tag_finds_its_language_and_nothing_else(messages_dir: Path, tag: str, language: str) -> None:
    assert PageWording(messages_dir).language_for(tag) == language
