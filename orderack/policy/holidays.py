"""Public holidays, from the `holidays` library (1 ms a year and country; no network)."""

from datetime import date
from functools import lru_cache

import holidays

YEARS = 3
"""A promise looks at most this many calendar years ahead."""


@lru_cache(maxsize=256)
def holidays_of(country: str, region: str | None, first_year: int) -> frozenset[date]:
    """The public holidays of a country, and of its region where one is given, for three years.

    Raises ValueError for a country or region that the library does not know.
    """
    try:
        return frozenset(holidays.country_holidays(country, subdiv=region, years=range(first_year, first_year + YEARS)))
    except NotImplementedError as error:
        raise ValueError(str(error)) from None
