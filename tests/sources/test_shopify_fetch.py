"""Shopify: orders asked for by GraphQL, looks, and the records that answer them."""

import json
from datetime import timedelta

import pytest
from graphql import parse, validate
from pydantic import JsonValue

from orderack.domain.source import AnswerKey, AnswerStage
from orderack.errors import InvalidInput, Misconfigured, Unavailable
from orderack.ports import Hint, SourceAnswer
from orderack.sources import _shopify_graphql as graph
from tests.conformance.peer import Answer, json_answer, running_peer
from tests.conformance.source import NOW
from tests.sources.shopify_bodies import ORDER, TOKEN, answered, needs_specs, reading, readings, schema, shopify


@needs_specs
@pytest.mark.parametrize("document", [graph.ORDER, graph.CHANGED])
def test_what_is_asked_is_valid_in_shopifys_schema(document: str) -> None:
    assert validate(schema(), parse(document)) == []
    assert validate(schema(), parse(document.replace("updatedAt", "updatedOn"))) != []


LOGIN = json_answer(200, {"access_token": TOKEN, "scope": "read_orders", "expires_in": 86399})


@needs_specs
async def test_what_is_fetched_is_the_order_that_a_webhook_brings() -> None:
    async with running_peer() as peer:
        peer.will(LOGIN, json_answer(200, json.loads(json.dumps(answered(ORDER)))))
        source = shopify(peer.url)
        (fetched,) = await source.fetch("820982911946154508")
        await source.aclose()
        asked = json.loads(peer.received[1].body)
        assert asked["variables"] == {"id": "gid://shopify/Order/820982911946154508", "lines": 50, "after": None}
        assert peer.received[1].headers["x-shopify-access-token"] == TOKEN
    assert fetched == await reading()


@needs_specs
async def test_lines_come_page_by_page_and_an_order_that_changes_meanwhile_is_asked_for_again() -> None:
    first = json.loads(json.dumps(answered(ORDER, first=1)))
    second = json.loads(json.dumps(answered(ORDER, "1", first=1)))
    async with running_peer() as peer:
        peer.will(LOGIN, json_answer(200, first), json_answer(200, second))
        source = shopify(peer.url)
        (fetched,) = await source.fetch("820982911946154508")
        assert fetched == await reading()
        second["data"]["order"]["updated_at"] = "2026-11-21T10:00:06+01:00"
        peer.will(json_answer(200, first), json_answer(200, second))
        with pytest.raises(Unavailable):
            await source.fetch("820982911946154508")
        await source.aclose()


@pytest.mark.parametrize(
    ("reply", "fate"),
    [
        ({"data": None, "errors": [{"extensions": {"code": "ACCESS_DENIED"}}]}, Misconfigured),
        ({"errors": [{"extensions": {"code": "INTERNAL_SERVER_ERROR"}}]}, Unavailable),
        ({"data": {"order": 7}}, Unavailable),
        ({"data": {"order": {"id": "1"}}}, InvalidInput),
    ],
)
async def test_what_shopify_answers_a_fetch_with(reply: JsonValue, fate: type[Exception]) -> None:
    async with running_peer() as peer:
        peer.will(LOGIN, json_answer(200, reply))
        source = shopify(peer.url)
        with pytest.raises(fate):
            await source.fetch("1")
        await source.aclose()


async def test_a_throttle_inside_a_200_names_its_wait() -> None:
    status: JsonValue = {"maximumAvailable": 1000.0, "currentlyAvailable": 14, "restoreRate": 50}
    cost: JsonValue = {"requestedQueryCost": 114, "actualQueryCost": None, "throttleStatus": status}
    error: JsonValue = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
    async with running_peer() as peer:
        peer.will(LOGIN, json_answer(200, {"errors": [error], "extensions": {"cost": cost}}))
        source = shopify(peer.url)
        with pytest.raises(Unavailable) as caught:
            await source.look("", NOW)
        assert caught.value.retry_after == timedelta(seconds=2)
        await source.aclose()


@pytest.mark.parametrize("status", [429, 503])
async def test_a_limit_outside_graphql_names_its_wait_too(status: int) -> None:
    async with running_peer() as peer:
        peer.will(LOGIN, Answer(status, b"", {"Retry-After": "7"}))
        source = shopify(peer.url)
        with pytest.raises(Unavailable) as caught:
            await source.fetch("1")
        assert caught.value.retry_after == timedelta(seconds=7)
        await source.aclose()


def changes(*found: tuple[int, str], after: str | None = None) -> JsonValue:
    nodes: list[JsonValue] = [{"id": str(number), "updated_at": at} for number, at in found]
    return {"data": {"orders": {"nodes": nodes, "pageInfo": {"hasNextPage": bool(after), "endCursor": after}}}}


async def test_a_look_reaches_back_goes_on_page_by_page_and_leaves_what_changes_just_now() -> None:
    async with running_peer() as peer:
        source = shopify(peer.url)
        peer.will(LOGIN, json_answer(200, changes((1, "2026-11-21T09:00:00Z"), after="c1")))
        first = await source.look("", NOW)
        assert first.more
        peer.will(json_answer(200, changes((2, "2026-11-21T09:20:00Z"), (3, "2026-11-21T09:29:58Z"))))
        second = await source.look(first.cursor, NOW)
        peer.will(json_answer(200, changes()))
        third = await source.look(second.cursor, NOW)
        await source.aclose()
        asked = [json.loads(one.body)["variables"] for one in peer.received[1:]]
    assert [one.id for one in first.deliveries] == ["look/1/2026-11-21T09:00:00+00:00"]
    assert [one.id for one in second.deliveries] == ["look/2/2026-11-21T09:20:00+00:00"]
    assert not second.more
    assert not third.deliveries
    assert asked[0]["since"] == asked[1]["since"] == "updated_at:>='2026-11-21T08:25:00+00:00'"
    assert [one["after"] for one in asked] == [None, "c1", None]
    assert asked[2]["since"] == "updated_at:>='2026-11-21T09:15:00+00:00'"
    (hint,) = await readings(json.loads(first.deliveries[0].body), first.deliveries[0].topic)
    assert hint == Hint(external_id="1")


async def test_each_stage_and_revision_has_a_record_of_its_own_within_what_a_metafield_takes() -> None:
    order = (await reading()).order
    written: JsonValue = {"metafieldsSet": {"metafields": [{"id": "gid://shopify/Metafield/1"}], "userErrors": []}}
    names = set()
    async with running_peer() as peer:
        source = shopify(peer.url)
        peer.will(LOGIN, json_answer(200, {"data": written}))
        for revision in (1, 2):
            for stage in AnswerStage:
                key = AnswerKey(ref=order.ref, revision=revision, stage=stage)
                answer = SourceAnswer(key=key, order=order, external_id="7", reason="x" * 2_000, now=NOW)
                assert (await source.answer(answer)).detail == "written, and not tagged"
                asked = json.loads(peer.received[-1].body)["variables"]
                (metafield,) = asked["metafields"]
                assert (metafield["ownerId"], asked["tags"]) == ("gid://shopify/Order/7", [f"orderack-{stage}"])
                assert 3 <= len(metafield["key"]) <= 64
                names.add(metafield["key"])
        await source.aclose()
    assert len(names) == 8
