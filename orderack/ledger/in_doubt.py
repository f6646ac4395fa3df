"""What the timeline says of a send in doubt: whether it is settled, and when it is said again."""

from datetime import datetime

from sqlalchemy import ColumnElement, ScalarSelect, and_, cast, exists, func, literal, not_, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from orderack.contracts.journal import Event
from orderack.ledger.columns import Words
from orderack.ledger.tables import Sends, Timeline


def settled() -> ColumnElement[bool]:
    """Of a send: it is known what became of it, or nobody is asked any more, as far as the timeline knows.

    A doubt is back where its repeat was refused: an entry of the same revision, behind the one that settled it.
    """
    last = func.max(col(Timeline.seq))
    over = select(last).where(_about_the_send(Event.SEND_SETTLED), _not_a_namesake()).scalar_subquery()
    own = col(Timeline.revision) == col(Sends.revision)
    back = select(last).where(_about_the_send(Event.SEND_UNKNOWN), own).scalar_subquery()
    return func.coalesce(over, -1) > func.coalesce(back, 0)


def _not_a_namesake() -> ColumnElement[bool]:
    """Whether the entry means this send and not the same message of a later revision; where both are there, it says."""
    later = aliased(Sends)
    names = ("store", "number", "kind", "n", "channel")
    same = (getattr(later, name) == getattr(Sends, name) for name in names)
    between = and_(col(later.revision) > col(Sends.revision), col(later.revision) <= col(Timeline.revision))
    there = exists().where(*same, between).correlate(Sends, Timeline)
    said = literal("% (revision ").concat(cast(col(Sends.revision), Words)).concat(")")
    note = col(Timeline.note)
    return or_(note.like(said), and_(not_(there), note.not_like("% (revision %)")))


def repeat_due_at() -> ScalarSelect[datetime | None]:
    """Of a send in doubt: when the policy has it said again, unless it is settled before."""
    return select(func.max(col(Timeline.due_at))).where(_about_the_send(Event.SEND_UNKNOWN)).scalar_subquery()


def _about_the_send(event: Event) -> ColumnElement[bool]:
    """The timeline's entries of this kind that name the send. One made before its revision came names another's."""
    what = col(Sends.kind).concat(" ").concat(cast(col(Sends.n), Words))
    about = what.concat(" by ").concat(col(Sends.channel)).concat(":")
    return and_(
        col(Timeline.store) == col(Sends.store),
        col(Timeline.number) == col(Sends.number),
        col(Timeline.event) == event,
        col(Timeline.revision) >= col(Sends.revision),
        func.substr(col(Timeline.note), 1, func.length(about)) == about,
    )
