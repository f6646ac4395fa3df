"""The words of the buyer's page, one file per language (policy/messages/<lang>/page.yaml)."""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import ConfigDict, Field, ValidationError

from orderack.domain.problem import Problem
from orderack.domain.response import Outcome
from orderack.domain.value import Value
from orderack.errors import Misconfigured
from orderack.messages.guard import commitments
from orderack.messages.labels import LABELS, Labels, load_labels
from orderack.messages.promises import PROMISES
from orderack.messages.wording import DEFAULT_LANGUAGE
from orderack.policy.yaml_loader import LOADER

PAGE = "page.yaml"

_TAG = re.compile(r"[A-Za-z0-9-]{1,35}")
"""A language tag that may name a folder: any browser can send any (RFC 5646 has them up to 35 characters)."""

Words = Annotated[str, Field(min_length=1, max_length=600)]


class Standing(StrEnum):
    """Where the order stands, as its buyer is told."""

    AWAITED = "awaited"
    RECEIVED = "received"
    REVIEWED = "reviewed"
    CONFIRMED = "confirmed"
    HANDED_OFF = "handed_off"
    CHANGING = "changing"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    CLOSED = "closed"


UNPROMISED = (Standing.AWAITED, Standing.RECEIVED, Standing.REVIEWED)
"""Nothing is confirmed yet, so the page's words must not commit (see `orderack.messages.guard`)."""


class Deed(StrEnum):
    """What the buyer did on the page. Frozen names."""

    AFFIRMED = "affirmed"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    DECLINED_ALL = "declined_all"
    ASKED = "asked"
    CHANGED = "changed"
    CANCELLED = "cancelled"


class Taken(StrEnum):
    """What became of it. Frozen names."""

    RECORDED = "recorded"
    """In our record; the order hears of it as soon as it can."""
    TOLD = "told"
    REFUSED = "refused"
    """The order cannot take it."""
    CLOSED = "closed"
    OUTDATED = "outdated"
    """The order had changed before this reached it."""
    ASKED_INSTEAD = "asked_instead"
    """A cancellation after the team took the work in hand: its owner was asked."""


class Note(StrEnum):
    """Why the page is not simply the page."""

    AWAY = "away"
    STALE = "stale"
    IMPOSSIBLE = "impossible"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"


class Wrong(StrEnum):
    """What is wrong with a field."""

    CHOOSE = "choose"
    CONTRADICTION = "contradiction"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    BAD_TEXT = "bad_text"
    QUANTITY = "quantity"
    NOTHING_LEFT = "nothing_left"
    UNCHANGED = "unchanged"
    COUNTRY = "country"
    NOT_SURE = "not_sure"


class _Strict(Value):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StandingWords(_Strict):
    headline: Words
    next: Words


class AffirmWords(_Strict):
    heading: Words
    text: Words
    received: Words
    """Before a confirmation: for the message that the buyer has."""
    button: Words
    received_button: Words
    done: Words
    """`{revision}`, `{at}`."""


class AnswerWords(_Strict):
    heading: Words
    text: Words
    all: Words
    accept: Words
    decline: Words
    note: Words
    button: Words
    accepted: Words
    """`{revision}`, `{at}`."""
    declined: Words


class AskWords(_Strict):
    heading: Words
    text: Words
    hint: Words
    button: Words


class ChangeWords(_Strict):
    heading: Words
    text: Words
    quantities: Words
    quantity: Words
    """`{item}`."""
    quantity_hint: Words
    address: Words
    street: Words
    street2: Words
    city: Words
    postal_code: Words
    region: Words
    country: Words
    instructions: Words
    button: Words


class CancelWords(_Strict):
    heading: Words
    text: Words
    late: Words
    """Once the team has taken the work in hand."""
    reason: Words
    sure: Words
    button: Words


