"""The ledger's tables about sweeps; see `orderack.ledger.tables`."""

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from orderack.ledger.columns import Moment, Words
from orderack.ledger.tables import Table


class Exceptions(Table, table=True):
    """An order that is absent somewhere, and whose that is. One row, however often a sweep finds it so.

    The ledger may not know the order: there is no key into `orders`.
    """

    __tablename__ = "exceptions"
    __table_args__ = (Index(None, "closed_at", "kind"),)

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    kind: str = Field(sa_type=Words, primary_key=True)
    revision: int = Field(primary_key=True)
    """0 where the whole order is meant."""
    system: str = Field(sa_type=Words)
    """The ERP's name, or where the order came in."""
    event: int | None = Field(default=None)
    """The inbox's row, where nothing but that is known of the order."""
    since: datetime = Field(sa_type=Moment)
    """Since when it waits."""
    opened_at: datetime = Field(sa_type=Moment)
    seen_at: datetime = Field(sa_type=Moment)
    """When a sweep last found it so."""
    owner: str | None = Field(default=None, sa_type=Words)
    reopened: int = 0
    closed_at: datetime | None = Field(default=None, sa_type=Moment)
    closed_by: str | None = Field(default=None, sa_type=Words)
    """None: it closed by itself."""
    note: str = Field(default="", sa_type=Words)
    """Why it was closed."""
    claimed_by: str | None = Field(default=None, sa_type=Words)
    """Who has it in hand; nobody is reminded of it then."""
    claimed_at: datetime | None = Field(default=None, sa_type=Moment)
    told: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    """How often that owner was told of it, since it was opened."""
    told_to: str | None = Field(default=None, sa_type=Words)
    told_at: datetime | None = Field(default=None, sa_type=Moment)


class Sweeps(Table, table=True):
    """The last sweep of that name: `erp/<name>`, or `books`."""

    __tablename__ = "sweeps"

    name: str = Field(sa_type=Words, primary_key=True)
    run: str = Field(sa_type=Words)
    """The run of the workflow."""
    began_at: datetime = Field(sa_type=Moment)
    at: datetime = Field(sa_type=Moment)
    """Its last step."""
    ended_at: datetime | None = Field(default=None, sa_type=Moment)
    complete_at: datetime | None = Field(default=None, sa_type=Moment)
    """When a sweep last got through all of it, this one or an earlier one."""
    failed_at: datetime | None = Field(default=None, sa_type=Moment)
    """When it last could not be asked."""
    failure: str = Field(default="", sa_type=Words)
    waiting: int = 0
    asked: int = 0
    unanswered: int = 0
    receipted: int = 0
    opened: int = 0
    closed: int = 0


class Digests(Table, table=True):
    """What one owner is told of exceptions, in one message; see `orderack.ports.digests`."""

    __tablename__ = "digests"
    __table_args__ = (Index(None, "state", "team", "owner"),)

    id: int | None = Field(default=None, primary_key=True)
    team: str = Field(sa_type=Words)
    owner: str = Field(sa_type=Words)
    state: str = Field(sa_type=Words)
    version: int = 0
    made_at: datetime = Field(sa_type=Moment)
    at: datetime = Field(sa_type=Moment)
    """When its state was last said."""
    problem: str = Field(default="", sa_type=Words)


class DigestItems(Table, table=True):
    """One exception that a digest tells of."""

    __tablename__ = "digest_items"
    __table_args__ = (
        ForeignKeyConstraint(["digest"], ["digests.id"]),
        Index(None, "store", "number"),
    )

    digest: int = Field(primary_key=True)
    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    kind: str = Field(sa_type=Words, primary_key=True)
    revision: int = Field(primary_key=True)
    news: bool
    """Its owner had not heard of it before."""


class DigestSends(Table, table=True):
    """A digest over one channel: as a row of `sends`, but no order's."""

    __tablename__ = "digest_sends"
    __table_args__ = (ForeignKeyConstraint(["digest"], ["digests.id"]), UniqueConstraint("key"))

    digest: int = Field(primary_key=True)
    channel: str = Field(sa_type=Words, primary_key=True)
    key: str = Field(sa_type=Words)
    state: str = Field(sa_type=Words)
    provider_id: str | None = Field(default=None, sa_type=Words)
    reason: str = Field(default="", sa_type=Words)
    detail: str = Field(default="", sa_type=Words)
    message: str | None = Field(default=None, sa_type=Words)
    """JSON of the `Message`, until it has ended."""
    message_sha256: str = Field(sa_type=Words)
    attempts: int = 0
    claimed_at: datetime = Field(sa_type=Moment)
    lease_until: datetime = Field(sa_type=Moment)
    in_doubt_since: datetime | None = Field(default=None, sa_type=Moment)
    finished_at: datetime | None = Field(default=None, sa_type=Moment)
    turn_at: datetime | None = Field(default=None, sa_type=Moment)
