"""The executor's sheet: the very revision that the buyer was told is confirmed, and whether it may be worked from."""

from dataclasses import dataclass
from datetime import datetime

from orderack.contracts.journal import Event, Stage
from orderack.domain.order import Order
from orderack.domain.response import LineAnswer
from orderack.gateway.board.parts import Board
from orderack.gateway.board.picture import Picture


@dataclass(frozen=True)
class Sheet:
    """`stop` is empty where work may be done from it; else it says in capitals on the sheet why not."""

    order: Order
    revision: int
    content_hash: str
    answers: tuple[LineAnswer, ...]
    document_id: str | None
    confirmed_at: datetime | None
    owner: str | None
    accepted_by: str | None
    accepted_at: datetime | None
    stop: str
    waits: tuple[str, ...]
    """What is missing before work may begin."""

    def answer(self, line_id: str) -> LineAnswer | None:
        return next((each for each in self.answers if each.line_id == line_id), None)


async def sheet_of(board: Board, picture: Picture, wanted: int | None) -> Sheet | None:
    """Of the confirmed revision, or of an earlier one that was asked for; None where it never was confirmed."""
    confirmed = _confirmed(picture)
    revision = wanted or max(confirmed, default=0)
    if revision not in confirmed:
        return None
    stored = await board.ledger.revision(picture.ref, revision)
    if stored is None:
        return None
    status = picture.status
    current = status is not None and status.revision == revision
    by = status.handoff_accepted_by if status and current else None
    accepted = next((e for e in picture.entries if e.event is Event.HANDOFF_ACCEPTED and e.revision == revision), None)
    return Sheet(
        order=stored.order,
        revision=revision,
        content_hash=stored.content_hash,
        answers=status.answers if status and current else (),
        document_id=status.erp_document_id if status else None,
        confirmed_at=confirmed[revision],
        owner=status.handoff_owner if status and current else None,
        accepted_by=by or (accepted.owner if accepted else None),
        accepted_at=accepted.at if accepted else None,
        stop=_stop(picture, revision, max(confirmed)),
        waits=status.work_why_not if status and current and not picture.ended else (),
    )


def _confirmed(picture: Picture) -> dict[int, datetime | None]:
    """Every revision that was confirmed, and when."""
    found: dict[int, datetime | None] = {
        entry.revision: entry.at for entry in picture.entries if entry.event is Event.CONFIRMED
    }
    status = picture.status
    if status and status.confirmed_revision:
        found.setdefault(status.confirmed_revision, status.confirmed_at)
    return found


def _stop(picture: Picture, revision: int, latest: int) -> str:
    if picture.stage == Stage.CANCELLED:
        return "Cancelled. Stop the work."
    if picture.stage == Stage.REJECTED:
        return "Rejected. Do no work."
    if revision < latest:
        return f"Superseded by revision {latest}. Do not work from this sheet."
    if picture.revision > revision:
        return f"Frozen: a change (revision {picture.revision}) is being checked. Do no work until it is confirmed."
    if picture.away:
        return "Not checked: the order cannot be asked just now. Look again before work begins."
    return ""
