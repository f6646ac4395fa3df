"""Where the buyer's word is needed the message asks for it: in the mail, the text and the SMS, in every language."""

from collections.abc import Callable

import pytest

from orderack.domain.acknowledgement import Kind
from orderack.domain.replies import affirms
from orderack.messages import MessageRenderer
from orderack.messages.samples import ORDER, samples
from orderack.messages.sms import Alphabet, segments
from orderack.ports import Content

ASKED = {"en": "YES", "de": "JA", "fr": "OUI", "es": "SI"}
BUTTON = {
    "en": "Confirm that you have it",
    "de": "Erhalt bestätigen",
    "fr": "Confirmer la réception",
    "es": "Confirmar la recepción",
}
LINK = "https://orders.example.com/o/" + "t" * 60

Plain = Callable[..., Content]


def asking(plain: Plain, language: str = "en", *, replies: bool = False, kind: Kind = Kind.CONFIRMATION) -> Content:
    content = plain(kind, language, page_url=LINK, takes_replies=replies)
    decision = content.assessment.decision.model_copy(update={"button": True})
    return content.model_copy(update={"assessment": content.assessment.model_copy(update={"decision": decision})})


@pytest.mark.parametrize("language", list(BUTTON))
def test_a_confirmation_with_the_button_asks_in_every_shape(
    language: str, renderer: MessageRenderer, plain: Plain
) -> None:
    asked, quiet = renderer.render(asking(plain, language)), renderer.render(plain(Kind.CONFIRMATION, language))
    assert asked.html is not None
    assert quiet.html is not None
    assert BUTTON[language] in asked.html
    assert f"{BUTTON[language]}" in asked.text
    assert BUTTON[language] not in quiet.html + quiet.text
    assert asked.sms is not None
    assert asked.sms.endswith(f": {LINK}")
    assert asked.sms != quiet.sms


@pytest.mark.parametrize("language", list(ASKED))
def test_an_sms_that_can_be_answered_names_a_word_that_affirms(
    language: str, renderer: MessageRenderer, plain: Plain
) -> None:
    sms = renderer.render(asking(plain, language, replies=True)).sms
    assert sms is not None
    assert f" {ASKED[language]} " in sms
    assert affirms(ASKED[language])
    assert sms.endswith(LINK)


@pytest.mark.parametrize("language", list(ASKED))
@pytest.mark.parametrize("replies", [True, False])
def test_the_request_keeps_the_sms_within_two_segments_of_the_cheap_alphabet(
    language: str, replies: bool, renderer: MessageRenderer
) -> None:
    for sample in samples(Kind.CONFIRMATION, language):
        content = sample.model_copy(update={"previous": ORDER, "page_url": LINK, "takes_replies": replies})
        sms = renderer.render(content).sms
        assert sms is not None
        cost = segments(sms)
        assert cost.count <= 2
        assert cost.alphabet is Alphabet.GSM_7
        assert content.order.number in sms
        assert sms.endswith(LINK)


def test_a_changed_confirmation_asks_whatever_the_rule_says(renderer: MessageRenderer, plain: Plain) -> None:
    changed = plain(Kind.CONFIRMATION, previous=ORDER)
    assert not changed.assessment.decision.button
    html = renderer.render(changed).html
    assert html is not None
    assert BUTTON["en"] in html


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.CONFIRMATION])
def test_nothing_but_a_confirmation_asks_for_it(kind: Kind, renderer: MessageRenderer, plain: Plain) -> None:
    rendered = renderer.render(asking(plain, kind=kind, replies=True))
    assert BUTTON["en"] not in f"{rendered.html}{rendered.text}"
    assert "reply YES" not in (rendered.sms or "")
