"""Turning an acknowledgement's content into words."""

from typing import Protocol

from orderack.contracts.activities import Facts
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Assessment
from orderack.domain.order import Name, Order, Text
from orderack.domain.store import StoreProfile, TouchRules
from orderack.domain.value import Value
from orderack.ports.channel import Rendered


class MessageLinks(Value):
    """The links of one message, bound to it and to its recipient."""

    page_url: Text = ""
    page_link: Text = ""
    shop_link: Text = ""
    pixel_url: Text = ""
    honeypot_url: Text = ""
    sheet_url: Text = ""
    """Of the revision's sheet on the board, for people inside; empty: nobody said where the board is."""

    def under(self, rules: TouchRules) -> "MessageLinks":
        """Those that the message may carry; the page's own address always."""
        off: tuple[str, ...] = () if rules.links else ("page_link", "shop_link", "honeypot_url")
        off += () if rules.pixel else ("pixel_url",)
        return self.model_copy(update=dict.fromkeys(off, ""))


class Content(Value):
    """The canonical content of one acknowledgement, before it takes a channel's shape."""

    kind: Kind
    language: Name
    store: StoreProfile
    order: Order
    revision: int
    assessment: Assessment
    facts: Facts
    previous: Order | None = None
    """The last confirmed revision's order, when this message shows what changed."""
    page_url: Text
    """The buyer's page for this order."""
    page_link: Text = ""
    """The same by a tracked link; empty: not tracked."""
    shop_link: Text = ""
    """The store's own site by a tracked link; empty: not tracked."""
    pixel_url: Text = ""
    """The open pixel; empty: none."""
    honeypot_url: Text = ""
    """A link that no person sees; empty: none."""
    sheet_url: Text = ""
    """The revision's sheet on the board, for people inside; empty: none."""
    takes_replies: bool = False
    """What the buyer writes back on this channel reaches us."""


class Renderer(Protocol):
    """Turns content into words. Raises Misconfigured when a wording is missing or breaks the guard."""

    def render(self, content: Content) -> Rendered: ...
