"""Quantities as logs write them: which mark parts thousands and which is the decimal one, the whole column shows."""

import polars as pl

_COMMA = r",\d{1,2}$|,\d{4,}$|\.\d{3},\d+$|^-?0,\d+$"
"""A comma that no thousands are parted by: somewhere in the column it must stand, or `1,234` is a thousand and more."""

_WHOLE = r"^-?(?:0|[1-9]\d{0,2}(?:\.\d{3})*)$"
"""A whole number whose thousands, if it has any, are parted by points."""


def quantities(values: pl.Series) -> pl.Series:
    """Numbers; null where there is none."""
    if values.dtype.is_numeric():
        return values.cast(pl.Float64)
    text = values.cast(pl.String).str.replace_all(r"[\s'\u{a0}\u{202f}]", "")
    if bool(text.str.contains(_COMMA).any()):
        text = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    elif _parted_by_points(text):
        text = text.str.replace_all(".", "", literal=True)
    else:
        text = text.str.replace_all(r",(\d{3})", "${1}")
    return text.cast(pl.Float64, strict=False)


def _parted_by_points(text: pl.Series) -> bool:
    """Whether `1.500` is a thousand and more: beside `12`, which three places behind the point would make `12.000`."""
    numbers = text.filter(text.str.contains(r"^-?\d[\d.]*$"))
    points = numbers.str.count_matches(".", literal=True)
    mixed = bool((points == 0).any()) and bool((points == 1).any())
    return bool(numbers.str.contains(_WHOLE).all()) and (mixed or bool((points > 1).any()))
