"""Requests that nobody would think of, made from the gateway's own description: no 5xx, and every answer as described.

Short and always the same in `make test`; long and always different in `make fuzz-api` (ORDERACK_FUZZ_EXAMPLES).
"""

import asyncio
import json
import os
import shutil
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.gateway.app import create_app
from orderack.gateway.page import Action
from orderack.gateway.page_forms import ADDRESS, line_field, quantity_field
from orderack.gateway.rates import Rates
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger
from orderack.ports import ChannelEvent
from tests.gateway.conftest import ERP_KEY, KEY, OTHER_KEY, PUBLIC, Clock, Gateway, parts_with
from tests.gateway.fakes import ScriptedOrders, signed
from tests.gateway.page_world import Buyer, a_buyer
from tests.temporal.server import now
from tests.workflows.orders import a_receipt, an_order

T = TypeVar("T")

EXAMPLES = int(os.environ.get("ORDERACK_FUZZ_EXAMPLES", "0"))
BOUNDLESS = Rates(key=10**9, provider=10**9, page=10**9, guesses=10**9)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
"""What must hold of every answer."""


@dataclass
class World:
    """The gateway over a real ledger with one confirmed order, in a loop of its own: hypothesis knows none."""

    loop: asyncio.AbstractEventLoop
    gateway: Gateway
    buyer: Buyer

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def answer(self, case: Case, headers: dict[str, str]) -> httpx.Response:
        """What the gateway answers to the request that the case describes."""
        made = requests.Request(**case.as_transport_kwargs(base_url=PUBLIC, headers=headers)).prepare()
        sent = {name: value.encode() if isinstance(value, str) else value for name, value in made.headers.items()}
        body = made.body.encode() if isinstance(made.body, str) else made.body
        return self.run(self.gateway.http.request(made.method or "", made.url or "", headers=sent, content=body))

    def check(self, case: Case, headers: dict[str, str] | None = None) -> None:
        case.validate_response(self.answer(case, headers or {}), checks=CHECKS)


async def _built(database: Path) -> tuple[Gateway, Buyer]:
    ledger = SqlLedger(Database(make_engine(f"sqlite+aiosqlite:///{database}")))
    orders, clock = ScriptedOrders(), Clock()
    parts = replace(parts_with(ledger, orders, clock), rates=BOUNDLESS)
    http = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(parts)), base_url=PUBLIC)
    gateway = Gateway(parts, http, orders, ledger, clock)
    return gateway, await a_buyer(gateway)


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    database = Path(shutil.copy(sqlite_template, tmp_path_factory.mktemp("fuzz") / "ledger.db"))
    loop = asyncio.new_event_loop()
    made = World(loop, *loop.run_until_complete(_built(database)))
    yield made
    made.run(made.gateway.http.aclose())
    made.run(made.gateway.ledger.aclose())
    made.run(loop.shutdown_default_executor())
    loop.close()


