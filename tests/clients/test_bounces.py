"""Mails in our mailbox: real forms of reports, notices and replies; forged ones; and mails that no program writes."""

import re
import time
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from orderack.clients.bounces import LARGEST, NO_WORDS, MailReport, read
from orderack.clients.own_message_ids import OwnMessageIds
from orderack.clients.reply_text import KEPT, above_the_quotation, plain
from orderack.domain.evidence import EvidenceEvent, Grade
from tests.payloads import payload

KEY = "shop/A-1001 ü/1/confirmation/1/gmail"
QUOTED_KEY = "shop/A-1001%20%C3%BC/1/confirmation/1/gmail"
IDS = OwnMessageIds(SecretStr("test-only-0123456789"), "Shop.example.com")
OURS = IDS.of(KEY)
FORGED = OwnMessageIds(SecretStr("somebody-else's-secret"), "shop.example.com").of(KEY)


def a_mail(name: str, message_id: str = OURS, **more: str) -> bytes:
    """A stored mail about this message, with line ends as they are on the wire."""
    text = payload(f"mailbox/{name}.eml").decode()
    for field, value in {"message_id": message_id, "key": QUOTED_KEY, **more}.items():
        text = text.replace("{" + field + "}", value)
    return text.replace("\n", "\r\n").encode()


def only(mail: bytes) -> MailReport:
    (report,) = read(mail, IDS)
    return report


def changed(mail: bytes, before: str, after: str) -> bytes:
    assert before.encode() in mail
    return mail.replace(before.encode(), after.encode())


# -- our Message-IDs ------------------------------------------------------------------------------------------------


def test_a_message_id_is_the_keys_for_ever_and_known_again_wherever_it_stands() -> None:
    assert IDS.of(KEY) == OURS
    assert re.fullmatch(r"<[a-z2-7]{16}\.[a-z2-7]{26}@shop\.example\.com>", OURS)
    assert IDS.of(KEY + "x") != OURS
    for text in (OURS, OURS[1:-1], f"<a@b> {OURS.upper()} <c@d>", f"rfc822;{OURS}"):
        assert IDS.first(text) == OURS
    moved = OwnMessageIds(SecretStr("test-only-0123456789"), "new.example.com")
    assert moved.first(OURS) == OURS, "the domain may change; what went out stays ours"


@pytest.mark.parametrize("change", ["secret", "digest", "domain", "short", "none"])
def test_a_message_id_that_was_made_up_is_none_of_ours(change: str) -> None:
    other = IDS.of("another")
    made_up = {
        "secret": FORGED,
        "digest": other.partition(".")[0] + "." + OURS.partition(".")[2],
        "domain": OURS.replace("shop.", "evil."),
        "short": OURS.replace(".", "", 1),
        "none": "",
    }[change]
    assert IDS.first(made_up) is None


# -- delivery reports -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "event", "grade", "word"),
    [
        ("gmail_failed", EvidenceEvent.BOUNCED, None, "failed:5.1.1"),
        ("exchange_failed", EvidenceEvent.BOUNCED, None, "failed:5.1.10"),
        ("postfix_delivered", EvidenceEvent.DELIVERED, Grade.E2, "delivered:2.0.0"),
    ],
)
def test_a_delivery_report_says_what_became_of_which_message(
    name: str, event: EvidenceEvent, grade: Grade | None, word: str
) -> None:
    report = only(a_mail(name))
    assert (report.event, report.grade, report.word) == (event, grade, word)
    assert (report.message_id, report.key, report.sender) == (OURS, KEY, None)
    assert "final-recipient" in report.raw


@pytest.mark.parametrize(
    ("action", "event", "grade"),
    [
        ("failed", EvidenceEvent.BOUNCED, None),
        ("delayed", EvidenceEvent.ACCEPTED, Grade.E1),
        ("relayed", EvidenceEvent.ACCEPTED, Grade.E1),
        ("expanded (to a list)", EvidenceEvent.ACCEPTED, Grade.E1),
        ("Delivered", EvidenceEvent.DELIVERED, Grade.E2),
        ("levitated", EvidenceEvent.UNKNOWN, None),
    ],
)
def test_every_action_of_rfc_3464_has_our_meaning(action: str, event: EvidenceEvent, grade: Grade | None) -> None:
    report = only(changed(a_mail("postfix_delivered"), "Action: delivered", f"Action: {action}"))
    assert (report.event, report.grade) == (event, grade)


