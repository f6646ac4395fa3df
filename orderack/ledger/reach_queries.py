"""The statements behind `orderack.ledger.reachability`: sends to buyers with their legs and the facts about them."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    CTE,
    BindParameter,
    ColumnElement,
    Label,
    Select,
    and_,
    bindparam,
    func,
    null,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlmodel import col

from orderack.domain.acknowledgement import Kind, Reason, SendState
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.reachability import LOOK_BACK, MOST
from orderack.ledger.columns import Words
from orderack.ledger.database import sql_table
from orderack.ledger.orders import normal_email
from orderack.ledger.tables import Evidence, Orders, Revisions, Sends
from orderack.ports import ReachAsked

THEIRS = (Reason.BAD_RECIPIENT, Reason.BLOCKED, Reason.OPTED_OUT, Reason.WINDOW_CLOSED)
"""Refusals for the recipient's sake. Any other is the message's or the channel's own trouble, and tells nothing."""

PROVES = tuple(grade for grade in Grade if grade.rank >= Grade.E2.rank)
TELLS = (EvidenceEvent.BOUNCED, EvidenceEvent.OPTED_OUT)
"""Facts that are read: what proves an arrival or more, and these two. A machine's touch is neither."""


class legs_of(FunctionElement[str]):
    """The buyer's legs as JSON, out of a stored assessment: the rest of it stays in the database."""

    type = Words()
    inherit_cache = True


@compiles(legs_of, "sqlite")
def _on_sqlite(element: legs_of, compiler: SQLCompiler, **more: Any) -> str:
    return f"json_extract({compiler.process(element.clauses, **more)}, '$.decision.legs')"


@compiles(legs_of, "postgresql")
def _on_postgresql(element: legs_of, compiler: SQLCompiler, **more: Any) -> str:
    return f"(({compiler.process(element.clauses, **more)})::json #>> '{{decision,legs}}')"


_S, _E = sql_table(Sends).c, sql_table(Evidence).c
SEND = tuple(
    _S[name]
    for name in (
        *("store", "number", "revision", "kind", "n", "channel"),
        *("state", "claimed_at", "finished_at", "recipient_sha256"),
    )
)
FACT = tuple(_E[name].label(f"fact_{name}") for name in ("id", "channel", "event", "grade", "occurred_at", "actor"))
TO_THE_BUYER = (
    col(Sends.kind) != Kind.ALERT,
    or_(
        col(Sends.state) == SendState.ACCEPTED,
        and_(col(Sends.state) == SendState.REJECTED, col(Sends.reason).in_(THEIRS)),
    ),
)


OF_ORDER = and_(col(Orders.store) == col(Sends.store), col(Orders.number) == col(Sends.number))


def of_customer(asked: ReachAsked) -> dict[str, object]:
    """The parameters of `one_customer`."""
    who = asked.customer_id or normal_email(asked.email or "")
    return {"of_store": asked.store, "who": who, "since": asked.now - LOOK_BACK}


@cache
def one_customer(*, by_id: bool) -> Select[Any]:
    """The newest messages of the customer's newest orders, with their legs and facts.

    Made once: that costs as much as what it does.
    """
    who: BindParameter[str] = bindparam("who")
    by_email = (col(Orders.email) == who, col(Orders.customer_id).is_(None))
    whose = (col(Orders.customer_id) == who,) if by_id else by_email
    theirs = (
        select(col(Orders.store), col(Orders.number))
        .where(col(Orders.store) == bindparam("of_store"), *whose)
        .where(col(Orders.trigger_at) >= bindparam("since"), col(Orders.side).is_(None))
        .order_by(col(Orders.trigger_at).desc())  # and by nothing else: the index then stops at the fiftieth
        .limit(MOST)
        .cte("theirs")
    )
    sent = (
        select(*SEND)
        .join(theirs, and_(theirs.c.store == col(Sends.store), theirs.c.number == col(Sends.number)))
        .where(*TO_THE_BUYER)
        .order_by(col(Sends.claimed_at).desc(), col(Sends.key))
        .limit(MOST)
        .cte("sent")
    )
    return with_facts(sent)


