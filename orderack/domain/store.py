"""A shop: who speaks to the buyer, where, and in which calendar."""

from enum import StrEnum

from orderack.domain.order import Name, Text
from orderack.domain.value import Value


class BuyerMay(StrEnum):
    """What a buyer can do on the order's page."""

    AFFIRM = "affirm"
    ANSWER = "answer"
    ASK = "ask"
    CHANGE = "change"
    CANCEL = "cancel"


class Offer(Value):
    """An upsell: shown on the page of a clean confirmation only."""

    title: Text
    url: Text


class PageRules(Value):
    """What the buyer's page lets the buyer do, and what it may show beside a clean confirmation."""

    may: frozenset[BuyerMay] = frozenset(BuyerMay)
    pay_url: Text | None = None
    """Where the buyer pays; `{number}` is filled in. Shown while the payment is pending, on a clean confirmation."""
    offers: tuple[Offer, ...] = ()


class TouchRules(Value):
    """Whether e-mails carry an open pixel and tracked links. Off where a jurisdiction forbids it."""

    pixel: bool = True
    links: bool = True
    off_in: frozenset[Name] = frozenset()
    """Countries (ISO 3166-1 alpha-2) of the buyer's address in which neither is used."""


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
    page: PageRules = PageRules()
    touches: TouchRules = TouchRules()
