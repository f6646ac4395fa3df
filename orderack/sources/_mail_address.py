"""An address as people write it in a mail: lines, or one line with commas."""

import re
from collections.abc import Mapping
from decimal import Decimal

from babel import Locale

from orderack.domain.order import Address
from orderack.sources._mail_numbers import GUESS, LIKELY, SURE
from orderack.sources._mail_words import plain
from orderack.sources._reading import address_of, country_of

_LANGUAGES = ("en", "de", "fr", "es", "it", "nl")
_COUNTRIES: Mapping[str, str] = {
    plain(name): code
    for language in _LANGUAGES
    for code, name in Locale(language).territories.items()
    if re.fullmatch("[A-Z]{2}", code)
} | {
    "usa": "US",
    "uk": "GB",
    "england": "GB",
    "scotland": "GB",
    "great britain": "GB",
    "u s a": "US",
    "united states of america": "US",
}
_CODES = frozenset(_COUNTRIES.values())
_BEFORE = re.compile(r"^(?:(?P<country>[A-Z]{1,2})[-\s])?(?P<code>\d{4,5}|\d{3}\s\d{2})\s+(?P<city>[^\d,]{2,60})$")
_US = re.compile(r"^(?:(?P<city>[^\d,]{2,60}?)[,\s]+)?(?P<region>[A-Z]{2})\s+(?P<code>\d{5}(?:-\d{4})?)$")
_UK = re.compile(r"^(?:(?P<city>[^\d,]{2,60}?)[,\s]+)?(?P<code>[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2})$")
_CA = re.compile(
    r"^(?:(?P<city>[^\d,]{2,60}?)[,\s]+)?(?:(?P<region>[A-Z]{2})[,\s]+)?(?P<code>[A-Z]\d[A-Z]\s?\d[A-Z]\d)$"
)
_NL = re.compile(r"^(?:NL[-\s])?(?P<code>\d{4}\s?[A-Z]{2})\s+(?P<city>[^\d,]{2,60})$")
_IT = re.compile(r"^(?:I[-\s])?(?P<code>\d{5})\s+(?P<city>[^\d,(]{2,60}?)\s+\((?P<region>[A-Z]{2})\)$")
_BEHIND = re.compile(r"^(?P<city>[^\d,]{2,60}?)[,\s]+(?P<code>\d{4,5})$")
_FORMS = ((_US, "US"), (_CA, "CA"), (_UK, "GB"), (_NL, "NL"), (_IT, "IT"), (_BEFORE, None), (_BEHIND, None))
_FIVE_DIGITS = frozenset({"DE", "FR", "ES", "IT", "US", "FI", "SE", "MX", "EE", "GR", "PL"})
_FOUR_DIGITS = frozenset({"AT", "CH", "BE", "DK", "NL", "NO", "LU", "AU", "PT", "LI"})
_SIGNS = {"D": "DE", "F": "FR", "E": "ES", "A": "AT", "B": "BE", "L": "LU", "I": "IT"}
_COMPANY = re.compile(
    r"\b(?:gmbh|ag|kg|ohg|ug|mbh|e\.?k\.?|ltd\.?|limited|inc\.?|llc|corp\.?|plc|s\.?a\.?r\.?l\.?|s\.?a\.?s?\.?|s\.?l\.?u?\.?|b\.?v\.?|co\.?|company)(?!\w)",
    re.IGNORECASE,
)
_STREET = re.compile(r"\d")
_NO_ADDRESS = re.compile(r"^(?:tel|phone|mobile|telefon|e-?mail|fax|téléphone|teléfono)\b|@", re.IGNORECASE)


def read_address(text: str, country: str) -> tuple[Address | None, Decimal, str]:
    """(address, confidence, why). `country`: the store's, where the text names none."""
    lines = [line.strip(" ,;.") for line in re.split(r"\n|,\s+|;\s+|\s\|\s", text[:1_000]) if line.strip(" ,;.")]
    lines = [line for line in lines if not _NO_ADDRESS.search(line)][:10]
    named = next((place for place in reversed(range(len(lines))) if plain(lines[place]) in _COUNTRIES), None)
    said = _COUNTRIES[plain(lines.pop(named))] if named is not None and named else None
    if said is None and len(lines) > 2 and lines[-1] in _CODES:
        said = lines.pop()
    place, parts, form = _place(lines, said or country)
    if place is None:
        return _without_place(lines, said or country)
    before = lines[:place]
    if not parts.get("city") and before:
        parts["city"] = before.pop()
    street_at = next((at for at in reversed(range(len(before))) if _STREET.search(before[at])), len(before) - 1)
    street = before[street_at] if before else ""
    names = before[: max(street_at, 0)]
    signed = _SIGNS.get(parts.get("country", ""), parts.get("country", "") or None)
    code = said or country_of(signed, None) or form or _by_digits(parts["code"], country)
    company = next((one for one in names if _COMPANY.search(one)), None)
    name = next((one for one in names if one != company), None)
    unnamed = [one for one in names if one not in (company, name)]
    second = [*unnamed, *before[street_at + 1 :], *lines[place + 1 :]]
    address = address_of(
        street=street,
        street2=", ".join(second) or None,
        city=parts["city"],
        postal_code=parts["code"],
        region=parts.get("region"),
        country=code or country,
        otherwise=country,
        name=name,
        company=company,
    )
    if not (street and _STREET.search(street) and parts["city"]):
        return address, GUESS, "a street with its number or a town cannot be told in it"
    if said or signed or form:
        return address, SURE if said else LIKELY, "read by the form of its postal code"
    sure = LIKELY if code else GUESS
    return (
        address,
        sure,
        "it names no country; its postal code has the form of the store's" if code else "it names no country",
    )


def _place(lines: list[str], country: str) -> tuple[int | None, dict[str, str], str | None]:
    """Which line holds the postal code, its parts, and the country that alone has such codes."""
    forms = sorted(_FORMS, key=lambda form: form[1] != country)
    for at in reversed(range(len(lines))):
        for pattern, only in forms:
            if match := pattern.match(lines[at]):
                return at, {name: (value or "").strip() for name, value in match.groupdict().items()}, only
    return None, {}, None


def _by_digits(code: str, country: str) -> str | None:
    digits = len(re.sub(r"\D", "", code))
    return country if country in (_FIVE_DIGITS if digits == 5 else _FOUR_DIGITS) else None


def _without_place(lines: list[str], country: str) -> tuple[Address | None, Decimal, str]:
    if not lines:
        return None, GUESS, "there is nothing below its label"
    city = lines[-1] if len(lines) > 1 else ""
    street = " ".join(lines[:-1]) if len(lines) > 1 else lines[0]
    address = address_of(street=street, city=city, country=country, otherwise=country)
    return address, GUESS, "no postal code can be told in it"
