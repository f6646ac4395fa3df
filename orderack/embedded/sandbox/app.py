"""The sandbox as one ASGI application."""

from collections.abc import Sequence

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.routing import Mount

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
            *(Mount(f"/{vendor.target}", routes=list(vendor.routes())) for vendor in vendors),
        ],
        exception_handlers={ValidationError: invalid},
    )
