"""Walmart: looking for orders and acknowledging them."""

import base64
import copy
import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from openapi_core import OpenAPI

from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.errors import Misconfigured, Unavailable
from orderack.ports import Skipped, Snapshot, SourceAnswer, Standing
from tests.conformance.openapi import described_as
from tests.conformance.peer import Answer, CutOff, Reaction, Received, json_answer, running_peer
from tests.conformance.source import NOW, SPECS
from tests.sources.walmart_bodies import MX, US, stands, taken, walmart

HOST = "https://marketplace.walmartapis.com"


TOKEN = json_answer(200, {"access_token": "eyJ.sandbox.token", "token_type": "Bearer", "expires_in": 900})


def listed(*orders: dict, cursor: str | None = None) -> Answer:
    return json_answer(200, {"list": {"meta": {"nextCursor": cursor}, "elements": {"order": list(orders)}}})


class TestLooking:
    async def test_a_round_goes_through_what_waits_and_what_changed_page_by_page(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            acknowledged = stands(US)
            more = "?limit=200&hasMoreElements=true&soIndex=9&poIndex=1&status=Created"
            peer.will(TOKEN, listed(US, cursor=more), listed(US), listed(acknowledged), listed())
            looks, cursor = [], ""
            for _ in range(3):
                looked = await source.look(cursor, NOW)
                looks.append(looked)
                cursor = looked.cursor
            assert [looked.more for looked in looks] == [True, True, False]
            ids = [looked.deliveries[0].id for looked in looks]
            assert ids[0] == ids[1] != ids[2]
            assert isinstance((await source.read(looks[0].deliveries[0]))[0], Snapshot)
            later = await source.look(cursor, NOW + timedelta(minutes=2))
            await source.look(later.cursor, NOW + timedelta(minutes=2))
            asked = [urlsplit(one.target) for one in peer.received[1:]]
            assert [one.path for one in asked] == [
                "/v3/orders/released", "/v3/orders/released", "/v3/orders", "/v3/orders/released", "/v3/orders",
            ]  # fmt: skip
            assert parse_qs(asked[1].query)["soIndex"] == ["9"]
            assert parse_qs(asked[4].query)["lastModifiedStartDate"] == ["2026-11-21T09:20:00.000Z"]
            await source.aclose()

    async def test_canadas_list_in_its_own_envelope_and_capitals_is_read_and_acknowledged(self) -> None:
        ours = json.loads(json.dumps(US).replace('"Created"', '"CREATED"'))
        after = json.loads(json.dumps(US).replace('"Created"', '"ACKNOWLEDGED"'))
        key = AnswerKey(ref=(await taken(US)).order.ref, revision=1, stage=AnswerStage.RECEIVED)
        async with running_peer() as peer:
            source = walmart(peer.url, market="ca")
            peer.will(
                TOKEN,
                json_answer(200, {"meta": {"totalCount": 1}, "elements": {"order": [ours]}}),
                json_answer(200, ours),
                json_answer(200, {}),
                json_answer(200, after),
            )
            looked = await source.look("", NOW)
            (reading,) = await source.read(looked.deliveries[0])
            assert isinstance(reading, Snapshot)
            answer = SourceAnswer(key=key, order=reading.order, external_id=reading.external_id, now=NOW)
            assert (await source.answer(answer)).state is AnswerState.ACCEPTED
            await source.aclose()
        assert peer.received[-2].target == f"/v3/ca/orders/{US['purchaseOrderId']}/acknowledge"
        gone = json.loads(json.dumps(US).replace('"Created"', '"CANCELLED"'))
        assert (await taken(gone)).standing is Standing.CANCELLED

    async def test_one_order_that_is_no_list_is_one_and_a_cursor_never_leads_elsewhere(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            one = {"list": {"meta": {"nextCursor": "https://evil.example/?a=1"}, "elements": {"order": US}}}
            peer.will(TOKEN, json_answer(200, one), listed())
            first = await source.look("", NOW)
            assert len(first.deliveries) == 1
            await source.look(first.cursor, NOW)
            assert peer.received[-1].target.startswith("/v3/orders/released?")
            await source.aclose()

    @pytest.mark.parametrize("status", [400, 404])
    async def test_a_page_that_is_gone_begins_the_round_anew_and_a_first_page_that_is_refused_is_told(
        self, status: int
    ) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            following = {"list": {"meta": {"nextCursor": "?poIndex=2"}, "elements": {"order": [US]}}}
            peer.will(TOKEN, json_answer(200, following), json_answer(status, {"errors": []}))
            first = await source.look("", NOW)
            second = await source.look(first.cursor, NOW)
            assert (first.more, second.more, second.deliveries) == (True, False, ())
            with pytest.raises((Unavailable, Misconfigured)):
                await source.look(second.cursor, NOW)
            asked = [one.target for one in peer.received[1:]]
            assert asked[0] == asked[2]
            await source.aclose()

    async def test_pages_that_lead_in_a_circle_end_and_the_round_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("orderack.sources.walmart.MOST_PAGES", 20)
        turns = 0

        def answer(request: Received) -> Reaction:
            nonlocal turns
            turns += 1
            if request.target == "/v3/token":
                return TOKEN
            meta = {"nextCursor": f"?page={'ab'[turns % 2]}"}
            return json_answer(200, {"list": {"meta": meta, "elements": {"order": [US]}}})

        async with running_peer() as peer:
            source, peer.aside, cursor, looks = walmart(peer.url), answer, "", 0
            more = True
            while more and looks < 1_000:
                looked = await source.look(cursor, NOW)
                cursor, more, looks = looked.cursor, looked.more, looks + 1
            await source.aclose()
        assert looks == 2 * (20 + 1)

    async def test_every_call_bears_an_id_of_its_own_the_service_and_one_token(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, listed())
            await source.look("", NOW)
            await source.look("", NOW)
            signed_in, *asked = peer.received
            assert signed_in.body == b"grant_type=client_credentials"
            assert signed_in.headers["authorization"] == "Basic " + base64.b64encode(b"id-1:secret-of-the-api").decode()
            assert {one.headers["wm_sec.access_token"] for one in asked} == {"eyJ.sandbox.token"}
            assert len({one.headers["wm_qos.correlation_id"] for one in peer.received}) == 3
            assert all(one.headers["wm_svc.name"] for one in peer.received)
            await source.aclose()

    async def test_a_spent_bucket_is_waited_for_as_long_as_it_says(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            at = str(int((NOW + timedelta(seconds=40)).timestamp() * 1000))
            peer.will(TOKEN, Answer(429, b"", {"x-current-token-count": "0", "x-next-replenish-time": at}))
            with pytest.raises(Unavailable) as caught:
                await source.look("", NOW)
            assert caught.value.retry_after == timedelta(seconds=40)
            await source.aclose()

    @pytest.mark.parametrize(
        ("status", "fate"), [(401, Misconfigured), (403, Misconfigured), (400, Unavailable), (500, Unavailable)]
    )
    async def test_every_failure_has_its_fate(self, status: int, fate: type[Exception]) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, json_answer(status, {"errors": [{"code": "X.GMP", "description": "no"}]}))
            if status == 401:
                peer.will(TOKEN, Answer(401), TOKEN, Answer(401))
            with pytest.raises(fate):
                await source.look("", NOW)
            await source.aclose()

    async def test_mexico_and_canada_are_asked_in_their_own_way(self) -> None:
        async with running_peer() as peer:
            mexico = walmart(peer.url, market="mx")
            peer.will(TOKEN, json_answer(200, {"meta": {"nextCursorMark": "AoJ4"}, "order": [MX]}), listed())
            first = await mexico.look("", NOW)
            await mexico.look(first.cursor, NOW)
            query = parse_qs(urlsplit(peer.received[-1].target).query)
            assert (query["cursorMark"], query["statusCodeFilter"]) == (["AoJ4"], ["Created"])
            assert peer.received[-1].headers["wm_market"] == "mx"
            canada = walmart(peer.url, market="ca")
            peer.will(TOKEN, listed())
            await canada.look("", NOW)
            assert peer.received[-1].target.startswith("/v3/ca/orders/released?")
            await mexico.aclose()
            await canada.aclose()

    @pytest.mark.parametrize("envelope", [US, {"order": US}, {"order": [US]}, {"list": {"elements": {"order": [US]}}}])
    async def test_an_order_is_fetched_in_whatever_envelope(self, envelope: dict) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, json_answer(200, envelope))
            (reading,) = await source.fetch("9007199254740993123")
            assert reading == await taken(US)
            peer.will(Answer(404))
            (reading,) = await source.fetch("../token")
            assert isinstance(reading, Skipped)
            assert peer.received[-1].target.startswith("/v3/orders/..%2Ftoken?")
            await source.aclose()


async def an_answer(stage: AnswerStage, shape: dict = US) -> SourceAnswer:
    order = (await taken(shape)).order
    key = AnswerKey(ref=order.ref, revision=1, stage=stage)
    return SourceAnswer(key=key, order=order, external_id=shape["purchaseOrderId"], now=NOW)


def fetched(order: dict) -> Answer:
    return json_answer(200, {"order": order})


GONE = json_answer(400, {"errors": [{"code": "INVALID_REQUEST_CONTENT.GMP_ORDER_API", "description": "Not allowed"}]})


class TestAnswering:
    @pytest.mark.parametrize(
        ("stage", "answers", "state", "detail", "posts"),
        [
            ("received", [fetched(US), fetched(stands(US)), fetched(stands(US))], "accepted", "acknowledged", 1),
            ("confirmed", [fetched(stands(US))], "accepted", "acknowledged", 0),
            ("received", [fetched(stands(US, ("Shipped", "1")))], "accepted", "shipped already", 0),
            ("received", [fetched(stands(US, ("Cancelled", "3")))], "refused", "cancelled at Walmart", 0),
            ("received", [Answer(404)], "refused", "no such order", 0),
            ("received", [fetched(US), GONE, fetched(stands(US, ("Cancelled", "3")))], "refused", "cancelled at", 1),
            ("received", [fetched(US), GONE, fetched(stands(US))], "accepted", "acknowledged", 1),
            ("received", [fetched(US), GONE, fetched(US)], "refused", "400 INVALID_REQUEST_CONTENT", 1),
            ("rejected", [fetched(US), GONE, fetched(stands(US, ("Cancelled", "3")))], "accepted", "cancelled", 1),
            ("cancelled", [fetched(stands(US, ("Cancelled", "3")))], "accepted", "cancelled", 0),
            ("cancelled", [fetched(stands(US, ("Shipped", "3")))], "refused", "it is shipped", 0),
            ("rejected", [fetched(US), GONE, fetched(US)], "refused", "400 INVALID_REQUEST_CONTENT", 1),
        ],
    )  # fmt: skip
    async def test_how_the_order_stands_decides(
        self, stage: str, answers: list, state: str, detail: str, posts: int
    ) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, *answers)
            answered = await source.answer(await an_answer(AnswerStage(stage)))
            assert (answered.state, detail in answered.detail) == (AnswerState(state), True), answered
            assert sum(one.method == "POST" for one in peer.received[1:]) == posts
            await source.aclose()

    async def test_a_cut_off_acknowledgement_is_made_again_and_is_one(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, fetched(US), CutOff())
            with pytest.raises(Unavailable):
                await source.answer(await an_answer(AnswerStage.RECEIVED))
            peer.will(fetched(stands(US)))
            answered = await source.answer(await an_answer(AnswerStage.RECEIVED))
            assert answered.state is AnswerState.ACCEPTED
            assert sum(one.method == "POST" for one in peer.received[1:]) == 1
            await source.aclose()

    async def test_another_order_than_the_one_that_was_asked_for_is_never_answered(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url, market="mx")
            other = {**MX, "purchaseOrderId": "P-of-somebody-else"}
            peer.will(TOKEN, json_answer(200, {"order": [other]}))
            answered = await source.answer(await an_answer(AnswerStage.RECEIVED, MX))
            assert (answered.state, answered.detail) == (AnswerState.REFUSED, "Walmart has no such order")
            peer.will(json_answer(200, {"order": [other, MX]}))
            (reading,) = await source.fetch(MX["purchaseOrderId"])
            assert isinstance(reading, Snapshot)
            assert reading.external_id == MX["purchaseOrderId"]
            await source.aclose()
        assert not [one for one in peer.received[1:] if one.method == "POST"]

    async def test_an_order_that_cannot_be_read_just_now_is_answered_later(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, fetched({**US, "orderDate": "soon"}))
            with pytest.raises(Unavailable):
                await source.answer(await an_answer(AnswerStage.RECEIVED))
            await source.aclose()

    async def test_a_cancellation_names_each_open_line_with_its_reason(self) -> None:
        odd = copy.deepcopy(US)
        odd["orderLines"]["orderLine"][1]["intentToCancel"] = "true"
        async with running_peer() as peer:
            source = walmart(peer.url)
            peer.will(TOKEN, fetched(odd), fetched(odd))
            await source.answer(await an_answer(AnswerStage.REJECTED))
            post = next(one for one in peer.received if one.target.endswith("/cancel"))
            lines = json.loads(post.body)["orderCancellation"]["orderLines"]["orderLine"]
            told = [(line["lineNumber"], line["orderLineStatuses"]["orderLineStatus"][0]) for line in lines]
            assert [(number, one["cancellationReason"], one["statusQuantity"]["amount"]) for number, one in told] == [
                ("1", "SELLER_CANCEL_OUT_OF_STOCK", "3"),
                ("2", "CUSTOMER_REQUESTED_SELLER_TO_CANCEL", "1"),
            ]
            await source.aclose()

    async def test_canada_is_cancelled_by_hand(self) -> None:
        async with running_peer() as peer:
            source = walmart(peer.url, market="ca")
            peer.will(TOKEN, fetched(US))
            answered = await source.answer(await an_answer(AnswerStage.REJECTED))
            assert answered.state is AnswerState.REFUSED
            assert "Seller Center" in answered.detail
            assert len(peer.received) == 2
            await source.aclose()


