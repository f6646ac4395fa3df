"""A mail's own words → labelled fields, lines, and what is left over."""

import re
from collections.abc import Mapping, Sequence

from orderack.clients.reply_text import above_the_quotation
from orderack.sources._mail_found import Found, Gathered, Item
from orderack.sources._mail_grid import is_header, read_grid
from orderack.sources._mail_intent import answers
from orderack.sources._mail_lines import item_of
from orderack.sources._mail_numbers import GUESS, LIKELY, SURE, Marks, amount_in, marks_of
from orderack.sources._mail_products import item_by_product, items_in_sentence
from orderack.sources._mail_words import ORDER_WORDS, column_of, label_of, plain

MOST_LINES = 6_000
LONGEST_MAIL = 200_000
_BLOCKS = frozenset({"delivery", "billing", "pickup", "instructions"})
"""Labels below which the value may stand in lines of its own."""
_SUMS = frozenset({"total", "subtotal", "tax", "shipping", "discount"})
_CLOSING = re.compile(
    r"^\W*(?:(?:with )?(?:best|kind|warm|many)(?: regards| wishes| thanks)|regards|sincerely|yours|cheers|"
    r"thanks?(?: you)?(?: and.*)?|"
    r"many thanks|mit (?:freundlichen|besten|herzlichen) grüßen|mit freundlichem gruß|freundliche grüße|"
    r"(?:viele|beste|liebe|schöne) grüße|mfg|gruß|"
    r"(?:bien )?cordialement|salutations.*|sincères salutations|bien à vous|"
    r"(?:un )?(?:cordial )?saludos?(?: cordial(?:es)?)?|atentamente|un saludo|sent from my.*|"
    r"(?:cordiali|distinti) saluti|saluti|(?:met )?vriendelijke groet(?:en)?|(?:hartelijke )?groet(?:en|jes)?|mvg|"
    r"von meinem.*gesendet|envoyé de mon.*|enviado desde.*)\W*$",
    re.IGNORECASE,
)
_GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|dear|good (?:morning|afternoon|day)|to whom|hallo|guten (?:tag|morgen)|sehr geehrte|"
    r"liebe[rs]?|moin|grüezi|servus|"
    r"bonjour|madame|monsieur|cher|chère|hola|buenos d[ií]as|buenas|estimad[oa]s?|muy señor|buongiorno|salve|"
    r"gentil[ei]|spett(?:\.le|abile)|ciao|goede(?:morgen|middag|ndag)|beste|geachte)\b.{0,80}$",
    re.IGNORECASE,
)
_THANKS = re.compile(
    r"^\W*(?:many thanks|thank you|thanks|vielen dank|danke|besten dank|merci|muchas gracias|"
    r"grazie(?: mille)?|bedankt|dank u|gracias)\b[^.!?]{0,60}[.!?]?\W*$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"(?:\b(?:purchase order|p\.?o\.?|order|bestellung|bestell|auftrags?|bon de commande|commande|"
    r"orden de compra|pedido|ordine(?: di acquisto)?|inkooporder|bestelling|ordernummer|our ref(?:erence)?)"
    r"[\s-]*(?P<mark>(?:no|nr|number|nummer|numéro|número|num|n)\b\s?[°º.]?|n[°º]|#|:)?[\s.:#]*)"
    r"(?P<number>(?=[A-Z0-9/_-]*\d)[A-Z0-9][A-Z0-9/_-]{1,38}[A-Z0-9])(?![\w,.]*\s*(?:x\b|×|pcs|stück|stk|units))",
    re.IGNORECASE,
)
_IS_PO = re.compile(
    r"\W*(?:purchase order|p\.?o\.?\b|order po|bon de commande|orden de compra|ordine di acquisto|inkooporder)",
    re.IGNORECASE,
)
_TERMS = re.compile(
    r"\b(?:net\s?\d{1,3}(?:\s?days)?|\d{1,3} days(?: net)?|\d{1,3} tage(?: netto)?|(?:netto )?\d{1,3} tagen?|"
    r"\d{1,3} jours(?: net| fin de mois)?|"
    r"\d{1,3} días|\d{1,3} gg(?: d\.?f\.?(?:f\.?m\.?)?)?|"
    r"\d{1,3} giorni|\d{1,3} dagen(?: netto)?|prepaid|cash on delivery|on account|"
    r"auf rechnung|vorkasse|à réception de facture|"
    r"contra reembolso)\b",
    re.IGNORECASE,
)
_RULE = re.compile(r"^[\s|+=:*_-]*$")
_INTRODUCTION = re.compile(
    r"\b(?:attached|enclosed|anbei|im anhang|beigefügt|ci-joint|en pièce jointe|adjunt\w*|"
    r"following|folgend\w*|suivant\w*|siguiente\w*|"
    r"in allegato|seguente|bijgevoegd|bijlage|volgende|below|unten|ci-dessous|abajo)\b",
    re.IGNORECASE,
)


def read_text(text: str, subject: str, place: str, own: Mapping[str, str]) -> Gathered:
    """Everything that the words of one mail or document say."""
    lines = (
        text[:LONGEST_MAIL].replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ").split("\n")[:MOST_LINES]
    )
    walk = _Walk(lines, place, own, marks_of(text))
    walk.go()
    _numbered(walk.fields, subject, text)
    if "terms" not in walk.fields and (match := _TERMS.search("\n".join(walk.rest))):
        walk.fields["terms"] = Found(value=match[0], confidence=LIKELY, why="found in a sentence")
    named = walk.fields["purchase_order"].value if "purchase_order" in walk.fields else ""
    rest = "\n".join(line for line in walk.rest if not _is_courtesy(line, named))
    unread = tuple(walk.unread)
    if len(several := [number for number, called in _numbers(text[:20_000]).items() if called]) > 1:
        unread = (*unread, f"which lines belong to which order: {place} names {', '.join(several[:5])}")
    if len(text) > LONGEST_MAIL or text.count("\n") > MOST_LINES:
        unread = (*unread, f"the end of {place}: it is longer than what is read")
    return Gathered(place=place, fields=walk.fields, items=tuple(walk.items), rest=rest, unread=unread)


def own_words(text: str) -> str:
    """Without what it quotes and without a signature."""
    kept = above_the_quotation(text, longest=LONGEST_MAIL + 1, kept=LONGEST_MAIL + 1)
    lines = kept.split("\n")
    closing = next((place for place, line in enumerate(lines) if place and _CLOSING.match(line.strip())), None)
    if closing is None:
        return kept
    below = [line for line in lines[closing + 1 :] if line.strip()]
    return kept if len(below) > 14 else "\n".join(lines[:closing])


class _Walk:
    """Goes through the lines once, from top to bottom."""

    def __init__(self, lines: Sequence[str], place: str, own: Mapping[str, str], marks: Marks) -> None:
        self.lines, self.place, self.own, self.marks = lines, place, own, marks
        self.fields: dict[str, Found] = {}
        self.items: list[Item] = []
        self.rest: list[str] = []
        self.unread: list[str] = []
        self._parts: dict[str, str] = {}
        self._at = 0

    def go(self) -> None:
        while self._at < len(self.lines):
            line = self.lines[self._at].strip()
            self._at += 1
            if not line or _RULE.match(line):
                continue
            if not (self._table(line) or self._part(line) or self._label(line) or self._item(line)):
                self.rest.append(line)  # a sentence is a person's to read, whatever was told from it
                self.items += items_in_sentence(line, self.marks)
        self._end_of_parts()

    def _table(self, line: str) -> bool:
        """A table in text: its header names the columns."""
        split = next((way for way in WAYS if is_header(way(line))), None)
        if split is None:
            return False
        rows = [split(line)]
        blank = 0
        while self._at < len(self.lines):
            row = self.lines[self._at]
            cells = split(row.strip() if split is not _by_spaces else row)
            blank = blank + 1 if not row.strip() else 0
            if blank > 1 or (row.strip() and len(cells) < 2 and not _RULE.match(row)):
                break
            if len(cells) > 1 and not _RULE.match(row):
                rows.append(cells)
            self._at += 1
        by_spaces = split is _by_spaces
        found = read_grid(rows, self.place, self.own, "\n".join(self.lines), by_spaces=by_spaces)
        self.items += found.items
        self.unread += found.unread
        for name, value in found.fields.items():
            self.fields.setdefault(name, value)
        return True

    def _part(self, line: str) -> bool:
        """`Item: AB-100` and below it `Quantity: 10`; or all of it in one line, parted by commas or semicolons."""
        pairs = [part.partition(":") for part in re.split(r"\s*[;|]\s*|,\s+(?=[^\W\d][\w .-]{1,20}:)", line)]
        named = {column: value.strip() for name, colon, value in pairs if colon and (column := _item_column(name))}
        if not named or len(named) != len([pair for pair in pairs if pair[1]]):
            return False
        if "sku" in named and not (self._parts or "quantity" in named or self._quantity_follows()):
            return False
        if "sku" not in named and not self._parts and len(named) < 2:
            return False
        if set(named) & set(self._parts):
            self._end_of_parts()
        self._parts |= named
        return True

    def _quantity_follows(self) -> bool:
        following = self.lines[self._at : self._at + 3]
        return any(_item_column(line.partition(":")[0]) == "quantity" for line in following)

    def _end_of_parts(self) -> None:
        if self._parts:
            header = list(self._parts)
            rows = [header, [self._parts[name] for name in header]]
            self.items += read_grid(rows, self.place, self.own, "\n".join(self.lines)).items
            self._parts = {}

    def _label(self, line: str) -> bool:
        label, value = _split_label(line, self.own)
        if label is None:
            return False
        self._end_of_parts()
        if label in _SUMS:
            return self._sum(label, value)
        if not value and (label in _BLOCKS or label not in ("ignored",)):
            value = self._block(one=label not in _BLOCKS)
        elif label in ("delivery", "billing", "instructions") and value:
            value = "\n".join([value, *self._rest_of_block(label, value)])
        if label == "ignored" or not value:
            return True
        known = self.fields.get(label)
        if known and plain(known.value) != plain(value) and label != "instructions":
            self.fields[label] = known.model_copy(update={"confidence": GUESS, "why": "its label stands there twice"})
        else:
            value = f"{known.value}\n{value}" if known and label == "instructions" else value
            self.fields[label] = Found(value=value, confidence=SURE, why="found under its label")
        return True

    def _sum(self, label: str, value: str) -> bool:
        found = amount_in(re.sub(r"\d{1,2}(?:[.,]\d)?\s?%", "", value), self.marks)
        if found is None:
            return False
        why = "found under its label"
        self.fields[label] = Found(value=f"{found[0]:f}", confidence=found[1], why=why)
        return True

    def _block(self, *, one: bool) -> str:
        """The lines below a label, up to an empty line, another label or an ordered line."""
        found: list[str] = []
        while self._at < len(self.lines) and len(found) < (1 if one else 8):
            line = self.lines[self._at].strip()
            if not line and not found and self._at + 1 < len(self.lines):
                self._at += 1
                continue
            if not line or _split_label(line, self.own)[0] or item_of(line, self.marks) or _is_header_line(line):
                break
            found.append(line)
            self._at += 1
        return "\n".join(found)

    def _rest_of_block(self, label: str, value: str) -> list[str]:
        """An address that begins beside its label and goes on below it."""
        if (
            label == "instructions"
            or "," in value
            or not self._at < len(self.lines)
            or not self.lines[self._at].strip()
        ):
            return []
        return self._block(one=False).split("\n")

    def _item(self, line: str) -> bool:
        found = item_by_product(line, self.marks) or item_of(line, self.marks)
        if found is None:
            return False
        self._end_of_parts()
        self.items.append(found)
        return True


def _item_column(name: str) -> str | None:
    column = column_of(re.sub(r"\s*\d{1,2}\s*$", "", name))
    return column if column in ("sku", "quantity", "price", "description", "unit", "amount") else None


def _split_label(line: str, own: Mapping[str, str]) -> tuple[str | None, str]:
    """(field, value) of `Label: value`, `Label = value`, or a label that stands alone on its line."""
    line = re.sub(r"^[\s>*•·_-]+", "", line).replace("**", "").replace("__", "")
    for mark in (":", "=", "\t"):
        name, found, value = line.partition(mark)
        if found and len(name) <= 45 and (label := label_of(name, own)):
            return label, value.strip(" \t*")
    if (match := _APART.match(line)) and (label := label_of(match["name"], own)):
        return label, match["value"].strip()
    if (match := _AMOUNT_BEHIND.match(line)) and (label := label_of(match["name"], own)) in _SUMS:
        return label, match["value"].strip()
    alone = label_of(line, own)
    return (alone, "") if alone in ("delivery", "billing", "pickup") and len(line) <= 40 else (None, "")


_LABEL = r"[^\d:]{2,40}?|[^\d:]{2,30}\d{1,2}(?:[.,]\d{1,2})?\s?%|\d{1,2}(?:[.,]\d{1,2})?\s?%[^\d:]{2,30}?"
_APART = re.compile(rf"^(?P<name>{_LABEL})(?:\s{(2,)}|\s?\.{(3,)}\s?)(?P<value>\S.*)$")
_AMOUNT_BEHIND = re.compile(rf"^(?P<name>{_LABEL})\s+(?P<value>[€£$]?\s?\d[\d.,' ]*(?:\s?[A-Z€£$]{{1,3}})?)$")


def _is_header_line(line: str) -> bool:
    return any(is_header(way(line)) for way in WAYS)


def _by_bars(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if "|" in line else [line]


def _by_tabs(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("\t")] if "\t" in line else [line]


def _by_semicolons(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(";")] if ";" in line else [line]


def _by_spaces(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


WAYS = (_by_bars, _by_tabs, _by_semicolons, _by_spaces)
"""How a line of text is parted into cells."""


def _numbered(fields: dict[str, Found], subject: str, text: str) -> None:
    """The buyer's own number where no label names it: in the subject, or in a sentence."""
    if "purchase_order" in fields and re.search(r"\d", fields["purchase_order"].value):
        words = fields["purchase_order"].value.split()
        first = words[0].strip(".,;#") if words else ""
        sure = len(words) == 1
        why = "found under its label" if sure else "the first word under its label"
        fields["purchase_order"] = Found(value=first, confidence=SURE if sure else LIKELY, why=why)
        if sure or re.search(r"\d", first):
            return
    fields.pop("purchase_order", None)
    places = (("the subject", subject), ("a sentence", text[:20_000]))
    for where, prose in reversed(places) if answers(subject) else places:
        found = _numbers(prose)
        if found:
            number, marked = next(iter(found.items()))
            why = f"found in {where}" if len(found) == 1 else f"the first of {len(found)} in {where}"
            sure = marked and len(found) == 1
            fields["purchase_order"] = Found(value=number, confidence=LIKELY if sure else GUESS, why=why)
            return


def _numbers(prose: str) -> dict[str, bool]:
    """Order number → whether it is called a number of an order. What is written in one piece (`PO-4711`) is one."""
    return {
        match["number"] if re.search(r"[\s:#°º]", match[0]) else match[0]: bool(match["mark"])
        or _IS_PO.match(match[0]) is not None
        for match in _NUMBERED.finditer(prose)
        if not _NO_NUMBER.fullmatch(match["number"])
    }


_NO_NUMBER = re.compile(r"\d{1,2}|(?:19|20)\d\d-\d\d?-\d\d?|\d{1,2}[/-]\d{1,2}[/-]\d{2,4}")


def _is_courtesy(line: str, number: str) -> bool:
    """A greeting, thanks, or the sentence that introduces the order: it asks for nothing, and counts nothing."""
    counts = re.search(r"\d", line.replace(number, "") if number else line)
    if not counts and (_GREETING.match(line) or _THANKS.match(line)):
        return True
    introduces = ORDER_WORDS.search(line) or _INTRODUCTION.search(line)
    return bool(introduces) and not counts and len(line) <= 160 and not _WISHES.search(line)


_WISHES = re.compile(
    r"\b(?:before|after|not|only|ring|call|leave|back ?door|gate|fragile|urgent\w*|asap|tomorrow|allerg\w*|"
    r"don't|must|"
    r"bitte nicht|nicht|nur|klingel\w*|anrufen|dringend|eilig|morgen|vor|nach|hintereingang|"
    r"ne pas|pas|seulement|sonner|appeler|urgent|demain|avant|après|no|solo|llamar|urgente|mañana|antes|"
    r"después|instead|statt|change|cancel\w*|storn\w*)\b",
    re.IGNORECASE,
)
