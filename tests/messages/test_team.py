"""What a team is told of the work it is handed: enough to take the very revision, nothing of who the buyer is."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest

from orderack.contracts.activities import Facts, ForTeam, TeamWord
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import DeliveryWindow, Order, Pickup, Priority
from orderack.messages import MessageRenderer
from orderack.messages.samples import ORDER
from orderack.ports import Content, Rendered

Make = Callable[..., Content]

LANGUAGES = ("en", "de", "fr", "es")
HASH = "3f9a27b1c4d5" + "0" * 52
SHEET = "https://orders.example.com/board/sheet/sample-store/S-1042?revision=2"

OF_THE_BUYERS = (
    "Ada",
    "ada@",
    "Invented Road",
    "Springfield, 00001",
    "Walnut",
    "Carrot",
    "No nuts",
    "Ring twice",
    "A.E.",
)


def told(
    renderer: MessageRenderer,
    make: Make,
    word: TeamWord,
    language: str = "en",
    waits: tuple[str, ...] = (),
    **rest: object,
) -> Rendered:
    given = ForTeam(word=word, revision=2, content_hash=HASH, team="kitchen", waits=waits)
    facts = Facts(owner="grace", for_team=given, reason=str(rest.pop("reason", "")))
    return renderer.render(make(Kind.ALERT, language, facts=facts, sheet_url=SHEET, **rest))


def everything(message: Rendered) -> str:
    shapes = (message.subject, message.text, message.html, message.sms, message.chat, message.statement)
    return "\n".join(filter(None, shapes))


def changed(**update: object) -> Order:
    return ORDER.model_copy(update=update)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("shape", ["text", "html", "chat"])
def test_an_offer_names_the_revision_its_content_and_how_to_take_it(
    renderer: MessageRenderer, plain: Make, language: str, shape: str
) -> None:
    urgent = changed(priority=Priority.HIGH, order_type="catering")
    said = getattr(
        told(renderer, plain, TeamWord.OFFERED, language, ("the payment is not confirmed",), order=urgent), shape
    )
    high = {"en": "high", "de": "hoch", "fr": "haute", "es": "alta"}[language]
    for needed in ("S-1042", "kitchen", "grace", HASH[:12], "catering", high, "2026", "the payment is not confirmed"):
        assert needed in said, needed
    assert "orderack accept sample-store/S-1042 --revision 2 --by" in said
    assert "board/sheet/sample-store/S-1042?revision=2" in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_word_differs_from_every_other_and_from_a_plain_alert(
    renderer: MessageRenderer, plain: Make, language: str
) -> None:
    subjects = {told(renderer, plain, word, language).subject for word in TeamWord}
    heads = {told(renderer, plain, word, language).sms for word in TeamWord}
    alert = renderer.render(plain(Kind.ALERT, language))
    assert len(subjects | {alert.subject}) == len(TeamWord) + 1
    assert len(heads | {alert.sms}) == len(TeamWord) + 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("word", TeamWord)
def test_nothing_tells_who_the_buyer_is_where_or_in_what_words(
    renderer: MessageRenderer, plain: Make, language: str, word: TeamWord
) -> None:
    before = changed(
        instructions="Ring thrice",
        delivery_address=None,
        pickup=Pickup(location="Ada's garage"),
        lines=(ORDER.lines[0].model_copy(update={"instructions": "For Ada", "dietary": "No lactose"}),),
    )
    said = everything(told(renderer, plain, word, language, previous=before))
    for private in (*OF_THE_BUYERS, "Ring thrice", "garage", "For Ada", "lactose", "111", "Net 30"):
        assert private not in said, private


def test_a_new_revision_says_what_is_different_for_the_work_and_leaves_money_out(
    renderer: MessageRenderer, plain: Make
) -> None:
    window = DeliveryWindow(
        start=ORDER.trigger_at + timedelta(days=10), end=ORDER.trigger_at + timedelta(days=10, hours=1)
    )
    tray = ORDER.lines[0].model_copy(update={"quantity": Decimal(7), "design": "Initials B.E."})
    before = changed(lines=(tray, *ORDER.lines[1:]), delivery_window=window, instructions=None)
    said = told(renderer, plain, TeamWord.OFFERED, previous=before)
    for shape in (said.text, said.chat or "", said.html or ""):
        assert "WT-2: quantity" in shape
        assert "7" in shape
        assert "WT-2: design" in shape
        assert "B.E." not in shape
    assert "June 11" in said.text
    money = changed(totals=ORDER.totals.model_copy(update={"total": Decimal(9), "shipping": Decimal(0)}))
    only_money = told(renderer, plain, TeamWord.OFFERED, previous=money).text
    assert "Shipping" in only_money
    assert "6.10" not in only_money
    assert (
        "Shipping"
        not in told(renderer, plain, TeamWord.OFFERED, previous=money.model_copy(update={"instructions": None})).text
    )


def test_a_withdrawal_keeps_the_buyers_reason_to_itself(renderer: MessageRenderer, plain: Make) -> None:
    said = told(
        renderer, plain, TeamWord.WITHDRAWN, waits=("the order is cancelled",), reason="my mother Edith is in hospital"
    )
    assert "Edith" not in everything(said)
    assert "the order is cancelled" in said.text


def test_an_order_number_that_is_a_shell_command_is_only_an_argument(renderer: MessageRenderer, plain: Make) -> None:
    said = told(renderer, plain, TeamWord.OFFERED, order=changed(number="1; rm -rf ~ $(id)")).text
    assert "orderack accept 'sample-store/1; rm -rf ~ $(id)' --revision 2" in said


def test_where_there_is_no_board_the_offer_still_says_how_to_accept(renderer: MessageRenderer, plain: Make) -> None:
    facts = Facts(for_team=ForTeam(word=TeamWord.OFFERED, revision=1, content_hash=HASH, team="kitchen"))
    said = renderer.render(plain(Kind.ALERT, facts=facts, sheet_url=""))
    assert said.link is None
    assert "orderack accept sample-store/S-1042 --revision 1" in said.text


def test_the_button_of_an_offer_opens_the_sheet_and_that_of_a_buyers_message_never(
    renderer: MessageRenderer, plain: Make
) -> None:
    offer = told(renderer, plain, TeamWord.OFFERED)
    assert (offer.link, offer.open_label) == (SHEET, "Open the sheet")
    facts = Facts(for_team=ForTeam(word=TeamWord.WITHDRAWN, revision=2, content_hash=HASH, team="kitchen"))
    bought = renderer.render(plain(Kind.CANCELLATION, facts=facts, sheet_url=SHEET))
    assert "board/sheet" not in everything(bought)
    assert "kitchen" not in everything(bought)
    assert bought.open_label == "View your order"


def test_a_plain_alert_reads_as_it_did(renderer: MessageRenderer, plain: Make) -> None:
    alert = renderer.render(plain(Kind.ALERT, sheet_url=SHEET))
    assert alert.link is None
    assert "Order S-1042 needs you" in alert.text
    assert "Claim the order, so that others know you have it." in alert.text
