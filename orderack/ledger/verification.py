"""Reading a chain back: every edit, gap, change of order and insertion, named in words.

Orders are verified in batches, rows and facts are streamed, and of each chain only its hashes are held in memory: what
it costs grows with the longest chain, not with the ledger. A chain rewritten whole, head and all, looks sound from
inside; `orderack.ledger.checkpoint` compares it with heads that were kept elsewhere. Where a chain holds, what is made
from its facts is made again and compared (`orderack.ledger.derived`): that is what people read.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, Select, exists, select, tuple_, union
from sqlalchemy import Table as SqlTable
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.ledger import audit, derived
from orderack.ledger.audit import SUBJECTS, Subject
from orderack.ledger.database import sql_table
from orderack.ledger.tables import Audit, Orders

BATCH_ROWS = 10_000
"""Chain rows that are verified in one look at the database, a single longer chain aside."""

_ORDERS_AT_ONCE = 500
_STREAMED, _LARGE = 2_000, 200
"""Rows in memory at a time; fewer where a row holds a message, which can be half a megabyte."""

Row = Mapping[str, object]


class Break(Value):
    """One place where the record no longer agrees with its chain."""

    position: int
    """In the chain, from 1; 0 for a fact that no row vouches for."""
    subject: Name
    subject_id: Text
    problem: Text

    @property
    def words(self) -> str:
        """`position 5, evidence smtp_email/ev-1: was changed after it was recorded`."""
        where = f"position {self.position}" if self.position else "outside the chain"
        kind = SUBJECTS[self.subject].words if self.subject in SUBJECTS else self.subject
        return f"{where}, {' '.join(part for part in (kind, self.subject_id) if part)}: {self.problem}"


class Verified(Value):
    """One batch: how much was verified, what broke, and where to go on."""

    orders: int
    rows: int
    broken: Mapping[str, tuple[Break, ...]]
    """`store/number` → its breaks; only orders that have any."""
    last: OrderRef


@dataclass
class _Chain:
    """One order's chain while it is walked."""

    ref: OrderRef
    length: int
    head: str
    breaks: list[Break] = field(default_factory=list)
    vouchers: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    """(subject, id) → position and content hash of its last row; taken out once the fact is met."""
    rows: dict[str, int] = field(default_factory=dict)
    """Hash → position."""
    previous: str = ""
    position: int = 0
    erased: bool = False

    def walk(self, row: Row) -> None:
        """The next row, by position."""
        position, own, before = int(str(row["position"])), str(row["hash"]), str(row["prev_hash"])
        kind, id_ = str(row["subject"]), str(row["subject_id"])
        follows, whole = before == self.previous, own == audit.row_hash(row)
        if position > self.position + 1:
            gap = _positions(self.position + 1, position - 1)
            self._break(position, "chain", "", f"{gap} before it")
        elif position < 1:
            self._break(position, kind, id_, "no chain has such a position")
        elif not follows:
            place = self.rows.get(before)
            where = f"it was made to follow position {place}" if place else "what it was made to follow is not there"
            self._break(
                position, kind, id_, f"does not follow the row before it: {where}; rows were moved or slipped in"
            )
        if not whole:
            places = (self.rows.get(before, 0) + 1, position - 1, position + 1)
            was = next((place for place in places if own == audit.row_hash({**row, "position": place})), None)
            self._break(position, kind, id_, f"was moved here from position {was}" if was else _EDITED)
        if kind not in SUBJECTS:
            self._break(position, kind, id_, "is no kind of fact that this program knows; it may be newer than it")
        else:
            self.vouchers.pop((SUBJECTS[kind].supersedes or "", id_), None)
            self.vouchers[kind, id_] = (position, str(row["content_hash"]))
        self.previous, self.position = own, position
        self.rows[own] = position

    def meet(self, name: str, fact: Row) -> None:
        """One fact as it stands in its table."""
        subject = SUBJECTS[name]
        id_ = audit.identity(subject, fact)
        position, vouched = self.vouchers.pop((name, id_), (0, ""))
        if not position:
            self._break(0, name, id_, "nothing in the chain vouches for it: it was slipped in")
        elif vouched != audit.content_hash(subject, fact):
            self._break(position, name, id_, f"was changed after it was recorded ({', '.join(subject.vouched)})")
        self.erased |= name == "erasure" and bool(position)
        for content, digest in subject.erasable.items():
            text = fact[content]
            forgotten = any(fact[column] == value for column, value in subject.forgets.items())
            if text is None and not self.erased and not forgotten:
                self._break(position, name, id_, f"its content ({content}) is gone, and no erasure is on record")
            elif text is not None and audit.sha256(str(text)) != fact[digest]:
                self._break(
                    position, name, id_, f"its content ({content}) is not what was recorded: its SHA-256 differs"
                )

    def end(self) -> Sequence[Break]:
        """After the last fact: what is still missing."""
        for (name, id_), (position, _) in self.vouchers.items():
            self._break(position, name, id_, "is missing: the chain vouches for it, its table has it no longer")
        if (self.length, self.head) != (self.position, self.previous):
            problem = f"the chain ends at {self.position}, the order says {self.length}: its end was cut off or changed"
            self._break(self.position, "order", "", problem)
        return sorted(self.breaks, key=lambda found: (found.position, found.subject, found.subject_id))

    def _break(self, position: int, subject: str, id_: str, problem: str) -> None:
        self.breaks.append(Break(position=position, subject=subject, subject_id=id_, problem=problem))


_EDITED = "the chain's own row was changed: its hash is not that of its words"


