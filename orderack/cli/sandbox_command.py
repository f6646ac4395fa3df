"""`orderack sandbox`: the vendor look-alikes in the foreground."""

import asyncio
import json
import shlex
import signal
from typing import Annotated

import typer

from orderack.embedded.sandbox import Sandbox

HttpPort = Annotated[int, typer.Option(help="HTTP port; 0 takes a free one", min=0, max=65_535)]
SmtpPort = Annotated[int, typer.Option(help="SMTP port; 0 takes a free one", min=0, max=65_535)]
Host = Annotated[str, typer.Option(help="the address to listen at, and by which others reach it")]
Callback = Annotated[str | None, typer.Option(help="the gateway's URL, where webhooks and receipts are posted")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object instead of lines for people")]


def sandbox(
    port: HttpPort = 8095,
    smtp_port: SmtpPort = 8025,
    callback: Callback = None,
    host: Host = "127.0.0.1",
    as_json: AsJson = False,
) -> None:
    """Serve look-alikes of every channel's vendor, an ERP and a mailbox until Ctrl-C.

    Example: orderack sandbox --callback http://127.0.0.1:8090
    """
    try:
        asyncio.run(_serve(host, port, smtp_port, callback, as_json))
    except OSError as error:
        typer.echo(f"cannot listen: {error}; choose another --port or --smtp-port", err=True)
        raise typer.Exit(1) from None


async def _serve(host: str, port: int, smtp_port: int, callback: str | None, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with Sandbox.start(host=host, port=port, smtp_port=smtp_port, callback_base=callback) as running:
        typer.echo(_as_json(running) if as_json else _for_people(running))
        await stop.wait()


def _as_json(running: Sandbox) -> str:
    return json.dumps(
        {
            "url": running.url,
            "mailbox": running.mailbox_url,
            "smtp_port": running.smtp_port,
            "environment": dict(running.environment()),
        }
    )


def _for_people(running: Sandbox) -> str:
    exports = (f"export {name}={shlex.quote(value)}" for name, value in running.environment().items())
    return "\n".join(
        (
            f"# mailbox   {running.mailbox_url}",
            f"# faults    {running.url}/faults",
            f"# log       {running.url}/log",
            f"# SMTP      {running.host}:{running.smtp_port}",
            f"# webhooks  {running.state.callback_base or 'nowhere yet (--callback)'}",
            *exports,
            "# Ctrl-C ends it",
        )
    )
