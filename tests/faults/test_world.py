"""The short form of the world's faults: within one process, or by processes that need no server."""

import asyncio
import contextlib
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from orderack.clients import standard_webhooks
from orderack.embedded.demo.orders import an_order
from orderack.gateway.announce import announce_stragglers
from orderack.gateway.app import create_app
from orderack.ledger import database as ledger_database
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger
from orderack.ports import RawRequest
from tests.faults.fault import registered
from tests.faults.world_deploy import CHANGED, HEALED, build, replays
from tests.faults.world_migration import killed_at_each_statement
from tests.faults.world_victim import Place, Victim, arm
from tests.gateway.conftest import KEY, Clock, Gateway, database, gateway, parts_with
from tests.gateway.fakes import ScriptedOrders, SigningErp
from tests.invariants.record import RECORDED

__all__ = ["database", "gateway"]

HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}


class Died(BaseException):
    """In place of kill -9: nothing of ours catches it, and nothing is written behind it."""


class Mortal(Victim):
    """Dies by raising."""

    def strike(self, place: Place) -> None:
        for armed in (self._folder / "armed").glob(f"{place}-*"):
            armed.rename(self._folder / "fired" / armed.name)
            raise Died


# -- the gateway ----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def planted(folder: Path) -> Iterator[None]:
    victim = Mortal(folder)
    patches = victim.gateway()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


@contextlib.asynccontextmanager
async def started_again(path: Path, orders: ScriptedOrders) -> AsyncIterator[httpx.AsyncClient]:
    """Another gateway over the same ledger, as after a death."""
    ledger = SqlLedger(Database(make_engine(f"sqlite+aiosqlite:///{path}")))
    parts = parts_with(ledger, orders, Clock(ahead=timedelta(seconds=11)))
    transport = httpx.ASGITransport(create_app(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield http
        await announce_stragglers(parts)
    await ledger.aclose()


@pytest.mark.parametrize("place", [Place.UNCOMMITTED, Place.UNANSWERED, Place.UNMARKED])
async def test_an_order_is_one_order_wherever_the_gateway_dies(
    gateway: Gateway, database: Path, tmp_path: Path, place: Place
) -> None:
    order = an_order("W-1", 1)
    body = order.model_dump_json()
    with planted(tmp_path):
        proof = arm(tmp_path, place)
        with pytest.raises((Died, ExceptionGroup, BaseExceptionGroup)):
            await gateway.http.post("/intake/demo", content=body, headers=HEADERS)
        assert proof.exists(), "it never died"
        known = len(await gateway.inbox())
        assert known == (0 if place is Place.UNCOMMITTED else 1)
    async with started_again(database, gateway.orders) as http:
        answer = await http.post("/intake/demo", content=body, headers=HEADERS)
        assert answer.status_code == 202
    assert {told.content_hash for told in gateway.orders.submitted} == {order.content_hash}
    assert await gateway.inbox() == []


async def test_a_sweep_that_dies_between_two_rows_leaves_the_others_to_the_next(
    gateway: Gateway, database: Path, tmp_path: Path
) -> None:
    gateway.orders.away = True
    for number in ("W-1", "W-2", "W-3"):
        order = an_order(number, 1)
        answer = await gateway.http.post("/intake/demo", content=order.model_dump_json(), headers=HEADERS)
        assert (answer.status_code, answer.json()["recorded"]) == (503, True)
    gateway.orders.away = False
    gateway.clock.ahead = timedelta(seconds=11)
    with planted(tmp_path):
        proof = arm(tmp_path, Place.BETWEEN_ROWS)
        with pytest.raises((Died, BaseExceptionGroup)):
            await announce_stragglers(gateway.parts)
        assert proof.exists(), "it never died"
    async with started_again(database, gateway.orders):
        pass
    assert {order.number for order in gateway.orders.submitted} == {"W-1", "W-2", "W-3"}
    assert await gateway.inbox() == []


# -- the ledger -----------------------------------------------------------------------------------------------------


async def test_while_another_holds_the_ledgers_lock_nothing_is_answered_2xx(
    gateway: Gateway, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_database, "BUSY_TIMEOUT_MS", 300)
    body = an_order("W-1", 1).model_dump_json()
    async with started_again(database, gateway.orders) as http:
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            refused = await http.post("/intake/demo", content=body, headers=HEADERS)
            other.execute("ROLLBACK")
        assert (refused.status_code, refused.json()["recorded"]) == (503, False)
        assert refused.headers["Retry-After"]
        assert gateway.orders.submitted == []
        assert (await http.post("/intake/demo", content=body, headers=HEADERS)).status_code == 202


async def test_a_migration_that_dies_is_whole_before_or_whole_after(tmp_path: Path) -> None:
    deaths, wrong = await killed_at_each_statement(f"sqlite+aiosqlite:///{tmp_path}/migrated.db", step=8)
    assert deaths >= 2
    assert wrong == []


# -- the workflows --------------------------------------------------------------------------------------------------


async def test_the_gate_refuses_a_changed_workflow_and_takes_the_patched_one(tmp_path: Path) -> None:
    changed, healed = await asyncio.gather(
        replays(RECORDED, build(tmp_path / "changed", CHANGED)), replays(RECORDED, build(tmp_path / "healed", HEALED))
    )
    assert not changed
    assert healed


# -- the clock ------------------------------------------------------------------------------------------------------


class Signing(SigningErp):
    """Signs as Standard Webhooks does, time and all."""

    def verify(self, request: RawRequest) -> None:
        standard_webhooks.verify(request, [b"0123456789abcdef"], datetime.now(UTC))


async def test_a_sender_whose_time_is_not_ours_is_refused_and_operators_are_told(gateway: Gateway) -> None:
    gateway.parts.erps["sandbox"] = Signing()  # type: ignore[index]
    at = datetime.now(UTC) - timedelta(hours=3)
    headers = dict(standard_webhooks.sign("m-1", at, b"{}", [b"0123456789abcdef"]))
    with capture_logs() as logs:
        answer = await gateway.http.post("/receipts/sandbox", content=b"{}", headers=headers)
    assert answer.status_code == 401
    (told,) = [line for line in logs if line["log_level"] == "error"]
    assert told["off"] == pytest.approx(3 * 3600, abs=5)
    assert "clock" in told["remedy"]


async def test_a_signature_that_does_not_hold_is_no_alarm(gateway: Gateway) -> None:
    gateway.parts.erps["sandbox"] = Signing()  # type: ignore[index]
    at = datetime.now(UTC) - timedelta(hours=3)
    headers = dict(standard_webhooks.sign("m-1", at, b"{}", [b"another secret of 16"]))
    with capture_logs() as logs:
        answer = await gateway.http.post("/receipts/sandbox", content=b"{}", headers=headers)
    assert answer.status_code == 401
    assert [line for line in logs if line["log_level"] == "error"] == []


# -- the list -------------------------------------------------------------------------------------------------------


def test_every_fault_point_of_gateway_sweep_migration_and_command_has_its_fault() -> None:
    what = "\n".join(fault.what for fault in registered().values())
    assert {f"F{n}" for n in range(8, 15)} <= set(re.findall(r"\((F\d+)\)", what))
