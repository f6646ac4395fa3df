"""What the layouts see: finished words, cleaned of anything hidden. Nothing here is looked at as a template again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreView:
    name: str
    postal_address: str
    brand: str
    """`#rrggbb`."""
    on_brand: str
    """Black or white, whichever reads better on the brand colour."""


@dataclass(frozen=True, slots=True)
class Row:
    """A label and its value."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class ContactView:
    """One way to reach the store; `href` is its `mailto:` or `tel:` link, if it has one."""

    label: str
    value: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class ChangeView:
    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class LineView:
    """One ordered line. `stock` is empty before the ERP's answer; `tone` (`good`, `late`, `bad`) colours its badge."""

    title: str
    ids: str
    price: str
    amount: str
    stock: str
    tone: str
    notes: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class View:
    """One message's content in the recipient's language; an empty part is not shown."""

    store: StoreView
    details: tuple[Row, ...] = ()
    promise: Row | None = None
    """The one of the details that says when the order comes."""
    changes: tuple[ChangeView, ...] = ()
    more_changes: str = ""
    of_changes: int = 0
    """How many there are, shown or not; so with the notices and the lines."""
    notices: tuple[str, ...] = ()
    more_notices: str = ""
    of_notices: int = 0
    lines: tuple[LineView, ...] = ()
    more_lines: str = ""
    of_lines: int = 0
    totals: tuple[Row, ...] = ()
    total: Row | None = None
    address: tuple[str, ...] = ()
    instructions: str = ""
    question: str = ""
    """Ours to the buyer."""
    asked: str = ""
    """The buyer's to us, and then our answer."""
    answer: str = ""
    contact: tuple[ContactView, ...] = ()
    link: str = ""
    """The page, as it stands in text."""
    button: str = ""
    """The page, as the mail's button leads to it: tracked or not."""
    ask: str = ""
    """Asks the buyer to confirm having the message, by the link."""
    shop: str = ""
    """The store's site, tracked or not."""
    pixel: str = ""
    honeypot: str = ""
    footer: str = ""
