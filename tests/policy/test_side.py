"""On which side an order is: by its store's mode, its last cutover and its own number, once and for all revisions."""

from datetime import UTC, datetime

import pytest

from orderack.domain.assessment import FlagName, Side
from orderack.domain.order import Order, OrderRef
from orderack.domain.shadow import place_of, side_of
from orderack.ledger.repository import SqlLedger
from orderack.ledger.shadow import Cutover
from orderack.policy import assessing
from orderack.policy.model import Policy
from tests.policy.conftest import order
from tests.policy.test_assess import Load, assess, request

NOW = datetime(2026, 11, 12, 9, 0, tzinfo=UTC)


def numbered(number: str) -> Order:
    return order().model_copy(update={"number": number})


def in_mode(load: Load, mode: str = "shadow", **more: object) -> Policy:
    return load(lambda d: d["stores"]["demo"].update(mode=mode, **more))


async def side(ledger: SqlLedger, policy: Policy, number: str, revision: int = 1) -> Side:
    return (await assess(ledger, policy, request(numbered(number), revision))).decision.side


async def switched(ledger: SqlLedger, percent: int) -> None:
    await ledger.cut_over(Cutover(store="demo", at=NOW, by="grace", live_percent=percent, back=percent == 0))


def test_an_orders_place_is_the_same_for_ever_and_places_are_spread_evenly() -> None:
    assert place_of(OrderRef(store="demo", number="1001")) == pytest.approx(17.0900, abs=1e-4)
    refs = [OrderRef(store="demo", number=f"{n}") for n in range(4_000)]
    assert [place_of(ref) for ref in refs] == [place_of(ref) for ref in refs]
    for percent in (10, 50, 90):
        live = {ref.number for ref in refs if side_of(ref, percent) is Side.LIVE}
        assert abs(len(live) / 40 - percent) < 2.5
        assert live <= {ref.number for ref in refs if side_of(ref, percent + 5) is Side.LIVE}
    assert {side_of(ref, 0) for ref in refs} == {Side.SHADOW}
    assert {side_of(ref, 100) for ref in refs} == {Side.LIVE}


async def test_the_policys_mode_holds_until_somebody_cuts_over(ledger: SqlLedger, load: Load) -> None:
    shadow = in_mode(load)
    assert await side(ledger, load(), "1") is Side.LIVE
    assert await side(ledger, shadow, "2") is Side.SHADOW
    await switched(ledger, 100)
    assert await side(ledger, shadow, "3") is Side.LIVE
    await switched(ledger, 0)
    assert await side(ledger, shadow, "4") is Side.SHADOW
    assert await side(ledger, load(), "5") is Side.SHADOW, "back means back, whatever the file says by then"


async def test_a_share_of_a_shadow_stores_orders_goes_live(ledger: SqlLedger, load: Load) -> None:
    half = in_mode(load, live_percent=50)
    found = {f"{n}": await side(ledger, half, f"{n}") for n in range(40)}
    assert found == {n: side_of(OrderRef(store="demo", number=n), 50) for n in found}
    assert len(set(found.values())) == 2


async def test_an_order_keeps_its_side_through_edits_of_the_policy_and_cutovers(ledger: SqlLedger, load: Load) -> None:
    assert await side(ledger, in_mode(load), "1") is Side.SHADOW
    assert await side(ledger, load(), "2") is Side.LIVE
    await switched(ledger, 100)
    assert await side(ledger, load(), "1", revision=2) is Side.SHADOW
    await switched(ledger, 0)
    assert await side(ledger, in_mode(load), "2", revision=2) is Side.LIVE


async def test_an_order_that_the_rules_fail_on_stays_in_the_shadow(
    ledger: SqlLedger, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(assessing, "decide", broken)
    found = await assess(ledger, in_mode(load), request(numbered("1")))
    assert [flag.name for flag in found.flags] == [FlagName.ASSESSMENT_FAILED]
    assert found.decision.side is Side.SHADOW
    assert await ledger.is_shadow(numbered("1").ref)


async def test_a_live_stores_decision_says_nothing_of_sides(ledger: SqlLedger, load: Load) -> None:
    found = await assess(ledger, load(), request(order()))
    assert "side" not in found.model_dump_json()
