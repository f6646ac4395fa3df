"""One wording file: the blocks a business person writes, rendered with what they may use."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from jinja2 import Template

from orderack.domain.acknowledgement import Kind
from orderack.domain.response import LineAnswer, Outcome
from orderack.domain.value import Value
from orderack.errors import Misconfigured
from orderack.messages.clean import cut, line, unlinked, without_addresses
from orderack.messages.compose import PARTS, Part, number_words, promised_on, waiting_words
from orderack.messages.environment import WordingEnvironment, capped, guarded
from orderack.messages.formats import Formats
from orderack.messages.labels import Labels
from orderack.messages.sms import fit, plain
from orderack.messages.team import known_to_team, reason
from orderack.messages.view import View
from orderack.ports import Content

DEFAULT_LANGUAGE = "en"
SUFFIX = ".txt.j2"
_BLOCK_LIMIT = 8_000
SUBJECT_LIMIT = 150
STATEMENT_LIMIT = 300


class Wording(Value):
    """What the blocks of one file came to: plain words, ready for the layouts, never looked at as a template again."""

    BLOCKS: ClassVar[tuple[str, ...]] = ("subject", "preheader", "headline", "body", "next_steps", "sms")

    subject: str
    preheader: str
    headline: str
    paragraphs: tuple[str, ...]
    next_steps: tuple[str, ...]
    sms: str
    statement: str


def wordings(messages_dir: Path) -> set[tuple[str, Kind]]:
    """Which languages and kinds there are words for."""
    return {
        (folder.name, kind)
        for folder in messages_dir.iterdir()
        if folder.is_dir() and not folder.name.startswith(("_", "."))
        for kind in Kind
        if (folder / f"{kind}{SUFFIX}").is_file()
    }


def word(
    environment: WordingEnvironment, language: str, content: Content, view: View, labels: Labels, formats: Formats
) -> Wording:
    """Render the wording of this kind in this language.

    Raises Misconfigured when the file is missing, does not parse, lacks a block, or uses what its kind must not say.
    """
    where = f"{language}/{content.kind}{SUFFIX}"
    template = guarded(where, lambda: environment.get_template(where))
    if absent := [name for name in Wording.BLOCKS if name not in template.blocks]:
        raise Misconfigured(f"messages/{where}: block {absent[0]} is missing")
    known = _known(content, view, labels, formats)
    blocks = {name: _block(template, name, known, where) for name in Wording.BLOCKS if name != "sms"}
    sms = _block(template, "sms", _known_to_sms(content, known, formats), where)
    head, *details = [" ".join(row.split()) for row in sms.splitlines() if row.strip()] or [""]
    mark, repeated = (labels.repeat_sms, [labels.repeat]) if content.facts.may_repeat else ("", [])
    body = [" ".join(part.split()) for part in re.split(r"\n\s*\n", blocks["body"]) if part.strip()]
    head = head and f"{mark} {head}".strip()
    wording = Wording(
        subject=line(blocks["subject"], SUBJECT_LIMIT),
        preheader=line(blocks["preheader"], SUBJECT_LIMIT),
        headline=line(blocks["headline"], SUBJECT_LIMIT),
        paragraphs=(*repeated, *body) if body else (),
        next_steps=tuple(" ".join(row.split()) for row in blocks["next_steps"].splitlines() if row.strip()),
        sms=fit(head, details, _sms_link(content, view, labels)),
        statement=_statement(head, details),
    )
    if not (wording.subject and wording.headline and wording.paragraphs and head):
        raise Misconfigured(f"messages/{where}: subject, headline, body and sms must not be empty")
    return wording


def _statement(head: str, details: Sequence[str]) -> str:
    """As much of an SMS's words as fits without cutting any; its head alone may be cut."""
    kept = cut(head, STATEMENT_LIMIT)
    for detail in details:
        kept = longer if len(longer := f"{kept} {detail}") <= STATEMENT_LIMIT else kept
    return kept


def _sms_link(content: Content, view: View, labels: Labels) -> str:
    """What an SMS ends with: the link, after the request to confirm having it where there is one."""
    request = labels.affirm_reply if content.takes_replies else labels.affirm_sms
    return f"{request} {view.link}".strip() if view.ask else view.link


def _block(template: Template, name: str, known: Mapping[str, object], where: str) -> str:
    context = guarded(where, lambda: template.new_context(dict(known)))
    return guarded(where, lambda: capped(template.blocks[name](context), _BLOCK_LIMIT, where))


def _known(content: Content, view: View, labels: Labels, formats: Formats) -> dict[str, object]:
    """The names that a wording may use; see docs/messages.md. Only a confirmation knows a date."""
    facts, order, parts = content.facts, content.order, PARTS[content.kind]
    moment = facts.next_update_at or facts.decided_by
    known: dict[str, object] = {
        "store": line(content.store.id) if content.kind is Kind.ALERT else view.store.name,
        "order": number_words(order),
        "items": formats.plural(labels.items, len(order.lines)),
        "escalated": facts.escalated,
        "owner": line(facts.owner or ""),
        "waiting_for": waiting_words(facts.waiting_for, labels),
        "next_update": formats.moment(moment) if moment else "",
        "reason": unlinked(line(reason(content), 500)),
    }
    if content.kind is Kind.ALERT:
        known |= known_to_team(content, formats, changed=bool(view.changes))
    if Part.BUYER in parts:
        known |= {
            "customer": unlinked(line(order.customer.name or "", 80)),
            "total": formats.rounded(order.totals.total, order.currency),
            "pickup": order.pickup is not None,
        }
    if Part.COMMITMENT in parts:
        late = sum(1 for answer in facts.answers if answer.backordered)
        when = promised_on(content)
        known |= {
            "promise": formats.day(when) if when else "",
            "backordered": formats.plural(labels.backordered_items, late) if late else "",
            "exceptions": _exceptions(facts.answers, labels, formats),
            "attention": bool(view.notices),
            "changed": bool(view.changes),
        }
    return known


def _exceptions(answers: Sequence[LineAnswer], labels: Labels, formats: Formats) -> str:
    """How many lines are not what was ordered, apart from those that only come later; empty: none."""
    counts = (
        (labels.unavailable_items, sum(1 for answer in answers if answer.rejected)),
        (labels.replaced_items, sum(1 for answer in answers if answer.outcome is Outcome.SUBSTITUTE)),
        (labels.open_items, sum(1 for answer in answers if answer.held)),
    )
    return ", ".join(formats.plural(words, count) for words, count in counts if count)


def _known_to_sms(content: Content, known: Mapping[str, object], formats: Formats) -> dict[str, object]:
    """The same names, short, and without anything of a stranger's that a phone would make a link."""
    facts = content.facts
    moment, when = facts.next_update_at or facts.decided_by, promised_on(content)
    short = {
        "store": plain(cut(without_addresses(str(known["store"])), 30)),
        "order": plain(cut(without_addresses(line(content.order.number)), 50)),
        "next_update": formats.short_moment(moment) if moment else "",
        "reason": cut(without_addresses(line(reason(content))), 80),
        "owner": cut(without_addresses(line(facts.owner or "")), 40),
    }
    if "promise" in known:
        short["promise"] = formats.short_day(when) if when else ""
    if Part.ANSWER in PARTS[content.kind]:
        short["answer"] = cut(without_addresses(line(facts.answer)), 120)
    if "customer" in known:
        short["customer"] = cut(without_addresses(line(content.order.customer.name or "")), 40)
    return {**known, **short}
