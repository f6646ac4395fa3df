"""Lint of what a store's page may link to."""

import pytest

from tests.policy.test_lint import Load, findings, the_finding


def page(**rules: object) -> object:
    return lambda document: document["stores"]["demo"]["profile"].update(page=rules)


@pytest.mark.parametrize(
    "url",
    ["https://pay.example/{number}", "http://pay.example", "https://pay.example/?order={number}&lang=en", None],
)
def test_a_web_address_is_left_alone(load: Load, url: str | None) -> None:
    assert findings(load(page(pay_url=url, offers=[{"title": "Oil", "url": url or "https://x.example"}]))) == ()


@pytest.mark.parametrize(
    "url",
    [
        *("javascript:alert(1)", "data:text/html,x", "pay.example/{number}", "//pay.example", "ftp://pay.example", ""),
        *(
            "https://",
            "https://pay example",
            "https://päy.example",
            "https://[::1",
            "HTTPS//x",
            "mailto:ada@example.com",
        ),
    ],
)
def test_any_other_is_found_with_its_place(load: Load, url: str) -> None:
    found = the_finding(load(page(pay_url=url)))
    assert (found.field, found.problem) == ("stores.demo.profile.page.pay_url", "is not a web address")
    offer = the_finding(load(page(offers=[{"title": "Oil", "url": "https://x.example"}, {"title": "Oil", "url": url}])))
    assert (offer.field, offer.problem) == ("stores.demo.profile.page.offers[1].url", "is not a web address")


def test_a_placeholder_that_nothing_fills_is_found(load: Load) -> None:
    assert "placeholder" in the_finding(load(page(pay_url="https://pay.example/{order}"))).problem


def test_an_offer_without_a_title_is_found(load: Load) -> None:
    found = the_finding(load(page(offers=[{"title": " ", "url": "https://x.example"}])))
    assert found.field == "stores.demo.profile.page.offers[0].title"
