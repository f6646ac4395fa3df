"""`orderack up`: everything on this machine, in the foreground, until Ctrl-C."""

import asyncio
import json
import shlex
import signal
from pathlib import Path
from typing import Annotated

import typer

from orderack.embedded.stack import Ports, Stack, running
from orderack.gateway.board.once import once_url
from orderack.settings import Settings

HomeFolder = Annotated[Path | None, typer.Option(help="where its data lives; default ORDERACK_HOME or .orderack")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="0 takes a free one")]
NoSandbox = Annotated[bool, typer.Option("--no-sandbox", help="real vendors only: their settings come from .env")]
Sealed = Annotated[
    bool, typer.Option("--sealed", help="encrypt what Temporal stores, from now on; the UI still shows it in clear")
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object when everything is up")]


def up(
    home: HomeFolder = None,
    temporal_port: Port = 7233,
    ui_port: Port = 8233,
    gateway_port: Port = 8090,
    sandbox_port: Port = 8095,
    smtp_port: Port = 8025,
    no_sandbox: NoSandbox = False,
    sealed: Sealed = False,
    as_json: AsJson = False,
) -> None:
    """Run Temporal, the workers, the gateway and the sandbox vendors here, until Ctrl-C.

    Everything is kept on disk: after a kill -9 of any part, or of all, `orderack up` goes on where it was.

    Example: orderack up --home .orderack
    """
    ports = Ports(temporal_port, ui_port, gateway_port, sandbox_port, smtp_port)
    asyncio.run(_serve(home or Settings().home, ports, not no_sandbox, sealed, as_json))


async def _serve(folder: Path, ports: Ports, sandbox: bool, sealed: bool, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if not as_json:
        typer.echo("starting: Temporal, workers, gateway …", err=True)
    async with running(folder, ports, sandbox=sandbox, sealed=sealed) as stack:
        typer.echo(json.dumps(_places(stack, sandbox)) if as_json else _for_people(stack, sandbox))
        await stop.wait()
        if not as_json:
            typer.echo("stopping: what is in flight may end …", err=True)


def _places(stack: Stack, sandbox: bool) -> dict[str, str]:
    places = {
        "temporal": stack.address,
        "ui": stack.ui_url,
        "gateway": stack.gateway_url,
        "board": once_url(stack.secrets.page, stack.gateway_url),
        "api_key": stack.secrets.api_key,
        "home": str(stack.home.folder),
        "shell": str(stack.shell()),
    }
    places |= {"codec": stack.codec_url} if stack.codec_url else {}
    return places | ({"mailbox": f"{stack.sandbox_url}/mailbox"} if sandbox else {})


def _for_people(stack: Stack, sandbox: bool) -> str:
    lines = [
        f"Temporal   {stack.address}",
        f"UI         {stack.ui_url}",
        f"gateway    {stack.gateway_url}",
        f"board      {once_url(stack.secrets.page, stack.gateway_url)}",
        f"           (logs in once, within ten minutes; later {stack.gateway_url}/board with the API key)",
        f"API key    {stack.secrets.api_key}",
        f"data       {stack.home.folder}",
    ]
    if stack.codec_url:
        lines.append(f"codec      {stack.codec_url}")
    if sandbox:
        lines.append(f"mailbox    {stack.sandbox_url}/mailbox")
    hand_in = (
        'sed "s/NOW/$(date -u +%FT%TZ)/" docs/examples/order.json | '
        f"curl -sS {stack.gateway_url}/intake/demo -H 'Authorization: Bearer {stack.secrets.api_key}' "
        "-H 'Content-Type: application/json' -d @-"
    )
    orders = ["Hand in an order:", f"  {hand_in}"]
    shells = ["Before `orderack …` in another shell:", f"  . {shlex.quote(str(stack.shell()))}"]
    return "\n".join([*lines, "", *orders, *shells, "Ctrl-C ends it; nothing is lost."])
