"""Dates, money, plurals and zones, in each language."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from orderack.messages.formats import Formats, Masked, locale_for, zone_for


def _formats(tag: str, country: str, zone: str = "UTC") -> Formats:
    return Formats(locale_for(tag, tag.partition("-")[0], country), zone_for(zone))


def _flat(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    ("tag", "country", "amount", "currency", "written"),
    [
        ("en", "US", "1234.5", "USD", "$1,234.50"),
        ("en", "US", "1200", "JPY", "¥1,200"),
        ("en", "US", "1.2345", "KWD", "KWD1.235"),
        ("de", "DE", "1234.5", "EUR", "1.234,50 €"),
        ("de-AT", "DE", "1234.5", "EUR", "€ 1.234,50"),
        ("fr", "FR", "1234.5", "EUR", "1 234,50 €"),
        ("es", "ES", "12345.6", "EUR", "12.345,60 €"),
        ("en", "GB", "1.005", "GBP", "£1.01"),
    ],
)
def test_an_amount_to_pay_has_the_currencys_own_decimals(
    tag: str, country: str, amount: str, currency: str, written: str
) -> None:
    assert _flat(_formats(tag, country).rounded(Decimal(amount), currency)) == written


def test_a_unit_price_finer_than_a_cent_is_not_rounded_away() -> None:
    assert _flat(_formats("de", "DE").money(Decimal("0.0125"), "EUR")) == "0,0125 €"
    assert _formats("en", "US").money(Decimal("24.5000"), "USD") == "$24.50"


@pytest.mark.parametrize(
    ("tag", "zone", "winter", "summer"),
    [
        ("en", "America/New_York", "EST", "EDT"),
        ("de", "Europe/Berlin", "MEZ", "MESZ"),
        ("es", "Europe/Madrid", "CET", "CEST"),
        ("fr", "Europe/Paris", "heure normale d’Europe centrale", "heure d’été d’Europe centrale"),
        ("en", "Asia/Tokyo", "Japan Standard Time", "Japan Standard Time"),
    ],
)
def test_a_moment_names_the_zone_that_is_in_force_then(tag: str, zone: str, winter: str, summer: str) -> None:
    formats = _formats(tag, "US" if tag == "en" else tag.upper(), zone)
    assert formats.moment(datetime(2026, 1, 15, 12, tzinfo=UTC)).endswith(winter)
    assert formats.moment(datetime(2026, 7, 15, 12, tzinfo=UTC)).endswith(summer)


def test_a_moment_is_told_in_the_stores_time() -> None:
    formats = _formats("en", "US", "America/New_York")
    told = _flat(formats.moment(datetime(2026, 3, 8, 7, 30, tzinfo=UTC)))
    assert told == "Sunday, March 8, 2026, 3:30 AM EDT"


def test_a_window_says_its_day_once_unless_it_crosses_midnight() -> None:
    formats = _formats("de", "DE", "Europe/Berlin")
    at = datetime(2026, 6, 12, 12, tzinfo=UTC)
    assert formats.span(at, at.replace(hour=14)) == "Freitag, 12. Juni 2026, 14:00 – 16:00 MESZ"
    assert formats.span(at, at.replace(day=13)).count("2026") == 2


@pytest.mark.parametrize(("count", "words"), [(1, "1 item"), (2, "2 items"), (0, "0 items"), (1200, "1,200 items")])
def test_plurals_follow_the_language(count: int, words: str) -> None:
    assert _formats("en", "US").plural({"one": "{n} item", "other": "{n} items"}, count) == words


def test_french_counts_zero_as_one() -> None:
    assert _formats("fr", "FR").plural({"one": "{n} article", "other": "{n} articles"}, 0) == "0 article"


def test_a_language_no_locale_knows_falls_back_to_english() -> None:
    assert _formats("qq-ZZ", "ZZ").day(date(2026, 6, 12)) == "Friday, June 12, 2026"


def test_masked_formats_show_no_value() -> None:
    masked = Masked.like(_formats("en", "US"))
    at = datetime(2026, 6, 12, tzinfo=UTC)
    shown = (masked.money(Decimal(1), "USD"), masked.day(at.date()), masked.moment(at), masked.span(at, at))
    assert set(shown) == {"▢"}
