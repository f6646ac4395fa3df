"""What people read and no chain row covers: made once more from the vouched facts, and compared.

A message's grade and its three marks, deadlines, reviews, a handoff's acceptance, the ERP's times, ids in other systems
and the columns that an order is found by. Nothing is found here of the stage, the owner and the next deadline: they are
what the workflow last said, and no fact is left to compare them with.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from functools import reduce

from sqlalchemy import ColumnElement, select
from sqlalchemy import Table as SqlTable
from sqlalchemy.ext.asyncio import AsyncSession

from orderack.contracts.journal import Entry
from orderack.domain.acknowledgement import SendState
from orderack.domain.address import address_sha256
from orderack.domain.assessment import Assessment, Side
from orderack.domain.evidence import EvidenceFact, stronger
from orderack.domain.order import Name, Order, OrderRef, Text
from orderack.domain.proof import prove
from orderack.domain.value import Value
from orderack.ledger import audit
from orderack.ledger.database import sql_table
from orderack.ledger.orders import ERP_SYSTEM, describe
from orderack.ledger.projection import Projection, project
from orderack.ledger.sends import marks
from orderack.ledger.tables import (
    Acknowledgements,
    Deadlines,
    Evidence,
    Handoffs,
    OrderIds,
    Orders,
    Reviews,
    Revisions,
    Sends,
    Table,
    Timeline,
)
from orderack.ports import Message

AT_ONCE = 200
"""Rows in memory at a time while they are read: some hold a message."""

READ: tuple[type[Table], ...] = (
    *(Orders, Revisions, Sends, Evidence, Timeline, Handoffs),
    *(Acknowledgements, Deadlines, Reviews, OrderIds),
)

Row = Mapping[str, object]
Held = Mapping[type[Table], Sequence[Row]]
Expected = Mapping[str, Row]
Where = Callable[[SqlTable], list[ColumnElement[bool]]]


class Difference(Value):
    """One column, or one row, that the vouched facts do not make so."""

    subject: Name
    subject_id: Text
    problem: Text


async def differences(
    session: AsyncSession, refs: Collection[OrderRef], where: Where
) -> Mapping[OrderRef, Sequence[Difference]]:
    """Of these orders, whose facts hold; `where` picks their rows in a table, and may pick others' too."""
    held: dict[OrderRef, dict[type[Table], list[Row]]] = {ref: defaultdict(list) for ref in refs}
    for table in READ:
        async for row in _rows(session, table, where):
            ref = OrderRef.model_construct(store=str(row["store"]), number=str(row["number"]))
            if ref in held:
                held[ref][table].append(_addressed(row) if table is Sends else row)
    return {ref: tuple(_of_order(rows)) for ref, rows in held.items()}


async def _rows(session: AsyncSession, table: type[Table], where: Where) -> AsyncIterator[Row]:
    target = sql_table(table)
    query = select(target).where(*where(target)).execution_options(yield_per=AT_ONCE)
    async for found in await session.stream(query):
        yield found._asdict()


def _addressed(row: Row) -> Row:
    """A send with the address its message went to, and without the message, which may be long."""
    message, recipient = row["message"], None
    if message is not None and row["recipient_sha256"] is not None:
        recipient = Message.model_validate_json(str(message)).recipient
    return {**row, "message": None, "recipient": recipient}


def _of_order(held: Held) -> Iterator[Difference]:
    told = project(Entry.model_validate(row) for row in held[Timeline])
    yield from _messages(held)
    yield from _recipients(held)
    deadlines = {f"{one.clock} due {audit.plain(one.due_at)}": one.model_dump() for one in told.deadlines}
    yield from _same(
        "deadline", _by(held[Deadlines], lambda row: f"{row['clock']} due {audit.plain(row['due_at'])}"), deadlines
    )
    reviews = {str(one.seq): one.model_dump() for one in told.reviews}
    yield from _same("review", _by(held[Reviews], lambda row: str(row["seq"])), reviews)
    yield from _erp_times(held, told)
    yield from _acceptances(held, told)
    yield from _ids(held, told)
    yield from _order(held)


# -- messages -------------------------------------------------------------------------------------------------------


def _messages(held: Held) -> Iterator[Difference]:
    expected = {}
    evidence = _grouped(held[Evidence])
    for id_, sends in _grouped(held[Sends]).items():
        expected[id_] = {
            "first_claimed_at": min(send["claimed_at"] for send in sends),  # type: ignore[type-var]
            "out_at": min((s["finished_at"] for s in sends if s["state"] == SendState.ACCEPTED), default=None),  # type: ignore[type-var]
            **_proved(evidence.get(id_, ())),
        }
    yield from _same("acknowledgement", _by(held[Acknowledgements], _message), expected)