def enough(share: float = 1.0) -> settings:
    """Few and always the same; or as many as asked for, and new ones."""
    return settings(
        max_examples=max(1, int((EXAMPLES or 8) * share)),
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def described() -> dict[str, Any]:
    """The description, as it is served; it depends on no ledger."""
    parts = parts_with(SqlLedger(Database(make_engine("sqlite+aiosqlite:///unused.db"))), ScriptedOrders(), Clock())
    return create_app(parts).openapi()


SCHEMA = schemathesis.openapi.from_dict(described())
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
KEYS = st.sampled_from([{}, {"x-api-key": KEY}, {"x-api-key": ERP_KEY}, {"authorization": f"Bearer {OTHER_KEY}"}])


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_answer_is_as_described_and_none_is_a_5xx(
    operation: APIOperation, mode: GenerationMode, world: World
) -> None:
    known = {
        "store": "demo",
        "number": world.buyer.order.number,
        "erp": "sandbox",
        "channel": "email",
        "token": world.buyer.token,
    }

    @enough()
    @given(case=operation.as_strategy(generation_mode=mode), key=KEYS, real=st.sets(st.sampled_from(sorted(known))))
    def holds(case: Case, key: dict[str, str], real: set[str]) -> None:
        """Half of the names in the address are such as exist: else nothing would get far."""
        for name in real & set(case.path_parameters or {}):
            case.path_parameters[name] = known[name]
        world.check(case, key)

    try:
        holds()
    except Unsatisfiable:  # there is nothing that one could get wrong in such a request
        assert mode is GenerationMode.NEGATIVE
        assert not operation.body


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_while_temporal_is_away_the_only_5xx_is_a_503_that_says_when_to_come_back(
    operation: APIOperation, world: World
) -> None:
    @enough(0.5)
    @given(case=operation.as_strategy(), order=st.integers(1, 10**9))
    def holds(case: Case, order: int) -> None:
        parameters = {"store": "demo", "number": str(order), "erp": "sandbox", "token": world.buyer.token}
        case.path_parameters = {name: parameters.get(name, value) for name, value in case.path_parameters.items()}
        if operation.label == "POST /intake/{store}":
            case.body = an_order(str(order), now()).model_dump(mode="json")
        answer = world.answer(case, {"x-api-key": KEY})
        case.validate_response(answer, checks=[check for check in CHECKS if check is not not_a_server_error])
        assert answer.status_code < 500 or (answer.status_code == 503 and _says_when(operation, answer))

    world.gateway.orders.away = True
    try:
        holds()
    finally:
        world.gateway.orders.away = False


def _says_when(operation: APIOperation, answer: httpx.Response) -> bool:
    return operation.label == "GET /readyz" or int(answer.headers["retry-after"]) >= 1


# -- what gets past a signature, and the buyer's forms ------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


def bent(whole: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """A list of such things with a few fields of them replaced or left out; or any JSON; or any bytes."""
    changes = st.dictionaries(st.sampled_from(sorted(whole)), JSON, max_size=3)
    one = st.builds(
        lambda change, gone: {k: v for k, v in (whole | change).items() if k not in gone},
        changes,
        st.sets(st.sampled_from(sorted(whole)), max_size=2),
    )
    made = st.lists(one, max_size=3) | JSON
    return made.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200)


AN_EVENT = ChannelEvent(
    id="e1",
    event=EvidenceEvent.REPLIED,
    grade=Grade.E4,
    key="demo/1001/1/confirmation/1/email",
    provider_id="p-1",
    occurred_at=now(),
    basis="email:word",
    raw="{}",
    sender="ada@example.com",
    text="ok",
).model_dump(mode="json")
A_RECEIPT = a_receipt(an_order("1001", now()), now()).model_dump(mode="json")


@pytest.mark.parametrize(
    ("path", "parameters", "whole"),
    [
        ("/webhooks/{channel}", {"channel": "email"}, AN_EVENT),
        ("/receipts/{erp}", {"erp": "sandbox"}, A_RECEIPT),
    ],
    ids=["webhooks", "receipts"],
)
def test_whatever_a_signed_request_holds_is_answered_as_described(
    path: str, parameters: dict[str, str], whole: dict[str, Any], world: World
) -> None:
    address = path.format(**parameters)

    @enough(5)
    @given(body=bent(whole))
    def holds(body: bytes) -> None:
        case = SCHEMA[path]["POST"].Case(path_parameters=parameters)
        sent = world.gateway.http.post(address, content=body, headers=signed(body, f"{PUBLIC}{address}"))
        case.validate_response(world.run(sent), checks=CHECKS)

    holds()


LINES = (line_field(1), line_field(2), quantity_field(1), quantity_field(2))
OTHERS = ("instructions", "text", "reason", "note", "all", "sure", "revision", "form")
FIELDS = st.sampled_from((*LINES, *ADDRESS, *OTHERS)) | st.text(max_size=8)
TYPED = st.text() | st.sampled_from(["1", "2", "0", "1,5", "1e999", "NaN", "accept", "decline", "DE", "<script>"])


@pytest.mark.parametrize("action", list(Action))
def test_whatever_a_form_holds_the_page_answers_as_described(action: Action, world: World) -> None:
    parameters = {"token": world.buyer.token, "action": action.value}

    @enough(2)
    @given(fields=st.dictionaries(FIELDS, TYPED, max_size=6))
    def holds(fields: dict[str, str]) -> None:
        case = SCHEMA["/o/{token}/{action}"]["POST"].Case(path_parameters=parameters)
        data = {"revision": "1", "form": "f"} | {k: v.encode("utf-8", "replace") for k, v in fields.items()}
        sent = world.gateway.http.post(f"/o/{world.buyer.token}/{action.value}", data=data)
        case.validate_response(world.run(sent), checks=CHECKS)

    holds()
