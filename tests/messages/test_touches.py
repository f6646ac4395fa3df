"""The pixel, the tracked links and the honeypot: in the HTML mail alone, and nothing that a reader sees."""

import re
from collections.abc import Callable

import pytest

from orderack.domain.acknowledgement import Kind
from orderack.messages import MessageRenderer
from orderack.messages.samples import samples
from orderack.ports import Content

Make = Callable[..., Content]

TRACKED = {
    "page_link": "https://orders.example.com/l/page",
    "shop_link": "https://orders.example.com/l/shop",
    "pixel_url": "https://orders.example.com/t/pixel",
    "honeypot_url": "https://orders.example.com/l/honeypot",
}
BUYERS = tuple(kind for kind in Kind if kind is not Kind.ALERT)


def seen(html: str) -> list[str]:
    """What a reader sees of a mail: its words, without anything hidden."""
    body = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    bare = re.sub(r'<div aria-hidden="true" style="display:none[^"]*">.*?</div>', "", body, flags=re.DOTALL)
    return re.sub(r"<[^>]+>", " ", bare).split()


@pytest.mark.parametrize("kind", BUYERS)
def test_a_tracked_mail_says_the_same_words_as_one_that_is_not(renderer: MessageRenderer, kind: Kind) -> None:
    for content in samples(kind, "de"):
        bare = renderer.render(content)
        tracked = renderer.render(content.model_copy(update=TRACKED))
        assert seen(tracked.html or "") == seen(bare.html or "")
        assert (tracked.text, tracked.sms, tracked.link) == (bare.text, bare.sms, bare.link)
        for url in TRACKED.values():
            assert url in (tracked.html or "")
            assert url not in tracked.text + (tracked.sms or "") + (tracked.link or "")


def test_the_button_leads_through_the_tracked_link_and_without_one_straight_to_the_page(
    renderer: MessageRenderer, plain: Make
) -> None:
    bare = renderer.render(plain(Kind.CONFIRMATION)).html or ""
    assert 'href="https://orders.example.com/o/sample"' in bare
    tracked = renderer.render(plain(Kind.CONFIRMATION, **TRACKED)).html or ""
    assert 'href="https://orders.example.com/l/page"' in tracked
    assert "/o/sample" not in tracked


def test_the_pixel_is_the_last_thing_in_the_mail_and_says_nothing_to_a_screen_reader(
    renderer: MessageRenderer, plain: Make
) -> None:
    html = renderer.render(plain(Kind.RECEIVED, **TRACKED)).html or ""
    (pixel,) = re.findall(r"<img[^>]*>", html)
    assert 'alt="" width="1" height="1"' in pixel
    assert not seen(html[html.index(pixel) :])


def test_nobody_sees_reaches_or_hears_the_honeypot(renderer: MessageRenderer, plain: Make) -> None:
    html = renderer.render(plain(Kind.RECEIVED, **TRACKED)).html or ""
    (trap,) = re.findall(r"<div[^>]*><a[^>]*/l/honeypot[^>]*></a></div>", html)
    assert "display:none" in trap
    assert trap.count('aria-hidden="true"') == 2
    assert 'tabindex="-1"' in trap


def test_what_is_off_is_not_there(renderer: MessageRenderer, plain: Make) -> None:
    html = renderer.render(plain(Kind.RECEIVED)).html or ""
    assert "<img" not in html
    assert "<div aria-hidden" not in html
    assert "https://shop.example" not in html


def test_the_stores_name_leads_to_its_shop_tracked_or_not(renderer: MessageRenderer, plain: Make) -> None:
    store = {"store__url": "https://shop.example"}
    assert '<a href="https://shop.example" style="color:#ffffff' in (
        renderer.render(plain(Kind.RECEIVED, **store)).html or ""
    )
    tracked = renderer.render(plain(Kind.RECEIVED, **store, **TRACKED)).html or ""
    assert '<a href="https://orders.example.com/l/shop" style="color:#ffffff' in tracked
    assert "https://shop.example" not in tracked


@pytest.mark.parametrize("field", TRACKED)
def test_only_a_web_address_gets_in(renderer: MessageRenderer, plain: Make, field: str) -> None:
    html = renderer.render(plain(Kind.RECEIVED, **{field: 'javascript:alert("x")'})).html or ""
    assert "javascript" not in html


def test_an_alert_to_our_own_people_carries_none(renderer: MessageRenderer) -> None:
    for content in samples(Kind.ALERT, "en"):
        html = renderer.render(content.model_copy(update=TRACKED)).html or ""
        assert not any(url in html for url in TRACKED.values())
