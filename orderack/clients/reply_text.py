"""What a person wrote above the message that they answer."""

import html
import re

LONGEST = 20_000
"""Characters that are looked at."""
KEPT = 2_000

_INTRODUCED = re.compile(
    r"^\W{0,4}(?:on|am|le|el|il|op)\b.{5,300}\b(?:wrote|schrieb|a écrit|escribió|ha scritto|schreef)\b.{0,80}:\s*$",
    re.IGNORECASE,
)
"""The line by which mail programs introduce what they quote; it may be broken in two."""
_DIVIDED = re.compile(
    r"^\s{0,8}(?:-{2,}\s?(?:original message|ursprüngliche nachricht|message d'origine|mensaje original|"
    r"forwarded message)\s?-{2,}|_{10,}|-- |--)\s{0,8}$",
    re.IGNORECASE,
)
"""A line that parts what was written from the message below, or from a signature."""
_HEADER = re.compile(r"^\W{0,4}(?:from|von|de|da)\W{0,4}:.{1,300}$", re.IGNORECASE)
_NEXT_HEADER = re.compile(
    r"^\W{0,4}(?:sent|gesendet|envoyé|enviado|date|datum|to|an|à|para)\W{0,4}:.{1,300}$", re.IGNORECASE
)
"""Outlook quotes with the headers of the message."""
_ONE_LINE = 500

_QUOTED_HTML = re.compile(
    r"<blockquote\b|<[a-z]+ [^<>]{0,200}(?:gmail_quote|moz-cite-prefix|divRplyFwdMsg|appendonsend|yahoo_quoted)",
    re.IGNORECASE,
)
_UNSEEN = re.compile(r"<(style|script|head|title)\b", re.IGNORECASE)
_BREAKS = re.compile(r"<(?:br|/p|/div|/li|/tr)\b[^<>]{0,500}>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,2000}>")


def above_the_quotation(text: str, longest: int = LONGEST, kept: int = KEPT) -> str:
    """The lines before the quoted message and the signature, at most `kept` characters; empty when there are none."""
    lines = [line[:_ONE_LINE] for line in text[:longest].replace("\r\n", "\n").split("\n")]
    above: list[str] = []
    for place, line in enumerate(lines):
        following = lines[place + 1] if place + 1 < len(lines) else ""
        if line.startswith(">") or _DIVIDED.match(line) or _introduces(line, following):
            break
        above.append(line.rstrip())
    return "\n".join(above).strip()[:kept]


def _introduces(line: str, following: str) -> bool:
    if _HEADER.match(line) and _NEXT_HEADER.match(following):
        return True
    return bool(_INTRODUCED.match(line) or _INTRODUCED.match(f"{line.rstrip()} {following.strip()}"))


def plain(markup: str) -> str:
    """The words of an HTML mail above what it quotes, without its tags."""
    markup = markup[:LONGEST]
    if quoted := _QUOTED_HTML.search(markup):
        markup = markup[: quoted.start()]
    words = _TAG.sub(" ", _BREAKS.sub("\n", _seen(markup)))
    return "\n".join(" ".join(line.split()) for line in html.unescape(words).split("\n"))


def _seen(markup: str) -> str:
    """Without what no reader sees."""
    parts: list[str] = []
    place = 0
    while (begins := _UNSEEN.search(markup, place)) is not None:
        parts.append(markup[place : begins.start()])
        ends = re.compile(rf"</{begins[1]}[^<>]{{0,200}}>", re.IGNORECASE).search(markup, begins.end())
        if ends is None:
            return "".join(parts)
        place = ends.end()
    return "".join((*parts, markup[place:]))