@pytest.mark.parametrize(
    ("market", "order", "descriptions"),
    [
        ("us", US, ("us_mp_orders.openapi.json", "us_mp_orders.2026.trimmed.openapi.json")),
        ("mx", MX, ("mx_mp_orders.openapi.json",)),
    ],
)
async def test_every_request_is_as_walmart_describes_it(market: str, order: dict, descriptions: tuple) -> None:
    if not SPECS.is_dir():
        pytest.skip("the vendors' descriptions are not beside this checkout")
    async with running_peer() as peer:
        source = walmart(peer.url, market=market)
        peer.will(TOKEN, fetched(order))
        for stage in (AnswerStage.RECEIVED, AnswerStage.REJECTED):
            await source.answer(await an_answer(stage, order))
        await source.look((await source.look("", NOW)).cursor, NOW)
        sign_in, *asked = peer.received
        described_as(_described("us_mp_auth.openapi.json"), HOST, sign_in)
        assert {one.target.partition("?")[0].rpartition("/")[2] for one in asked} >= {"acknowledge", "cancel"}
        for name in descriptions:
            description, unknown = _described(name), "/v3/orders/released" if "2026" in name else "?"
            for one in asked:
                if not one.target.startswith(unknown):
                    described_as(description, HOST, one)
        await source.aclose()


def _described(name: str) -> OpenAPI:
    """Walmart's own description. It says `bearer` of a token that has a header of its own, and its notes on XML are
    no valid ones."""
    tree = _without(json.loads((SPECS / "walmart" / name).read_text()), "security", "xml")
    tree["info"].setdefault("version", "unsaid")
    return OpenAPI.from_dict(tree)


def _without(tree, *names: str):
    if isinstance(tree, dict):
        return {name: _without(value, *names) for name, value in tree.items() if name not in names}
    return [_without(value, *names) for value in tree] if isinstance(tree, list) else tree