def of_many(within: Sequence[ColumnElement[bool]], now: datetime) -> CTE:
    """The same of every customer who was written to within that, of before `now`."""
    written = select(col(Orders.store), col(Orders.customer_id), col(Orders.email)).join(Sends, OF_ORDER)
    named = written.where(*within, *TO_THE_BUYER).distinct().subquery("written")
    of_id = (
        select(named.c.store, named.c.customer_id).where(named.c.customer_id.is_not(None)).distinct().subquery("of_id")
    )
    of_email = (
        select(named.c.store, named.c.email)
        .where(named.c.customer_id.is_(None), named.c.email.is_not(None))
        .distinct()
        .subquery("of_email")
    )
    order = (col(Orders.store), col(Orders.number), col(Orders.trigger_at))
    recent = (
        *(col(Orders.trigger_at) >= now - LOOK_BACK, col(Orders.trigger_at) < now),
        col(Orders.side).is_(None),
    )
    by_id = (
        select(*order, of_id.c.customer_id, _no_words("email"))
        .join(Orders, and_(col(Orders.store) == of_id.c.store, col(Orders.customer_id) == of_id.c.customer_id))
        .where(*recent)
    )
    same = (col(Orders.store) == of_email.c.store, col(Orders.email) == of_email.c.email)
    by_email = (
        select(*order, _no_words("customer_id"), of_email.c.email)
        .join(Orders, and_(*same, col(Orders.customer_id).is_(None)))
        .where(*recent)
    )
    theirs = union_all(by_id, by_email).cte("theirs")
    whose = (theirs.c.store, theirs.c.customer_id, theirs.c.email)
    rank = func.row_number().over(partition_by=whose, order_by=(theirs.c.trigger_at.desc(), theirs.c.number.desc()))
    newest = select(theirs, rank.label("place")).cte("newest")
    place = func.row_number().over(
        partition_by=(newest.c.store, newest.c.customer_id, newest.c.email),
        order_by=(col(Sends.claimed_at).desc(), col(Sends.key)),
    )
    sends = (
        select(*SEND, newest.c.customer_id, newest.c.email, place.label("place_of_send"))
        .join(newest, and_(newest.c.store == col(Sends.store), newest.c.number == col(Sends.number)))
        .where(newest.c.place <= MOST, col(Sends.claimed_at) < now, *TO_THE_BUYER)
        .cte("sends_of_theirs")
    )
    return select(sends).where(sends.c.place_of_send <= MOST).cte("sent")


def in_span(within: Sequence[ColumnElement[bool]], now: datetime) -> Select[Any]:
    """Every message within that, with its legs and the facts of before `now`."""
    return with_facts(select(*SEND).join(Orders, OF_ORDER).where(*within, *TO_THE_BUYER).cte("sent"), now)


def with_facts(sent: CTE, now: datetime | None = None) -> Select[Any]:
    """Each of these sends as often as there are facts about its message, by whichever channel; at least once.

    `now`: what happened from then on is not known yet.
    """
    revision = and_(
        col(Revisions.store) == sent.c.store,
        col(Revisions.number) == sent.c.number,
        col(Revisions.revision) == sent.c.revision,
    )
    about = and_(
        *(col(Evidence.store) == sent.c.store, col(Evidence.number) == sent.c.number),
        *(col(Evidence.revision) == sent.c.revision, col(Evidence.kind) == sent.c.kind, col(Evidence.n) == sent.c.n),
        or_(col(Evidence.grade).in_(PROVES), col(Evidence.event).in_(TELLS)),
        *((col(Evidence.occurred_at) < now,) if now else ()),
    )
    its = (*(sent.c[column.name] for column in SEND), legs_of(col(Revisions.assessment)).label("legs"), *FACT)
    return select(*its).select_from(sent).outerjoin(Revisions, revision).outerjoin(Evidence, about)


def _no_words(name: str) -> Label[str]:
    return type_coerce(null(), Words()).label(name)
