"""A shop: who speaks to the buyer, where, and in which calendar."""

from orderack.domain.order import Name, Text
from orderack.domain.value import Value


class StoreProfile(Value):
    """What a message says of its sender."""

    id: Name
    display_name: Text
    time_zone: Name = "UTC"
    country: Name = "US"
    region: Name | None = None
    contact_email: Text | None = None
    contact_phone: Text | None = None
    contact_hours: Text = ""
    url: Text | None = None
    postal_address: Text = ""
    brand_colour: Name = "#1f3a5f"
