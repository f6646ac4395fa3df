"""What the buyer does with a message, posted to the gateway as the vendor posts it."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import ConfigDict, StringConstraints
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.value import Value
from orderack.embedded.sandbox.look_alike import Deed, LookAlike
from orderack.embedded.sandbox.state import SandboxState

TEXT_MAX = 4_000


class Reply(Value):
    """With which message (the newest that matches: address, our key, words) the buyer does what, saying what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str
    match: Annotated[str, StringConstraints(min_length=1)]
    text: Annotated[str, StringConstraints(max_length=TEXT_MAX)] = ""
    deed: Deed = Deed.WRITE


class Replies:
    """`POST /reply`: 202 with the webhook's name; the gateway gets what the vendor would post."""

    def __init__(self, state: SandboxState, vendors: Sequence[LookAlike]) -> None:
        self._state = state
        self._vendors = {vendor.channel: vendor for vendor in vendors if vendor.channel}

    def routes(self) -> Sequence[BaseRoute]:
        return (Route("/reply", self._reply, methods=["POST"]),)

    async def _reply(self, request: Request) -> Response:
        reply = Reply.model_validate_json(await request.body())
        vendor = self._vendors.get(reply.channel)
        if vendor is None:
            return _problem("channel", f"is none of {', '.join(sorted(self._vendors))}")
        message = next(iter(self._state.outbox.find(reply.match, vendor.target)), None)
        if message is None:
            return _problem("match", "no message matches")
        webhook = vendor.deed(message, reply.deed, reply.text)
        if webhook is None:
            return _problem("deed", f"{reply.channel} reports no such thing")
        self._state.courier.post(webhook, 0)
        return JSONResponse({"posted": webhook.name, "from": message.recipient, "to": message.sender}, 202)


def _problem(field: str, problem: str) -> Response:
    return JSONResponse({"problems": [{"field": field, "problem": problem}]}, 404)