class PageLabels(_Strict):
    """Every word of the page's frame; what the e-mails say too is in `Labels`. `{names}` are filled in."""

    title: Words
    """`{number}`, `{store}`."""
    heading: Words
    """`{number}`."""
    skip: Words
    gone_title: Words
    gone_text: Words
    private: Words
    """Whom the page is for."""
    optional: Words
    standings: Mapping[Standing, StandingWords]
    """`changing`: `{confirmed}` and `{revision}`."""
    confirmed_heading: Words
    received_heading: Words
    details_heading: Words
    messages_heading: Words
    told_heading: Words
    offers_heading: Words
    confirmed_at: Words
    changed_since: Words
    """`{revision}`."""
    pending_heading: Words
    pending_text: Words
    item: Words
    quantity: Words
    amount: Words
    answer: Words
    answers: Mapping[Outcome, Words]
    by: Words
    """A message's channel: `{channel}`."""
    media: Mapping[str, Words]
    errors_heading: Words
    errors: Mapping[Wrong, Words]
    notes: Mapping[Note, Words]
    unsent: Words
    deeds: Mapping[Deed, Words]
    """`{revision}`."""
    taken: Mapping[Taken, Words]
    taken_at: Words
    """`{at}`."""
    affirm: AffirmWords
    line_answer: AnswerWords
    ask: AskWords
    change: ChangeWords
    cancel: CancelWords
    pay: Words
    pay_text: Words


_TABLES: Mapping[str, type[StrEnum]] = {
    "standings": Standing,
    "answers": Outcome,
    "errors": Wrong,
    "notes": Note,
    "deeds": Deed,
    "taken": Taken,
}


def load_page_labels(file: Path) -> PageLabels:
    """One language's words. Raises Misconfigured, naming the file and each word that is missing, wrong or promises."""
    try:
        labels = PageLabels.model_validate(yaml.load(file.read_text(encoding="utf-8"), Loader=LOADER))  # noqa: S506  # a safe loader
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise Misconfigured(f"{_name(file)}: {wrong}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Misconfigured(f"{_name(file)}: {type(error).__name__}: cannot be read as YAML") from None
    gaps = [f"{table}.{key}" for table, keys in _TABLES.items() for key in keys if key not in getattr(labels, table)]
    gaps += [] if "other" in labels.media else ["media.other"]
    if gaps:
        raise Misconfigured(f"{_name(file)}: missing {', '.join(gaps)}")
    if promises := tuple(_promises(labels, file.parent.name)):
        raise Misconfigured(f"{_name(file)}: promises before the ERP's receipt: “{'”, “'.join(promises)}”")
    return labels


def _promises(labels: PageLabels, language: str) -> Iterator[str]:
    """What the page would promise while nothing is confirmed. A language without a table cannot be judged here."""
    affirm = labels.affirm
    said = [labels.received_heading, affirm.heading, affirm.received, affirm.received_button]
    for standing in UNPROMISED:
        said += [labels.standings[standing].headline, labels.standings[standing].next]
    return iter(commitments(language, "\n".join(said)) if language in PROMISES else ())


class PageWording:
    """The page's words over a folder of wordings; each language is read once, when it is first needed."""

    def __init__(self, messages_dir: Path) -> None:
        self._folder = messages_dir
        self.words = lru_cache(maxsize=64)(self._words)

    def language_for(self, tag: str) -> str:
        """The language that serves this tag (`de-AT` → `de`), else the default."""
        base = tag.partition("-")[0].lower()
        known = (code for code in (tag, base) if _TAG.fullmatch(code))
        return next((code for code in known if (self._folder / code / PAGE).is_file()), DEFAULT_LANGUAGE)

    def _words(self, language: str) -> tuple[PageLabels, Labels]:
        """Raises Misconfigured."""
        folder = self._folder / language
        return load_page_labels(folder / PAGE), load_labels(folder / LABELS)


def check_page(messages_dir: Path, languages: Iterator[str]) -> Iterator[Problem]:
    """Every problem with the page's words in these languages."""
    for language in languages:
        try:
            load_page_labels(messages_dir / language / PAGE)
        except Misconfigured as error:
            remedy = "see docs/buyers-page.md; policy/messages/en/page.yaml has every word"
            yield Problem(field=f"messages/{language}/{PAGE}", problem=str(error)[:1_000], remedy=remedy)


def _name(file: Path) -> str:
    return f"messages/{file.parent.name}/{file.name}"