async def verify_chain(session: AsyncSession, ref: OrderRef) -> Sequence[Break]:
    """Every break in the order's chain; empty when the record stands as it was written, or there is no such order."""
    await one_look(session)
    return await breaks_of(session, ref)


async def breaks_of(session: AsyncSession, ref: OrderRef) -> Sequence[Break]:
    """`verify_chain` within a look that has begun."""
    chains = await _chains(session, select(Orders).filter_by(store=ref.store, number=ref.number))
    if chains:
        return (await _verified(session, chains))[ref]
    return [_LOST] if ref in await lost_orders(session, ref.store) else []


async def chain_length(session: AsyncSession, ref: OrderRef) -> int:
    """Rows of the order's chain, as the order itself says; 0 for an unknown one."""
    order = await session.get(Orders, (ref.store, ref.number))
    return order.chain_length if order else 0


async def verify_next(session: AsyncSession, store: str | None, after: OrderRef | None) -> Verified | None:
    """Verify the next orders after this one, about BATCH_ROWS chain rows of them; None after the last."""
    await one_look(session)
    query = select(Orders).order_by(col(Orders.store), col(Orders.number)).limit(_ORDERS_AT_ONCE)
    if store is not None:
        query = query.where(col(Orders.store) == store)
    if after is not None:
        query = query.where(tuple_(col(Orders.store), col(Orders.number)) > tuple_(after.store, after.number))
    chains = await _chains(session, query)
    if not chains:
        return None
    found = await _verified(session, chains)
    return Verified(
        orders=len(chains),
        rows=sum(chain.length for chain in chains.values()),
        broken={str(ref): tuple(breaks) for ref, breaks in found.items() if breaks},
        last=list(chains)[-1],
    )


async def lost_orders(session: AsyncSession, store: str | None) -> Sequence[OrderRef]:
    """Orders of which a chain or facts are left, and the order itself is not there."""
    tables = dict.fromkeys([sql_table(Audit), *(sql_table(subject.table) for subject in SUBJECTS.values())])
    found = [_without_order(table, store) for table in tables]
    rows = (await session.execute(union(*found))).mappings()
    return [OrderRef.model_construct(store=row["store"], number=row["number"]) for row in rows]


_LOST = Break(
    position=0, subject="order", subject_id="", problem="the order itself is gone; its chain or facts are left"
)


def lost(refs: Sequence[OrderRef]) -> Mapping[str, tuple[Break, ...]]:
    """Such orders as breaks."""
    return {str(ref): (_LOST,) for ref in refs}


async def one_look(session: AsyncSession) -> None:
    """Read everything as of one moment: PostgreSQL would otherwise show what is written between two queries."""
    if session.get_bind().dialect.name == "postgresql":
        _ = await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


async def _chains(session: AsyncSession, query: Select[Orders]) -> dict[OrderRef, _Chain]:
    found: dict[OrderRef, _Chain] = {}
    rows = 0
    for order in (await session.execute(query)).scalars():
        ref = OrderRef.model_construct(store=order.store, number=order.number)
        found[ref] = _Chain(ref, order.chain_length, order.chain_head)
        rows += order.chain_length
        if rows >= BATCH_ROWS:
            break
    return found


async def _verified(session: AsyncSession, chains: Mapping[OrderRef, _Chain]) -> Mapping[OrderRef, Sequence[Break]]:
    first, *_ = chains
    *_, last = chains
    async for ref, row in _rows(session, sql_table(Audit), _between(first, last, sql_table(Audit)), "position"):
        if ref in chains:
            chains[ref].walk(row)
    for name, subject in sorted(SUBJECTS.items(), key=lambda item: item[0] != "erasure"):
        table = sql_table(subject.table)
        async for ref, row in _rows(session, table, [*_between(first, last, table), *_only(subject, table)]):
            if ref in chains:
                chains[ref].meet(name, row)
    found = {ref: chain.end() for ref, chain in chains.items()}
    whole = [ref for ref, breaks in found.items() if not breaks]  # nothing follows from facts that do not hold
    made = await derived.differences(session, whole, lambda table: _between(first, last, table))
    return found | {ref: [Break(position=0, **dict(one)) for one in made[ref]] for ref in whole}


async def _rows(
    session: AsyncSession, table: SqlTable, where: Sequence[ColumnElement[bool]], *by: str
) -> AsyncIterator[tuple[OrderRef, Row]]:
    large = any(subject.erasable for subject in SUBJECTS.values() if sql_table(subject.table) is table)
    query = select(table).where(*where).execution_options(yield_per=_LARGE if large else _STREAMED)
    if by:
        query = query.order_by(table.c.store, table.c.number, *(table.c[name] for name in by))
    async for found in await session.stream(query):
        row = found._asdict()
        yield OrderRef.model_construct(store=row["store"], number=row["number"]), row


def _between(first: OrderRef, last: OrderRef, table: SqlTable) -> list[ColumnElement[bool]]:
    if first == last:
        return [table.c.store == first.store, table.c.number == first.number]
    place = tuple_(table.c.store, table.c.number)
    return [place >= tuple_(first.store, first.number), place <= tuple_(last.store, last.number)]


def _only(subject: Subject, table: SqlTable) -> list[ColumnElement[bool]]:
    return [table.c[name].in_(values) for name, values in subject.only.items()]


def _without_order(table: SqlTable, store: str | None) -> Select[tuple[str, str]]:
    order = sql_table(Orders)
    known = exists().where(order.c.store == table.c.store, order.c.number == table.c.number)
    query = select(table.c.store, table.c.number).where(~known).distinct()
    return query if store is None else query.where(table.c.store == store)


def _positions(first: int, last: int) -> str:
    return f"position {first} is missing" if first == last else f"positions {first} to {last} are missing"