@pytest.mark.parametrize("name", ["gmail_failed", "exchange_failed", "postfix_delivered"])
def test_a_report_without_our_own_message_id_proves_nothing(name: str) -> None:
    report = only(a_mail(name, FORGED))
    assert (report.event, report.grade, report.message_id, report.key) == (EvidenceEvent.UNKNOWN, None, None, None)
    assert report.word.startswith("not_ours:")
    assert "Action".casefold() in report.raw


def test_a_key_that_does_not_fit_the_message_id_is_not_believed() -> None:
    report = only(a_mail("gmail_failed", key="shop/B-2/1/confirmation/1/gmail"))
    assert (report.message_id, report.key) == (OURS, None)


def test_a_report_that_returns_nothing_is_known_by_what_it_answers() -> None:
    mail = a_mail("gmail_failed").partition(b"Content-Type: message/rfc822")[0] + b"--\r\n"
    report = only(mail)
    assert (report.event, report.message_id, report.key) == (EvidenceEvent.BOUNCED, OURS, None)


def test_a_report_for_several_recipients_is_several_and_for_too_many_some() -> None:
    group = "\r\nFinal-Recipient: rfc822;x@example.com\r\nAction: {}\r\nStatus: 4.2.2\r\n"
    mail = a_mail("postfix_delivered")
    several = changed(mail, "\r\nFinal-Recipient", group.format("delayed") + "\r\nFinal-Recipient")
    assert [report.word for report in read(several, IDS)] == ["delayed:4.2.2", "delivered:2.0.0"]
    many = changed(mail, "\r\nFinal-Recipient", group.format("failed") * 50 + "\r\nFinal-Recipient")
    assert len(read(many, IDS)) == 5


def test_a_report_in_the_form_of_rfc_6533_is_read_as_well() -> None:
    mail = changed(a_mail("postfix_delivered"), "message/delivery-status", "message/global-delivery-status")
    mail = changed(mail, "text/rfc822-headers", "message/global-headers")
    assert (only(mail).word, only(mail).key) == ("delivered:2.0.0", KEY)


def test_a_report_whose_status_cannot_be_read_is_unknown() -> None:
    assert only(changed(a_mail("postfix_delivered"), "Action: delivered", "Auction: none")).word == "unreadable"


# -- receipt notices ------------------------------------------------------------------------------------------------

BY_HAND = "manual-action/MDN-sent-manually"


@pytest.mark.parametrize(
    ("disposition", "event", "grade", "word"),
    [
        (f"{BY_HAND}; displayed", EvidenceEvent.DISPLAYED, Grade.E3, "displayed"),
        (f"{BY_HAND}; deleted", EvidenceEvent.DELIVERED, Grade.E2, "deleted"),
        (f"{BY_HAND}; dispatched", EvidenceEvent.DELIVERED, Grade.E2, "dispatched"),
        (f"{BY_HAND}; processed", EvidenceEvent.DELIVERED, Grade.E2, "processed"),
        (f"{BY_HAND}; denied", EvidenceEvent.UNKNOWN, None, "denied"),
        (f"{BY_HAND}; displayed/error", EvidenceEvent.UNKNOWN, None, "displayed"),
    ],
)
def test_every_disposition_of_rfc_8098_has_our_meaning(
    disposition: str, event: EvidenceEvent, grade: Grade | None, word: str
) -> None:
    report = only(a_mail("notice", disposition=disposition))
    assert (report.event, report.grade, report.word, report.machine) == (event, grade, word, ())
    assert report.message_id == OURS


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("automatic-action/MDN-sent-automatically", "mdn_automatic_action"),
        ("manual-action/MDN-sent-automatically", "mdn_sent_automatically"),
        ("Automatic-Action/mdn-sent-manually", "mdn_automatic_action"),
    ],
)
def test_a_notice_that_a_machine_sent_proves_an_arrival_and_no_reading(mode: str, why: str) -> None:
    report = only(a_mail("notice", disposition=f"{mode}; displayed"))
    assert (report.event, report.grade) == (EvidenceEvent.DELIVERED, Grade.E2)
    assert why in report.machine
    assert report.word == f"displayed:{why}"