def _proved(evidence: Sequence[Row]) -> Row:
    facts = [EvidenceFact.model_validate({**row, "id": row["event_id"]}) for row in evidence]
    grade: dict[str, object] = {"grade": reduce(stronger, (fact.grade for fact in facts)) if facts else None}
    if evidence and all(row["form"] == 1 for row in evidence):
        return grade  # from before the three marks were kept
    return {**grade, **marks(prove(facts))}


def _recipients(held: Held) -> Iterator[Difference]:
    for row in held[Sends]:
        if row["recipient"] is not None and row["recipient_sha256"] != address_sha256(str(row["recipient"])):
            problem = "its recipient_sha256 is not that of the address the message went to"
            yield Difference(subject="send", subject_id=str(row["key"]), problem=problem)


# -- the timeline's -------------------------------------------------------------------------------------------------


def _erp_times(held: Held, told: Projection) -> Iterator[Difference]:
    times = {str(one.revision): one.model_dump() for one in told.erp_times}
    none: Row = {"submitted_to_erp_at": None, "erp_receipt_at": None}
    stored = _by(held[Revisions], lambda row: str(row["revision"]))
    yield from _same("revision", stored, {id_: times.get(id_, none) for id_ in stored})


def _acceptances(held: Held, told: Projection) -> Iterator[Difference]:
    for row in held[Handoffs]:
        said: set[tuple[object, object]] = {
            (one.accepted_at, one.accepted_by) for one in told.acceptances if one.revision == row["revision"]
        }
        if (row["accepted_at"], row["accepted_by"]) not in (said or {(None, None)}):
            problem = "who accepted it, or when, is not what the timeline says"
            yield Difference(subject="handoff", subject_id=str(row["id"]), problem=problem)


def _ids(held: Held, told: Projection) -> Iterator[Difference]:
    made = {(ERP_SYSTEM, id_) for id_ in told.document_ids}
    made |= {(external.system, external.id) for content in _contents(held) for external in content.external_ids}
    known = made | {(ERP_SYSTEM, str(row["document_id"])) for row in held[Handoffs]}
    stored = {(str(row["system"]), str(row["id"])) for row in held[OrderIds]}
    whole = all(row["content"] is not None for row in held[Revisions])
    for system, id_ in sorted(made - stored):
        yield Difference(subject="order id", subject_id=f"{system}/{id_}", problem="is missing: vouched facts have it")
    for system, id_ in sorted(stored - known if whole else ()):
        yield Difference(subject="order id", subject_id=f"{system}/{id_}", problem="is in no vouched fact")


# -- the order's own columns ------------------------------------------------------------------------------------------


def _order(held: Held) -> Iterator[Difference]:
    """What it is found by, from its latest revision; without values, for they name the buyer."""
    (row,) = held[Orders]
    last = max((int(str(entry["seq"])) for entry in held[Timeline]), default=0)
    latest = max(held[Revisions], key=lambda one: int(str(one["revision"])), default=None)
    expected: dict[str, object] = {"journal_seq": last}
    if latest is not None:
        expected["content_revision"] = latest["revision"]
        first = min(held[Revisions], key=lambda one: int(str(one["revision"])))
        side = Assessment.model_validate_json(str(first["assessment"])).decision.side
        expected["side"] = side if side is Side.SHADOW else None
    if latest is not None and latest["content"] is not None:
        content = Order.model_validate_json(str(latest["content"]))
        expected |= describe(content, int(str(latest["revision"])), str(latest["fingerprint"]))
    for name, value in expected.items():
        if audit.plain(row[name]) != audit.plain(value):
            problem = f"its {name} is not what its facts make it"
            yield Difference(subject="order", subject_id="", problem=problem)


def _contents(held: Held) -> Iterator[Order]:
    return (Order.model_validate_json(str(row["content"])) for row in held[Revisions] if row["content"] is not None)


# -- comparing --------------------------------------------------------------------------------------------------------


def _same(subject: str, stored: Expected, expected: Expected) -> Iterator[Difference]:
    for id_ in sorted(stored.keys() | expected.keys()):
        if id_ not in stored:
            yield Difference(subject=subject, subject_id=id_, problem="is missing: vouched facts make one")
        elif id_ not in expected:
            yield Difference(subject=subject, subject_id=id_, problem="is made of no vouched fact")
        else:
            for name, value in expected[id_].items():
                was, makes = audit.plain(stored[id_][name]), audit.plain(value)
                if was != makes:
                    problem = f"its {name} is {was or 'empty'}, the vouched facts make it {makes or 'empty'}"
                    yield Difference(subject=subject, subject_id=id_, problem=problem)


def _by(rows: Sequence[Row], id_: Callable[[Row], str]) -> Expected:
    return {id_(row): row for row in rows}


def _message(row: Row) -> str:
    return f"{row['revision']}/{row['kind']}/{row['n']}"


def _grouped(rows: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[_message(row)].append(row)
    return found
