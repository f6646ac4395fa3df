"""Amazon's order and our connection to it, for its tests."""

import copy
import json
from collections.abc import Iterator, Sequence

from pydantic import JsonValue

from orderack.ports import Connection, Delivery, Hint, Skipped, Snapshot
from orderack.sources.amazon import Amazon, AmazonSettings
from tests import sns_topic
from tests.conformance.peer import json_answer
from tests.conformance.source import NOW
from tests.payloads import payload

CONNECTION = Connection(store="shop", system="amazon", source="shop", country="DE", time_zone="Europe/Berlin")


ORDER = json.loads(payload("amazon/order.json"))


CHANGE = payload("amazon/order_change.json").decode()


SECRETS = ("lwa-secret-of-tests", "Atzr|refresh-of-tests")


TOKEN = json_answer(200, {"access_token": "Atza|token", "token_type": "bearer", "expires_in": 3600})


def amazon(base_url: str = "http://127.0.0.1:9", **more: str) -> Amazon:
    settings = AmazonSettings(
        _env_file=None,
        client_id="amzn1.application-oa2-client.tests",
        client_secret=SECRETS[0],
        refresh_token=SECRETS[1],
        marketplace_ids="A1PA6795UKMFR9,A1F83G8C2ARO7P",
        base_url=base_url,
        login_url=base_url,
        **{"sns_topic_arn": sns_topic.TOPIC, "sns_base_url": sns_topic.HOME, **more},
    )
    return Amazon(CONNECTION, settings, "ORDERACK_SOURCE_SHOP_AMAZON_", clock=lambda: NOW)


def changed(path: str, value: JsonValue) -> dict[str, JsonValue]:
    """The good order with one field set (`…` removes it)."""
    body = copy.deepcopy(ORDER)
    *way, last = path.split(".")
    at = body
    for step in way:
        at = at[int(step)] if step.isdigit() else at.setdefault(step, {})
    at[int(last) if last.isdigit() else last] = value
    return body


async def read(body: JsonValue) -> Snapshot | Skipped | Hint:
    source = amazon()
    (found,) = await source.read(Delivery(id="1", body=json.dumps(body)))
    await source.aclose()
    return found


async def snapshot(body: JsonValue) -> Snapshot:
    found = await read(body)
    assert isinstance(found, Snapshot)
    return found


def orders_in(value: JsonValue, marks: frozenset[str]) -> Iterator[dict[str, JsonValue]]:
    """Every object that has these fields, wherever it stands."""
    if isinstance(value, dict):
        if marks <= value.keys():
            yield value
        else:
            for inner in value.values():
                yield from orders_in(inner, marks)
    elif isinstance(value, list):
        for inner in value:
            yield from orders_in(inner, marks)


def paths_of(value: JsonValue, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    steps: Sequence[tuple[str | int, JsonValue]] = ()
    if isinstance(value, dict):
        steps = list(value.items())
    elif isinstance(value, list):
        steps = list(enumerate(value))
    for key, inner in steps:
        yield (*at, key)
        yield from paths_of(inner, (*at, key))


def mutated(body: JsonValue, path: Sequence[str | int], value: JsonValue) -> JsonValue:
    made = copy.deepcopy(body)
    at = made
    for step in path[:-1]:
        at = at[step]
    if value == "\x00":
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return made


ODD = (None, "", "x", 0, -1, 1e300, "NaN", "-5", True, [], {}, [None], "\x00", "9" * 400, "\ud800", 2**70)
