"""The sentence for the buyer: true of every stage, and never more than is confirmed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orderack.contracts.journal import ClockName, Stage
from orderack.contracts.queries import AcknowledgementStatus, ClockStatus, OrderStatus, SendStatus
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.claims import claim
from orderack.domain.evidence import Grade
from orderack.domain.order import OrderRef, PaymentStatus
from orderack.domain.sayable import SETTLED, UNDER_WAY, recorded, sayable

AT = datetime(2026, 11, 14, 10, 2, tzinfo=UTC)
REF = OrderRef(store="demo", number="1001")
OPEN = OrderStatus(ref=REF, stage=Stage.ASSESSING, revision=1, received_at=AT)


def message(
    kind: Kind,
    *,
    out: bool = True,
    grade: Grade | None = None,
    revision: int = 1,
    state: SendState = SendState.ACCEPTED,
) -> AcknowledgementStatus:
    send = SendStatus(key=f"demo/1001/1/{kind}/1/sms", channel="sms", state=state)
    at = AT if out else None
    return AcknowledgementStatus(kind=kind, revision=1, n=1, decided_at=AT, out_at=at, grade=grade, sends=(send,))


def clock(name: ClockName, minutes: int, *, met: bool = False) -> ClockStatus:
    return ClockStatus(name=name, started_at=AT, due_at=AT + timedelta(minutes=minutes), met_at=AT if met else None)


def confirmed(**changed: object) -> OrderStatus:
    update = {"stage": Stage.CONFIRMED, "confirmed_revision": 1, "erp_document_id": "SO-7"} | changed
    return OPEN.model_copy(update=update)


def test_every_stage_has_words() -> None:
    assert {*UNDER_WAY, *SETTLED} == set(Stage)


@pytest.mark.parametrize("stage", [Stage.ASSESSING, Stage.REVIEW, Stage.AWAITING_ERP])
def test_nothing_is_promised_while_nothing_is_confirmed(stage: Stage) -> None:
    said = sayable(OPEN.model_copy(update={"stage": stage}))
    assert said.startswith("Order 1001 arrived on 14 Nov 2026 10:02 UTC and ")
    assert "nothing is promised yet" in said
    assert "confirmed" not in said


def test_the_next_message_is_named_by_the_earliest_clock_that_runs() -> None:
    clocks = (clock(ClockName.ACKNOWLEDGE, 1, met=True), clock(ClockName.HOLD, 15), clock(ClockName.REVIEW, 5))
    said = sayable(OPEN.model_copy(update={"clocks": clocks}))
    assert said.endswith("The next message is due by 14 Nov 2026 10:17 UTC.")


def test_of_a_flagged_payment_no_message_is_announced() -> None:
    clocks = (clock(ClockName.HOLD, 15),)
    said = sayable(OPEN.model_copy(update={"clocks": clocks, "payment": PaymentStatus.FLAGGED}))
    assert "due by" not in said


def test_times_are_the_stores() -> None:
    assert "14 Nov 2026 11:02 CET" in sayable(OPEN, ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("grade", "words"),
    [
        (None, "No evidence that it arrived,"),
        (Grade.E1, "No evidence that it arrived,"),
        (Grade.E2, "No evidence that a person opened it"),
        (Grade.M, "No evidence that it arrived,"),
        (Grade.E5, "Its receipt was affirmed."),
    ],
)
def test_a_confirmed_order_says_what_is_proved_of_its_confirmation_and_no_more(grade: Grade | None, words: str) -> None:
    said = sayable(confirmed(acknowledgements=(message(Kind.RECEIVED), message(Kind.CONFIRMATION, grade=grade))))
    assert said.startswith("Order 1001 is confirmed as revision 1 (ERP SO-7). The confirmation of revision 1 ")
    assert words in said


def test_what_is_said_of_a_message_is_its_claim_sentence() -> None:
    told = message(Kind.CONFIRMATION, grade=Grade.E2)
    berlin = ZoneInfo("Europe/Berlin")
    assert sayable(confirmed(acknowledgements=(told,)), berlin).endswith(claim(told, berlin))


def test_an_internal_alert_is_no_word_to_the_buyer() -> None:
    assert "alert" not in sayable(OPEN.model_copy(update={"acknowledgements": (message(Kind.ALERT),)}))


def test_a_change_under_way_is_told_apart_from_what_is_confirmed() -> None:
    said = sayable(confirmed(stage=Stage.ASSESSING, revision=2))
    assert said.startswith("Order 1001 is confirmed as revision 1; the change (revision 2) is not confirmed yet.")


def test_a_late_order_says_so() -> None:
    said = sayable(OPEN.model_copy(update={"escalated": True, "clocks": (clock(ClockName.HOLD, 15),)}))
    assert said.endswith("It is late, and a person has it in hand.")


@pytest.mark.parametrize(
    ("kind", "words"),
    [(Kind.CANCELLATION, "was cancelled"), (Kind.REJECTION, "could not be fulfilled"), (Kind.CONFIRMATION, "SO-7")],
)
def test_a_closed_order_says_how_it_ended(kind: Kind, words: str) -> None:
    said = sayable(confirmed(stage=Stage.CLOSED, acknowledgements=(message(kind),)))
    assert words in said
    assert "is closed" in said


def test_braces_in_a_number_or_a_document_are_only_text() -> None:
    odd = OrderRef(store="demo", number="{number}{0}")
    assert "{number}{0}" in sayable(confirmed(ref=odd, erp_document_id="{x}"))


def test_an_order_that_only_the_record_knows_is_told_from_the_record() -> None:
    assert recorded("1001", "handed_off", AT) == (
        "Order 1001: our record's last word, of 14 Nov 2026 10:02 UTC, is “handed off”."
    )
