"""WooCommerce: looking, fetching and answering."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import JsonValue

from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.errors import InDoubt, InvalidInput, Misconfigured, Unavailable
from orderack.ports import Skipped, Snapshot, SourceAnswer
from orderack.ports import Standing as At
from orderack.sources.woocommerce import PAGE
from tests.channels.test_woocommerce_note import assert_in_the_index
from tests.conformance.peer import Answer, CutOff, json_answer, running_peer
from tests.conformance.source import NOW
from tests.sources.woocommerce_bodies import ORDER, reading, readings, shop

# What is asked for, against the shop's own index.


async def test_a_look_is_asked_as_the_index_says_and_ends_where_it_began() -> None:
    def order(number: int, at: str = "2026-11-21T09:00:08") -> dict[str, JsonValue]:
        return {**ORDER, "id": number, "date_modified_gmt": at}

    nothing = json_answer(200, [])
    async with running_peer() as peer:
        source = shop(peer.url)
        peer.will(json_answer(200, [order(n) for n in range(1, PAGE + 1)]))
        first = await source.look("", NOW)
        peer.will(json_answer(200, [order(99)]), nothing)
        second = await source.look(first.cursor, NOW)
        peer.will(json_answer(200, [order(99)]), nothing)
        third = await source.look(second.cursor, NOW)
        await source.aclose()
        for request in peer.received:
            assert_in_the_index(_without_dates(request))
        asked = [parse_qs(urlsplit(one.target).query) for one in peer.received]
    assert (first.more, second.more, len(first.deliveries)) == (True, False, PAGE)
    assert [one["page"] for one in asked] == [["1"], ["2"], ["1"], ["1"], ["1"]]
    assert [one.get("status") for one in asked] == [None, None, ["trash"], None, ["trash"]]
    assert {one["modified_after"][0] for one in asked[:3]} == {"2026-11-21T08:20:00"}
    assert {one["modified_after"][0] for one in asked[3:]} == {"2026-11-21T08:50:08"}
    assert [one.id for one in second.deliveries] == [one.id for one in third.deliveries]
    (found,) = await readings(json.loads(second.deliveries[0].body), second.deliveries[0].topic)
    assert isinstance(found, Snapshot)
    assert found.external_id == "99"


def _without_dates(request):
    """The index that is saved is of a shop before `modified_after` (WooCommerce 5.8), and before one can ask for what
    is in the trash."""
    later = ("dates_are_gmt", "status=trash")
    target = "&".join(part for part in request.target.split("&") if not part.startswith(later)).replace(
        f"modified_after={parse_qs(urlsplit(request.target).query)['modified_after'][0].replace(':', '%3A')}&", ""
    )
    return type(request)(request.method, target, request.headers, request.body, request.raw)


async def test_a_shop_that_does_not_know_how_to_be_asked_is_named_and_not_read_whole() -> None:
    async with running_peer() as peer:
        source = shop(peer.url)
        peer.will(json_answer(200, [{**ORDER, "date_modified_gmt": "2019-01-01T00:00:00"}]))
        with pytest.raises(Misconfigured, match=r"5\.8"):
            await source.look("", NOW)
        await source.aclose()


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (Answer(401, b"{}"), Misconfigured),
        (Answer(404, b'{"code": "rest_no_route"}'), Misconfigured),
        (Answer(503, b""), Unavailable),
        (Answer(429, b"", {"Retry-After": "7"}), Unavailable),
        (Answer(200, b"<html>"), Unavailable),
        (json_answer(200, {"id": 727}), InvalidInput),
        (CutOff(), Unavailable),
    ],
)
async def test_what_a_fetch_is_answered_with(answer: Answer, fate: type[Exception]) -> None:
    async with running_peer() as peer:
        peer.will(answer)
        source = shop(peer.url)
        with pytest.raises(fate):
            await source.fetch("727")
        await source.aclose()


async def test_one_in_the_trash_is_cancelled_and_one_that_is_gone_is_nothing() -> None:
    async with running_peer() as peer:
        source = shop(peer.url)
        peer.will(json_answer(200, ORDER | {"status": "trash"}))
        (found,) = await source.fetch("727")
        assert isinstance(found, Snapshot)
        assert found.standing is At.CANCELLED
        assert_in_the_index(peer.received[-1])
        peer.will(json_answer(404, {"code": "woocommerce_rest_shop_order_invalid_id"}))
        assert list(await source.fetch("727")) == [Skipped(why="the shop has no such order")]
        await source.aclose()


async def test_an_answer_is_looked_for_written_privately_and_escaped() -> None:
    order = (await reading()).order
    key = AnswerKey(ref=order.ref, revision=1, stage=AnswerStage.REJECTED)
    reason = "no <b>lamps</b> left"
    answer = SourceAnswer(
        key=key, order=order, external_id="727", reason=reason, page_url="https://x.example/o", now=NOW
    )
    async with running_peer() as peer:
        source = shop(peer.url)
        made = json_answer(201, {"id": 281, "note": "", "customer_note": False})
        peer.will(json_answer(200, []), made, json_answer(200, []))
        first = await source.answer(answer)
        written = json.loads(peer.received[1].body)
        peer.will(json_answer(200, [{"id": 281, "note": written["note"]}]))
        assert await source.answer(answer) == first
        peer.will(json_answer(200, []), Answer(502, b""))
        with pytest.raises(InDoubt):
            await source.answer(answer)
        earlier = {"id": 280, "note": written["note"]}
        peer.will(json_answer(200, []), made, json_answer(200, [{**earlier, "id": 281}, earlier]), Answer(404, b"{}"))
        assert (await source.answer(answer)).reference == "727/280"
        assert peer.received[-1].method == "DELETE"
        assert peer.received[-1].target.endswith("/orders/727/notes/281?force=true")
        for request in peer.received:
            assert_in_the_index(request)
        await source.aclose()
    assert (first.state, first.reference) == (AnswerState.ACCEPTED, "727/281")
    assert written["customer_note"] is False
    assert "no &lt;b&gt;lamps&lt;/b&gt; left" in written["note"]
    assert written["note"].splitlines()[-2] == "https://x.example/o"
