"""Fields as both Cin7 products write them: null for no text or amount, and times that are UTC, said or not."""

from datetime import UTC
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, NaiveDatetime

Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
Number = Annotated[Decimal, BeforeValidator(lambda value: 0 if value is None else value)]
Moment = Annotated[
    AwareDatetime | NaiveDatetime, AfterValidator(lambda at: at if at.tzinfo else at.replace(tzinfo=UTC))
]