def test_a_notice_that_anybody_could_have_written_proves_nothing() -> None:
    report = only(a_mail("notice", FORGED, disposition=f"{BY_HAND}; displayed"))
    assert (report.event, report.grade, report.message_id) == (EvidenceEvent.UNKNOWN, None, None)


def test_a_notice_without_a_disposition_is_unknown() -> None:
    assert only(a_mail("notice", disposition="")).word == "unreadable"


# -- replies --------------------------------------------------------------------------------------------------------


def test_a_persons_reply_brings_who_wrote_and_what_stands_above_the_quotation() -> None:
    report = only(a_mail("gmail_reply"))
    assert (report.event, report.grade, report.message_id) == (EvidenceEvent.REPLIED, Grade.E4, OURS)
    assert report.sender == "ada@example.com"
    assert report.text == "Thanks! Could you leave it at the back door?\nGrüße, Ada"


def test_of_several_messages_a_reply_answers_the_one_it_names_last() -> None:
    earlier = IDS.of("shop/A-1001/1/received/1/gmail")
    thread = f"From: ada@example.com\r\nReferences: {earlier} <between@example.com> {OURS} {FORGED}\r\n\r\nhi"
    assert only(thread.encode()).message_id == OURS
    assert only(f"In-Reply-To: {earlier}\r\n{thread}".encode()).message_id == earlier


def test_a_mail_that_answers_none_of_ours_is_nobodys_business() -> None:
    assert read(a_mail("gmail_reply", FORGED), IDS) == ()
    assert read(a_mail("gmail_reply", "<somebody@else.example>"), IDS) == ()


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ("Auto-Submitted: auto-replied (vacation)", "auto_submitted"),
        ("Auto-Submitted: auto-generated", "auto_submitted"),
        ("X-Auto-Response-Suppress: All", "auto_response"),
        ("X-Autoreply: yes", "auto_response"),
        ("Precedence: auto_reply", "bulk"),
        ("Precedence: Bulk", "bulk"),
        ("List-Id: <all.example.com>", "bulk"),
    ],
)
def test_what_a_machine_answers_is_no_reply(headers: str, word: str) -> None:
    report = only(headers.encode() + b"\r\n" + a_mail("gmail_reply"))
    assert (report.event, report.grade, report.word, report.sender) == (EvidenceEvent.UNKNOWN, None, word, None)
    assert "back door" not in report.text + report.raw


def test_a_person_may_say_that_they_are_no_machine() -> None:
    assert only(b"Auto-Submitted: no\r\n" + a_mail("gmail_reply")).event is EvidenceEvent.REPLIED


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("Return-Path: <ada@example.com>", "Return-Path: <>", "mailer_daemon"),
        ("Ada Example <Ada@Example.com>", "MAILER-DAEMON@mx.example.com", "mailer_daemon"),
        ("Ada Example <Ada@Example.com>", "Ada <ada@example.com>, Eve <eve@example.com>", "no_sender"),
        ("Ada Example <Ada@Example.com>", "<ada@example.com> <eve@example.com>", "no_sender"),
        ("Ada Example <Ada@Example.com>", "ada@example.com <eve@example.com>", "no_sender"),
        ("Ada Example <Ada@Example.com>", "undisclosed: ada@example.com;", "no_sender"),
        ("Ada Example <Ada@Example.com>", "(" * 900, "no_sender"),
        ("Date:", "From: eve@example.com\r\nDate:", "no_sender"),
        ("dmarc=pass", "dmarc=fail", "dmarc_fail"),
    ],
)
def test_a_reply_whose_writer_is_in_doubt_is_unknown(before: str, after: str, word: str) -> None:
    report = only(changed(a_mail("gmail_reply"), before, after))
    assert (report.event, report.word, report.sender) == (EvidenceEvent.UNKNOWN, word, None)


