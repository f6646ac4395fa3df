"""The sandbox as one ASGI application."""

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.routing import Mount

from orderack.embedded.sandbox.control import Control, invalid
from orderack.embedded.sandbox.erp import Erp
from orderack.embedded.sandbox.pages import Pages
from orderack.embedded.sandbox.sendgrid import SendGrid
from orderack.embedded.sandbox.slack import Slack
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.twilio import Twilio

LOOK_ALIKES = (SendGrid, Twilio, Slack, Erp)


def sandbox_app(state: SandboxState) -> Starlette:
    """Each look-alike below `/<its target>`, beside the controls and the mailbox pages.

    Cutting off needs a server that runs `answers.CuttableProtocol`; `Sandbox` does.
    """
    mounts = (Mount(f"/{vendor.target}", routes=list(vendor(state).routes())) for vendor in LOOK_ALIKES)
    return Starlette(
        routes=[*Control(state).routes(), *Pages(state).routes(), *mounts],
        exception_handlers={ValidationError: invalid},
    )
