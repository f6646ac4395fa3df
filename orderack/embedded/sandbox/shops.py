"""What happens in a vendor's shop: an order is placed, changed, paid, cancelled there, and the vendor tells of it."""

from collections.abc import Sequence

from pydantic import ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.order import Order
from orderack.domain.value import Value
from orderack.embedded.sandbox.faults import Operation
from orderack.embedded.sandbox.look_alike import LookAlike, Sells, ShopDeed
from orderack.embedded.sandbox.state import SandboxState


class Happening(Value):
    """One of them. The order's store says whose connection the vendor posts to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    deed: ShopDeed = ShopDeed.PLACE
    order: Order


class Shops:
    """`POST /shops`: 202 with the names of the webhooks; the gateway gets what the vendor would post."""

    def __init__(self, state: SandboxState, vendors: Sequence[LookAlike]) -> None:
        self._state = state
        self._vendors = {vendor.source: vendor for vendor in vendors if isinstance(vendor, Sells)}

    def routes(self) -> Sequence[BaseRoute]:
        return (Route("/shops", self._happen, methods=["POST"]),)

    async def _happen(self, request: Request) -> Response:
        happening = Happening.model_validate_json(await request.body())
        vendor = self._vendors.get(happening.source)
        if vendor is None:
            return _problem("source", f"is none of {', '.join(sorted(self._vendors))}")
        try:
            webhooks = vendor.shop(happening.deed, happening.order)
        except KeyError:
            return _problem("order", "is not there")
        plan = self._state.faults.take(vendor.target, Operation.SEND, str(happening.order.ref))
        for webhook in webhooks:
            self._state.announce(webhook, plan)
        return JSONResponse({"posted": [webhook.name for webhook in webhooks]}, 202)


def _problem(field: str, problem: str) -> Response:
    return JSONResponse({"problems": [{"field": field, "problem": problem}]}, 404)
