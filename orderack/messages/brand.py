"""The store's part of a message: its name, its colour (always legible), and how to reach it."""

import re
from urllib.parse import quote

from orderack.domain.store import StoreProfile
from orderack.domain.web_address import web_address
from orderack.messages.clean import line
from orderack.messages.labels import Labels
from orderack.messages.view import ContactView, StoreView

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}\Z")
_DEFAULT = "#1f3a5f"


def store_view(store: StoreProfile) -> StoreView:
    """The store as the layouts show it; a colour that is not `#rrggbb` gives way to a plain dark blue."""
    brand = store.brand_colour if _COLOUR.match(store.brand_colour) else _DEFAULT
    on_brand = max(("#ffffff", "#000000"), key=lambda ink: contrast(ink, brand))
    return StoreView(line(store.display_name, 80), line(store.postal_address, 300), brand, on_brand)


def contact_views(store: StoreProfile, labels: Labels) -> tuple[ContactView, ...]:
    """Who to contact: e-mail, phone with its hours, or at least the store's site."""
    rows = []
    if store.contact_email:
        email = line(store.contact_email)
        rows.append(ContactView(labels.email, email, "mailto:" + quote(email, safe="@+._-")))
    if store.contact_phone:
        phone = line(store.contact_phone)
        rows.append(ContactView(labels.phone, phone, "tel:" + re.sub(r"[^\d+]", "", phone)))
    if store.contact_hours:
        rows.append(ContactView(labels.hours, line(store.contact_hours)))
    if store.url and not rows:
        rows.append(ContactView(labels.store, line(store.url), web_address(store.url)))
    return tuple(rows)


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio of two `#rrggbb` colours, 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
