"""Ordered lines told by their arithmetic and in sentences: where no header names columns, in whatever language."""

import re
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from orderack.sources._mail_found import Found, Item
from orderack.sources._mail_lines import is_code, item_of
from orderack.sources._mail_numbers import CURRENCY, GUESS, LIKELY, NUMBER, SURE, Marks, number_of

_WORD = re.compile(rf"(?<![\w.,/-])(?:{CURRENCY})?\s?(?P<number>{NUMBER})(?P<behind>\s?%)?(?![\w/-])")
_CENT = Decimal("0.011")
_FITS = "times one number of its line it is the next"


def item_by_product(line: str, marks: Marks) -> Item | None:
    """A line with one item's number whose last three numbers are a quantity, a price and their product."""
    codes = [word.strip("()[],;:|") for word in line.split() if is_code(word) and not _is_number(word)]
    found = [match for match in _WORD.finditer(line[:500]) if not match["behind"]]
    numbers = [number_of(match["number"], marks) for match in found[-3:]]
    if len(set(codes)) != 1 or len(numbers) < 3:
        return None
    read = [one for one in numbers if one is not None]
    if len(read) < 3 or min(one[1] for one in read) < LIKELY:
        return None
    first, second, product = (one[0] for one in read)
    if not first or not second or abs(first * second - product) > _CENT:
        return None
    words = [match["number"] for match in found[-3:-1]]
    swapped = _counts(words[1]) and not _counts(words[0])
    quantity, price = (second, first) if swapped else (first, second)
    sure = LIKELY if _counts(words[1]) != _counts(words[0]) or first == second else GUESS
    before = line[: found[-3].start()].split()
    described = [word for word in before if word.strip("()[],;:|") != codes[0] and re.search(r"[^\W\d]", word)]
    return Item(
        sku=Found(value=codes[0], confidence=LIKELY, why="the one item's number in its line"),
        quantity=Found(value=f"{quantity:f}", confidence=sure, why=_FITS),
        price=Found(value=f"{price:f}", confidence=sure, why=_FITS),
        amount=Found(value=f"{product:f}", confidence=SURE, why="the product of two numbers of its line"),
        description=" ".join(described)[:300],
    )


def _is_number(word: str) -> bool:
    return bool(re.fullmatch(rf"\W*(?:{NUMBER})\W*", word))


def _counts(word: str) -> bool:
    """Whether it is written as a count is: without decimals."""
    return not re.search(r"[.,]\d{1,2}$|[.,]\d{4}$", word)


_IN_SENTENCE = re.compile(
    rf"(?<![\w.,/-])(?P<quantity>{NUMBER})\s+(?:[^\W\d]{{1,12}}\.?\s+){{0,5}}?(?P<sku>[A-Za-z0-9][\w./-]*\d[\w/-]*)(?![\w-])"
)


def items_in_sentence(line: str, marks: Marks) -> Sequence[Item]:
    """`… 25 cartons of AB-100 at 42.00 EUR and 3 of …`: prepared for a person, never more than a guess."""
    starts = [match.start() for match in _IN_SENTENCE.finditer(line[:1_000]) if is_code(match["sku"])]
    parts = [line[start:end] for start, end in pairwise([*starts, 1_000])]
    found = []
    for part in parts:
        match = _IN_SENTENCE.match(part)
        item = item_of(part, marks)
        if match is None:
            continue
        if item is None or item.sku is None or item.sku.value != match["sku"].rstrip("."):
            item = item_of(f"{match['quantity']} x {match['sku']} {part[match.end() :]}", marks)
        if item is not None:
            found.append(_guessed(item))
    return found


def _guessed(item: Item) -> Item:
    return item.model_copy(
        update={
            name: one.model_copy(update={"confidence": GUESS, "why": "told from a sentence"})
            for name, one in (("sku", item.sku), ("quantity", item.quantity), ("price", item.price))
            if one is not None
        }
    )
