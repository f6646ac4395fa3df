"""Checkpoints: the heads of all chains at one moment, in a file that is kept somewhere else.

Whoever can write the database could write every chain anew, head and all; what they cannot change is a head that was
handed to somebody else before. The file is lines of JSON: a header, one line an order, and a seal over all of it.
"""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import AwareDatetime, ValidationError
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.order import Name, Text
from orderack.domain.problem import Problem
from orderack.domain.value import Value
from orderack.errors import InvalidInput
from orderack.ledger.tables import Audit, Orders
from orderack.ledger.verification import Break, one_look

FORMAT = "orderack-checkpoint/1"
AT_ONCE = 300
"""Orders that are compared in one look."""

_FEWEST_LINES = 2
_SALT = b"orderack.checkpoint"

V = TypeVar("V", bound=Value)


class Header(Value):
    format: Name
    taken_at: AwareDatetime
    store: Name | None = None
    """Of this store only; None: of all."""


class Head(Value):
    """Where one order's chain ended."""

    store: Text
    number: Text
    length: int
    head: Text


class Seal(Value):
    """Over every line before it. `hmac_sha256` needs the installation's secret; None where it had none."""

    orders: int
    sha256: Name
    hmac_sha256: Name | None = None


class Checked(Value):
    """A checkpoint whose seal holds."""

    header: Header
    seal: Seal
    signature: bool | None
    """None: it bears none, or there is no secret to check it with."""


class Sealing:
    """Counts and digests the lines as they pass."""

    def __init__(self, secret: str) -> None:
        self._orders = 0
        self._sum = hashlib.sha256()
        key = hmac.new(secret.encode(), _SALT, hashlib.sha256).digest()
        self._signature = hmac.new(key, digestmod=hashlib.sha256) if secret else None

    def line(self, value: Value) -> str:
        written = _as_line(value)
        self.saw(written.encode(), isinstance(value, Head))
        return written

    def saw(self, line: bytes, is_order: bool) -> None:
        self._orders += is_order
        self._sum.update(line)
        if self._signature:
            self._signature.update(line)

    @property
    def seal(self) -> Seal:
        signature = self._signature.hexdigest() if self._signature else None
        return Seal(orders=self._orders, sha256=self._sum.hexdigest(), hmac_sha256=signature)


async def heads(session: AsyncSession, store: str | None) -> AsyncIterator[Head]:
    """Every chain's head as of one moment."""
    columns = (col(Orders.store), col(Orders.number), col(Orders.chain_length), col(Orders.chain_head))
    query = select(*columns).order_by(col(Orders.store), col(Orders.number)).execution_options(yield_per=1_000)
    if store is not None:
        query = query.where(col(Orders.store) == store)
    async for row in await session.stream(query):
        yield Head(store=row[0], number=row[1], length=row[2], head=row[3])


async def written(
    found: AsyncIterator[Head], at: datetime, store: str | None, secret: str
) -> AsyncIterator[tuple[str, Seal]]:
    """The file, line by line, with the seal so far."""
    sealing = Sealing(secret)
    yield sealing.line(Header(format=FORMAT, taken_at=at, store=store)), sealing.seal
    async for head in found:
        yield sealing.line(head), sealing.seal
    seal = sealing.seal
    yield sealing.line(seal), seal


def check(file: Path, secret: str) -> Checked:
    """The file's seal. Raises InvalidInput for a file that cannot be read, or was changed since it was written."""
    sealing, first, held, lines = Sealing(secret), b"", b"", 0
    for line in _lines(file):
        if held:
            sealing.saw(held, is_order=lines > 1)
        first, held, lines = first or line, line, lines + 1
    header = _parsed(Header, first, file)
    if header.format != FORMAT:
        raise _bad(file, f"has the format {header.format}", f"this program reads {FORMAT}")
    if lines < _FEWEST_LINES:
        raise _bad(file, "is cut off: its seal is missing", "use the copy you kept")
    seal, computed = _parsed(Seal, held, file), sealing.seal
    whole = held == _as_line(seal).encode()
    if not whole or (seal.sha256, seal.orders) != (computed.sha256, computed.orders):
        raise _bad(file, "was changed after it was written: its seal does not hold", "use the copy you kept")
    checkable = seal.hmac_sha256 and computed.hmac_sha256
    signed = hmac.compare_digest(seal.hmac_sha256 or "", computed.hmac_sha256 or "") if checkable else None
    return Checked(header=header, seal=seal, signature=signed)


def read(file: Path) -> Iterator[Head]:
    """The heads of a checked file."""
    lines = _lines(file)
    next(lines)
    held = next(lines)
    for line in lines:
        yield _parsed(Head, held, file)
        held = line


async def compare(session: AsyncSession, kept: Sequence[Head]) -> Mapping[str, tuple[Break, ...]]:
    """Orders whose chain does not go through the head that was kept; a chain may only have grown since."""
    await one_look(session)
    places = [(head.store, head.number, head.length) for head in kept]
    key = tuple_(col(Audit.store), col(Audit.number), col(Audit.position))
    columns = (col(Audit.store), col(Audit.number), col(Audit.position), col(Audit.hash))
    hashes = {(s, n, p): own for s, n, p, own in (await session.execute(select(*columns).where(key.in_(places)))).all()}
    order = tuple_(col(Orders.store), col(Orders.number))
    known = (
        await session.execute(select(col(Orders.store), col(Orders.number)).where(order.in_([p[:2] for p in places])))
    ).all()
    there = {(row[0], row[1]) for row in known}
    broken = {}
    for head, place in zip(kept, places, strict=True):
        problem = _problem(head, place[:2] in there, hashes.get(place))
        if problem:
            found = Break(position=head.length, subject="order", subject_id="", problem=problem)
            broken[f"{head.store}/{head.number}"] = (found,)
    return broken


def _problem(head: Head, known: bool, own: str | None) -> str:
    if not known:
        return "the checkpoint has it, the ledger no longer does: the whole order was removed"
    if head.length and own is None:
        return f"the checkpoint saw a chain of {head.length} rows; it is shorter now: its end was cut off"
    if head.length and own != head.head:
        return "its chain is not the one that the checkpoint saw: it was written anew"
    return ""


def _as_line(value: Value) -> str:
    return json.dumps(value.model_dump(mode="json"), sort_keys=True, separators=(",", ":")) + "\n"


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as source:
            yield from source
    except OSError as error:
        raise _bad(file, f"cannot be read: {error.strerror}", "name a checkpoint") from None


def _parsed(kind: type[V], line: bytes, file: Path) -> V:
    try:
        return kind.model_validate_json(line)
    except ValidationError:
        raise _bad(file, "is not a checkpoint", "name a file made by `orderack audit checkpoint`") from None


def _bad(file: Path, problem: str, remedy: str) -> InvalidInput:
    return InvalidInput((Problem(field=str(file), problem=problem, remedy=remedy),))


def batches(found: Iterable[Head]) -> Iterator[Sequence[Head]]:
    """AT_ONCE of them at a time."""
    held: list[Head] = []
    for head in found:
        held.append(head)
        if len(held) == AT_ONCE:
            yield held
            held = []
    if held:
        yield held
