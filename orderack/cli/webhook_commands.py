"""`orderack webhooks`: the systems that are told what happens, and what they could not be told."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import typer

from orderack.cli.exits import bad
from orderack.cli.options import AsJson
from orderack.cli.printing import print_json, print_table
from orderack.cli.session import run, the_ledger
from orderack.contracts.outbound import TEST
from orderack.domain.order import Name, Text
from orderack.domain.unknown_fields import closest
from orderack.domain.value import Value
from orderack.errors import Misconfigured, Refused
from orderack.gateway.deliver import Answer, client, post
from orderack.gateway.endpoints import Endpoint, problems_of, served
from orderack.ledger.outbox import DeadEvent, Standing
from orderack.policy.load import load_policy
from orderack.policy.model import EndpointPolicy
from orderack.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Systems that are told what happens to orders, and how they fare.")

Limit = Annotated[int, typer.Option(min=1, max=1_000, help="At most so many.")]
EventId = Annotated[str | None, typer.Argument(help="The event's id, as `webhooks dead` lists it.", metavar="EVENT_ID")]
All = Annotated[bool, typer.Option("--all", help="Every event that was given up.")]


class EndpointRow(Value):
    """One endpoint and its events. `problem`: why it is not served now."""

    name: Name
    url: Text = ""
    events: tuple[Name, ...] = ()
    stores: tuple[Name, ...] = ()
    pending: int = 0
    delivered: int = 0
    dead: int = 0
    problem: Text = ""


class Endpoints(Value):
    endpoints: tuple[EndpointRow, ...]


class DeadEvents(Value):
    dead: tuple[DeadEvent, ...]


class Retried(Value):
    retried: int


class Tested(Value):
    endpoint: Name
    event_id: Name
    answer: Text
    taken: bool


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Every endpoint of the policy, whether it is served, and how its events stand.

    Example: orderack webhooks list

    Exit code 0; 3: the ledger did not answer.
    """
    rows = tuple(_rows(_policy(), run(_standings())))
    if as_json:
        print_json(Endpoints(endpoints=rows))
    elif rows:
        columns = ("endpoint", "url", "pending", "delivered", "dead", "problem")
        print_table(columns, ((r.name, r.url, r.pending, r.delivered, r.dead, r.problem) for r in rows))
    else:
        typer.echo("The policy names no endpoints.")


@app.command()
def dead(limit: Limit = 200, as_json: AsJson = False) -> None:
    """Events that an endpoint never took: all attempts are used up, or it said that it is gone.

    Example: orderack webhooks dead

    Exit code 0, also when there are none; 3: the ledger did not answer.
    """
    found = run(_dead(limit))
    if as_json:
        print_json(DeadEvents(dead=tuple(found)))
    elif found:
        rows = ((d.event_id, d.type, d.ref, d.endpoint, d.attempts, d.last_at, d.last_answer) for d in found)
        print_table(("event", "type", "order", "endpoint", "attempts", "last tried", "answer"), rows)
    else:
        typer.echo("No event was given up.")


@app.command()
def retry(event_id: EventId = None, all_: All = False, as_json: AsJson = False) -> None:
    """Try events again that were given up, with every attempt before them.

    Example: orderack webhooks retry --all

    Exit code 0: they are tried by the gateway now; 1: none was given up; 3: the ledger did not answer.
    """
    if (event_id is None) is not all_:
        raise bad("EVENT_ID", "is missing" if event_id is None else "stands beside --all", "name one event, or --all")
    retried = run(_retry(event_id))
    if not retried:
        raise Refused("no such event was given up" if event_id else "no event was given up")
    if as_json:
        print_json(Retried(retried=retried))
    else:
        typer.echo(f"{retried} to be told again.")


@app.command("test")
def try_out(
    endpoint: Annotated[str, typer.Argument(help="The endpoint's name in the policy.", metavar="ENDPOINT")],
    as_json: AsJson = False,
) -> None:
    """Post one signed event of type `orderack.test` to an endpoint, once, and show what it answers.

    Example: orderack webhooks test crm

    Exit code 0: it took the event; 1: it did not; 2: there is no such endpoint, or it can't be served.
    """
    chosen = _chosen(endpoint)
    message_id = f"msg_{uuid4().hex}"
    answer = run(_test(chosen, message_id))
    if as_json:
        print_json(Tested(endpoint=endpoint, event_id=message_id, answer=answer.words, taken=answer.taken))
    else:
        typer.echo(f"{endpoint}: {answer.words}")
    if not answer.taken:
        raise typer.Exit(1)


def _policy() -> Mapping[str, EndpointPolicy]:
    return load_policy(Settings().policy_dir).endpoints


def _rows(policy: Mapping[str, EndpointPolicy], standings: Sequence[Standing]) -> Iterator[EndpointRow]:
    """Those of the policy first; then those that it names no longer and that still have events."""
    by_name = {standing.endpoint: standing for standing in standings}
    for name, endpoint in policy.items():
        counts = by_name.pop(name, Standing(endpoint=name)).model_dump(exclude={"endpoint"})
        problem = "; ".join(f"{found.problem} ({found.remedy})" for found in problems_of(name, endpoint))
        row = {"url": endpoint.url, "events": endpoint.events, "stores": endpoint.stores, "problem": problem}
        yield EndpointRow.model_validate({"name": name, **row, **counts})
    for name, standing in by_name.items():
        counts = standing.model_dump(exclude={"endpoint"})
        yield EndpointRow.model_validate({"name": name, "problem": "is not in the policy", **counts})


def _chosen(name: str) -> Endpoint:
    policy = _policy()
    if name not in policy:
        guess = closest(name, sorted(policy))
        known = f"the policy has {', '.join(sorted(policy))}" if policy else "name it under `endpoints:` in policy.yaml"
        remedy = f"did you mean {guess}?" if guess else known
        raise bad("ENDPOINT", "is not in the policy", remedy)
    for problem in problems_of(name, policy[name]):
        raise Misconfigured(f"{problem.field} {problem.problem} ({problem.remedy})")
    (found,) = served({name: policy[name]})
    return found


async def _standings() -> Sequence[Standing]:
    async with the_ledger() as ledger:
        return await ledger.endpoint_standings()


async def _dead(limit: int) -> Sequence[DeadEvent]:
    async with the_ledger() as ledger:
        return await ledger.dead_events(limit)


async def _retry(event_id: str | None) -> int:
    async with the_ledger() as ledger:
        return await ledger.retry_events(datetime.now(UTC), event_id)


async def _test(endpoint: Endpoint, message_id: str) -> Answer:
    now = datetime.now(UTC)
    body = json.dumps({"type": TEST, "timestamp": now.isoformat(), "data": {}})
    async with client() as http:
        return await post(http, endpoint, message_id, body, now)
