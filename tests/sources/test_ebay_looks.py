"""eBay: fetching and looking."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from openapi_core import OpenAPI

from orderack.errors import Misconfigured, Refused, Unavailable
from orderack.ports import Skipped, Snapshot
from orderack.sources.ebay import ORDERS, Ebay, EbaySettings
from tests.conformance.openapi import described_as
from tests.conformance.peer import Answer, CutOff, Peer, Received, json_answer, running_peer
from tests.conformance.source import NOW, SPECS
from tests.sources.ebay_bodies import ORDER, SECRETS, TOKEN, changed, ebay

# -- fetching and looking -------------------------------------------------------------------------------------------


@cache
def description() -> OpenAPI | None:
    path = SPECS / "ebay" / "sell_fulfillment_v1_oas3.json"
    if not path.is_file():
        return None
    known = json.loads(path.read_bytes())
    known["paths"] = {f"/sell/fulfillment/v1{name}": way for name, way in known["paths"].items()}
    return OpenAPI.from_dict(known | {"servers": [{"url": "https://api.ebay.com"}]})


def described(request: Received) -> None:
    if (found := description()) is not None:
        described_as(found, "https://api.ebay.com", request)


async def test_an_order_is_fetched_with_its_taxes_and_one_that_is_not_there_is_skipped() -> None:
    async with running_peer() as peer:
        peer.will(TOKEN, json_answer(200, ORDER), json_answer(404, {"errors": [{"errorId": 32100}]}))
        source = ebay(peer.url)
        assert isinstance((await source.fetch("12-34567-89012"))[0], Snapshot)
        assert isinstance((await source.fetch("none"))[0], Skipped)
        await source.aclose()
    assert peer.received[1].target == f"{ORDERS}/12-34567-89012?fieldGroups=TAX_BREAKDOWN"
    login = peer.received[0]
    assert login.headers["authorization"].startswith("Basic ")
    assert parse_qs(login.body.decode()) == {"grant_type": ["refresh_token"], "refresh_token": [SECRETS[1]]}
    for one in peer.received[1:]:
        described(one)


async def looks(peer: Peer, source: Ebay, *times: datetime) -> list[tuple[list[str], bool, Mapping[str, list[str]]]]:
    found, cursor = [], ""
    for now in times:
        looked = await source.look(cursor, now)
        cursor = looked.cursor
        described(peer.received[-1])
        query = parse_qs(urlsplit(peer.received[-1].target).query)
        found.append(([one.id.partition("#")[0] for one in looked.deliveries], looked.more, query))
    return found


async def test_a_look_goes_page_by_page_through_one_window_and_the_next_overlaps_it() -> None:
    later = changed("lastModifiedDate", "2026-11-21T09:10:00.000Z")
    async with running_peer() as peer:
        peer.will(
            TOKEN,
            json_answer(200, {"orders": [ORDER], "total": 2, "next": "https://api.ebay.com/…offset=1"}),
            json_answer(200, {"orders": [later], "total": 2}),
            json_answer(200, {"orders": [], "total": 0}),
        )
        source = ebay(peer.url)
        soon = NOW + timedelta(minutes=5)
        first, second, third = await looks(peer, source, NOW, NOW + timedelta(seconds=1), soon)
        await source.aclose()
    assert (first[0], first[1]) == (["12-34567-89012@2026-11-21T09:00:00.000Z"], True)
    assert (second[0], second[1]) == (["12-34567-89012@2026-11-21T09:10:00.000Z"], False)
    window = "lastmodifieddate:[2026-11-20T09:30:00.000Z..2026-11-21T09:30:00.000Z]"
    assert first[2]["filter"] == second[2]["filter"]
    assert first[2]["filter"][0] == f"{window},orderfulfillmentstatus:{{NOT_STARTED|IN_PROGRESS}}"
    assert (first[2]["offset"], second[2]["offset"], third[2]["offset"]) == (["0"], ["1"], ["0"])
    assert third[2]["filter"][0].startswith("lastmodifieddate:[2026-11-21T09:25:00.000Z..2026-11-21T09:35:00.000Z]")


async def test_a_page_that_is_gone_ends_the_look_and_the_next_begins_the_window_anew() -> None:
    async with running_peer() as peer:
        peer.will(
            TOKEN,
            json_answer(200, {"orders": [ORDER], "total": 2, "next": "https://api.ebay.com/…"}),
            json_answer(400, {"errors": [{"errorId": 30700, "message": "Invalid offset"}]}),
            json_answer(200, {"orders": [], "total": 0}),
        )
        source = ebay(peer.url)
        first, second, third = await looks(peer, source, NOW, NOW, NOW + timedelta(minutes=5))
        await source.aclose()
    assert (first[1], second[:2], third[1]) == (True, ([], False), False)
    assert third[2]["offset"] == ["0"]
    assert third[2]["filter"][0].startswith("lastmodifieddate:[2026-11-20T09:30:00.000Z..")


async def test_a_page_overlaps_the_one_before_and_a_next_page_beyond_the_total_is_not_asked_for() -> None:
    orders = [changed("orderId", f"12-{n}") for n in range(100)]
    endless = {"orders": orders, "total": 185, "next": "https://api.ebay.com/…"}
    async with running_peer() as peer:
        peer.will(TOKEN, json_answer(200, endless))
        source = ebay(peer.url)
        first, second = await looks(peer, source, NOW, NOW)
        await source.aclose()
    assert (first[1], second[1]) == (True, False)
    assert second[2]["offset"] == ["90"]


@pytest.mark.parametrize(
    ("answers", "fate"),
    [
        ([json_answer(429, {}, {"Retry-After": "7"})], Unavailable),
        ([json_answer(500, {"errors": [{"errorId": 30500, "category": "APPLICATION"}]})], Unavailable),
        ([CutOff()], Unavailable),
        ([Answer(200, b"<html>")], Unavailable),
        ([json_answer(403, {})], Misconfigured),
        ([json_answer(401, {}), TOKEN, json_answer(401, {})], Misconfigured),
        ([json_answer(400, {"errors": [{"errorId": 30700, "message": "Invalid ada@example.com"}]})], Refused),
    ],
)
async def test_every_answer_to_a_look_has_its_fate(answers: list[Answer | CutOff], fate: type[Exception]) -> None:
    async with running_peer() as peer:
        peer.will(TOKEN, *answers)
        source = ebay(peer.url)
        with pytest.raises(fate) as caught:
            await source.look("", NOW)
        await source.aclose()
    assert not any(word in str(caught.value) for word in (*SECRETS, "ada@example.com"))


class TestSettings:
    bad: ClassVar = [
        ("verification_token", "short"),
        ("base_url", "http://api.ebay.com"),
        ("client_id", "a:b"),
    ]

    @pytest.mark.parametrize(("field", "value"), bad)
    def test_settings_that_cannot_be_right_are_refused(self, field: str, value: str) -> None:
        good = {
            "client_id": "c",
            "client_secret": "s",
            "refresh_token": "r",
            "verification_token": "v" * 32,
        }
        EbaySettings(_env_file=None, **good)
        with pytest.raises(ValueError, match=field):
            EbaySettings(_env_file=None, **{**good, field: value})
