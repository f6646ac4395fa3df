"""BigCommerce: hints verified, orders fetched with all that stands beside them, answered once by a metafield."""

import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from urllib.parse import parse_qs, urlsplit

import pytest
from openapi_core import OpenAPI
from pydantic import JsonValue

from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.errors import BadSignature, InDoubt, Misconfigured, Unavailable
from orderack.ports import Delivery, Hint, RawRequest, Skipped, SourceAnswer
from tests.conformance.openapi import described_as
from tests.conformance.peer import Answer, CutOff, Peer, json_answer, running_peer
from tests.conformance.source import NOW, SPECS
from tests.sources.bigcommerce_bodies import (
    BODY,
    COUPONS,
    HEAD,
    LINES,
    ORDER,
    REFUND,
    TOKEN,
    bigcommerce,
    signed,
    snapshot,
)

# ----------------------------------------------------------------------------------------------- what it posts


async def test_a_webhook_is_a_hint_and_its_hash_makes_it_one():
    source = bigcommerce()
    (delivery,) = source.deliveries(signed(BODY))
    assert delivery.id == "store/order/created:dd70c0976e06b67aaf671e73f49dcb79230ebf9d"
    assert delivery.sent_at is not None
    assert await source.read(delivery) == (Hint(external_id="250"),)
    updated = BODY.replace(b"order/created", b"order/updated")
    (other,) = source.deliveries(signed(updated))
    assert other.id != delivery.id  # BigCommerce's own samples of the two share a hash
    await source.aclose()


async def test_every_sample_webhook_is_a_hint_or_has_nothing_for_us():
    if not SPECS.is_dir():
        pytest.skip("the vendors' samples are not beside this checkout")
    source, hints = bigcommerce(), 0
    for path in sorted((SPECS / "bigcommerce" / "samples" / "webhooks").glob("*.json")):
        body = path.read_text().replace("{store_hash}", "abc123")
        (reading,) = await source.read(Delivery(id="1", body=body))
        is_order = json.loads(body)["scope"].startswith("store/order")
        assert isinstance(reading, Hint) == is_order, path.name
        hints += is_order
        (foreign,) = await source.read(Delivery(id="1", body=path.read_text()))
        assert isinstance(foreign, Skipped)
    assert hints >= 3
    await source.aclose()


async def test_signatures_are_of_our_secret_and_of_now():
    source = bigcommerce()
    await source.verify(signed(BODY))
    for wrong in (signed(BODY, secret="another secret of the app"), signed(BODY, NOW - timedelta(minutes=6))):
        with pytest.raises(BadSignature):
            await source.verify(wrong)
    await source.aclose()


async def test_an_unsigned_hook_is_known_by_the_header_it_was_made_with():
    source = bigcommerce(client_secret=None, header_name="X-Shop-Key", header_value="k" * 20)
    right = RawRequest(url="https://shop.example", headers={"x-shop-key": "k" * 20}, body=BODY)
    await source.verify(right)
    for headers in ({}, {"x-shop-key": "wrong"}, {"x-orderack-secret": "k" * 20}):
        with pytest.raises(BadSignature):
            await source.verify(right.model_copy(update={"headers": headers}))
    await source.aclose()
    with pytest.raises(ValueError, match="CLIENT_SECRET"):
        bigcommerce(client_secret=None)


# --------------------------------------------------------------------------------------------- what is asked


@cache
def described(file: str) -> OpenAPI:
    if not SPECS.is_dir():
        pytest.skip("the vendors' descriptions are not beside this checkout")
    return OpenAPI.from_file_path(str(SPECS / "bigcommerce" / file))


def held_against_the_description(peer: Peer) -> None:
    for request in peer.received:
        assert request.headers["x-auth-token"] == TOKEN
        file = "orders.v3.yml" if "/v3/" in request.target else "orders.v2.oas2.yml"
        # `sort`: its text says that `:asc` may follow a field's name, its list of names forgets it
        target = request.target.replace("date_modified%3Aasc", "date_modified")
        described_as(described(file), "https://api.bigcommerce.com", replace(request, target=target))


async def test_an_order_is_fetched_with_its_lines_and_coupons():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(HEAD, LINES, COUPONS)
        (found,) = await source.fetch("250")
        assert found == snapshot(ORDER)
        paths = [urlsplit(one.target).path.removeprefix("/stores/abc123") for one in peer.received]
        assert paths == ["/v2/orders/250", "/v2/orders/250/products", "/v2/orders/250/coupons"]
        held_against_the_description(peer)
        await source.aclose()


async def test_addresses_and_refunds_are_asked_for_where_there_may_be_some():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        head = {**ORDER["order"], "consignments": {"url": "x"}, "coupon_discount": "0", "status_id": 14}
        place = ORDER["order"]["consignments"]["shipping"]
        peer.will(json_answer(200, head), LINES, json_answer(200, place), json_answer(200, {"data": [REFUND]}))
        (found,) = await source.fetch("250")
        assert found.order.delivery_address.city == "Bonn"
        assert found.order.lines[0].quantity == 1
        assert peer.received[-1].target.endswith("/v3/orders/250/payment_actions/refunds")
        held_against_the_description(peer)
        await source.aclose()


