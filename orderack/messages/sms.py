"""SMS arithmetic: which alphabet a text needs, how many segments it costs, and how to keep it within two.

Source: 3GPP TS 23.038 (GSM 7-bit default alphabet and its extension table) and TS 23.040 (concatenation header).
"""

import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum

from orderack.domain.gsm import BASIC, EXTENSION, in_gsm
from orderack.domain.value import Value
from orderack.messages.clean import cut

_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f", " "),
        **dict.fromkeys("‘’‚‛′", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—−", "-"),
        "…": "...",
        "×": "x",
        "·": "-",
        "\t": " ",
    }
)


class Alphabet(StrEnum):
    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


class Segments(Value):
    """What a text costs: `units` are septets (GSM-7) or 16-bit code units (UCS-2)."""

    alphabet: Alphabet
    units: int
    count: int


_SIZES = {Alphabet.GSM_7: (160, 153), Alphabet.UCS_2: (70, 67)}
"""Units in a lone segment, and in one of several (a header takes the rest)."""


def segments(text: str) -> Segments:
    """Alphabet, units and segments of a text. A character is never split over two segments; empty text costs none."""
    gsm = in_gsm(text)
    alphabet = Alphabet.GSM_7 if gsm else Alphabet.UCS_2
    widths = [(2 if c in EXTENSION else 1) if gsm else (2 if ord(c) > 0xFFFF else 1) for c in text]
    alone, joined = _SIZES[alphabet]
    units = sum(widths)
    count = min(units, 1) if units <= alone else _filled(widths, joined)
    return Segments(alphabet=alphabet, units=units, count=count)


def _filled(widths: Iterable[int], size: int) -> int:
    count, room = 1, size
    for width in widths:
        if width > room:
            count, room = count + 1, size
        room -= width
    return count


def plain(text: str) -> str:
    """Typographic characters replaced by those every handset's alphabet has; letters stay as they are."""
    return text.translate(_PLAIN)


def unaccented(text: str) -> str:
    """Letters that the GSM alphabet lacks, without their accents, if that keeps the whole text in it; else the text."""
    bare = "".join(c if c in BASIC or c in EXTENSION else unicodedata.normalize("NFKD", c)[0] for c in text)
    return bare if segments(bare).alphabet is Alphabet.GSM_7 else text


def fit(head: str, details: Sequence[str], link: str, limit: int = 2) -> str:
    """The longest of head + details + link within `limit` segments.

    A date is worth more than an accent: accents go first. Then details go, from the last one; then the head is cut.
    The link is dropped only if it fills the segments alone.
    """
    head, link = plain(head), plain(link)
    for kept in range(len(details), -1, -1):
        text = _joined(head, *map(plain, details[:kept]), link)
        for spelling in (text, unaccented(text)):
            if segments(spelling).count <= limit:
                return spelling
    if link and segments(_joined(plain("…"), link)).count > limit:
        return fit(head, details, "", limit)
    return _longest(head, link, limit)


def _longest(head: str, link: str, limit: int) -> str:
    low, high = 1, len(head)
    while low < high:
        middle = (low + high + 1) // 2
        fits = segments(_joined(plain(cut(head, middle)), link)).count <= limit
        low, high = (middle, high) if fits else (low, middle - 1)
    return _joined(plain(cut(head, low)), link)


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)
