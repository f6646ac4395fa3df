"""What a document in an ERP says of itself where the ERP has no field for it: whose order it is, in which revision."""

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


def read_mark(text: str) -> Mark | None:
    """The mark in the field; None where somebody wrote something else there."""
    try:
        return _MARK.validate_json(text)
    except ValidationError:
        return None
