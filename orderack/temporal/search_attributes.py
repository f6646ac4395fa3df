"""Registering the search attributes: by `orderack` itself on the embedded server, by a command elsewhere."""

from collections.abc import Sequence
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orderack.contracts.search_attributes import NAMES
from orderack.errors import Misconfigured, Unavailable

_WAIT = timedelta(seconds=10)
_OUT_OF_REACH = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)


async def missing(client: Client) -> Sequence[str]:
    """Names that the namespace does not have yet.

    Raises Misconfigured when one of them exists with another type, or when the server does not let us look.
    """
    try:
        found = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace), timeout=_WAIT
        )
    except RPCError as error:
        raise _told(error) from error
    wrong = sorted(n for n, kind in NAMES.items() if found.custom_attributes.get(n, int(kind)) != int(kind))
    if wrong:
        raise Misconfigured(f"search attributes exist with another type: {', '.join(wrong)}; remove or rename them")
    return sorted(set(NAMES) - set(found.custom_attributes))


async def register(client: Client) -> Sequence[str]:
    """Add what is missing; returns what was added. Running it again adds nothing.

    Raises Misconfigured where the server does not allow it: Temporal Cloud takes them in its own console or `tcld`.
    """
    names = await missing(client)
    if names:
        kinds = {name: IndexedValueType.ValueType(int(NAMES[name])) for name in names}
        try:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=kinds), timeout=_WAIT
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise _told(error) from error
    return names


def _told(error: RPCError) -> Unavailable | Misconfigured:
    if error.status in _OUT_OF_REACH:
        return Unavailable("Temporal does not answer")
    return Misconfigured(f"Temporal refused to look at or add search attributes: {error.message}")
