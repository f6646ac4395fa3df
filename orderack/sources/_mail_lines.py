"""One ordered line in a mail's text: `10 x AB-100 Blue lamp @ 3.50 EUR`, `AB-100: 10 Stück à 3,50 €`."""

import re
from decimal import Decimal

from orderack.sources._mail_found import Found, Item
from orderack.sources._mail_numbers import CURRENCY, GUESS, LIKELY, NUMBER, SURE, Marks, number_of

_PIECES = (
    r"x|×|\*|pcs?\.?|pieces?|units?|ea\.?|each|stück|stk\.?|st\.|pièces?|pzs?\.?|piezas?|uds?\.?|"
    r"unidad(?:es)?|unités?"
)
_MEASURES = (
    r"box(?:es)?|cartons?|packs?|packets?|cases?|pallets?|bags?|bottles?|rolls?|sets?|pairs?|kg|litres?|"
    r"liters?|metres?|meters?|"
    r"kartons?|kisten?|packungen|packung|pakete?|paletten?|säcke?|flaschen?|rollen?|paar|"
    r"boîtes?|caisses?|palettes?|sacs?|bouteilles?|rouleaux|cajas?|palets?|bolsas?|botellas?|rollos?"
)
_BULLET = re.compile(r"^\s*(?:[-*–](?=\s)|[•·]|\(?\d{1,3}[.)](?=\s))\s*")
_QUANTITY_FIRST = re.compile(
    rf"^(?P<quantity>{NUMBER})\s*(?:(?P<pieces>{_PIECES})|(?P<unit>{_MEASURES}))(?![\w])\s*(?:of|von|de|d'|"
    rf"à)?\s*(?P<rest>\S.*)$",
    re.IGNORECASE,
)
_BARE_FIRST = re.compile(rf"^(?P<quantity>{NUMBER})\s+(?P<rest>\S.*)$")
_SKU = r"[A-Za-z0-9][A-Za-z0-9._/-]*[A-Za-z0-9]"
_SKU_FIRST = re.compile(
    rf"^(?P<sku>{_SKU})(?![A-Za-z0-9._/-])\s*(?P<between>[^\d\n].*?|)\s*[-–:,;(]?\s*(?:(?:qty|quantity|menge|anzahl|qté|quantité|"
    rf"cant(?:idad)?)\.?:?\s*"
    rf"(?P<named>{NUMBER})|x\s?(?P<times>{NUMBER})(?!\w)|(?P<quantity>{NUMBER})\s*(?:(?P<pieces>{_PIECES})|"
    rf"(?P<unit>{_MEASURES}))(?!\w))"
    r"\)?\s*(?P<rest>.*)$",
    re.IGNORECASE,
)
_CODE_LABEL = re.compile(
    rf"\(?\b(?:sku|item(?: no\.?)?|art(?:ikel)?\.?(?:[- ]?nr\.?)?|part(?: no\.?)?|réf(?:érence)?\.?|"
    rf"ref(?:erencia)?\.?|code|código)"
    rf"\s*[:#.]?\s+(?P<sku>{_SKU})\)?",
    re.IGNORECASE,
)
_IN_BRACKETS = re.compile(rf"[(\[](?P<sku>{_SKU})[)\]]")
_MEASURE = re.compile(
    r"^\d+(?:[.,]\d+)?(?:mm|cm|m|km|g|kg|mg|l|ml|cl|w|kw|v|a|ah|hz|gb|tb|inch|in|ft|oz|lb|x\d+.*)$", re.IGNORECASE
)
_PRICED = re.compile(rf"(?:{CURRENCY})(?![A-Za-z-])")
_EACH = r"@|à|je|at|for|zu|pour|por|á|price:?|preis:?|prix:?|precio:?|ep:?|pu:?"
_MONEY_EACH = re.compile(
    rf"(?:(?:{CURRENCY})\s?(?P<a>{NUMBER})|(?P<b>{NUMBER})\s?(?:{CURRENCY}))\s*"
    r"(?:each|ea\.?|per (?:unit|piece|pc)|/\s?(?:unit|pc|ea|stk|stück|st|u|ud|pièce|unité|unidad)\.?|"
    r"pro stück|das stück|je stück|"
    r"l'unité|l’unité|(?:la )?pièce|chacun|cada un[oa]|c/u|la unidad|por unidad|unitario)",
    re.IGNORECASE,
)
_TRAILING_MONEY = re.compile(
    rf"(?:(?:{CURRENCY})\s?(?P<a>{NUMBER})|(?P<b>{NUMBER})\s?(?:{CURRENCY}))\s*\W*$", re.IGNORECASE
)
_SUM = re.compile(rf"(?:=|total:?|gesamt:?|summe:?)\s*(?:(?:{CURRENCY})\s?)?(?P<amount>{NUMBER})", re.IGNORECASE)


