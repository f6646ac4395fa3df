"""The words of a digest: how many orders are absent, the worst of them, and what its owner does.

The wording is `<language>/exceptions.txt.j2` beside the others: its first row is the subject, its second the button's
label, the rest the text. It names orders, kinds, places, times and amounts, and nothing of a buyer's.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from orderack.domain.order import OrderRef
from orderack.domain.store import StoreProfile
from orderack.domain.web_address import web_address
from orderack.errors import Misconfigured
from orderack.messages.clean import cut, line, unlinked
from orderack.messages.environment import WordingEnvironment, capped, guarded
from orderack.messages.formats import Formats, locale_for, zone_for
from orderack.messages.wording import DEFAULT_LANGUAGE, SUBJECT_LIMIT
from orderack.ports import Rendered
from orderack.ports.digests import Digest, DigestItem, DigestState, Untold
from orderack.ports.sweeps import ExceptionKind, OpenException

WORDING = "exceptions.txt.j2"
LINES = 10
"""Orders that have a line of their own; the others are counted."""
BUTTON_LIMIT = 40
CHAT_LIMIT = 2_000
SMS_LIMIT = 300
_TEXT_LIMIT = 20_000

Row = Mapping[str, str | bool]


class DigestRenderer:
    """Implements `orderack.ports.digests.DigestWords` over a folder of wordings. `board`: its address, if known."""

    def __init__(self, messages_dir: Path, stores: Callable[[str], StoreProfile], board: str = "") -> None:
        self._folder = messages_dir
        self._stores = stores
        self._board = web_address(board)
        self._words = WordingEnvironment(messages_dir, html=False)

    def render(self, digest: Digest, language: str) -> Rendered:
        """Every shape of it, in this language or the default. Raises Misconfigured where the wording is broken."""
        language = language if (self._folder / language / WORDING).is_file() else DEFAULT_LANGUAGE
        subject, button, text = self._worded(digest, language, LINES)
        chat = text
        for lines in range(LINES - 1, -1, -1):
            if len(chat) <= CHAT_LIMIT:
                break
            _, _, chat = self._worded(digest, language, lines)
        return Rendered(
            subject=subject,
            text=text,
            chat=cut(chat, CHAT_LIMIT),
            sms=cut(subject, SMS_LIMIT),
            statement=cut(subject, SMS_LIMIT),
            link=self._board or None,
            open_label=button,
        )

    def _worded(self, digest: Digest, language: str, lines: int) -> tuple[str, str, str]:
        where = f"{language}/{WORDING}"
        template = guarded(where, lambda: self._words.get_template(where))
        known = self._known(digest, language, lines)
        said = guarded(where, lambda: capped(template.generate(**known), _TEXT_LIMIT, where))
        subject, _, rest = said.strip().partition("\n")
        button, _, text = rest.strip().partition("\n")
        if not text.strip():
            raise Misconfigured(f"messages/{where}: a subject, a row with the button's label, and a text")
        return line(subject, SUBJECT_LIMIT), line(button, BUTTON_LIMIT), text.strip()

    def _known(self, digest: Digest, language: str, lines: int) -> dict[str, object]:
        """The names that the wording may use; see docs/messages.md."""
        shown = worst(digest.items, lines)
        news = sum(item.news for item in digest.items)
        first = shown[0] if shown else next(iter(digest.items), None)
        return {
            "owner": unlinked(line(digest.owner, 60)),
            "count": str(len(digest.items)),
            "one": len(digest.items) == 1,
            "news": str(news),
            "all_news": news == len(digest.items),
            "reminder": news == 0,
            "totals": ", ".join(self._totals(digest.items, language)),
            "rows": [self._row(item, language) for item in shown],
            "more": str(len(digest.items) - len(shown)) if len(digest.items) > len(shown) else "",
            "board": self._board,
            "example": shlex.quote(_written(first.of.exception.ref)) if first else "STORE/NUMBER",
        }

    def _totals(self, items: Sequence[DigestItem], language: str) -> Sequence[str]:
        sums = dict[str, Decimal]()
        formats = self._formats(items[0], language) if items else None
        worth = {item.of.exception.ref: item.of for item in items}  # an order may be absent in two places
        for one in worth.values():
            if one.total is not None and one.currency:
                sums[one.currency] = sums.get(one.currency, Decimal(0)) + one.total
        return [formats.rounded(total, currency) for currency, total in sorted(sums.items())] if formats else []

    def _row(self, item: DigestItem, language: str) -> Row:
        found, formats = item.of.exception, self._formats(item, language)
        worth = item.of.total is not None and item.of.currency
        return {
            "order": unlinked(line(_written(found.ref), 80)),
            "kind": str(found.kind),
            "system": unlinked(line(found.system, 60)),
            "since": formats.short_moment(found.since),
            "total": formats.rounded(item.of.total or Decimal(0), item.of.currency or "") if worth else "",
            "news": item.news,
        }

    def _formats(self, item: DigestItem, language: str) -> Formats:
        store = self._stores(item.of.exception.ref.store)
        try:
            zone = zone_for(store.time_zone)
        except (KeyError, ValueError, OSError):
            raise Misconfigured(f"store {store.id}: time_zone is not one of the IANA database") from None
        return Formats(locale_for(language, language, store.country), zone)


def worst(items: Sequence[DigestItem], many: int) -> Sequence[DigestItem]:
    """At most so many: in turn the one that has waited longest, and the dearest, each once.

    Dear is judged by its share of the dearest in the same currency: there are no exchange rates here.
    """
    oldest = sorted(items, key=lambda item: item.of.exception.since)
    most = dict[str, Decimal]()
    for item in items:
        if item.of.total is not None and item.of.currency:
            most[item.of.currency] = max(most.get(item.of.currency, Decimal(0)), item.of.total)
    by_worth = sorted(oldest, key=lambda item: -_share(item, most))
    chosen: list[DigestItem] = []
    for pair in zip(oldest, by_worth, strict=True):
        chosen += [item for item in dict.fromkeys(pair) if item not in chosen]
        if len(chosen) >= many:
            break
    return chosen[:many]


def _share(item: DigestItem, most: Mapping[str, Decimal]) -> Decimal:
    largest = most.get(item.of.currency or "")
    return (item.of.total or Decimal(0)) / largest if largest else Decimal(0)


def _written(ref: OrderRef) -> str:
    return line(str(ref), 200)


def check_digests(messages_dir: Path, language: str) -> str:
    """What is wrong with this language's wording of digests; empty: nothing. Tried with one item and with many."""
    words = DigestRenderer(messages_dir, lambda id_: StoreProfile(id=id_, display_name=id_), "https://board.example")
    try:
        for news, many in ((True, 1), (False, 1), (True, 3 * LINES)):
            words.render(_sample(many, news=news), language)
    except Misconfigured as error:
        return str(error)
    return ""


def _sample(many: int, *, news: bool) -> Digest:
    """Made up, with every kind in turn; where there are many, half of them are reminders."""
    at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    kinds = list(ExceptionKind)
    items = []
    for n in range(many):
        ref, kind = OrderRef(store="demo", number=str(n)), kinds[n % len(kinds)]
        found = OpenException(
            ref=ref, kind=kind, revision=1, system="erp", since=at, opened_at=at, seen_at=at, owner="lead"
        )
        of = Untold(exception=found, total=Decimal(10 * n), currency="EUR")
        items.append(DigestItem(of=of, news=news and (many == 1 or n % 2 == 0)))
    return Digest(id=1, team="team", owner="lead", state=DigestState.OPEN, made_at=at, version=1, items=tuple(items))
