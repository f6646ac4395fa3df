"""The app as a whole: keys, health, headers, its description, its errors, and the sweep that runs with it."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from orderack.contracts.journal import Stage
from orderack.contracts.queries import AcknowledgementStatus, OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import OrderRef
from orderack.errors import Misconfigured
from orderack.gateway.announce import GRACE
from orderack.gateway.app import create_app
from orderack.gateway.keys import ApiKeys
from orderack.gateway.standing import standing_of
from tests.gateway.conftest import KEY, OTHER_KEY, Gateway
from tests.gateway.test_intake import BEARER, body_of, take_away
from tests.temporal.server import now
from tests.workflows.orders import an_order

REF = OrderRef(store="demo", number="A/1 ü")


async def test_the_storefronts_hook_says_whether_it_may_confirm(gateway: Gateway) -> None:
    gateway.orders.standing[REF] = OrderStatus(
        ref=REF, stage=Stage.CONFIRMED, revision=1, confirmed_revision=1, erp_document_id="SO-1"
    )
    answer = await gateway.http.get("/orders/demo/A%2F1%20%C3%BC", headers={"x-api-key": KEY})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["erp_receipt"], told["may_confirm"], told["confirmed_revision"]) == (True, True, 1)
    assert told["say"] == "Order A/1 ü is confirmed as revision 1 (ERP SO-1)."


@pytest.mark.parametrize("stage", list(Stage))
def test_no_stage_lets_a_storefront_confirm_what_is_not_confirmed(stage: Stage) -> None:
    told = standing_of(OrderStatus(ref=REF, stage=stage, revision=1))
    assert not told.may_confirm
    assert told.say


def test_a_change_under_way_is_not_confirmed_and_the_sentence_says_so() -> None:
    told = standing_of(OrderStatus(ref=REF, stage=Stage.ASSESSING, revision=2, confirmed_revision=1))
    assert not told.may_confirm
    assert "revision 1" in told.say
    assert "not confirmed yet" in told.say


def test_an_order_that_was_cancelled_before_it_closed_may_not_be_confirmed() -> None:
    said = AcknowledgementStatus(kind=Kind.CANCELLATION, revision=1, n=1, decided_at=now())
    closed = OrderStatus(ref=REF, stage=Stage.CLOSED, revision=1, confirmed_revision=1, acknowledgements=(said,))
    assert not standing_of(closed).may_confirm


@pytest.mark.parametrize(("headers", "status"), [({}, 401), ({"x-api-key": OTHER_KEY}, 403), ({"x-api-key": KEY}, 404)])
async def test_an_orders_standing_is_for_its_own_store(headers: dict[str, str], status: int, gateway: Gateway) -> None:
    assert (await gateway.http.get("/orders/demo/1", headers=headers)).status_code == status


async def test_health_is_alive_and_readiness_names_what_is_away(gateway: Gateway, database: Path) -> None:
    assert (await gateway.http.get("/healthz")).json() == {"status": "ok"}
    ready = await gateway.http.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "temporal": True, "ledger": True})
    gateway.orders.away = True
    away = await gateway.http.get("/readyz")
    assert (away.status_code, away.json()) == (503, {"ready": False, "temporal": False, "ledger": True})
    await gateway.ledger.aclose()
    take_away(database)
    assert (await gateway.http.get("/readyz")).json()["ledger"] is False


@pytest.mark.parametrize("path", ["/healthz", "/nosuch", "/o/forged", "/orders/demo/1", "/openapi.json"])
async def test_every_answer_carries_the_security_headers(path: str, gateway: Gateway) -> None:
    headers = (await gateway.http.get(path)).headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["strict-transport-security"]


async def test_the_description_names_every_route_its_body_its_key_and_its_answers(gateway: Gateway) -> None:
    described = (await gateway.http.get("/openapi.json")).json()
    assert set(described["paths"]) == {
        "/intake/{store}",
        "/intake/{store}/{system}",
        "/orders/{store}/{number}",
        "/receipts/{erp}",
        "/attestations/{store}/{number}",
        "/shadow/{store}/events",
        "/webhooks/{channel}",
        "/o/{token}",
        "/o/{token}/{action}",
        "/t/{token}",
        "/l/{token}",
        "/healthz",
        "/readyz",
    }
    intake = described["paths"]["/intake/{store}"]["post"]
    assert intake["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Order"}
    assert intake["security"] == [{"bearer": []}, {"apiKey": []}]
    assert {"202", "401", "403", "404", "408", "409", "413", "415", "422", "429", "503"} == set(intake["responses"])
    for path, methods in described["paths"].items():
        for method in methods.values():
            assert "HTTPValidationError" not in str(method), path
            assert ("429" in method["responses"]) is (path.split("/")[1] not in ("t", "healthz", "readyz"))
    _references_resolve(described, described)


def _references_resolve(node: object, root: dict[str, object]) -> None:
    if isinstance(node, list):
        for item in node:
            _references_resolve(item, root)
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "$ref":
                found: object = root
                for part in value.removeprefix("#/").split("/"):
                    assert isinstance(found, dict)
                    found = found[part]
            _references_resolve(value, root)


async def test_an_unexpected_failure_shows_nothing_of_the_inside(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("password=hunter2 at /srv/orderack/secret.py")

    monkeypatch.setattr(gateway.orders, "submit", broken)
    answer = await gateway.http.post("/intake/demo", content=body_of(an_order("1", now())), headers=BEARER)
    assert (answer.status_code, answer.json()["error"]) == (500, "internal")
    assert "hunter2" not in answer.text
    assert "/srv" not in answer.text


async def test_an_address_that_does_not_exist_or_takes_no_such_method_answers_in_the_same_shape(
    gateway: Gateway,
) -> None:
    missing, wrong = await gateway.http.get("/nosuch"), await gateway.http.get("/intake/demo")
    assert [missing.json()["error"], wrong.json()["error"]] == ["not_found", "method_not_allowed"]
    assert wrong.headers["allow"] == "POST"


async def test_the_sweep_runs_with_the_app_survives_failures_and_ends_with_it(gateway: Gateway) -> None:
    gateway.orders.away = True
    await gateway.http.post("/intake/demo", content=body_of(an_order("1", now())), headers=BEARER)
    gateway.clock.ahead = GRACE + timedelta(seconds=1)
    app = create_app(gateway.parts)
    async with app.router.lifespan_context(app):
        await asyncio.sleep(0.2)
        assert gateway.orders.submitted == []
        gateway.orders.away = False
        async with asyncio.timeout(60):
            while await gateway.inbox():  # noqa: ASYNC110 (the sweep tells nobody)
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
    assert len(gateway.orders.submitted) == 1


@pytest.mark.parametrize("text", ["shop", "shop:demo", "shop:demo:abc", ":demo:" + "0" * 64, "shop::" + "0" * 64])
def test_a_malformed_key_setting_is_named_by_its_place_and_never_shown(text: str) -> None:
    good = "shop:demo:" + "0" * 64
    with pytest.raises(Misconfigured, match="entry 2") as error:
        ApiKeys.parse(f"{good},{text}")
    assert text not in str(error.value)


def test_no_keys_open_nothing() -> None:
    assert ApiKeys.parse("").of("anything") == ()
