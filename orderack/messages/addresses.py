"""A postal address as rows of text."""

from orderack.domain.order import Address
from orderack.messages.clean import line, unlinked
from orderack.messages.formats import Formats


def address_lines(address: Address, formats: Formats) -> tuple[str, ...]:
    """An address as it stands on a parcel, one row each; empty rows left out."""
    town = " ".join(filter(None, (address.postal_code, address.city)))
    country = formats.country(address.country)
    rows = (address.name, address.company, address.street, address.street2, town, address.region, country)
    return tuple(unlinked(line(row)) for row in rows if row and row.strip())
