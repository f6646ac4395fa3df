"""The buyer's page as its templates see it: finished words, in the buyer's language, and the forms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from orderack.domain.order import Order
from orderack.domain.store import BuyerMay
from orderack.gateway.page_forms import ADDRESS, Fault, countries, row
from orderack.gateway.page_rows import Shown, ToldRow, Tongue, shown, told
from orderack.gateway.page_state import PageState
from orderack.messages.brand import contact_views, store_view
from orderack.messages.clean import line, prose
from orderack.messages.labels import Labels, fill
from orderack.messages.lines import title
from orderack.messages.page_labels import Note, PageLabels, Standing
from orderack.messages.view import ContactView, StoreView
from orderack.ports import Channel

_TONES: Mapping[Standing, str] = {
    Standing.CONFIRMED: "good",
    Standing.HANDED_OFF: "good",
    Standing.CANCELLED: "bad",
    Standing.REJECTED: "bad",
}
_WORDS = ("text", "note", "reason", "instructions")
"""Fields that hold the buyer's own words."""


@dataclass(frozen=True)
class Attempt:
    """A form that was not taken: what was typed, and what is wrong with it."""

    action: BuyerMay
    typed: Mapping[str, str]
    faults: Sequence[Fault] = ()


@dataclass(frozen=True)
class Reply:
    """What the page has to say to what was just sent: why it was not taken, or which request was."""

    note: Note | None = None
    attempt: Attempt | None = None
    taken: str = ""


@dataclass(frozen=True)
class FaultRow:
    """One field that is wrong, named."""

    field: str
    label: str
    message: str


@dataclass(frozen=True)
class Forms:
    """What the buyer can do, and the forms to do it with; of one that was not taken, with what was typed."""

    path: str
    form_id: str
    revision: int
    message: str
    """Which message the page is about: evidence counts for what was shown, never for what came after."""
    offered: frozenset[BuyerMay]
    affirmed: str
    assent: bool
    assented: str
    cancels_late: bool
    address: Mapping[str, str] | None
    """What the form for another address begins with; None where the order is fetched."""
    instructions: str
    countries: Sequence[tuple[str, str]]
    attempt: BuyerMay | None
    typed: Mapping[str, str]
    wrong: Mapping[str, str]

    def value(self, field: str, otherwise: str = "") -> str:
        """What stands in the field: as it was typed, else as the order has it."""
        return self.typed.get(field, otherwise)

    @property
    def unsent(self) -> str:
        """The words of a form that is no longer on the page: nobody shall have to write them again."""
        lost = self.attempt is not None and self.attempt not in self.offered
        return "\n".join(self.typed[field] for field in _WORDS if self.typed.get(field)) if lost else ""


@dataclass(frozen=True)
class PageView:
    language: str
    w: PageLabels
    labels: Labels
    store: StoreView
    title: str
    heading: str
    headline: str
    next: str
    tone: str
    notes: tuple[str, ...]
    notice: ToldRow | None
    faults: tuple[FaultRow, ...]
    confirmed: bool
    shown: Shown
    forms: Forms
    contact: tuple[ContactView, ...]


def page_view(
    state: PageState, tongue: Tongue, channels: Mapping[str, Channel], path: str, form_id: str, reply: Reply
) -> PageView:
    """Everything on the page. `path`: its address; `form_id`: a fresh one, so that a form sent twice is one request."""
    w, standing, attempt = tongue.page, tongue.page.standings[state.standing], reply.attempt
    latest = state.status.revision if state.status else state.revision
    numbers = {"confirmed": str(state.confirmed), "revision": str(latest)}
    store, number = store_view(state.store), line(state.link.ref.number)
    taken = next((each for each in state.asked if each.request.id == reply.taken), None)
    return PageView(
        language=tongue.language,
        w=w,
        labels=tongue.labels,
        store=store,
        title=fill(w.title, number=number, store=store.name),
        heading=fill(w.heading, number=number),
        headline=fill(standing.headline, **numbers),
        next=fill(standing.next, **numbers),
        tone=_TONES.get(state.standing, "late"),
        notes=tuple(w.notes[each] for each in (reply.note, Note.AWAY if state.away else None) if each),
        notice=told(taken, state, tongue) if taken else None,
        faults=tuple(_faults(attempt, state.stored.order, w)) if attempt and state.stored else (),
        confirmed=state.confirmed is not None,
        shown=shown(state, tongue, channels),
        forms=_forms(state, tongue, path, form_id, attempt),
        contact=contact_views(state.store, tongue.labels),
    )


def _forms(state: PageState, tongue: Tongue, path: str, form_id: str, attempt: Attempt | None) -> Forms:
    w, proof, offered = tongue.page, state.proof, state.offered
    order = state.stored.order if state.stored else None

    def dated(words: str, at: datetime | None) -> str:
        return fill(words, revision=str(state.revision), at=tongue.formats.moment(at)) if at else ""

    assented = w.line_answer.accepted if proof.assented else w.line_answer.declined
    return Forms(
        path=path,
        form_id=form_id,
        revision=state.revision,
        message=str(state.about or ""),
        offered=offered,
        affirmed=dated(w.affirm.done, state.affirmed_at),
        assent=bool(proof.assented),
        assented=dated(assented, proof.assent.at if proof.assent else None),
        cancels_late=state.cancels_late,
        address=_address(order) if order else None,
        instructions=prose(order.instructions or "") if order else "",
        countries=countries(tongue.locale) if BuyerMay.CHANGE in offered else (),
        attempt=attempt.action if attempt else None,
        typed=attempt.typed if attempt else {},
        wrong={fault.field: w.errors[fault.wrong] for fault in attempt.faults} if attempt else {},
    )


def _faults(attempt: Attempt, order: Order, w: PageLabels) -> Iterator[FaultRow]:
    for fault in attempt.faults:
        yield FaultRow(fault.field, _label(fault.field, order, w), w.errors[fault.wrong])


def _label(field: str, order: Order, w: PageLabels) -> str:
    """What the page calls a field."""
    what, _, place = field.rpartition("-")
    if what in ("line", "quantity"):
        item = title(order.lines[int(place) - 1])
        return item if what == "line" else fill(w.change.quantity, item=item)
    others = {"text": w.ask.text, "note": w.line_answer.note, "reason": w.cancel.reason, "sure": w.cancel.heading}
    return others.get(field) or str(getattr(w.change, field))


def _address(order: Order) -> Mapping[str, str] | None:
    if order.pickup:
        return None
    return {field: row(getattr(order.delivery_address, field, None) or "") for field in ADDRESS}
