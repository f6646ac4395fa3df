"""`orderack codec-server` and `orderack codec keys`: what Temporal stores, sealed and opened."""

import os
import sys
from typing import Annotated

import typer

from orderack.cli.options import AsJson
from orderack.cli.printing import print_json
from orderack.domain.value import Value
from orderack.temporal.codec_keys import new_key

app = typer.Typer(no_args_is_help=True, help="Payloads sealed before Temporal stores them: keys.")
keys = typer.Typer(no_args_is_help=True, help="The keys that seal payloads.")
app.add_typer(keys, name="keys")

Host = Annotated[str, typer.Option(help="the address it listens on")]
Port = Annotated[int, typer.Option(min=1, max=65_535)]
NoLogin = Annotated[bool, typer.Option("--no-login", help="answer whoever reaches this machine's own address")]


class NewKey(Value):
    key: str


@keys.command()
def new(as_json: AsJson = False) -> None:
    """Print a fresh key for ORDERACK_CODEC_KEYS; it is kept nowhere. Whoever has it reads what Temporal stores.

    Example: orderack codec keys new > codec.key
    """
    made = NewKey(key=new_key())
    if as_json:
        print_json(made)
    else:
        typer.echo(made.key)


def codec_server(host: Host = "127.0.0.1", port: Port = 8234, no_login: NoLogin = False) -> None:
    """Open sealed payloads for Temporal's UI and command line, for operators with a token or a login, until Ctrl-C.

    Example: orderack codec-server --port 8234

    Exit code 2: there is no key, or nobody may ask (ORDERACK_CODEC_SERVER_TOKENS, or an issuer of logins).
    """
    chosen = ["--host", host, "--port", str(port), *(["--no-login"] if no_login else [])]
    sys.stdout.flush()
    # A server is no part of a command that is to start quickly: the process becomes it.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "orderack.codec_server", *chosen])  # noqa: S606  # no shell
