"""Touch links: signed, bound to a message and to what is touched, and no page link in disguise."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from itsdangerous import URLSafeSerializer

from orderack.domain.acknowledgement import Kind, SendKey
from orderack.domain.order import OrderRef
from orderack.errors import BadSignature
from orderack.links import PageLinks, fingerprint
from orderack.touch_links import TouchLink, TouchLinks
from orderack.touches import What

SECRET = "a secret that signs buyers' links"
PUBLIC = "https://shop.example"
KEY = SendKey(ref=OrderRef(store="demo", number="A/1 ü"), revision=2, kind=Kind.CONFIRMATION, n=1, channel="smtp_email")
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def link(what: What = What.PAGE) -> TouchLink:
    return TouchLink(key=KEY, what=what, recipient=fingerprint("ada@example.com"), made_at=AT)


@pytest.fixture
def links() -> TouchLinks:
    return TouchLinks(SECRET, f"{PUBLIC}/")


@pytest.mark.parametrize("what", What)
def test_a_link_names_its_message_and_what_is_touched(links: TouchLinks, what: What) -> None:
    url = links.url(link(what))
    assert url.startswith(f"{PUBLIC}/t/" if what is What.PIXEL else f"{PUBLIC}/l/")
    assert links.read(url.rsplit("/", 1)[1]) == link(what)
    assert len(url) < 260


def test_it_holds_no_address_and_is_the_same_each_time(links: TouchLinks) -> None:
    assert links.token(link()) == links.token(link())
    assert "ada" not in repr(links.read(links.token(link())))


def test_a_forged_a_damaged_and_a_foreign_token_are_all_refused(links: TouchLinks) -> None:
    good = links.token(link())
    forged = TouchLinks("another secret of enough length", PUBLIC).token(link())
    page = PageLinks(SECRET, PUBLIC).token(KEY.ref)
    changed = ("A" if good[3] != "A" else "B").join((good[:3], good[4:]))
    for token in (forged, page, good[:-1], changed, "", "x", "..", "ü\x00", good + "x" * 5_000):
        with pytest.raises(BadSignature):
            links.read(token)


SENT = ["demo", "1", 1, "confirmation", 1, "x"]


@pytest.mark.parametrize(
    "payload", [None, 7, [], {"a": 1}, ["demo", "1"], [*SENT, "nothing", "", 0], [*SENT, "page", "", 10**20]]
)
def test_what_we_signed_for_something_else_is_no_touch_link(links: TouchLinks, payload: object) -> None:
    with pytest.raises(BadSignature):
        links.read(links._signer.dumps(payload))
    other = URLSafeSerializer(SECRET, salt="orderack.page").dumps(payload)
    with pytest.raises(BadSignature):
        links.read(other)


def test_the_same_words_signed_for_the_page_are_no_touch_link(links: TouchLinks) -> None:
    words = links._signer.loads(links.token(link()))
    for_page = URLSafeSerializer(SECRET, salt="orderack.page", signer_kwargs={"digest_method": hashlib.sha256})
    with pytest.raises(BadSignature):
        links.read(for_page.dumps(words))


def test_no_touch_link_opens_the_page(links: TouchLinks) -> None:
    with pytest.raises(BadSignature):
        PageLinks(SECRET, PUBLIC).read(links.token(link()))


def test_it_still_holds_when_the_page_link_has_expired(links: TouchLinks) -> None:
    with time_machine.travel(AT + timedelta(days=400), tick=False):
        assert links.read(links.token(link())) == link()


def test_a_page_link_made_again_is_the_same_link_to_the_letter() -> None:
    pages = PageLinks(SECRET, PUBLIC)
    with time_machine.travel(AT, tick=False):
        first = pages.url(KEY.ref, via="smtp_email", recipient="Ada@example.com")
        read = pages.read(first.rsplit("/", 1)[1])
    with time_machine.travel(AT + timedelta(days=100), tick=False):
        assert pages.again(read) == first
    with time_machine.travel(AT + timedelta(days=181), tick=False), pytest.raises(BadSignature):
        pages.read(pages.again(read).rsplit("/", 1)[1])
