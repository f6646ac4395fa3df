"""`orderack gateway`: the HTTP gateway in the foreground."""

import asyncio
from typing import Annotated

import typer

Host = Annotated[str, typer.Option("--host", help="The address to listen at; 0.0.0.0 in a container.")]
Port = Annotated[int, typer.Option("--port", min=1, max=65_535, help="The port to listen at.")]


def gateway(host: Host = "127.0.0.1", port: Port = 8090) -> None:
    """Serve the gateway until Ctrl-C or SIGTERM: orders, receipts and webhooks in, the buyer's page, events out.

    Temporal may be away: what comes in is recorded, and told later.

    Example: orderack gateway --host 0.0.0.0 --port 8090

    Exit code 0: told to stop; 2: a setting is wrong; 3: the ledger did not answer.
    """
    from orderack.gateway import __main__ as program  # other commands start without it

    asyncio.run(program.serve(host, port))
