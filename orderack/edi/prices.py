"""PO105 (element 639): what a unit price is the price of."""

from collections.abc import Mapping
from decimal import Decimal

_ONE, _DOZEN, _HUNDRED, _THOUSAND = Decimal(1), Decimal(12), Decimal(100), Decimal(1_000)

_COUNTED: Mapping[str, tuple[Decimal, str]] = {
    **dict.fromkeys(["PD", "LD", "RD", "TD", "WD"], (_DOZEN, "DZ")),
    **dict.fromkeys(["HP", "LC", "QH", "RC", "TC", "WC"], (_HUNDRED, "HU")),
    **dict.fromkeys(["TP", "LM", "QS", "RM", "TM", "WM"], (_THOUSAND, "TH")),
    "PN": (Decimal(10), "TP"),
    "TT": (Decimal(10_000), ""),
    "HT": (Decimal(100_000), ""),
}
"""Per so many; and the unit (PO103) that counts by so many already."""

_MEASURED: Mapping[str, tuple[Decimal, str]] = {
    "PF": (_ONE, "FT"),
    "HF": (_HUNDRED, "FT"),
    "TF": (_THOUSAND, "FT"),
    "PY": (_ONE, "YD"),
    "PP": (_ONE, "LB"),
    "PO": (_ONE, "OZ"),
    "PG": (_ONE, "GR"),
    "PK": (_ONE, "KG"),
    "PT": (_ONE, "TN"),
    "PL": (_ONE, "LT"),
    "ML": (_ONE, "ML"),
}
"""Per so many of a measure, which the order has to be counted in."""

_CODES = "PE LE QE RE TE WE UM AP AW BR CA CP CR CT DI DR DS FX NC NT PQ PR QT RS RT SC SR ST SW VQ WH"
_AS_ORDERED = frozenset({"", *_CODES.split(" ")})
"""Per whatever the quantity counts; of these the codes say whose price it is."""


def price_per(basis: str, unit: str) -> Decimal | None:
    """How many of what is ordered the price buys; None: it cannot be told, or it is none yet (`TB`: to be agreed)."""
    if basis in _AS_ORDERED:
        return _ONE
    if basis in _COUNTED:
        many, counted = _COUNTED[basis]
        return _ONE if unit and unit == counted else many
    many, measure = _MEASURED.get(basis, (_ONE, ""))
    return many if measure and unit == measure else None
