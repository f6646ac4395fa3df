"""The places of one mail put together: where two differ, that is said, and neither is believed."""

from collections.abc import Sequence
from decimal import Decimal

from orderack.sources._mail_found import Found, Gathered, Item, number
from orderack.sources._mail_numbers import GUESS, LIKELY, SURE
from orderack.sources._mail_words import plain

_CENT = Decimal("0.015")


def merged(places: Sequence[Gathered]) -> Gathered:
    """One `Gathered` of all; `place` names where the lines are from. The lines' sums are checked."""
    fields: dict[str, Found] = {}
    for place in places:
        for name, found in place.fields.items():
            fields[name] = _either(fields[name], found, place.place) if name in fields else found
    unread = [word for place in places for word in place.unread]
    with_lines = [place for place in places if place.items]
    chosen = max(with_lines, key=_completeness, default=None)
    items = chosen.items if chosen else ()
    if any(_order_of(place.items) != _order_of(items) for place in with_lines):
        named = " and ".join(place.place for place in with_lines)
        unread.append(f"the lines in {named} differ; those of {chosen.place if chosen else ''} were taken")
    items = _checked(items, fields)
    rest = "\n".join(place.rest for place in places[:1] if place.rest)
    return Gathered(place=chosen.place if chosen else "", fields=fields, items=items, unread=tuple(unread), rest=rest)


def _either(one: Found, other: Found, place: str) -> Found:
    if plain(one.value) == plain(other.value):
        return one if one.confidence >= other.confidence else other
    better, worse = (one, other) if one.confidence >= other.confidence else (other, one)
    if worse.confidence < LIKELY:
        return better
    return better.model_copy(update={"confidence": GUESS, "why": f"the mail and {place} say different things"})


def _completeness(place: Gathered) -> tuple[int, int]:
    priced = sum(item.price is not None for item in place.items)
    return priced, len(place.items)


def _order_of(items: Sequence[Item]) -> list[tuple[str, Decimal | None]]:
    return sorted((plain(item.sku.value) if item.sku else "", number(item.quantity)) for item in items)


def _checked(items: Sequence[Item], fields: dict[str, Found]) -> tuple[Item, ...]:
    """What multiplies to the line's own amount is sure; what does not is a guess. A lone amount at a line's end is the
    price of one, or the line's: the mail's own sum says which, where it names one."""
    items = _trailing(items, _goods(fields))
    return tuple(_multiplied(item) for item in items)


def _goods(fields: dict[str, Found]) -> set[Decimal]:
    """What the lines may add up to, by the sums that the mail names."""
    sums = {
        name: number(fields.get(name)) or Decimal(0) for name in ("total", "subtotal", "tax", "shipping", "discount")
    }
    net = sums["total"] - sums["tax"] - sums["shipping"] + sums["discount"]
    return {one for one in (sums["subtotal"], sums["total"], net) if one > 0}


def _trailing(items: Sequence[Item], goods: set[Decimal]) -> Sequence[Item]:
    unclear = [item for item in items if item.price and "or of the whole line" in item.price.why]
    if not unclear or not goods or any(item.price is None for item in items):
        return items
    each = sum((number(item.quantity) or 0) * (number(item.price) or 0) for item in items)
    whole = sum(
        (number(item.price) or Decimal(0)) * (1 if item in unclear else (number(item.quantity) or 0)) for item in items
    )
    if each != whole and each in goods and whole not in goods:
        return [
            _with_price(item, LIKELY, "as price of one it fits the sum") if item in unclear else item for item in items
        ]
    if whole in goods and each not in goods:
        return [_as_amount(item) if item in unclear else item for item in items]
    return items


def _with_price(item: Item, sure: Decimal, why: str) -> Item:
    assert item.price is not None
    return item.model_copy(update={"price": item.price.model_copy(update={"confidence": sure, "why": why})})


def _as_amount(item: Item) -> Item:
    assert item.price is not None
    amount = item.price.model_copy(update={"confidence": LIKELY, "why": "as amount of the line it fits the sum"})
    return item.model_copy(update={"amount": amount, "price": None})


def _multiplied(item: Item) -> Item:
    quantity, price, amount = number(item.quantity), number(item.price), number(item.amount)
    if item.quantity is None or quantity is None or amount is None:
        return item
    if price is None:
        confidence = min(item.quantity.confidence, item.amount.confidence if item.amount else GUESS)
        each = (amount / quantity).quantize(Decimal("0.0001"))
        found = Found(value=f"{each:f}", confidence=confidence, why="the line's amount by its quantity")
        return item.model_copy(update={"price": found})
    if abs(quantity * price - amount) <= _CENT:
        return item.model_copy(
            update={
                "quantity": item.quantity.model_copy(
                    update={"confidence": SURE, "why": "times the price it is the amount"}
                ),
                "price": Found(value=f"{price:f}", confidence=SURE, why="times the quantity it is the amount"),
            }
        )
    why = "quantity times price is not the line's amount"
    return item.model_copy(
        update={
            "quantity": item.quantity.model_copy(update={"confidence": GUESS, "why": why}),
            "price": Found(value=f"{price:f}", confidence=GUESS, why=why),
        }
    )
