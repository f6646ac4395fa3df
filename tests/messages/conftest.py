"""The shipped wordings, a renderer over them, and a copy that a test may spoil."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orderack.domain.acknowledgement import Kind
from orderack.messages import MessageRenderer
from orderack.messages.samples import samples
from orderack.ports import Content


@pytest.fixture(scope="session")
def messages_dir() -> Path:
    return Path(__file__).parents[2] / "policy" / "messages"


@pytest.fixture(scope="session")
def renderer(messages_dir: Path) -> MessageRenderer:
    return MessageRenderer(messages_dir)


@pytest.fixture
def own_messages(messages_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(messages_dir, tmp_path / "messages"))


@pytest.fixture
def own_english(messages_dir: Path, tmp_path: Path) -> Path:
    """English alone: the check of one language takes a quarter of the time."""
    other = shutil.ignore_patterns("de", "fr", "es")
    return Path(shutil.copytree(messages_dir, tmp_path / "messages", ignore=other))


@pytest.fixture(scope="session")
def plain() -> Callable[..., Content]:
    """The first sample of a kind, with fields of the content, order, facts or store replaced (`order__number=…`)."""

    def make(kind: Kind, language: str = "en", **changes: object) -> Content:
        content = next(samples(kind, language))
        for name, value in changes.items():
            part, _, field = name.partition("__")
            if field:
                value = getattr(content, part).model_copy(update={field: value})
            content = content.model_copy(update={part: value})
        return content

    return make
