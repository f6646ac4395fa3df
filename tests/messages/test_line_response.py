"""The line response as people read it, word for word: in the mail's text, in the SMS, on the buyer's page, in a chat.

`python -m tests.messages.test_line_response` writes the golden files anew after a deliberate change.
"""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from orderack.contracts.activities import Facts
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Line, Order, TaxBasis, Totals
from orderack.domain.response import LineAnswer, Outcome, gaps
from orderack.messages import MessageRenderer
from orderack.messages.samples import ORDER, samples
from orderack.ports import Content

GOLDEN = Path(__file__).with_name("golden")
LANGUAGES = ("en", "de", "fr", "es")
TEN = Decimal(10)

ANSWERS = (
    LineAnswer(line_id="1", outcome=Outcome.ACCEPT, accepted=TEN),
    LineAnswer(line_id="2", outcome=Outcome.QUANTITY, accepted=Decimal(6), rejected=Decimal(4)),
    LineAnswer(line_id="3", outcome=Outcome.PRICE, accepted=TEN, unit_price=Decimal("10.90")),
    LineAnswer(line_id="4", outcome=Outcome.DATE, accepted=TEN, expected_on=date(2026, 6, 30)),
    LineAnswer(line_id="5", outcome=Outcome.SUBSTITUTE, accepted=TEN, substitute_sku="WT-9"),
    LineAnswer(
        line_id="6",
        outcome=Outcome.BACKORDER,
        accepted=Decimal(3),
        backordered=Decimal(7),
        expected_on=date(2026, 7, 3),
        note="Baked to order",
    ),
    LineAnswer(line_id="7", outcome=Outcome.REJECT, rejected=TEN),
    LineAnswer(line_id="8", outcome=Outcome.HOLD, held=TEN),
)
"""One of each outcome."""

LINES = tuple(
    Line(line_id=answer.line_id, sku=f"WT-{answer.line_id}", description=f"Tray no. {answer.line_id}", quantity=TEN,
         unit_price=Decimal("9.90"))
    for answer in ANSWERS
)  # fmt: skip

ORDERED: Order = ORDER.model_copy(
    update={
        "lines": LINES,
        "totals": Totals(
            discount=Decimal(12), tax=Decimal("126.45"), shipping=Decimal("6.10"), fees=Decimal("2.50"),
            credit=Decimal(50), tax_basis=TaxBasis.INCLUDED, total=Decimal("738.60"),
        ),
    }
)  # fmt: skip


def content(language: str) -> Content:
    (first, *_) = samples(Kind.CONFIRMATION, language)
    facts = Facts(document_id="SO-77001", answers=ANSWERS, promise_on=date(2026, 6, 12))
    return first.model_copy(update={"order": ORDERED, "facts": facts, "previous": None})


def rendered(renderer: MessageRenderer, language: str) -> str:
    made = renderer.render(content(language))
    parts = (("text", made.text), ("sms", made.sms or ""), ("chat", made.chat or ""))
    return "\n".join(f"==== {name}\n{text}" for name, text in parts) + "\n"


def test_the_sample_answers_every_line_once_with_every_outcome() -> None:
    assert gaps(ORDERED, ANSWERS) == ()
    assert {answer.outcome for answer in ANSWERS} == set(Outcome)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_line_response_reads_as_it_did(renderer: MessageRenderer, language: str) -> None:
    assert rendered(renderer, language) == (GOLDEN / f"line_response.{language}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("language", "said", "counted"),
    [
        ("en", "10 items replaced", "2 items replaced"),
        ("de", "10 Artikel ersetzt", "2 Artikel ersetzt"),
        ("fr", "10 articles remplacés", "2 articles remplacés"),
        ("es", "10 artículos sustituidos", "2 artículos sustituidos"),
    ],
)
def test_a_substitute_that_the_erp_does_not_name_is_said_and_counted_as_one(
    renderer: MessageRenderer, language: str, said: str, counted: str
) -> None:
    unnamed = ANSWERS[0].model_copy(update={"outcome": Outcome.SUBSTITUTE})
    given = content(language)
    facts = given.facts.model_copy(update={"answers": (unnamed, *ANSWERS[1:])})
    text = renderer.render(given.model_copy(update={"facts": facts})).text
    assert said in text
    assert counted in text


if __name__ == "__main__":
    own = MessageRenderer(Path(__file__).parents[2] / "policy" / "messages")
    for tag in LANGUAGES:
        (GOLDEN / f"line_response.{tag}.txt").write_text(rendered(own, tag), encoding="utf-8")
