"""`orderack source`: check a connection, see what it delivered and could not be taken, begin a new one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from orderack import sources
from orderack.cli.adapter_settings import SettingsState, settings_state
from orderack.cli.connection_names import named
from orderack.cli.exits import AWAY, NO, bad
from orderack.cli.new_source import scaffold
from orderack.cli.options import AsJson
from orderack.cli.printing import print_facts, print_json, print_table
from orderack.cli.session import run
from orderack.cli.source_refused import refused, retry
from orderack.cli.source_try import try_
from orderack.domain.order import Name, Text
from orderack.domain.value import Value
from orderack.errors import Misconfigured, Unavailable
from orderack.policy.load import load_policy
from orderack.ports import Checks, Connection
from orderack.registry import SourceSpec, build_sources, prefix_of
from orderack.settings import Settings

app = typer.Typer(
    no_args_is_help=True, help="One connection: check it, see what it could not take, add another system."
)

Which = Annotated[
    list[str] | None, typer.Argument(help="Connections, such as demo/shopify; none: all.", metavar="[STORE/SYSTEM …]")
]
Offline = Annotated[bool, typer.Option("--offline", help="Look at the settings only: ask no system.")]
Into = Annotated[Path, typer.Option("--into", help="The checkout to write into.", metavar="FOLDER")]


app.command("try")(try_)
app.command()(refused)
app.command()(retry)


class Checked(Value):
    """One connection's settings, and what the system says of them."""

    connection: Name
    state: Text
    settings: SettingsState
    said: Text = ""
    sound: bool
    away: bool = False
    post_to: Text = ""
    register_there: Text = ""


class AllChecked(Value):
    connections: tuple[Checked, ...]


class Begun(Value):
    written: tuple[str, ...]


@app.command()
def doctor(names: Which = None, offline: Offline = False, as_json: AsJson = False) -> None:
    """Check connections' settings, ask the system whether they are right, and say what to register there.

    Example: orderack source doctor demo/shopify

    Exit code 0: all are ready; 1: one is not; 2: there is no such connection; 3: a system could not be asked now.
    """
    found = run(_checked(named(names, load_policy(Settings().policy_dir)), offline))
    if as_json:
        print_json(AllChecked(connections=found))
    else:
        for one in found:
            _show(one)
        if not found:
            typer.echo("No store is connected to anything: add rows under `stores.<store>.connections` in the policy.")
    if not all(one.sound for one in found):
        raise typer.Exit(NO)
    if any(one.away for one in found):
        raise typer.Exit(AWAY)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The system's name: small letters, digits and _.", metavar="NAME")],
    into: Into = Path("."),
    as_json: AsJson = False,
) -> None:
    """Begin a source of your own: its file, its test and its page, which run as they are and say what is left to do.

    Example: orderack source new shopware

    Exit code 0: written; 2: the name will not do, or there is such a source.
    """
    written = scaffold(name, into)
    if as_json:
        print_json(Begun(written=tuple(map(str, written))))
        return
    for file in written:
        typer.echo(f"wrote {file}")
    typer.echo(f"Next: docs/adding-a-source.md; then a row `stores.<store>.connections.{name}` in the policy.")


async def _checked(wanted: Sequence[Connection], offline: bool) -> tuple[Checked, ...]:
    return tuple([await check_connection(connection, offline) for connection in wanted])


async def check_connection(connection: Connection, offline: bool) -> Checked:
    specs = sources.load()
    if connection.system not in specs:
        raise bad("STORE/SYSTEM", f"names no system: {connection.system}", f"there are {', '.join(specs)}")
    spec = specs[connection.system]
    settings = settings_state(spec, prefix_of("SOURCE", connection.store, connection.system))
    made = build_sources({connection.system: spec}, [connection])
    said, sound, away = "", settings.ready, False
    if sound and not offline:
        source = made[str(connection)]
        try:
            said = await source.check() if isinstance(source, Checks) else "has no call to try the settings by"
        except Unavailable as error:
            said, away = f"could not be asked: {error}", True
        except Misconfigured as error:
            said, sound = str(error), False
        finally:
            await source.aclose()
    return Checked(
        connection=str(connection),
        state=settings.word,
        settings=settings,
        said=said[:2_000],
        sound=sound,
        away=away,
        post_to=_post_to(connection, spec),
        register_there=spec.webhook,
    )


def _post_to(connection: Connection, spec: SourceSpec) -> str:
    if not spec.adapter.traits.pushes:
        return ""
    return f"{Settings().public_url.rstrip('/')}/intake/{connection.store}/{connection.system}"


def _show(checked: Checked) -> None:
    typer.echo(f"{checked.connection}: {checked.state}")
    rows = [
        (one.variable, one.state, "required" if one.required else "", one.problem) for one in checked.settings.settings
    ]
    if rows:
        print_table(("setting", "state", "", "problem"), rows)
    facts: list[tuple[str, object]] = [("together", problem) for problem in checked.settings.problems]
    facts += [("the system", checked.said), ("posts to", checked.post_to), ("register", checked.register_there)]
    print_facts(facts)
    typer.echo("")
