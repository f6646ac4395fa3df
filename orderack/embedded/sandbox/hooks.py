"""Another system's endpoints: they take our outbound events (Standard Webhooks), verify them and keep them."""

import base64
import binascii
import time
from collections.abc import Sequence
from hmac import compare_digest
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, JsonValue, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.value import Value
from orderack.embedded.sandbox import signatures
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.embedded.sandbox.state import SandboxState

WINDOW = 300
"""Seconds that a timestamp may be off (Standard Webhooks' own libraries)."""

_JSON: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


def _secret(text: str) -> str:
    try:
        base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not `whsec_` and base64") from None
    return text


class Endpoint(Value):
    """What an endpoint knows: the secret it was given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret: Annotated[str, AfterValidator(_secret)]


class Hooks(LookAlike):
    """`PUT /hooks/{name}` makes an endpoint, `POST` is what the gateway calls."""

    target: ClassVar[Target] = Target.HOOKS

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._endpoints: dict[str, Endpoint] = {}

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/hooks/{name}", self._make, methods=["PUT"]),
            Route("/hooks/{name}", self.endpoint(Operation.SEND, self._take), methods=["POST"]),
        )

    def refused(self, code: str | None) -> Response:
        return Response(status_code=int(code) if code and code.isdecimal() else 410)

    def throttled(self, retry_after: int) -> Response:
        return Response(status_code=429, headers={"Retry-After": str(retry_after)})

    def failed(self, status: int) -> Response:
        return Response(status_code=status)

    def too_large(self) -> Response:
        return Response(status_code=413)

    async def _make(self, request: Request) -> Response:
        self._endpoints[request.path_params["name"]] = Endpoint.model_validate_json(await request.body())
        return Response(status_code=204)

    async def _take(self, request: Request, plan: Plan) -> Response:
        name = request.path_params["name"]
        endpoint = self._endpoints.get(name)
        if endpoint is None:
            return JSONResponse({"error": "there is no such endpoint: PUT its secret first"}, 404)
        body = await request.body()
        if not _genuine(request, body, endpoint.secret):
            self.state.hooks.refused[name] += 1
            return JSONResponse({"error": "the signature does not fit"}, 401)
        event = self.state.hooks.take(name, request.headers["webhook-id"], _type(body), body.decode(errors="replace"))
        self.state.log.count(self.target, Operation.SEND, "repeated" if event.repeated else "accepted")
        return Response(status_code=204)


def _genuine(request: Request, body: bytes, secret: str) -> bool:
    """By the published scheme: one of the `v1` signatures fits, and the time is now."""
    name, stamp = request.headers.get("webhook-id", ""), request.headers.get("webhook-timestamp", "")
    if not name or not stamp.isdecimal() or abs(int(stamp) - time.time()) > WINDOW:
        return False
    right = signatures.standard_webhooks(secret, name, int(stamp), body)["webhook-signature"]
    offered = request.headers.get("webhook-signature", "").split()
    return any(compare_digest(right.encode(), candidate.encode()) for candidate in offered)


def _type(body: bytes) -> str:
    try:
        return str(_JSON.validate_json(body).get("type", ""))
    except ValidationError:
        return ""
