"""What a helpdesk is asked for: the tickets that were opened in a span of time.

A ticket's words and its requester's address are read, judged and let go: they are never stored, logged or shown.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol

Said = Callable[[str], None]
"""Is told, in a sentence, why reading takes its time."""


def quiet(words: str) -> None:
    """Tells nobody."""


OURS = "orderack"
"""The tag of tickets that our own messages open (`orderack.clients.zendesk`)."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket as its requester opened it. Its words and address are in no `repr`."""

    id: str
    created_at: datetime
    subject: str = field(default="", repr=False)
    text: str = field(default="", repr=False)
    """The first message, as plain text."""
    email: str | None = field(default=None, repr=False)
    """The requester's."""
    tags: frozenset[str] = frozenset()
    ours: bool = False
    """Opened by a message of ours to the buyer: nobody asked."""


class Helpdesk(Protocol):
    """One system that tickets are kept in."""

    name: ClassVar[str]

    def tickets(self, since: datetime, until: datetime, said: Said = quiet) -> AsyncIterator[Ticket]:
        """Those opened from `since` on and before `until`. One may come twice, in any order.

        Waits and asks again where the desk limits us or fails for a moment, and says so.

        Raises Unavailable where it does not answer, Misconfigured where the login is not good for it.
        """
        ...

    async def check(self) -> str:
        """Ask whose login it is. Raises Misconfigured or Unavailable."""
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...
