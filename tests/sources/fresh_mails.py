"""Invented mails that were written after the reader was, and measured before anything in it was changed for them.

What they ask of it: other layouts, two languages that it has no words for (Italian, Dutch), what was passed on, what
is quoted, tables of HTML alone, thousands, days that may be two, attachments that say something else. An expected
`None` is what a careful person would not decide alone either: to be sure of it is wrong, whatever was read.
"""

from tests.sources.fresh_abroad import ABROAD
from tests.sources.fresh_english import ENGLISH, Fresh

__all__ = ["FRESH", "Fresh"]

FRESH: tuple[Fresh, ...] = (*ENGLISH, *ABROAD)