@pytest.mark.parametrize(
    ("written", "sender"),
    [
        ("ada@example.com", "ada@example.com"),
        ("<ada@example.com>", "ada@example.com"),
        ('"Example, Ada (eve@example.com)" <ada@example.com>', "ada@example.com"),
        ("=?utf-8?q?Ad=C3=A4?= <ada+shop@example.com>", "ada+shop@example.com"),
    ],
)
def test_the_writer_is_the_one_address_behind_the_name(written: str, sender: str) -> None:
    assert only(changed(a_mail("gmail_reply"), "Ada Example <Ada@Example.com>", written)).sender == sender


@pytest.mark.parametrize("words", ["STOP", "unsubscribe", "Abmelden!"])
def test_a_reply_that_wants_no_more_mail_is_an_opt_out(words: str) -> None:
    mail = changed(a_mail("gmail_reply"), "Thanks! Could you leave it at the back door?\r\nGr=C3=BC=C3=9Fe, Ada", words)
    report = only(mail)
    assert (report.event, report.grade, report.message_id) == (EvidenceEvent.OPTED_OUT, None, OURS)
    assert report.sender is None, "it is about the address that the message went to, whatever From says"


def test_cancel_is_for_a_person_to_read() -> None:
    said = "Thanks! Could you leave it at the back door?\r\nGr=C3=BC=C3=9Fe, Ada"
    report = only(changed(a_mail("gmail_reply"), said, "Cancel"))
    assert (report.event, report.text) == (EvidenceEvent.REPLIED, "Cancel")


def test_a_reply_in_html_alone_is_read_without_what_it_quotes() -> None:
    headers = f"From: ada@example.com\r\nIn-Reply-To: {OURS}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    body = "<style>p{}</style><p>Yes &amp; thanks ✓</p><div>Ada</div><blockquote>Order A-1001</blockquote>"
    assert only(headers.encode() + body.encode()).text == "Yes & thanks ✓\nAda"


def test_a_reply_without_words_says_so() -> None:
    assert only(f"From: ada@example.com\r\nReferences: {OURS}\r\n\r\n> quoted\r\n".encode()).text == NO_WORDS


QUOTATIONS: Mapping[str, str] = {
    "english": "On Sat, Nov 21, 2026 at 9:20 AM The Shop <orders@shop.example.com> wrote:",
    "broken in two": "On Sat, Nov 21, 2026 at 9:20 AM The Shop <\norders@shop.example.com> wrote:",
    "german": "Am Sa., 21. Nov. 2026 um 09:20 Uhr schrieb The Shop <orders@shop.example.com>:",
    "french": "Le sam. 21 nov. 2026 à 09:20, The Shop <orders@shop.example.com> a écrit :",
    "spanish": "El sáb, 21 nov 2026 a las 9:20, The Shop (<orders@shop.example.com>) escribió:",
    "outlook": "From: The Shop <orders@shop.example.com>\nSent: Saturday, 21 November 2026 09:20",
    "german outlook": "Von: The Shop <orders@shop.example.com>\nGesendet: Samstag, 21. November 2026 09:20",
    "divided": "-----Original Message-----",
    "underscored": "________________________________",
    "signature": "-- \nAda Example",
    "quoted": "> Order A-1001",
}


@pytest.mark.parametrize("quotation", QUOTATIONS.values(), ids=QUOTATIONS.keys())
def test_what_mail_programs_put_before_a_quotation_ends_the_reply(quotation: str) -> None:
    said = "Yes.\n\nFrom: me, with love\nOn Monday I am in.\nHe wrote: fine"
    assert above_the_quotation(f"{said}\n\n{quotation}\nOrder A-1001 is with us.") == said


def test_a_reply_keeps_what_fits() -> None:
    assert len(above_the_quotation("word " * 10_000)) <= KEPT
    assert plain("<b>a&gt;b") == "a>b"


