"""What a row of a document says of itself in one word: which line of ours it is, and of which item."""

import hashlib
from typing import NamedTuple

LONGEST = 200
"""Characters of a line's id, as orders have them, and of an item's code where one is told."""


class LineMark(NamedTuple):
    """`item`: a digest of what was ordered, by which a row that holds another item now is seen to."""

    line_id: str
    item: str

    def __str__(self) -> str:
        return f"{self.line_id}~{self.item}"

    def is_of(self, sku: str) -> bool:
        """Whether the row still holds what was ordered. Case does not count: it does not in these databases."""
        return self.item in ("", digest(sku))


def digest(sku: str) -> str:
    """Eight characters for an item."""
    return hashlib.sha256(sku.strip().casefold().encode()).hexdigest()[:8]


def mark_of(line_id: str, sku: str) -> LineMark:
    """The mark of a line that is written now."""
    return LineMark(line_id, digest(sku))


def read_line_mark(text: str) -> LineMark | None:
    """None: the row is none of ours. A mark without a digest is a line whose item nobody can judge."""
    line_id, _, item = text.strip().rpartition("~")
    mark = LineMark(line_id, item) if line_id else LineMark(item, "")
    return mark if 0 < len(mark.line_id.strip()) <= LONGEST else None
