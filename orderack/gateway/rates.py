"""What is limited, and how much of it is let in."""

from collections.abc import Mapping
from dataclasses import dataclass

PAGES = frozenset({"o", "l"})
"""First words of the addresses that people open, by a token which is their permission."""
TOKENS = PAGES | {"t"}
"""With the image's, which answers any token alike: nothing can be guessed there."""

WRONG_GUESS: Mapping[str, int] = {
    **dict.fromkeys(("intake", "orders", "receipts", "attestations", "webhooks", "shadow"), 401),
    **dict.fromkeys(PAGES, 404),
}
"""First word of every limited address → the answer to a key, signature or token that is nobody's."""


@dataclass(frozen=True)
class Rates:
    """Requests in any minute, in each gateway process."""

    key: int = 1_200
    """With one API key."""
    provider: int = 12_000
    """From one channel's or ERP's provider or over one connection of a store, once its signature held: a stranger can't
    use up its share, nor one store another's."""
    page: int = 30
    """Forms sent with one page's token."""
    guesses: int = 60
    """Keys, signatures and tokens that were nobody's, from one address (of IPv6: one /64)."""
