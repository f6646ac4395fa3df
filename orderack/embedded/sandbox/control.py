"""The sandbox's own door: faults, stock, behaviour, and what was accepted. No vendor has these paths."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, HttpUrl, JsonValue, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.faults import Fault, Target
from orderack.embedded.sandbox.state import Behaviour, SandboxState
from orderack.embedded.sandbox.stock import SkuStock

_OBJECT: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])
_TARGET: TypeAdapter[Target | None] = TypeAdapter(Target | None)


class Callback(BaseModel):
    """Where the gateway is."""

    model_config = ConfigDict(extra="forbid")

    base: HttpUrl | None


class Control:
    """Scripts the sandbox over HTTP."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/faults", self._faults, methods=["GET"]),
            Route("/faults", self._add_fault, methods=["POST"]),
            Route("/faults", self._clear_faults, methods=["DELETE"]),
            Route("/log", self._log, methods=["GET"]),
            Route("/stock", self._stock, methods=["GET"]),
            Route("/stock/{sku}", self._set_stock, methods=["PUT"]),
            Route("/stock", self._clear_stock, methods=["DELETE"]),
            Route("/behaviour", self._behaviour, methods=["GET"]),
            Route("/behaviour", self._change_behaviour, methods=["PATCH"]),
            Route("/callback", self._set_callback, methods=["PUT"]),
        )

    async def _faults(self, request: Request) -> Response:
        return JSONResponse(
            {"faults": [standing.model_dump(mode="json") for standing in self._state.faults.standings()]}
        )

    async def _add_fault(self, request: Request) -> Response:
        standing = self._state.faults.add(Fault.model_validate_json(await request.body()))
        return JSONResponse(standing.model_dump(mode="json"), status_code=201)

    async def _clear_faults(self, request: Request) -> Response:
        self._state.faults.clear()
        return Response(status_code=204)

    async def _log(self, request: Request) -> Response:
        query, log, courier = request.query_params, self._state.log, self._state.courier
        entries = log.entries(_TARGET.validate_python(query.get("target")), query.get("key"))
        return JSONResponse(
            {
                "accepted": [entry.model_dump(mode="json") for entry in entries],
                "tally": [tally.model_dump(mode="json") for tally in log.tally()],
                "webhooks": {"delivered": courier.delivered, "dropped": courier.dropped},
            }
        )

    async def _stock(self, request: Request) -> Response:
        return _stock_table(self._state)

    async def _set_stock(self, request: Request) -> Response:
        self._state.stock.set(request.path_params["sku"], SkuStock.model_validate_json(await request.body()))
        return _stock_table(self._state)

    async def _clear_stock(self, request: Request) -> Response:
        self._state.stock.clear()
        return Response(status_code=204)

    async def _behaviour(self, request: Request) -> Response:
        return JSONResponse(self._state.behaviour.model_dump(mode="json"))

    async def _change_behaviour(self, request: Request) -> Response:
        change = _OBJECT.validate_json(await request.body())
        self._state.behaviour = Behaviour.model_validate(self._state.behaviour.model_dump() | change)
        return await self._behaviour(request)

    async def _set_callback(self, request: Request) -> Response:
        base = Callback.model_validate_json(await request.body()).base
        self._state.callback_base = str(base) if base else None
        return JSONResponse({"base": self._state.callback_base})


def _stock_table(state: SandboxState) -> Response:
    table: Mapping[str, JsonValue] = {sku: stock.model_dump(mode="json") for sku, stock in state.stock.table().items()}
    return JSONResponse({"stock": table, "otherwise": "available"})


async def invalid(request: Request, error: Exception) -> Response:
    """422 with every field that is wrong and what is wrong with it."""
    if not isinstance(error, ValidationError):
        raise error
    problems = [
        {"field": ".".join(str(part) for part in found["loc"]) or "body", "problem": found["msg"]}
        for found in error.errors()
    ]
    return JSONResponse({"problems": problems}, status_code=422)