def item_of(line: str, marks: Marks) -> Item | None:
    """The line that these words order; None where they order nothing, as far as their form tells."""
    text = _BULLET.sub("", line.strip())[:500]
    if match := _QUANTITY_FIRST.match(text):
        return _item(match["quantity"], SURE, match["unit"] or "", "", match["rest"], marks)
    if (match := _SKU_FIRST.match(text)) and is_code(match["sku"]):
        given = match["named"] or match["times"] or match["quantity"]
        unit = match["unit"] or ""
        return _item(given, SURE, unit, match["sku"], f"{match['between']} {match['rest']}", marks)
    if (match := _BARE_FIRST.match(text)) and _CODE_LABEL.search(match["rest"]):
        return _item(match["quantity"], LIKELY, "", "", match["rest"], marks)
    if (
        (match := _BARE_FIRST.match(text))
        and is_code(match["rest"].split()[0].strip(",;:"))
        and _price(match["rest"], marks)[0]
    ):
        return _item(match["quantity"], LIKELY, "", "", match["rest"], marks)
    return None


def is_code(word: str) -> bool:
    """Whether it looks like an item's number: digits with letters or hyphens, or at least four digits; no measure."""
    word = word.strip("()[],;:")
    if not re.search(r"\d", word) or _MEASURE.match(word) or len(word) < 3 or _PRICED.match(word):
        return False
    return bool(re.search(r"[A-Za-z/-]", word)) or len(re.sub(r"\D", "", word)) >= 4


def _item(quantity: str, sure: Decimal, unit: str, sku: str, rest: str, marks: Marks) -> Item | None:
    counted = number_of(quantity, marks)
    if counted is None or counted[0] <= 0:
        return None
    number, confidence = counted
    price, amount, words = _price(rest, marks)
    code, words = (Found(value=sku, confidence=LIKELY, why=_CODE), words) if sku else code_in(words)
    return Item(
        sku=code,
        quantity=Found(value=f"{number:f}", confidence=min(confidence, sure), why="found before the item"),
        price=price,
        amount=amount,
        description=" ".join(re.sub(r"^[\s,;:–-]+|[\s,;:–@(-]+$", "", words).split()),
        unit=unit,
    )


_CODE = "found where an item's number stands"


def code_in(words: str) -> tuple[Found | None, str]:
    if (match := _CODE_LABEL.search(words)) and re.search(r"\d", match["sku"]):
        found = Found(value=match["sku"], confidence=SURE, why="found under its label")
        return found, words[: match.start()] + words[match.end() :]
    first, _, behind = words.strip(" ,;:-–").partition(" ")
    if is_code(first):
        return Found(value=first.strip("()[],;:"), confidence=LIKELY, why=_CODE), behind
    for match in _IN_BRACKETS.finditer(words):
        if is_code(match["sku"]):
            found = Found(value=match["sku"], confidence=LIKELY, why="found in brackets")
            return found, words[: match.start()] + words[match.end() :]
    return None, words


def _price(rest: str, marks: Marks) -> tuple[Found | None, Found | None, str]:
    """(price of one, amount of the line, the words before them)."""
    amount = None
    if match := _SUM.search(rest):
        amount = _money(match["amount"], marks, SURE, "found behind `=`")
        rest = rest[: match.start()] + rest[match.end() :]
    if match := _MONEY_EACH.search(rest):
        words = re.sub(rf"(?:\s(?:{_EACH})\s*|@\s*|[-–,;]\s*)$", " ", rest[: match.start()], flags=re.IGNORECASE)
        return _money(match["a"] or match["b"], marks, SURE, "named as the price of one"), amount, words
    for match in re.finditer(
        rf"(?:@|(?<!\w)(?:{_EACH}))\s*(?:(?:{CURRENCY})\s?)?(?P<p>{NUMBER})\s?(?P<c>{CURRENCY})?(?!\w)", rest, re.I
    ):
        if match["c"] or "@" in match[0] or re.search(CURRENCY, match[0]) or re.fullmatch(r"\W*", rest[match.end() :]):
            more = re.search(r"\d|\bper\b|\bpro\b|\bpor\b", rest[match.end() :])
            sure, why = (GUESS, "a price with more behind it") if more else (SURE, "named as the price of one")
            return _money(match["p"], marks, sure, why), amount, rest[: match.start()]
    if match := _TRAILING_MONEY.search(rest):
        found = _money(match["a"] or match["b"], marks, GUESS, "an amount at the end: of one, or of the whole line")
        return found, amount, re.sub(r"[-–,;:=]\s*$", "", rest[: match.start()])
    return None, amount, rest


def _money(text: str, marks: Marks, sure: Decimal, why: str) -> Found | None:
    found = number_of(text, marks)
    if found is None:
        return None
    return Found(value=f"{found[0]:f}", confidence=min(found[1], sure), why=why)