# -- mails that no program writes -----------------------------------------------------------------------------------

START = f"From: ada@example.com\nIn-Reply-To: {OURS}\n".encode()
NESTED = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(2_000))
REPORT = b"Content-Type: multipart/report; report-type=delivery-status; boundary=x\n\n--x\n"
HOSTILE: Mapping[str, bytes] = {
    "empty": b"",
    "nulls": b"\0" * LARGEST,
    "levels": START + NESTED,
    "levels and lines": START + NESTED[: NESTED.index(b"b24")] + b"\n" * LARGEST,
    "messages in messages": START + b"Content-Type: message/rfc822\n\n" * 5_000,
    "parts": START + b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n" * 50_000,
    "parameters": b"Content-Type: multipart/mixed" + b';"' * 100_000,
    "folded parameters": b"Content-Type: multipart/mixed" + b"\r ;a=" * 50_000,
    "headers": START + b"A: b\n" * 50_000,
    "one header": START + b"Subject: " + b"\xff" * LARGEST,
    "comments": b"From: " + b"(" * LARGEST + START[20:],
    "references": b"From: a@b.c\nReferences: " + (FORGED.encode() + b" ") * 4_000,
    "groups": START + REPORT + b"Content-Type: message/delivery-status\n\n" + b"A: b\n\n" * 40_000,
    "hidden groups": START
    + REPORT
    + b"Content-Type: text/rfc822-headers\nContent-Transfer-Encoding: quoted-printable\n\n"
    + b"C=6Fntent-Type: multipart/mixed"
    + b";a" * 50_000
    + b"\n--x\nContent-Type: message/delivery-status\n\nAction: failed\n",
    "tags": START + b"Content-Type: text/html\n\n" + b"<style <" * 30_000,
    "punycode": START + b"Content-Type: text/plain; charset=punycode\n\nabc-" + b"a" * 250_000,
    "a charset that is none": START + b'Content-Type: text/plain; charset="\x00\xff"\n\n\xff\xff',
    "not text": START + b"Content-Type: text/plain; charset=hex\n\nzz",
    "base64 that is none": START + b"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n" + b"A" * 99_999,
    "uuencode that is none": START + b"Content-Transfer-Encoding: x-uuencode\n\nbegin 666 a\n" + b"\xff" * 99_999,
    "a broken type": START + b'Content-Type: ;;=;"\n\nhi',
    "a broken rfc 2231": START + b"Content-Type: text/plain; charset*1=b; charset*x'y=z; charset*0*=%%%\n\nhi",
}


@pytest.mark.parametrize("mail", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_mail_raises_or_takes_its_time(mail: bytes) -> None:
    began = time.process_time()
    reports = read(mail, IDS)
    assert time.process_time() - began < 0.5
    assert all(len(report.text) <= KEPT and len(report.raw) <= KEPT for report in reports)


@given(st.binary(max_size=400), st.sampled_from(["gmail_failed", "notice", "gmail_reply"]), st.integers(0, 3_000))
@settings(max_examples=300, deadline=None)
def test_a_mail_with_anything_put_into_it_never_raises(noise: bytes, name: str, place: int) -> None:
    mail = a_mail(name, disposition=f"{BY_HAND}; displayed")
    for report in read(mail[:place] + noise + mail[place:], IDS):
        assert report.message_id in (OURS, None)
        assert report.grade is None or report.message_id == OURS


@given(st.text(max_size=3_000))
@settings(max_examples=100, deadline=None)
def test_any_words_are_quoted_or_not_but_never_an_error(text: str) -> None:
    assert len(above_the_quotation(plain(text))) <= KEPT


def test_what_lies_beyond_the_bound_is_not_read() -> None:
    mail = a_mail("gmail_reply")
    report = only(mail + b"\r\n" + b"A" * (40 * 1024 * 1024))
    assert report.event is EvidenceEvent.REPLIED
    assert read(b"X: " + b"a" * LARGEST + b"\r\n" + mail, IDS) == ()
