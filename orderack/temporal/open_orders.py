"""Open orders in the server's visibility: what can be asked, and what one row says."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Self

from pydantic import AwareDatetime, Field
from temporalio.client import WorkflowExecution

from orderack.contracts import names
from orderack.contracts import search_attributes as attributes
from orderack.contracts.ids import order_ref, order_workflow_id
from orderack.domain.order import OrderRef
from orderack.domain.value import Value

_LAST = datetime.max.replace(tzinfo=UTC)


class OpenOrders(Value):
    """Which open orders: every field that is set must match.

    A number with a backslash or a double quote in it is found only together with its store (the dev server's
    visibility cannot compare such a value).
    """

    number: str | None = None
    store: str | None = None
    stage: str | None = None
    """`open` while nobody is needed, `review`, `escalated`, `cancelled` or `rejected`; of a shadow order `shadow`, or
    one of these behind `shadow_`."""
    customer: str | None = None
    owner: str | None = None
    escalated: bool | None = None
    due_before: AwareDatetime | None = None
    limit: int = Field(default=200, ge=1, le=10_000)

    @property
    def sentence(self) -> str:
        """The visibility query (a standard list filter, the same on every server)."""
        terms = [f"WorkflowType = {_quoted(names.WORKFLOW)}", "ExecutionStatus = 'Running'"]
        if self.number is not None and self.store is not None:
            terms.append(f"WorkflowId = {_quoted(order_workflow_id(OrderRef(store=self.store, number=self.number)))}")
            number = store = None
        else:
            number, store = self.number, self.store
        keywords = (
            (attributes.ORDER, number),
            (attributes.STORE, store),
            (attributes.STAGE, self.stage),
            (attributes.CUSTOMER, self.customer),
            (attributes.OWNER, self.owner),
        )
        terms += [f"{key.name} = {_quoted(value)}" for key, value in keywords if value is not None]
        if self.escalated is not None:
            terms.append(f"{attributes.ESCALATED.name} = {str(self.escalated).lower()}")
        if self.due_before is not None:
            terms.append(f"{attributes.NEXT_DUE.name} < {_quoted(self.due_before.astimezone(UTC).isoformat())}")
        return " AND ".join(terms)


class OpenOrder(Value):
    """One row. `None` where the workflow has not said it to visibility."""

    ref: OrderRef
    started_at: datetime
    stage: str | None = None
    customer: str | None = None
    owner: str | None = None
    evidence: str | None = None
    escalated: bool = False
    next_due_at: datetime | None = None

    @classmethod
    def of(cls, execution: WorkflowExecution) -> Self:
        found = execution.typed_search_attributes
        return cls(
            ref=order_ref(execution.id),
            started_at=execution.start_time,
            stage=found.get(attributes.STAGE),
            customer=found.get(attributes.CUSTOMER),
            owner=found.get(attributes.OWNER),
            evidence=found.get(attributes.EVIDENCE),
            escalated=bool(found.get(attributes.ESCALATED)),
            next_due_at=found.get(attributes.NEXT_DUE),
        )

    @classmethod
    async def collect(cls, executions: AsyncIterator[WorkflowExecution]) -> Sequence[Self]:
        """All of them, the earliest deadline first. (SQL visibility can't order by our attributes.)"""
        rows = [cls.of(execution) async for execution in executions]
        return sorted(rows, key=lambda row: (row.next_due_at or _LAST, row.started_at))


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
