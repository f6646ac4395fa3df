"""`orderack page`: links to the buyer's page of an order, made by hand and taken back."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from orderack.cli.exits import bad
from orderack.cli.options import AsJson
from orderack.cli.printing import print_json
from orderack.cli.references import Ref, reference
from orderack.cli.session import run, the_ledger
from orderack.domain.order import OrderRef
from orderack.domain.value import Value
from orderack.embedded.home import Home
from orderack.errors import OrderUnknown
from orderack.links import BUYER, VALID_FOR, PageLinks
from orderack.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The buyer's page: make a link to it, or let earlier links count no more.")

Role = Annotated[str, typer.Option("--role", help="Who it is for; only `buyer` can act on the page.", metavar="ROLE")]


class Linked(Value):
    order: str
    url: str
    expires_at: datetime


class Revoked(Value):
    order: str
    revoked_at: datetime


@app.command()
def link(order: Ref, role: Role = BUYER, as_json: AsJson = False) -> None:
    """Print a fresh link to the order's page. Whoever has it can see the order and act for the buyer.

    Example: orderack page link demo/1001

    Exit code 0: printed; 1: there is no such order; 2: no secret is set; 3: the ledger did not answer.
    """
    ref = reference(order)
    if not role.strip():
        raise bad("--role", "is empty", "leave it out, or name who the link is for")
    run(_known(ref))
    made = Linked(order=str(ref), url=_links().url(ref, role), expires_at=datetime.now(UTC) + VALID_FOR)
    if as_json:
        print_json(made)
    else:
        typer.echo(made.url)


@app.command()
def revoke(order: Ref, as_json: AsJson = False) -> None:
    """Let no link to the order's page count that was made up to this second; later ones do.

    Example: orderack page revoke demo/1001

    Exit code 0: done; 1: there is no such order; 3: the ledger did not answer.
    """
    ref = reference(order)
    done = Revoked(order=str(ref), revoked_at=run(_revoked(ref)))
    if as_json:
        print_json(done)
    else:
        typer.echo(
            f"Links to the page of {ref} that were made before {done.revoked_at:%Y-%m-%d %H:%M:%S} UTC are void."
        )


async def _known(ref: OrderRef) -> None:
    async with the_ledger() as ledger:
        if await ledger.order(ref) is None:
            raise OrderUnknown(f"no order {ref}")


async def _revoked(ref: OrderRef) -> datetime:
    now = datetime.now(UTC)
    async with the_ledger() as ledger:
        if not await ledger.revoke_links(ref, now):
            raise OrderUnknown(f"no order {ref}")
    return now


def _links() -> PageLinks:
    """Signed as the gateway checks it: with the secret that is set, else with that of the `orderack up` here."""
    settings = Settings()
    secret = settings.secret.get_secret_value()
    if not secret and (kept := settings.home / "secrets.json").is_file():
        secret = Home(kept.parent).secrets().page
    return PageLinks(secret, settings.public_url)
