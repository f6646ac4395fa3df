"""The sandbox as one ASGI application."""

from collections.abc import Sequence
from functools import cached_property

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.routing import Mount, Router
from starlette.types import Receive, Scope, Send

from orderack.embedded.sandbox import vendors
from orderack.embedded.sandbox.control import Control, invalid
from orderack.embedded.sandbox.erp import Erp
from orderack.embedded.sandbox.hooks import Hooks
from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.embedded.sandbox.pages import Pages
from orderack.embedded.sandbox.readers import Readers
from orderack.embedded.sandbox.replies import Replies
from orderack.embedded.sandbox.sendgrid import SendGrid
from orderack.embedded.sandbox.shops import Shops
from orderack.embedded.sandbox.slack import Slack
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.twilio import Twilio


def look_alikes(state: SandboxState) -> tuple[LookAlike, ...]:
    """Every vendor: those with rooms of their own, and each file in `vendors/`."""
    return (SendGrid(state), Twilio(state), Slack(state), Erp(state), *vendors.load(state))


def sandbox_app(state: SandboxState, vendors: Sequence[LookAlike]) -> Starlette:
    """Each vendor's look-alike below `/<its target>`; beside them the controls, the mailbox pages and the readers.

    Cutting off needs a server that runs `answers.CuttableProtocol`; `Sandbox` does.
    """
    sendgrid = next(vendor for vendor in vendors if isinstance(vendor, SendGrid))
    rooms = (
        Control(state),
        Pages(state),
        Readers(state, sendgrid),
        Replies(state, vendors),
        Shops(state, vendors),
        Hooks(state),
    )
    return Starlette(
        routes=[
            *(route for room in rooms for route in room.routes()),
            *(Mount(f"/{vendor.target}", app=_Counter(vendor)) for vendor in vendors),
        ],
        exception_handlers={ValidationError: invalid},
    )


class _Counter:
    """A vendor's routes, made when it is first asked: of forty vendors a run meets a few."""

    def __init__(self, vendor: LookAlike) -> None:
        self._vendor = vendor

    @cached_property
    def _router(self) -> Router:
        return Router(routes=self._vendor.routes())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._router(scope, receive, send)
