"""Fields as both Cin7 products write them: null for an empty text, times that are UTC with or without saying so."""

from datetime import UTC
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, NaiveDatetime

Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
Moment = Annotated[
    AwareDatetime | NaiveDatetime, AfterValidator(lambda at: at if at.tzinfo else at.replace(tzinfo=UTC))
]