async def test_lines_come_page_by_page_and_an_empty_list_is_a_204():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        many = [{**ORDER["products"][0], "id": n} for n in range(250)]
        peer.will(json_answer(200, {**ORDER["order"], "coupon_discount": "0"}), json_answer(200, many), Answer(204))
        (found,) = await source.fetch("250")
        assert len(found.order.lines) == 250
        assert "page=2" in peer.received[2].target
        await source.aclose()


@pytest.mark.parametrize(
    ("reaction", "fate"),
    [
        (Answer(429, headers={"X-Rate-Limit-Time-Reset-Ms": "15000"}), Unavailable),
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
        source = bigcommerce(peer.url)
        peer.will(HEAD, reaction)
        with pytest.raises(fate) as caught:
            await source.fetch("250")
        if isinstance(reaction, Answer) and reaction.status == 429:
            assert caught.value.retry_after == timedelta(seconds=15)
        assert TOKEN not in str(caught.value)
        await source.aclose()


async def test_an_order_that_is_not_there_is_skipped():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(Answer(404))
        for external_id in ("250", "../3"):
            (found,) = await source.fetch(external_id)
            assert isinstance(found, Skipped)
        assert len(peer.received) == 1
        await source.aclose()


def _row(number: int, minute: int) -> JsonValue:
    return {"id": number, "date_modified": f"Sat, 21 Nov 2026 09:{minute:02}:00 +0000", "total_inc_tax": "1.0000"}


async def test_a_look_asks_by_the_time_of_change_and_goes_a_little_back():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(json_answer(200, [_row(1, 10), _row(2, 12)]), Answer(204))
        first = await source.look("", NOW)
        assert [(await source.read(one))[0] for one in first.deliveries] == [
            Hint(external_id="1"),
            Hint(external_id="2"),
        ]
        assert not first.more
        again = await source.look(first.cursor, NOW)
        assert again.deliveries == ()
        asked = [parse_qs(urlsplit(one.target).query) for one in peer.received]
        assert asked[0]["min_date_modified"] == [(NOW - timedelta(hours=1, minutes=2)).isoformat()]
        assert asked[0]["sort"] == ["date_modified:asc"]
        assert asked[1]["min_date_modified"] == ["2026-11-21T09:10:00+00:00"]
        held_against_the_description(peer)
        await source.aclose()


async def test_full_pages_are_followed_without_a_gap():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        same_minute = [_row(n, 20) for n in range(250)]
        peer.will(json_answer(200, same_minute), json_answer(200, same_minute), json_answer(200, [_row(999, 20)]))
        seen, cursor, more = set(), "", True
        while more:
            looked = await source.look(cursor, NOW)
            seen |= {one.id for one in looked.deliveries}
            cursor, more = looked.cursor, looked.more
        assert len(seen) == 251
        asked = [parse_qs(urlsplit(one.target).query) for one in peer.received]
        assert [(one["min_date_modified"], one["page"]) for one in asked[1:]] == [
            (["2026-11-21T09:20:00+00:00"], ["1"]),
            (["2026-11-21T09:20:00+00:00"], ["2"]),
        ]
        await source.aclose()


# ------------------------------------------------------------------------------------------------ what is told


def told(stage: AnswerStage = AnswerStage.CONFIRMED, revision: int = 1) -> SourceAnswer:
    order = snapshot(ORDER).order
    return SourceAnswer(
        key=AnswerKey(ref=order.ref, revision=revision, stage=stage),
        order=order,
        external_id="250",
        document_id="SO-1",
        page_url="https://shop.example/o/1",
        now=NOW,
    )


NOTHING = json_answer(200, {"data": [], "meta": {}})


async def test_an_answer_is_looked_for_before_it_is_written():
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(NOTHING, json_answer(200, {"data": {"id": 6}, "meta": {}}), json_answer(200, {"data": [{"id": 6}]}))
        first = await source.answer(told())
        again = await source.answer(told())
        assert (first.state, first.reference) == (again.state, again.reference) == (AnswerState.ACCEPTED, "6")
        assert [one.method for one in peer.received] == ["GET", "POST", "GET"]
        written = json.loads(peer.received[1].body)
        assert (written["namespace"], written["key"], written["permission_set"]) == ("orderack", "confirmed-1", "read")
        assert "SO-1" in written["value"]
        assert "https://shop.example/o/1" in written["value"]
        assert "ada@example.com" not in written["value"]
        held_against_the_description(peer)
        await source.aclose()


@pytest.mark.parametrize(
    ("reaction", "outcome"),
    [
        (Answer(409), AnswerState.ACCEPTED),
        (Answer(404), AnswerState.REFUSED),
        (Answer(422), AnswerState.REFUSED),
        (Answer(401), Misconfigured),
        (Answer(429, headers={"X-Rate-Limit-Time-Reset-Ms": "1000"}), Unavailable),
        (Answer(500), InDoubt),
        (CutOff(), InDoubt),
        (Answer(200, b"<html>It works!</html>"), InDoubt),
    ],
)
async def test_every_answer_to_an_answer_has_its_fate(reaction, outcome):
    async with running_peer() as peer:
        source = bigcommerce(peer.url)
        peer.will(NOTHING, reaction)
        if isinstance(outcome, AnswerState):
            assert (await source.answer(told())).state is outcome
        else:
            with pytest.raises(outcome):
                await source.answer(told())
        await source.aclose()
