"""NetSuite: signatures, external ids and the marks on lines, each on its own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orderack.clients import oauth1
from orderack.domain.order import OrderRef
from orderack.erps._netsuite_ids import external_id, read_line_mark
from orderack.erps.netsuite import NetsuiteSettings
from tests.erps.test_netsuite import OWN


def test_the_base_string_is_that_of_the_rfcs_example() -> None:
    """RFC 5849 §3.4.1.1, whose request has a form body: its parameters are given beside OAuth's own."""
    said = [
        ("c2", ""),
        ("a3", "2 q"),
        ("oauth_consumer_key", "9djdj82h48djs9d2"),
        ("oauth_token", "kkk9d7dh3k39sjv7"),
        ("oauth_signature_method", "HMAC-SHA1"),
        ("oauth_timestamp", "137131201"),
        ("oauth_nonce", "7d8f3e4a"),
    ]
    text = oauth1.base_string("POST", "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b", said)
    assert text == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D"
        "%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1"
        "%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


NAMES = st.text(min_size=1, max_size=60).filter(lambda text: text.strip() == text and text)


@given(NAMES, NAMES, NAMES, NAMES)
def test_no_two_orders_have_one_external_id_even_where_capitals_do_not_count(a: str, b: str, c: str, d: str) -> None:
    first, second = OrderRef(store=a, number=b), OrderRef(store=c, number=d)
    ids = external_id(first), external_id(second)
    assert (ids[0].lower() == ids[1].lower()) == (first == second)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,100}", one) for one in ids)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("a", "b_"), ("a_", "b")),
        (("a_", "_b"), ("a", "__b")),
        (("a", "B"), ("a", "b")),
        (("a-b", "c"), ("a", "b-c")),
        (("x" * 150, "1"), ("x" * 150, "2")),
        (("a_5f", "1"), ("a_", "1")),
    ],
)
def test_ids_that_look_alike_stay_apart(left: tuple[str, str], right: tuple[str, str]) -> None:
    one, two = (external_id(OrderRef(store=store, number=number)) for store, number in (left, right))
    assert one != two


@given(st.text(max_size=40))
def test_whatever_stands_in_a_lines_field_is_a_mark_or_none(text: str) -> None:
    read_line_mark(text)


@pytest.mark.parametrize(
    ("account", "url", "realm"),
    [
        ("1234567", "https://1234567.suitetalk.api.netsuite.com", "1234567"),
        ("1234567_SB1", "https://1234567-sb1.suitetalk.api.netsuite.com", "1234567_SB1"),
        ("1234567-sb1", "https://1234567-sb1.suitetalk.api.netsuite.com", "1234567_SB1"),
        ("tstdrv1", "https://tstdrv1.suitetalk.api.netsuite.com", "TSTDRV1"),
    ],
)
def test_an_account_has_one_address_and_one_realm(account: str, url: str, realm: str) -> None:
    settings = NetsuiteSettings.model_validate({"account": account, **OWN})
    assert (settings.url, settings.account) == (url, realm)


@pytest.mark.parametrize(
    "wrong",
    [{"account": "a.b"}, {"base_url": "http://erp.example.com"}, {"concurrency": 0}, {"location": "1 OR 1=1"}],
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NetsuiteSettings.model_validate({"account": "1234567", **OWN, **wrong})
