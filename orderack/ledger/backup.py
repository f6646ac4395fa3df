"""A copy of a ledger that is a file, made while it is written; and back again. PostgreSQL has its own tools."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from orderack.domain.value import Value
from orderack.errors import Misconfigured, Refused, Unavailable
from orderack.ledger import schema

_ELSEWHERE = "the ledger is not a file: PostgreSQL is backed up with pg_dump (docs/operations/backup.md)"
_NEWEST = "SELECT max(at) FROM (SELECT max(updated_at) AS at FROM orders UNION SELECT max(received_at) FROM inbox)"


class Copy(Value):
    """What a file holds."""

    file: str
    orders: int
    newest: datetime | None
    """When something in it last changed; None: nothing is in it."""
    schema_version: str


def file_of(url: str) -> Path:
    """The ledger's file. Raises Misconfigured where it is none."""
    with suppress(ArgumentError):
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            return Path(parsed.database)
    raise Misconfigured(_ELSEWHERE)


def copy(source: Path, target: Path) -> Copy:
    """Copy a ledger as it stands at one moment, whoever writes it meanwhile. `target` must not be there.

    Only its owner may read it. Raises Unavailable where the source is away, Refused where the copy is not sound: then
    there is none.
    """
    part = target.with_name(f"{target.name}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with _opened(source) as ours, closing(sqlite3.connect(part)) as theirs:
            ours.backup(theirs)  # in one step: writers go on beside it (WAL), and none makes it begin anew
            theirs.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
        described = describe(part)
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return described.model_copy(update={"file": str(target)})


def restore(backup: Path, ledger: Path, *, force: bool, now: datetime) -> tuple[Copy, Path | None]:
    """Put a copy in the ledger's place; what stood there is kept beside it, and returned.

    Nobody may write to the ledger meanwhile. Raises Refused for a copy that is not sound, that newer code made, or
    (without `force`) that is older than what it would replace.
    """
    wanted = describe(backup)
    if wanted.schema_version not in schema.versions():
        raise Refused(f"{backup} has schema {wanted.schema_version}, which newer code made: restore it with that code")
    if not ledger.exists():
        copy(backup, ledger)
        return wanted, None
    there = describe(ledger)
    if there.newest and (wanted.newest is None or wanted.newest < there.newest) and not force:
        raise Refused(
            f"the ledger has changed since: {_at(there.newest)}, and this copy ends {_at(wanted.newest)}. "
            "What came after would be gone: --force does it, and keeps the present ledger beside the restored one"
        )
    aside = ledger.with_name(f"{ledger.name}.before-{now:%Y%m%dT%H%M%SZ}")
    copy(ledger, aside)
    with _opened(backup) as ours, closing(sqlite3.connect(ledger)) as theirs:
        ours.backup(theirs)  # one transaction: whoever reads sees the one or the other
    return wanted, aside


def describe(file: Path) -> Copy:
    """What a ledger's file holds. Raises Refused where it is no ledger, or is damaged."""
    try:
        with _opened(file) as opened:
            if opened.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise Refused(f"{file} is damaged: SQLite's integrity check says no")
            version = opened.execute("SELECT version_num FROM alembic_version").fetchone()
            orders = opened.execute("SELECT count(*) FROM orders").fetchone()
            newest = opened.execute(_NEWEST).fetchone()
    except sqlite3.DatabaseError as error:
        raise Refused(f"{file} is not a ledger ({type(error).__name__})") from None
    at = datetime.fromisoformat(newest[0]).replace(tzinfo=UTC) if newest and newest[0] else None
    return Copy(file=str(file), orders=orders[0], newest=at, schema_version=version[0] if version else "none")


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """For reading."""
    if not file.is_file():
        raise Unavailable(f"there is no file {file}")
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=10)) as opened:
        yield opened


def _at(moment: datetime | None) -> str:
    return f"{moment:%d %b %Y %H:%M:%S} UTC" if moment else "before anything came"
