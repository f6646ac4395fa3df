"""Quantities as logs write them: with a decimal point or a decimal comma, which the whole column shows."""

import polars as pl

_COMMA = r",\d{1,2}$|,\d{4,}$|\.\d{3},\d+$|^-?0,\d+$"
"""A comma that no thousands are parted by: somewhere in the column it must stand, or `1,234` is a thousand and more."""


def quantities(values: pl.Series) -> pl.Series:
    """Numbers; null where there is none."""
    if values.dtype.is_numeric():
        return values.cast(pl.Float64)
    text = values.cast(pl.String).str.replace_all(r"[\s'\u{a0}\u{202f}]", "")
    if bool(text.str.contains(_COMMA).any()):
        text = text.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    else:
        text = text.str.replace_all(r",(\d{3})", "${1}")
    return text.cast(pl.Float64, strict=False)
