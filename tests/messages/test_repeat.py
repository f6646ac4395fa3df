"""A message that may be a repeat says so: first of all, in every shape and language, and the first one never does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from orderack.domain.acknowledgement import NO_PROMISE, Kind
from orderack.domain.gsm import in_gsm
from orderack.messages import MessageRenderer
from orderack.messages.guard import commitments
from orderack.messages.labels import LABELS, load_labels
from orderack.messages.sms import segments
from orderack.ports import Content

LANGUAGES = ("en", "de", "fr", "es")
LINK = "https://orders.example.com/o/" + "t" * 60

Plain = Callable[..., Content]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", list(Kind))
def test_a_repeat_says_so_in_every_shape(
    kind: Kind, language: str, renderer: MessageRenderer, plain: Plain, messages_dir: Path
) -> None:
    labels = load_labels(messages_dir / language / LABELS)
    first = renderer.render(plain(kind, language, page_url=LINK))
    again = renderer.render(plain(kind, language, page_url=LINK, facts__may_repeat=True))
    for shape in ("text", "html", "chat"):
        assert str(getattr(again, shape)).count(labels.repeat) == 1, shape
        assert labels.repeat not in str(getattr(first, shape)), shape
    for shape in ("sms", "statement"):
        said = str(getattr(again, shape))
        assert said.startswith(labels.repeat_sms), shape
        assert not str(getattr(first, shape)).startswith(labels.repeat_sms), shape
    assert segments(again.sms or "").count <= 2
    assert (again.sms or "").endswith(LINK) == (first.sms or "").endswith(LINK)
    assert again.subject == first.subject


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_words_of_a_repeat_commit_to_nothing_and_cost_no_second_alphabet(language: str, messages_dir: Path) -> None:
    labels = load_labels(messages_dir / language / LABELS)
    assert commitments(language, f"{labels.repeat}\n{labels.repeat_sms}") == ()
    assert in_gsm(labels.repeat_sms)
    assert len(labels.repeat_sms) < 25


def test_each_language_has_words_of_its_own_for_it(messages_dir: Path) -> None:
    said = {load_labels(messages_dir / language / LABELS).repeat for language in LANGUAGES}
    assert len(said) == len(LANGUAGES)


def test_words_that_commit_are_refused_in_a_repeat_too(own_english: Path, plain: Plain) -> None:
    file = own_english / "en" / LABELS
    file.write_text(file.read_text().replace("You may have had this message already", "We guarantee delivery tomorrow"))
    renderer = MessageRenderer(own_english)
    for kind in (Kind.RECEIVED, Kind.HOLDING):
        assert kind in NO_PROMISE
        renderer.render(plain(kind))
        with pytest.raises(Exception, match="promises before the ERP's receipt"):
            renderer.render(plain(kind, facts__may_repeat=True))


def test_labels_that_know_of_no_repeat_still_mark_it(own_english: Path, plain: Plain) -> None:
    """A folder of wordings from before."""
    file = own_english / "en" / LABELS
    kept = [line for line in file.read_text().splitlines() if not line.startswith("repeat")]
    file.write_text("\n".join(kept))
    again = MessageRenderer(own_english).render(plain(Kind.RECEIVED, facts__may_repeat=True))
    assert "You may have had this message already" in again.text
    assert (again.sms or "").startswith("Possible repeat:")
