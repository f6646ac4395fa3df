"""A recorded run with one thing made wrong: what the checker must catch."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from orderack.contracts.journal import Entry, Event, Stage
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import OrderRef
from orderack.domain.value import Value
from orderack.embedded.demo.orders import STORE
from orderack.embedded.sandbox.record import Acceptance
from tests.invariants.logs import Account, Ledger, Life, Run, SendRow
from workflows._state import OrderState

V = TypeVar("V", bound=Value)


def ref(number: str) -> OrderRef:
    return OrderRef(store=STORE, number=number)


def remade(value: V, **changes: object) -> V:
    """The same with other fields, and nothing kept of what was worked out from the old ones."""
    return type(value).model_validate({name: getattr(value, name) for name in type(value).model_fields} | changes)


# -- the account ----------------------------------------------------------------------------------------------------


def account(run: Run, **changes: object) -> Run:
    return remade(run, account=remade(run.account, **changes))


def late_by(run: Run, days: int) -> Run:
    """The same logs, exported so much later."""
    told: Account = run.account
    return account(run, exported_at=told.exported_at + timedelta(days=days))


# -- the providers' log ---------------------------------------------------------------------------------------------


def taken(run: Run, number: str, part: str) -> Acceptance:
    """The first message of this order that a provider took with `part` in its key."""
    return next(sent.entry for sent in run.sent if sent.key.ref == ref(number) and part in str(sent.key))


def with_taken(run: Run, *more: Acceptance) -> Run:
    return remade(run, providers=(*(run.providers or ()), *more))


def instead(run: Run, old: Acceptance, **changes: object) -> Run:
    entries = [remade(entry, **changes) if entry is old else entry for entry in run.providers or ()]
    return remade(run, providers=entries)


# -- the ledger -----------------------------------------------------------------------------------------------------


def rows(run: Run, **changes: object) -> Run:
    """`table=rows`."""
    return remade(run, ledger=remade(run.ledger or Ledger(), **changes))


def each_send(run: Run, number: str, change: Callable[[SendRow], SendRow]) -> Run:
    return rows(run, sends=[change(row) if row.ref == ref(number) else row for row in run.rows.sends])


def without_entries(run: Run, number: str, event: Event) -> Run:
    kept = [row for row in run.rows.timeline if row.ref != ref(number) or row.event is not event]
    return rows(run, timeline=kept)


# -- the histories --------------------------------------------------------------------------------------------------


def life(run: Run, number: str, **changes: object) -> Run:
    lives = [remade(one, **changes) if one.ref == ref(number) else one for one in run.lives or ()]
    return remade(run, lives=lives)


def life_of(run: Run, number: str) -> Life:
    return run.life_of[ref(number)]


def state(run: Run, number: str, change: Callable[[OrderState], None]) -> Run:
    """The order's state, changed in a copy."""
    known = life_of(run, number).state
    assert known is not None
    copy = known.model_copy(deep=True)
    change(copy)
    return life(run, number, state=copy)


def drop_entries(event: Event) -> Callable[[OrderState], None]:
    def change(state: OrderState) -> None:
        state.timeline = [entry for entry in state.timeline if entry.event is not event]

    return change


def repeat_entry(event: Event) -> Callable[[OrderState], None]:
    def change(state: OrderState) -> None:
        found = next(entry for entry in state.timeline if entry.event is event)
        state.timeline.append(found.model_copy(update={"seq": state.seq + 1}))

    return change


def drop_said(kind: Kind) -> Callable[[OrderState], None]:
    def change(state: OrderState) -> None:
        state.acknowledgements = [ack for ack in state.acknowledgements if ack.kind is not kind]

    return change


def say_as(old: Kind, new: Kind, after: timedelta = timedelta()) -> Callable[[OrderState], None]:
    """Another message was decided beside (or `after`) one that was."""

    def change(state: OrderState) -> None:
        known = state.said(old)[0]
        changes = {"kind": new, "decided_at": known.decided_at + after, "batch": known.batch + 1}
        state.acknowledgements.append(known.model_copy(update=changes))

    return change


def stage(new: Stage) -> Callable[[OrderState], None]:
    def change(state: OrderState) -> None:
        state.stage = new

    return change


def entry(state: OrderState, event: Event) -> Entry:
    return next(one for one in state.timeline if one.event is event)
