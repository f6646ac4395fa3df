"""The ledger's tables about sweeps; see `orderack.ledger.tables`."""

from datetime import datetime

from sqlalchemy import Index
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
