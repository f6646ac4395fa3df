"""Workflow and update ids: `noun/part/part`, each part percent-encoded so that no order number can forge another's."""

from urllib.parse import quote, unquote

from orderack.domain.order import OrderRef


def order_workflow_id(ref: OrderRef) -> str:
    """The one workflow id of this order, for ever."""
    return f"order/{quote(ref.store, safe='')}/{quote(ref.number, safe='')}"


def order_ref(workflow_id: str) -> OrderRef:
    """The order that a workflow id names. Raises ValueError when it names none."""
    noun, _, rest = workflow_id.partition("/")
    store, _, number = rest.partition("/")
    if noun != "order" or not store or not number or "/" in number:
        raise ValueError(f"not an order's workflow id: {workflow_id!r}")
    return OrderRef(store=unquote(store), number=unquote(number))
