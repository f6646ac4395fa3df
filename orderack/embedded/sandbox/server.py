"""The sandbox as running servers."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

import uvicorn
from starlette.applications import Starlette

from orderack.embedded.sandbox.answers import CuttableProtocol
from orderack.embedded.sandbox.app import look_alikes, sandbox_app
from orderack.embedded.sandbox.look_alike import Listens, LookAlike
from orderack.embedded.sandbox.smtp import Postbox
from orderack.embedded.sandbox.state import SandboxState
from orderack.registry import prefix_of

SENDER = "orders@shop.example"
SMS_SENDER = "+15005550006"
ALERT_CHANNEL = "C0ALERTS00"
SHUTDOWN = 1
"""Seconds that open requests get when the sandbox ends."""


class _Server(uvicorn.Server):
    """uvicorn as a guest: signals belong to the program around it, which waits until it listens and says when it ends.

    uvicorn itself looks ten times a second whether it is to end, and again whether it has ended.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()
        self.ends = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    async def main_loop(self) -> None:
        while not self.ends.is_set():
            await self.on_tick(0)  # the date that answers carry
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self.ends.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in tuple(self.server_state.connections):
            # whoever still waits for a hanging or slow vendor learns that it is gone
            if connection.transport is not None:
                connection.transport.abort()
        if under_way := tuple(self.server_state.tasks):
            _, late = await asyncio.wait(under_way, timeout=SHUTDOWN)
            for task in late:
                task.cancel()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Sandbox:
    """A running sandbox. Everything it holds is in memory and ends with it."""

    def __init__(self, state: SandboxState, vendors: Sequence[LookAlike], host: str, port: int, smtp_port: int) -> None:
        self.state = state
        self.vendors = vendors
        self.host = host
        self.port = port
        self.smtp_port = smtp_port

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls,
        host: str = "127.0.0.1",
        port: int = 0,
        smtp_port: int = 0,
        callback_base: str | None = None,
        state: SandboxState | None = None,
    ) -> "AsyncIterator[Sandbox]":
        """Serve HTTP and SMTP on this event loop until the block ends; 0 takes a free port.

        `callback_base` is the gateway's public URL; it may be set later on `sandbox.state`.
        Raises OSError when a port is taken.
        """
        state = state or SandboxState(callback_base=callback_base)
        postbox, vendors = Postbox(state), look_alikes(state)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(state.courier.aclose)
            listening = stack.enter_context(socket.create_server((host, port)))
            stack.push_async_callback(postbox.stop)
            bound_smtp = await postbox.start(host, smtp_port)
            for vendor in vendors:
                if isinstance(vendor, Listens):
                    await stack.enter_async_context(vendor.listening(host))
            await stack.enter_async_context(serving(sandbox_app(state, vendors), listening))
            yield cls(state, vendors, host, listening.getsockname()[1], bound_smtp)

    @property
    def url(self) -> str:
        """The root of all look-alikes, controls and pages."""
        return f"http://{self.host}:{self.port}"

    @property
    def mailbox_url(self) -> str:
        return f"{self.url}/mailbox"

    def connections(self, wanted: Iterable[str]) -> Mapping[str, str]:
        """The settings of these connections (`store/system`), where the system is one of ours."""
        shops = {vendor.source: vendor for vendor in self.vendors if vendor.source}
        found: dict[str, str] = {}
        for connection in wanted:
            store, _, system = connection.rpartition("/")
            if vendor := shops.get(system):
                prefix = prefix_of("SOURCE", store, system)
                settings = vendor.connection(f"{self.url}/{vendor.target}")
                found |= {f"{prefix}{name}".upper(): value for name, value in settings.items()}
        return found

    def environment(self) -> Mapping[str, str]:
        """The settings that point our adapters at this sandbox."""
        own = self.state.credentials
        vendors = (vendor.environment(f"{self.url}/{vendor.target}") for vendor in self.vendors)
        return {
            **{name: value for settings in vendors for name, value in settings.items()},
            "ORDERACK_SENDGRID_EMAIL_API_KEY": own.sendgrid_api_key,
            "ORDERACK_SENDGRID_EMAIL_SENDER": SENDER,
            "ORDERACK_SENDGRID_EMAIL_WEBHOOK_PUBLIC_KEY": own.sendgrid_public_key,
            "ORDERACK_SENDGRID_EMAIL_BASE_URL": f"{self.url}/sendgrid",
            "ORDERACK_TWILIO_SMS_ACCOUNT_SID": own.twilio_account_sid,
            "ORDERACK_TWILIO_SMS_AUTH_TOKEN": own.twilio_auth_token,
            "ORDERACK_TWILIO_SMS_SENDER": SMS_SENDER,
            "ORDERACK_TWILIO_SMS_BASE_URL": f"{self.url}/twilio",
            "ORDERACK_SLACK_BOT_TOKEN": own.slack_token,
            "ORDERACK_SLACK_SIGNING_SECRET": own.slack_signing_secret,
            "ORDERACK_SLACK_DEFAULT_CHANNEL": ALERT_CHANNEL,
            "ORDERACK_SLACK_BASE_URL": f"{self.url}/slack",
            "ORDERACK_SMTP_EMAIL_HOST": self.host,
            "ORDERACK_SMTP_EMAIL_PORT": str(self.smtp_port),
            "ORDERACK_SMTP_EMAIL_START_TLS": "false",
            "ORDERACK_SMTP_EMAIL_SENDER": SENDER,
            "ORDERACK_ERP_SANDBOX_BASE_URL": f"{self.url}/erp",
            "ORDERACK_ERP_SANDBOX_API_KEY": own.erp_api_key,
            "ORDERACK_ERP_SANDBOX_WEBHOOK_SECRET": own.erp_webhook_secret,
        }


@contextlib.asynccontextmanager
async def serving(app: Starlette, listening: socket.socket) -> AsyncIterator[None]:
    """Answer what comes to this socket until the block ends, which drops what is connected."""
    # asyncio sets it only on sockets that name their protocol; without it each answer waits 40 ms for an ACK
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server = _Server(
        uvicorn.Config(app, http=CuttableProtocol, ws="none", lifespan="off", log_config=None, access_log=False)
    )
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        await server.listens.wait()
        yield
    finally:
        server.ends.set()
        await running
