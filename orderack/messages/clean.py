"""Order text made safe to show: nothing hidden, nothing that turns the line round, no live link a stranger chose."""

import re
import unicodedata

_JOINERS = "\u200c\u200d"
"""Needed by Persian, Indic scripts and composed emoji; harmless where the eye sees the result."""

_ZERO_WIDTH = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)

_TOP_LEVEL = (
    "app|biz|br|cc|ch|club|cn|co|com|de|dev|es|eu|fr|gg|gl|info|io|it|ly|link|live|me|ms|net|nl|online|org|pl|pro|"
    "ru|shop|site|store|su|tk|to|top|tv|uk|us|vip|win|work|xyz|zip"
)
_ADDRESS = re.compile(
    rf"(?<![\w+.\-])[a-z][a-z0-9+.\-]{{0,15}}://\S+|\bwww\.\S+"
    rf"|(?<![@\w.\-])(?:[\w\-]+\.)+(?:(?:{_TOP_LEVEL})\b|[a-z]{{2,}}/)\S*",
    re.IGNORECASE,
)
"""What mail clients and phones turn into a link by themselves."""


def prose(text: str) -> str:
    """Several lines of someone else's text: line breaks kept; control, bidi and zero-width characters gone."""
    rows = re.split(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text)
    return "\n".join(row for row in map(_one_row, rows) if row)


def line(text: str, limit: int = 200) -> str:
    """One line of someone else's text, at most `limit` characters (an ellipsis marks the cut)."""
    return cut(" ".join(prose(text).split()), limit)


def unlinked(text: str) -> str:
    """The same text with its web addresses readable but not clickable (`example[.]com`)."""
    return _ADDRESS.sub(lambda found: re.sub(r"\.(?=\w)", "[.]", found[0].replace("://", "[:]//")), text)


def without_addresses(text: str) -> str:
    """The same text with its web addresses gone: in an SMS they would be live links a stranger chose."""
    return _ADDRESS.sub("…", re.sub(f"[{_JOINERS}]", "", text))


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, the last one an ellipsis if something is missing."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _one_row(row: str) -> str:
    if row.isascii() and row.isprintable():
        return " ".join(row.split())
    spaced = "".join(" " if unicodedata.category(c) in ("Zs", "Cc") else c for c in _ZERO_WIDTH.sub("", row))
    shown = "".join(c for c in spaced if c in _JOINERS or unicodedata.category(c) not in ("Cf", "Cs", "Co", "Cn"))
    return " ".join(shown.split())
