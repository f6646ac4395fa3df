"""Of which order does a ticket ask? By an order number in its words, else by its requester's address.

A number counts where it stands by itself: not inside a longer word, a price, a date or a telephone number. Where more
than one order fits, none is taken.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from orderack.diagnostics.wismo.figures import Asked, Matched
from orderack.diagnostics.wismo.phrases import READ
from orderack.domain.order import OrderRef
from orderack.ports.helpdesk import Ticket
from orderack.ports.wismo import NamedOrder, WatchBook

YOUNG = timedelta(days=30)
"""An order of the requester's counts so long after it was placed, even where it has ended."""
SLACK = timedelta(minutes=5)
"""By which a helpdesk's clock may be behind ours: a ticket is not about an order placed after it."""
SURE = 6
"""Characters of a number that is believed wherever it stands; a shorter one needs a word for "order" before it, or a
line of its own.

Years, postcodes, prices without cents and numbers of days are shorter.
"""

_TOKEN = re.compile(r"[^\W_](?:[\w./#-]*\w)?")
_BEFORE = re.compile(
    r"(?:#|n[°ºr]\.?|no\.?|nummer|number|num|order|orders|po|ref|reference|bestell\w*|auftrag\w*|commande|pedido|orden|compra)"
    r"\s*(?:#|:|n[°ºr]\.?|no\.?|nr\.?|num\w*|nummer|id|numero|número|numéro|is|ist|est|es|with|mit|the)?\s*[#:(\"']?\s*$",
    re.IGNORECASE,
)
_NUMBER_BEFORE = re.compile(r"(?:\+\s?|\d[\s().-])$")
_NUMBER_AFTER = re.compile(r"^(?:[ ().-]\d|[.,]\d|\s?(?:€|\$|£|eur|usd|gbp|%|:\d))", re.IGNORECASE)
_MONEY_BEFORE = re.compile(r"(?:[€$£]|eur|usd|gbp)\s?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Judged:
    """A ticket that asks, and the phrase that says so."""

    ticket: Ticket
    phrase: str


async def find_orders(book: WatchBook, judged: Sequence[Judged]) -> Sequence[Asked]:
    """Each ticket with its order, of whichever store, or with the reason why it has none; one look at the ledger."""
    mentions = [tuple(mentioned(f"{one.ticket.subject[:READ]}\n{one.ticket.text[:READ]}")) for one in judged]
    words = {spelling for each in mentions for mention in each for spelling in mention.spellings}
    emails = {email for one in judged if (email := _address(one.ticket))}
    named = defaultdict[str, list[NamedOrder]](list)
    for order in await book.named_orders(words, emails, None):
        named[order.goes_by].append(order)
    return [_found(one, mention, named) for one, mention in zip(judged, mentions, strict=True)]


@dataclass(frozen=True, slots=True)
class Mention:
    """A word that may be an order's number."""

    spellings: frozenset[str]
    sure: bool
    """Else it is believed only where its requester's address says the same."""


def mentioned(text: str) -> Iterator[Mention]:
    """Every word with a digit in it that stands by itself."""
    for found in _TOKEN.finditer(text):
        word, before, after = found.group(), text[max(0, found.start() - 40) : found.start()], text[found.end() :][:8]
        if not any(character.isdigit() for character in word) or before.endswith("@") or after.startswith("@"):
            continue
        if word.isdigit() and _other_number(before, after):
            continue
        alone = text[text.rfind("\n", 0, found.start()) + 1 :].partition("\n")[0].strip() == word
        spellings = {word, word.upper(), f"#{word}", *word.split("/")[-1:]}
        yield Mention(frozenset(spellings), sure=alone or len(word) >= SURE or bool(_BEFORE.search(before)))


def _other_number(before: str, after: str) -> bool:
    """A price, a percentage, a time of day, or a part of a telephone number."""
    return bool(_NUMBER_BEFORE.search(before) or _NUMBER_AFTER.search(after) or _MONEY_BEFORE.search(before))


def _found(judged: Judged, mentions: Sequence[Mention], named: Mapping[str, Sequence[NamedOrder]]) -> Asked:
    ticket = judged.ticket
    theirs = {order.ref for order in named.get(_address(ticket) or "", ()) if _placed_before(order, ticket)}
    young = {order.ref for order in named.get(_address(ticket) or "", ()) if _fits(order, ticket)}
    numbered = {
        order.ref
        for mention in mentions
        for spelling in mention.spellings
        for order in named.get(spelling, ())
        if _placed_before(order, ticket) and (mention.sure or order.ref in theirs)
    }
    ref, matched = _one(numbered, theirs) if numbered else _one_of_theirs(young)
    return Asked(ticket=ticket.id, at=ticket.created_at, phrase=judged.phrase, matched=matched, ref=ref)


def _one(numbered: set[OrderRef], theirs: set[OrderRef]) -> tuple[OrderRef | None, Matched]:
    """Of several numbers, or of one number in several stores, the requester's own order is meant."""
    meant = numbered if len(numbered) == 1 else numbered & theirs
    return (next(iter(meant)), Matched.NUMBER) if len(meant) == 1 else (None, Matched.AMBIGUOUS)


def _one_of_theirs(young: set[OrderRef]) -> tuple[OrderRef | None, Matched]:
    if not young:
        return None, Matched.UNKNOWN
    return (next(iter(young)), Matched.EMAIL) if len(young) == 1 else (None, Matched.AMBIGUOUS)


def _placed_before(order: NamedOrder, ticket: Ticket) -> bool:
    return order.trigger_at <= ticket.created_at + SLACK


def _fits(order: NamedOrder, ticket: Ticket) -> bool:
    return _placed_before(order, ticket) and (order.open or ticket.created_at - order.trigger_at <= YOUNG)


def _address(ticket: Ticket) -> str | None:
    return ticket.email.strip().casefold() if ticket.email else None
