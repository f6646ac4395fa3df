"""What a document in an ERP says of itself where the ERP has no field for it: whose order it is, in which revision."""

import re
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from orderack.domain.order import Name, OrderRef
from orderack.domain.value import Value


class Mark(Value):
    """What the document says of itself: whose order it is, in which revision, with how many lines of ours."""

    store: Name
    number: Name
    revision: Annotated[int, Field(ge=1)]
    lines: Annotated[int, Field(ge=0)]

    @property
    def ref(self) -> OrderRef:
        return OrderRef(store=self.store, number=self.number)


_MARK = TypeAdapter(Mark)
_TAIL = re.compile(r"\[orderack (.+)\]\s*\Z", re.DOTALL)


def read_mark(text: str) -> Mark | None:
    """The mark in the field; None where somebody wrote something else there."""
    try:
        return _MARK.validate_json(text)
    except ValidationError:
        return None


def tail(json: str) -> str:
    """The end of a field that people read too."""
    return f"[orderack {json}]"


def read_tail(text: str) -> str:
    """What stands in the text's tail; empty where it has none."""
    return found[1] if (found := _TAIL.search(text)) else ""
