"""What an alert may say of the work that a team is handed: nothing of who the buyer is, where, or in what words.

The buyer's own words and address stand on the sheet, behind its login; here only that they differ.
"""

import shlex
from collections.abc import Mapping

from orderack.contracts.activities import ForTeam, TeamWord
from orderack.domain.acknowledgement import Kind
from orderack.domain.difference import Change, Changed, difference
from orderack.domain.order import Line, Order
from orderack.domain.web_address import web_address
from orderack.messages.clean import line, unlinked
from orderack.messages.formats import Formats
from orderack.messages.labels import Labels
from orderack.messages.view import ChangeView
from orderack.ports import Content

SHOWN_OF_HASH = 12
"""As much of a content hash as people compare; the sheet and the order's status have all of it."""

_OF_MONEY = frozenset(
    {
        *(Changed.UNIT_PRICE, Changed.DISCOUNT, Changed.SHIPPING, Changed.TAX, Changed.FEES, Changed.CREDIT),
        *(Changed.TOTAL, Changed.TERMS),
    }
)
"""The sheet leaves prices and payment out, and so does this, where the work itself changed too."""


def for_team(content: Content) -> ForTeam | None:
    return content.facts.for_team if content.kind is Kind.ALERT else None


def reason(content: Content) -> str:
    """Why; not where it takes an order back from a team, for then it may be in the buyer's own words."""
    told = for_team(content)
    return "" if told and told.word is TeamWord.WITHDRAWN else content.facts.reason


def sheet(content: Content) -> str:
    """The address of the revision's sheet on the board; empty where there is none to give."""
    return web_address(content.sheet_url) if for_team(content) else ""


def known_to_team(content: Content, formats: Formats, *, changed: bool) -> Mapping[str, object]:
    """The names that an alert's wording may use about a handoff; `handoff` is empty in every other alert."""
    told, order = for_team(content), content.order
    if told is None:
        return {"handoff": ""}
    window = order.delivery_window
    pickup = order.pickup.at if order.pickup else None
    when = formats.span(window.start, window.end) if window else formats.moment(pickup) if pickup else ""
    return {
        "handoff": str(told.word),
        "revision": str(told.revision),
        "content": told.content_hash[:SHOWN_OF_HASH],
        "team": unlinked(line(told.team, 60)),
        "order_type": unlinked(line(order.order_type, 60)),
        "priority": str(order.priority),
        "window": when,
        "waits": "; ".join(line(why, 200) for why in told.waits),
        "changed": changed,
        "sheet": sheet(content),
        "accept": f"orderack accept {shlex.quote(line(str(order.ref)))} --revision {told.revision}",
    }


def changes_for_team(content: Content, labels: Labels, formats: Formats) -> tuple[ChangeView, ...]:
    """What differs from the revision that the team had: quantities and times in full, the rest by its name."""
    previous = content.previous if for_team(content) else None
    if previous is None:
        return ()
    found = difference(previous, content.order)
    of_work = [change for change in found if change.what not in _OF_MONEY]
    return tuple(_view(change, previous, content.order, labels, formats) for change in of_work or found)


def _view(change: Change, previous: Order, current: Order, labels: Labels, formats: Formats) -> ChangeView:
    before, after = (_value(change, order, formats) for order in (previous, current))
    if before or after:
        before, after = before or labels.none, after or labels.none
    named = _line(change, current) or _line(change, previous)
    words = labels.changed[change.what]
    return ChangeView(f"{unlinked(line(named.sku, 60))}: {words}" if named else words, before, after)


def _value(change: Change, order: Order, formats: Formats) -> str:
    found, window, pickup = _line(change, order), order.delivery_window, order.pickup
    match change.what:
        case Changed.QUANTITY | Changed.LINE_ADDED | Changed.LINE_REMOVED if found:
            return formats.number(found.quantity)
        case Changed.WINDOW if window:
            return formats.span(window.start, window.end)
        case Changed.PICKUP if pickup and pickup.at:
            return formats.moment(pickup.at)
    return ""


def _line(change: Change, order: Order) -> Line | None:
    return next((each for each in order.lines if each.line_id == change.line_id), None)
