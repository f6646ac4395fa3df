"""The base of every value: frozen, tolerant of fields a newer version added."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value.

    Unknown fields are ignored, because a value may cross a rolling deploy in either direction
    (facts: a field the reader does not know must not wedge an open order). The doors
    (`orderack.domain.intake`) check unknown fields themselves and name them.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")


def is_none(value: object) -> bool:
    """For fields that came later: none is left out (`exclude_if`), so that what was written before still compares."""
    return value is None
