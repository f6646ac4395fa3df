"""Order numbers that two systems write differently: which way of writing joined how many."""

from dataclasses import dataclass

import polars as pl

NORMALISATIONS = (
    "as written",
    "without case and spaces",
    "without marks such as # around it, or .0 behind it",
    "the last part of a path",
    "without leading zeros",
    "without letters before the number, and without leading zeros",
)
"""From the strictest on. Each is tried for what the ones before did not join, and only where it is unambiguous."""


@dataclass(frozen=True)
class Match:
    """How the ids of one log met those of the orders."""

    pairs: pl.DataFrame
    """`theirs`, `ours`: each id of theirs that was found, once."""
    by: tuple[tuple[str, int], ...]
    """Normalisation and how many ids it joined."""
    ambiguous: int
    """Ids that would have met several once normalised, and were not joined."""


def match(ours: pl.Series, theirs: pl.Series) -> Match:
    """Of ids as text; each id counts once."""
    left = _written(ours, "ours")
    right = _written(theirs, "theirs")
    found: list[pl.DataFrame] = []
    by: list[tuple[str, int]] = []
    ambiguous = 0
    for name, one, other in zip(NORMALISATIONS, _keys("ours"), _keys("theirs"), strict=True):
        a = left.with_columns(key=one).filter(pl.col("key") != "")
        b = right.with_columns(key=other).filter(pl.col("key") != "")
        alone = a.filter(pl.col("key").is_unique())
        both = b.filter(pl.col("key").is_unique()).join(alone, on="key", how="inner")
        twice = b.join(a.select("key").unique(), on="key", how="semi").height - both.height
        ambiguous = twice
        if both.height:
            by.append((name, both.height))
            found.append(both.select("theirs", "ours"))
            left = left.join(both.select("ours"), on="ours", how="anti")
            right = right.join(both.select("theirs"), on="theirs", how="anti")
    empty = pl.DataFrame(schema={"theirs": pl.String, "ours": pl.String})
    return Match(pl.concat(found) if found else empty, tuple(by), ambiguous)


def found_share(some: pl.Series, among: pl.Series) -> float:
    """Share of these ids that are among those, however either is written."""
    wanted = _written(some, "theirs")
    if not wanted.height:
        return 0.0
    return match(among, wanted["theirs"]).pairs.height / wanted.height


def _written(ids: pl.Series, name: str) -> pl.DataFrame:
    """Whole numbers of a Parquet file without a point."""
    text = ids.drop_nulls()
    if text.dtype.is_float():
        text = text.cast(pl.Int64, strict=False)
    words = text.cast(pl.String).str.strip_chars()
    return pl.DataFrame({name: words.filter(words != "").unique(maintain_order=True)})


def _keys(name: str) -> tuple[pl.Expr, ...]:
    written = pl.col(name)
    folded = written.str.to_lowercase().str.replace_all(r"\s+", "")
    marked = (
        folded.str.replace(r"^(\d+)\.0+$", "${1}")
        .str.replace(r"^[^\p{L}\p{N}]+", "")
        .str.replace(r"[^\p{L}\p{N}]+$", "")
    )
    last = marked.str.extract(r"([^/:]+)$").fill_null("")
    bare = last.str.replace_all(r"[^\p{L}\p{N}]", "")
    unpadded = bare.str.replace(r"^([\p{L}]*)0+(\p{N})", "${1}${2}")
    number = bare.str.replace(r"^\p{L}+", "").str.replace(r"^0+", "")
    return written, folded, marked, last, unpadded, number
