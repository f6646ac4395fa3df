"""Does a ticket ask where an order is? By its words, in four languages, or by the desk's own tags.

The phrases stand in `phrases.yaml`, to be edited by whoever reads the tickets. A match is a regular expression over
the ticket's words; how well they do is measured on sentences they were not written with (tests/diagnostics/wismo).
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml
from pydantic import TypeAdapter

from orderack.domain.value import Value
from orderack.ports.helpdesk import Ticket

READ = 2_000
"""Characters of a ticket's subject, and of its first message, that are read: who asks says so at the beginning."""

_GAPS = {"~": 3, "~~": 8}


class _Language(Value):
    lists: Mapping[str, str]
    not_before: str
    unless: tuple[str, ...]
    asks: tuple[str, ...]


_FILE: TypeAdapter[dict[str, _Language]] = TypeAdapter(dict[str, _Language])


@dataclass(frozen=True)
class _Phrase:
    name: str
    """As it stands in the file, with its language."""
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class _Phrases:
    language: str
    unless: tuple[re.Pattern[str], ...]
    asks: tuple[_Phrase, ...]


def decided_by(ticket: Ticket, tags: Collection[str] = ()) -> str | None:
    """What says that this ticket asks where an order is: `tag: wismo`, or `en: where is …`. None: nothing does."""
    own = {tag.casefold() for tag in ticket.tags}
    if named := sorted(tag for tag in tags if tag.casefold() in own):
        return f"tag: {named[0]}"
    return phrase_in(ticket.subject[:READ]) or phrase_in(ticket.text[:READ])


def phrase_in(text: str) -> str | None:
    """The first phrase, of the file's order, that stands in the text."""
    words = normal(text)
    if not words.strip(" ."):
        return None
    for language in _phrases():
        left = words
        for pattern in language.unless:
            left = pattern.sub(". ", left)
        for phrase in language.asks:
            if phrase.pattern.search(left):
                return phrase.name
    return None


def normal(text: str) -> str:
    """Words with one blank after each, sentences ended by a dot: letter case, accents and apostrophes are gone."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    plain = re.sub(r"(?<=\w)['’`´](?=(?:s|t|m|d|ve|re|ll)\b)", "", plain)
    plain = re.sub(r"[.!?;:\n/]+(?=\s|$)|\s[-–—]+\s", " . ", plain)
    return " ".join(re.findall(r"\w+|(?<= )\.(?= )", f" {plain} ")) + " "


@cache
def _phrases() -> Sequence[_Phrases]:
    raw = files("orderack.diagnostics.wismo").joinpath("phrases.yaml").read_text(encoding="utf-8")
    return [_compiled(name, language) for name, language in _FILE.validate_python(yaml.safe_load(raw)).items()]


def _compiled(name: str, language: _Language) -> _Phrases:
    return _Phrases(
        language=name,
        unless=tuple(re.compile(_pattern(each, language)) for each in language.unless),
        asks=tuple(
            _Phrase(f"{name}: {each}", re.compile(_pattern(each, language) + f"(?!(?:{language.not_before}) )"))
            for each in language.asks
        ),
    )


def _pattern(phrase: str, language: _Language) -> str:
    return r"(?<!\S)" + "".join(_part(word, language) for word in phrase.split())


def _part(word: str, language: _Language) -> str:
    """One word of a phrase. Words of the text never cross a sentence's dot."""
    if word in _GAPS:
        return rf"(?:\w+ ){{0,{_GAPS[word]}}}"
    optional = word.endswith("?")
    found = (_one(each, language) for each in word.removesuffix("?").split("|"))
    return f"(?:(?:{'|'.join(found)}) ){'?' if optional else ''}"


def _one(word: str, language: _Language) -> str:
    if word.startswith("<"):
        return "|".join(_one(each, language) for each in language.lists[word.strip("<>")].split("|"))
    return re.escape(word[:-1]) + r"\w*" if word.endswith("*") else re.escape(word)
