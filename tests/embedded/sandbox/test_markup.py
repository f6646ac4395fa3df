"""What a reader finds in HTML: who can see a link, and what a browser would post."""

import pytest

from orderack.embedded.sandbox.markup import Field, Form, read_html

PAGE = """
<p>Hello<br><img src="/t/one"><img src="/t/one"></p>
<form method="post" action="/o/token/answer">
<input type="hidden" name="revision" value="2">
<fieldset><legend>Tent</legend>
<label><input type="radio" name="line-1" value="accept" checked> Accept</label>
<label><input type="radio" name="line-1" value="decline"> Decline</label></fieldset>
<select name="line-2"><option value="accept">Accept<option value="decline" selected>Decline</select>
<input type="checkbox" name="sure"> <input type="checkbox" name="news" value="yes" checked>
<textarea name="note">
as it was</textarea>
<input name="off" disabled value="x">
<button name="go" value="now">Send</button><button name="go" value="later">Later</button>
</form>
<input name="outside" value="x">
"""


@pytest.mark.parametrize(
    "around",
    [
        '<div style="display:none">{}</div>',
        '<div style="color:red; DISPLAY: none !important"><p><span>{}</span></p></div>',
        '<p style="font-size:0px">{}</p>',
        '<p style="max-height: 0; overflow:hidden">{}</p>',
        "<p hidden>{}</p>",
    ],
)
def test_a_link_in_something_that_is_not_shown_is_hidden(around):
    markup = read_html(
        around.format('<br><a href="http://shop.example/l/x">.</a>') + '<a href="http://shop.example">y</a>'
    )
    assert [(link.url, link.hidden) for link in markup.links] == [
        ("http://shop.example/l/x", True),
        ("http://shop.example", False),
    ]


@pytest.mark.parametrize(
    "style", ["height:10px", "font-size:0.9em", "opacity:0.5", "display:block", "max-height:0.5em"]
)
def test_a_link_that_is_small_is_still_seen(style):
    (link,) = read_html(f'<a style="{style}" href="http://shop.example">y</a>').links
    assert not link.hidden


def test_type_without_a_size_hides_only_what_has_no_size_of_its_own():
    outer = '<td style="font-size:0px"><a href="http://a.example">x</a><p style="font-size:14px">{}</p></td>'
    links = read_html(outer.format('<a href="http://b.example">y</a>')).links
    assert [link.hidden for link in links] == [True, False]


def test_only_web_addresses_are_links():
    assert read_html('<a href="mailto:ada@example.com">x</a><a href="javascript:alert(1)">y</a><a>z</a>').links == ()


def test_images_are_each_loaded_once():
    assert read_html(PAGE).images == ("/t/one",)


def test_an_untouched_form_is_posted_as_a_browser_posts_it():
    (form,) = read_html(PAGE).forms
    assert form.sent({}) == [
        ("revision", "2"),
        ("line-1", "accept"),
        ("line-2", "decline"),
        ("news", "yes"),
        ("note", "as it was"),
        ("go", "now"),
    ]


def test_what_a_person_writes_and_picks_is_posted_and_hidden_fields_stay():
    (form,) = read_html(PAGE).forms
    sent = dict(form.sent({"line-1": "decline", "line-2": "accept", "note": "too late", "go": "later", "sure": "on"}))
    assert sent == {
        "revision": "2",
        "line-1": "decline",
        "line-2": "accept",
        "sure": "on",
        "news": "yes",
        "note": "too late",
        "go": "later",
    }


@pytest.mark.parametrize("filled", [{"line-9": "accept"}, {"line-1": "maybe"}, {"revision": "3"}, {"off": "y"}])
def test_what_the_form_does_not_offer_cannot_be_sent(filled):
    (form,) = read_html(PAGE).forms
    with pytest.raises(ValueError, match=next(iter(filled))):
        form.sent(filled)


def test_the_plain_button_is_pressed_unless_another_is_named():
    (form,) = read_html(
        '<form method="post"><button name="all" value="1">All</button><button>These</button></form>'
    ).forms
    assert form.sent({}) == []
    assert form.sent({"all": "1"}) == [("all", "1")]


def test_broken_html_is_read_as_far_as_it_goes():
    markup = read_html(
        '<form action="/o/x/affirm" method="POST"><div></p><input name="a" value="1"><select name="s"><option'
    )
    assert markup.forms == (Form("/o/x/affirm", "post", (Field("a", "text", "1"),)),)
