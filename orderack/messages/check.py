"""The wording's own check, for `orderack policy check`: nothing missing, nothing broken, nothing promised early."""

from collections.abc import Iterator
from pathlib import Path

from orderack.domain.acknowledgement import Kind
from orderack.domain.problem import Problem
from orderack.errors import Misconfigured
from orderack.messages.digest import WORDING, check_digests
from orderack.messages.labels import LABELS, load_labels
from orderack.messages.page_labels import check_page
from orderack.messages.renderer import MessageRenderer
from orderack.messages.samples import samples
from orderack.messages.wording import SUFFIX, wordings
from orderack.ports import Content

_REMEDY = "see docs/messages.md for what a wording may use and say"


def check_wordings(messages_dir: Path) -> tuple[Problem, ...]:
    """Every problem in the folder: missing kinds, broken templates, early promises, a confirmation with gaps.

    Each wording is rendered with made-up messages that take its branches; each problem names the file once.
    """
    try:
        renderer = MessageRenderer(messages_dir)
    except Misconfigured as error:
        return (Problem(field=messages_dir.name, problem=str(error)[:1_000], remedy=_REMEDY),)
    labels = tuple(_mislabelled(messages_dir))
    skipped = {problem.field for problem in labels}
    page = check_page(messages_dir, iter(sorted({language for language, _ in wordings(messages_dir)})))
    return (*labels, *page, *_absent(messages_dir), *_broken(renderer, messages_dir, skipped), *_digests(messages_dir))


def _absent(messages_dir: Path) -> Iterator[Problem]:
    there = wordings(messages_dir)
    for language in sorted({language for language, _ in there}):
        for kind in Kind:
            if (language, kind) not in there:
                yield Problem(
                    field=f"messages/{language}/{kind}{SUFFIX}",
                    problem="there is no wording for this kind of message in this language",
                    remedy=f"write it, for instance from messages/en/{kind}{SUFFIX}",
                )


def _digests(messages_dir: Path) -> Iterator[Problem]:
    """What owners of exceptions are told; a language without a wording of its own has the default's."""
    for language in sorted({language for language, _ in wordings(messages_dir)}):
        if problem := check_digests(messages_dir, language):
            yield Problem(field=f"messages/{language}/{WORDING}", problem=problem[:1_000], remedy=_REMEDY)


def _mislabelled(messages_dir: Path) -> Iterator[Problem]:
    for language in sorted({language for language, _ in wordings(messages_dir)}):
        try:
            load_labels(messages_dir / language / LABELS)
        except Misconfigured as error:
            yield Problem(field=f"messages/{language}/{LABELS}", problem=str(error)[:1_000], remedy=_REMEDY)


def _broken(renderer: MessageRenderer, messages_dir: Path, skipped: set[str]) -> Iterator[Problem]:
    for language, kind in sorted(wordings(messages_dir)):
        if f"messages/{language}/{LABELS}" in skipped:
            continue
        told = dict.fromkeys(filter(None, (_failure(renderer, sample) for sample in samples(kind, language))))
        for problem in told:
            yield Problem(field=f"messages/{language}/{kind}{SUFFIX}", problem=problem[:1_000], remedy=_REMEDY)


def _failure(renderer: MessageRenderer, sample: Content) -> str:
    try:
        renderer.render(sample)
    except Misconfigured as error:
        return str(error)
    return ""
