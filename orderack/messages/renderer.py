"""The renderer: one canonical content in, every shape a channel needs out."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from jinja2 import Template

from orderack.domain.acknowledgement import NO_PROMISE, Kind
from orderack.errors import Misconfigured
from orderack.messages.chat import chat
from orderack.messages.compose import asks, compose
from orderack.messages.environment import WordingEnvironment, capped, compiled_mjml, guarded
from orderack.messages.formats import Formats, Masked, locale_for, zone_for
from orderack.messages.guard import commitments, masked
from orderack.messages.labels import LABELS, Labels, load_labels
from orderack.messages.promises import PROMISES
from orderack.messages.required import missing
from orderack.messages.team import sheet
from orderack.messages.wording import DEFAULT_LANGUAGE, SUFFIX, word, wordings
from orderack.ports import Content, Rendered

HTML_LAYOUT = "_layout/email.mjml.j2"
TEXT_LAYOUT = "_layout/text.txt.j2"
TEXT_LIMIT = 200_000
HTML_LIMIT = 500_000


class MessageRenderer:
    """Implements `orderack.ports.Renderer` over a folder of wordings, which is read once."""

    def __init__(self, messages_dir: Path) -> None:
        """Compile the layouts. Raises Misconfigured when they or the default language are missing or broken."""
        try:
            self._languages = {language for language, _ in wordings(messages_dir)}
        except OSError:
            raise Misconfigured(
                f"there is no folder of wordings at {messages_dir}: name the policy's folder in ORDERACK_POLICY_DIR"
            ) from None
        if DEFAULT_LANGUAGE not in self._languages:
            raise Misconfigured(f"{messages_dir.name}/{DEFAULT_LANGUAGE}: the default language has no wording")
        self._words = WordingEnvironment(messages_dir, html=False)
        html = WordingEnvironment(messages_dir, html=True)
        source = compiled_mjml(messages_dir, HTML_LAYOUT)
        self._html = guarded(HTML_LAYOUT, lambda: html.from_string(source))
        rows = self._words.overlay(trim_blocks=True, lstrip_blocks=True)
        self._text = guarded(TEXT_LAYOUT, lambda: rows.get_template(TEXT_LAYOUT))
        self._labels = lru_cache(maxsize=64)(lambda language: load_labels(messages_dir / language / LABELS))

    def render(self, content: Content) -> Rendered:
        """Every shape of this message, in the recipient's language, else its base language, else the default.

        Raises Misconfigured when a wording is missing or broken, promises before the ERP's receipt, or when a
        confirmation lacks something the buyer must be told.
        """
        language = self.language_for(content.language)
        where = f"messages/{language}/{content.kind}{SUFFIX}"
        labels: Labels = self._labels(language)
        formats = self._formats(content, language)
        if content.kind in NO_PROMISE:
            self._refuse_promises(content, language, labels, formats, where)
        view = compose(content, labels, formats)
        wording = word(self._words, language, content, view, labels, formats)
        known: dict[str, object] = {"v": view, "w": wording, "labels": labels, "language": language}
        text = _laid_out(self._text, known, TEXT_LIMIT, TEXT_LAYOUT)
        html = _laid_out(self._html, known, HTML_LIMIT, HTML_LAYOUT)
        if content.kind is Kind.CONFIRMATION and (gaps := missing(view, wording.next_steps, text, html)):
            raise Misconfigured(f"{where} or its layout leaves out: {', '.join(gaps)}")
        asked = asks(content)
        return Rendered(
            subject=wording.subject,
            text=text,
            html=html,
            sms=wording.sms,
            chat=chat(view, wording, labels.affirm_ask if asked else "", labels, formats),
            statement=wording.statement,
            link=view.link or sheet(content) or None,
            open_label=labels.open_sheet if sheet(content) else labels.view_order,
            affirm_label=(labels.affirm_chat or labels.affirm_button) if asked else "",
        )

    def language_for(self, tag: str) -> str:
        """The language whose wording serves this tag (`de-AT` → `de`, one we don't have → the default)."""
        base = tag.partition("-")[0].lower()
        return next((known for known in (tag, base) if known in self._languages), DEFAULT_LANGUAGE)

    def _formats(self, content: Content, language: str) -> Formats:
        try:
            zone = zone_for(content.store.time_zone)
        except (KeyError, ValueError, OSError):
            raise Misconfigured(f"store {content.store.id}: time_zone is not one of the IANA database") from None
        return Formats(locale_for(content.language, language, content.store.country), zone)

    def _refuse_promises(self, content: Content, language: str, labels: Labels, formats: Formats, where: str) -> None:
        """Render the same message without its data and refuse any phrase of ours that commits."""
        if language not in PROMISES:
            raise Misconfigured(f"{where}: no table of promises for this language, so its wording cannot be checked")
        bare, blank = masked(content), Masked.like(formats)
        view = compose(bare, labels, blank)
        wording = word(self._words, language, bare, view, labels, blank)
        text = _laid_out(self._text, {"v": view, "w": wording, "labels": labels}, TEXT_LIMIT, TEXT_LAYOUT)
        counts = (*labels.more.values(), *labels.items.values())  # of large orders only, and this one is small
        judged = "\n".join((wording.subject, wording.preheader, text, wording.sms, *counts))
        if phrases := commitments(language, judged):
            raise Misconfigured(f"{where}: promises before the ERP's receipt: “{'”, “'.join(phrases)}”")


def _laid_out(layout: Template, known: Mapping[str, object], limit: int, where: str) -> str:
    return guarded(where, lambda: capped(layout.generate(**known), limit, where))
