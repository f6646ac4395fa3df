"""Magento: what is asked and what is told."""

import json
from decimal import Decimal
from functools import cache
from urllib.parse import parse_qs, urlsplit

import pytest
from jsonschema import Draft4Validator
from pydantic import JsonValue

from orderack.domain.source import AnswerStage, AnswerState
from orderack.errors import InDoubt, Misconfigured, Unavailable
from orderack.ports import Skipped
from orderack.sources._storefront_note import note_of
from tests.conformance.peer import Answer, CutOff, Peer, json_answer, running_peer
from tests.conformance.source import NOW, SPECS
from tests.sources.magento_bodies import NOTHING, ORDER, TOKEN, magento, snapshot, told

# --------------------------------------------------------------------------------------------- what is asked


@cache
def description() -> dict[str, JsonValue]:
    path = SPECS / "magento" / "admin-schema-2.4.9-orders-trimmed.openapi.json"
    if not path.exists():
        pytest.skip("the vendors' descriptions are not beside this checkout")
    return json.loads(path.read_text())


def held_against_the_description(peer: Peer) -> None:
    """Path, query and body, by the Swagger 2.0 description of Magento's."""
    for request in peer.received:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        parts = urlsplit(request.target)
        path = parts.path.removeprefix("/rest").replace("/361", "/{id}")
        said = description()["paths"][path][request.method.lower()]
        names = {one["name"] for one in said["parameters"] if one["in"] == "query"}
        assert parse_qs(parts.query).keys() <= names, parts.query
        for one in (one for one in said["parameters"] if one["in"] == "body"):
            schema = one["schema"] | {"definitions": description()["definitions"]}
            Draft4Validator(schema).validate(json.loads(request.body))


async def test_an_order_is_fetched_by_its_id_or_by_its_number():
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(json_answer(200, ORDER), json_answer(200, {"items": [ORDER], "total_count": 1}))
        assert await source.fetch("361") == (snapshot(ORDER),)
        assert await source.fetch("number:000000361") == (snapshot(ORDER),)
        asked = parse_qs(urlsplit(peer.received[1].target).query)
        assert asked["searchCriteria[filterGroups][0][filters][0][value]"] == ["000000361"]
        held_against_the_description(peer)
        peer.will(Answer(404))
        assert isinstance((await source.fetch("361"))[0], Skipped)
        assert isinstance((await source.fetch("../1"))[0], Skipped)
        peer.will(json_answer(200, {"items": None, "total_count": 0}))
        assert isinstance((await source.fetch("number:1"))[0], Skipped)
        await source.aclose()


@pytest.mark.parametrize(
    ("reaction", "fate"),
    [
        (Answer(429, headers={"Retry-After": "15"}), Unavailable),
        (Answer(503), Unavailable),
        (CutOff(), Unavailable),
        (Answer(200, b"<html>It works!</html>"), Unavailable),
        (Answer(400), Unavailable),
        (Answer(401), Misconfigured),
        (Answer(403), Misconfigured),
    ],
)
async def test_what_goes_wrong_while_asking_has_its_fate(reaction, fate):
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(reaction)
        for asking in (source.fetch("361"), source.look("", NOW), source.answer(told())):
            with pytest.raises(fate) as caught:
                await asking
            assert TOKEN not in str(caught.value)
        await source.aclose()


def _row(number: int, minute: int) -> JsonValue:
    return {**ORDER, "entity_id": number, "increment_id": str(number), "updated_at": f"2026-11-21 09:{minute:02}:00"}


async def test_a_look_brings_whole_orders_by_the_time_of_change():
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(json_answer(200, {"items": [_row(1, 10), _row(2, 12)], "total_count": 2}))
        first = await source.look("", NOW)
        (found,) = await source.read(first.deliveries[1])
        assert (found.external_id, found.order.totals.total) == ("2", Decimal("204.75"))
        assert not first.more
        again = await source.look(first.cursor, NOW)
        assert [one.id for one in again.deliveries] == [one.id for one in first.deliveries]
        asked = [parse_qs(urlsplit(one.target).query) for one in peer.received]
        since = "searchCriteria[filterGroups][0][filters][0][value]"
        assert [one[since] for one in asked] == [["2026-11-21 08:28:00"], ["2026-11-21 09:10:00"]]
        assert asked[0]["searchCriteria[sortOrders][0][direction]"] == ["ASC"]
        held_against_the_description(peer)
        peer.will(json_answer(200, {"items": [_row(1, 10) | {"state": "canceled"}], "total_count": 1}))
        (changed,) = (await source.look(first.cursor, NOW)).deliveries
        assert changed.id not in {one.id for one in first.deliveries}
        await source.aclose()


async def test_pages_end_where_the_count_says_though_magento_repeats_the_last_one():
    async with running_peer() as peer:
        source = magento(peer.url)
        page = [_row(n, 20) for n in range(100)]
        last = [_row(999, 20)]
        peer.will(
            json_answer(200, {"items": page, "total_count": 101}),
            json_answer(200, {"items": page, "total_count": 101}),
            json_answer(200, {"items": last, "total_count": 101}),
        )
        seen, cursor, more = set(), "", True
        while more:
            looked = await source.look(cursor, NOW)
            seen |= {one.id for one in looked.deliveries}
            cursor, more = looked.cursor, looked.more
        assert (len(seen), len(peer.received)) == (101, 3)
        await source.aclose()


async def test_a_comment_mails_nobody_shows_nobody_and_is_looked_for_first():
    async with running_peer() as peer:
        source = magento(peer.url)
        written = {"items": [{"comment": "Hello"}, {"comment": None}, {"comment": note_of(told()) + "\n"}]}
        peer.will(NOTHING, Answer(200, b"true"), json_answer(200, written))
        first, again = await source.answer(told()), await source.answer(told())
        assert first == again
        assert first.state is AnswerState.ACCEPTED
        assert [one.method for one in peer.received] == ["GET", "POST", "GET"]
        history = json.loads(peer.received[1].body)["statusHistory"]
        assert (history["is_customer_notified"], history["is_visible_on_front"], history["parent_id"]) == (0, 0, 361)
        assert "status" not in history
        assert "SO-1" in history["comment"]
        assert "https://shop.example/o/1" in history["comment"]
        assert not any("/emails" in one.target for one in peer.received)
        held_against_the_description(peer)
        await source.aclose()


async def test_another_answer_is_another_comment():
    async with running_peer() as peer:
        source = magento(peer.url)
        there = json_answer(200, {"items": [{"comment": note_of(told(AnswerStage.RECEIVED))}]})
        peer.will(there, Answer(200, b"true"))
        await source.answer(told(AnswerStage.REJECTED))
        comment = json.loads(peer.received[1].body)["statusHistory"]["comment"]
        assert "rejected" in comment
        assert "out of stock" in comment
        await source.aclose()


@pytest.mark.parametrize(
    ("reaction", "outcome"),
    [
        (Answer(404), AnswerState.REFUSED),
        (Answer(400), AnswerState.REFUSED),
        (Answer(401), Misconfigured),
        (Answer(429, headers={"Retry-After": "1"}), Unavailable),
        (Answer(500), InDoubt),
        (CutOff(), InDoubt),
        (Answer(200, b"<html>It works!</html>"), InDoubt),
        (Answer(200, b"false"), InDoubt),
    ],
)
async def test_every_answer_to_an_answer_has_its_fate(reaction, outcome):
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(NOTHING, reaction)
        if isinstance(outcome, AnswerState):
            assert (await source.answer(told())).state is outcome
        else:
            with pytest.raises(outcome):
                await source.answer(told())
        await source.aclose()
