"""How many requests are let in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rates:
    """Requests in any minute, in each gateway process."""

    key: int = 1_200
    """With one API key."""
    provider: int = 12_000
    """From one channel's or ERP's provider, once its signature held: a stranger can't use up its share."""
    page: int = 30
    """Forms sent with one page's token."""
    guesses: int = 60
    """Keys, signatures and tokens that were nobody's, from one address (of IPv6: one /64)."""
