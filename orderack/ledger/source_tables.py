"""The ledger's tables about the systems that orders come from; see `orderack.ledger.tables`."""

from datetime import datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from orderack.ledger.columns import Moment, Words
from orderack.ledger.tables import Table


class SourceOrders(Table, table=True):
    """An order as we last took it from its source; `held_until`: somebody is taking it right now."""

    __tablename__ = "source_orders"
    __table_args__ = (UniqueConstraint("store", "number"),)

    store: str = Field(sa_type=Words, primary_key=True)
    system: str = Field(sa_type=Words, primary_key=True)
    external_id: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words)
    at: datetime | None = Field(default=None, sa_type=Moment)
    content_hash: str | None = Field(default=None, sa_type=Words)
    payment: str | None = Field(default=None, sa_type=Words)
    cancelled: bool = False
    held_until: datetime | None = Field(default=None, sa_type=Moment)


class Cursors(Table, table=True):
    """Where the last look at something that is polled ended."""

    __tablename__ = "cursors"

    name: str = Field(sa_type=Words, primary_key=True)
    cursor: str = Field(sa_type=Words)
    looked_at: datetime = Field(sa_type=Moment)


class SourceAnswers(Table, table=True):
    """What an order's source was answered."""

    __tablename__ = "answers"

    store: str = Field(sa_type=Words, primary_key=True)
    number: str = Field(sa_type=Words, primary_key=True)
    revision: int = Field(primary_key=True)
    stage: str = Field(sa_type=Words, primary_key=True)
    state: str = Field(sa_type=Words)
    reference: str = Field(sa_type=Words)
    detail: str = Field(sa_type=Words)
    at: datetime = Field(sa_type=Moment)
