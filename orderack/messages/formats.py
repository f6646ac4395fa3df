"""Dates, money, numbers and plurals in the recipient's language and the store's time zone (Babel, CLDR)."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_timezone_name
from babel.numbers import format_currency, format_decimal, get_currency_precision

PluralForm = Literal["zero", "one", "two", "few", "many", "other"]
"""CLDR's plural categories."""


@lru_cache(maxsize=256)
def locale_for(tag: str, language: str, country: str) -> Locale:
    """The best locale: the recipient's own tag (`de-AT`), else the wording's language in the store's country."""
    for candidate in (tag if "-" in tag else f"{language}-{country}", f"{language}-{country}", language):
        try:
            locale = Locale.parse(candidate, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
        if locale.language == language:
            return locale
    return Locale("en")


@lru_cache(maxsize=256)
def zone_for(name: str) -> ZoneInfo:
    """The store's time zone; raises KeyError or ValueError when there is none of that name."""
    return ZoneInfo(name)


class Formats:
    """One recipient's way of writing values."""

    def __init__(self, locale: Locale, zone: ZoneInfo) -> None:
        self._locale = locale
        self._zone = zone

    def money(self, amount: Decimal, currency: str) -> str:
        """The amount with the currency's own number of decimals (JPY 0, KWD 3), and more if the amount has more."""
        exact = amount == round(amount, get_currency_precision(currency))
        return str(format_currency(amount, currency, locale=self._locale, decimal_quantization=exact))

    def rounded(self, amount: Decimal, currency: str) -> str:
        """The amount as it is paid: rounded to the currency's decimals."""
        cent = Decimal(1).scaleb(-get_currency_precision(currency))
        return str(format_currency(amount.quantize(cent, ROUND_HALF_UP), currency, locale=self._locale))

    def number(self, value: Decimal) -> str:
        return str(format_decimal(value.normalize(), locale=self._locale, decimal_quantization=False))

    def day(self, value: date) -> str:
        """A specific date with its weekday and year, written out."""
        return str(format_date(value, "full", locale=self._locale))

    def short_day(self, value: date) -> str:
        return str(format_date(value, "medium", locale=self._locale))

    def moment(self, value: datetime) -> str:
        """Date, time and the zone's name, in the store's time zone."""
        local = value.astimezone(self._zone)
        return f"{self.day(local.date())}, {self._time(local)} {self._zone_name(local)}"

    def short_moment(self, value: datetime) -> str:
        local = value.astimezone(self._zone)
        return f"{self.short_day(local.date())}, {self._time(local)} {self._zone_name(local)}"

    def span(self, start: datetime, end: datetime) -> str:
        """From when to when; the date is said once if both are on the same day."""
        first, last = start.astimezone(self._zone), end.astimezone(self._zone)
        if first.date() != last.date():
            return f"{self.moment(start)} – {self.moment(end)}"
        times = f"{self._time(first)} – {self._time(last)} {self._zone_name(last)}"
        return f"{self.day(first.date())}, {times}"

    def country(self, code: str) -> str:
        """The country's name, or its code where the language has none."""
        return str(self._locale.territories.get(code, code))

    def plural(self, forms: Mapping[PluralForm, str], count: int | Decimal) -> str:
        """The form that the language's plural rule picks for this count (`other` where it has no other)."""
        rule = self._locale.plural_form(count)
        form = next((text for name, text in forms.items() if name == rule), forms["other"])
        return form.replace("{n}", self.number(Decimal(count)))

    def _time(self, local: datetime) -> str:
        return str(format_time(local, "short", tzinfo=self._zone, locale=self._locale))

    def _zone_name(self, local: datetime) -> str:
        short = str(get_timezone_name(local, width="short", locale=self._locale))
        if short[:1] not in "+-":
            return short
        return str(get_timezone_name(local, width="long", locale=self._locale))


class Masked(Formats):
    """Writes every value as the placeholder, so that the wording guard sees words and no data."""

    PLACEHOLDER = "▢"

    @classmethod
    def like(cls, formats: Formats) -> "Masked":
        """The same language and zone, so that plurals keep their form."""
        return cls(formats._locale, formats._zone)

    def money(self, amount: Decimal, currency: str) -> str:
        return self.PLACEHOLDER

    rounded = money

    def number(self, value: Decimal) -> str:
        return self.PLACEHOLDER

    def day(self, value: date) -> str:
        return self.PLACEHOLDER

    short_day = day

    def moment(self, value: datetime) -> str:
        return self.PLACEHOLDER

    short_moment = moment

    def span(self, start: datetime, end: datetime) -> str:
        return self.PLACEHOLDER
