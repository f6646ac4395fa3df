"""Zoho CRM deals: what names a deal is a hint, what was modified is found, and a note says once where it stands."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import ValidationError

from orderack.clients.wire import MOST_UNPROVED
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.errors import BadSignature, InvalidInput, Misconfigured, Refused, Unavailable
from orderack.ports import Delivery, Hint, Snapshot, SourceAnswer
from tests.conformance.peer import Answer, CutOff, json_answer, running_peer
from tests.conformance.source import NOW
from tests.sources.zoho_account import (
    ID,
    NOTIFY,
    ORDER_ID,
    SECRET,
    SECRETS,
    WHOLE,
    Account,
    fetched,
    posted,
    told,
    zoho,
)


class TestWhatIsPosted:
    async def test_the_header_or_the_token_proves_it_and_nothing_else_does(self) -> None:
        source = zoho()
        await source.verify(posted(told(), **{"x-orderack-secret": SECRET}))
        await source.verify(posted(told(token=NOTIFY)))
        for request in (
            posted(told()),
            posted(told(token="")),
            posted(told(token=SECRET)),
            posted(told(), **{"x-orderack-secret": ""}),
            posted(told(), **{"x-orderack-secret": NOTIFY}),
            posted(told(token=NOTIFY, pad="x" * MOST_UNPROVED)),
        ):
            with pytest.raises(BadSignature):
                await source.verify(request)

    async def test_without_a_secret_of_ours_nothing_is_believed(self) -> None:
        source = zoho(webhook_secret=None, notify_token=None)
        for request in (posted(told()), posted(told(token=""), **{"x-orderack-secret": ""})):
            with pytest.raises(BadSignature):
                await source.verify(request)
        with pytest.raises(ValidationError):
            zoho(webhook_secret="short")

    async def test_a_notification_is_a_hint_for_each_deal_and_its_token_is_not_kept(self) -> None:
        source = zoho()
        body = told(
            ids=[ID, "4150868000000700002", ID], token=NOTIFY, channel_id="1000000068001", server_time=1795253400000,
            operation="update", affected_fields={},
        )  # fmt: skip
        first, second = source.deliveries(posted(body))
        assert (first.id, second.id) == (
            f"1000000068001/1795253400000/{ID}",
            "1000000068001/1795253400000/4150868000000700002",
        )
        assert NOTIFY not in first.body + second.body
        assert await source.read(first) == [Hint(external_id=ID)]

    async def test_the_webhooks_own_time_tells_two_changes_apart_and_the_same_one_twice_is_one(self) -> None:
        source = zoho()
        (first,), (again,), (later,) = (
            source.deliveries(posted(body)) for body in (told(), told(), told(time="2026-11-21 10:30:00"))
        )
        assert first.id == again.id != later.id

    @pytest.mark.parametrize(
        ("body", "hints"),
        [
            (told(ids=ID), [ID]),
            (told(ids=4150868000000700001), [ID]),
            (told(module="Sales_Orders", ids=[ORDER_ID]), [f"Sales_Orders/{ORDER_ID}"]),
            (told(module="Contacts"), []),
            (told(ids=[]), []),
            (told(ids=["../Contacts", "1 or 1=1", None]), []),
        ],
    )
    async def test_what_is_named_is_asked_for_and_what_is_about_no_deal_is_skipped(
        self, body: bytes, hints: list[str]
    ) -> None:
        source = zoho()
        readings = [reading for one in source.deliveries(posted(body)) for reading in await source.read(one)]
        assert [reading.external_id for reading in readings if isinstance(reading, Hint)] == hints
        assert len(readings) >= 1

    def test_what_cannot_be_read_is_kept_as_it_came(self) -> None:
        (kept,) = zoho().deliveries(posted(b"module=Deals&id=1"))
        assert kept.body == "module=Deals&id=1"


class TestLooking:
    async def test_what_was_modified_is_found_and_again_as_the_same(self) -> None:
        row = {"id": ID, "Modified_Time": "2026-11-21T10:00:00+01:00"}
        async with running_peer() as peer:
            account, source = Account(peer, {"Deals": [row]}), zoho(peer.url)
            first = await source.look("", NOW)
            second = await source.look(first.cursor, NOW)
            assert first.deliveries == second.deliveries
            assert await source.read(first.deliveries[0]) == [Hint(external_id=ID)]
            assert not first.more
            since = [request.headers["if-modified-since"] for request in account.asked]
            assert since == ["2026-11-21T08:27:59+00:00", "2026-11-21T08:57:59+00:00"]
            assert parse_qs(urlsplit(account.asked[0].target).query)["fields"] == ["Modified_Time"]
            await source.aclose()

    async def test_a_full_page_goes_on_from_its_last_time_or_to_the_next_page(self) -> None:
        rows = [{"id": f"{ID}{n}", "Modified_Time": f"2026-11-21T09:{n:02d}:00+00:00"} for n in range(2)]
        async with running_peer() as peer:
            account, source = Account(peer, {}), zoho(peer.url)
            full = json_answer(200, {"data": rows, "info": {"more_records": True}})
            account.before = [full, full, Answer(304)]
            first = await source.look("", NOW)
            second = await source.look(first.cursor, NOW)
            third = await source.look(second.cursor, NOW)
            assert (first.more, second.more, third.more) == (True, True, False)
            pages = [parse_qs(urlsplit(request.target).query)["page"] for request in account.asked]
            assert pages == [["1"], ["1"], ["2"]]
            assert account.asked[1].headers["if-modified-since"] == "2026-11-21T09:00:59+00:00"
            await source.aclose()

    @pytest.mark.parametrize(
        ("status", "code", "fate"),
        [
            (401, "INVALID_TOKEN", Misconfigured),
            (401, "OAUTH_SCOPE_MISMATCH", Misconfigured),
            (403, "NO_PERMISSION", Misconfigured),
            (429, "TOO_MANY_REQUESTS", Unavailable),
            (400, "LIMIT_REACHED", Unavailable),
            (500, "INTERNAL_ERROR", Unavailable),
            (400, "INVALID_QUERY", Refused),
        ],
    )
    async def test_every_failure_has_its_fate(self, status: int, code: str, fate: type[Exception]) -> None:
        async with running_peer() as peer:
            account, source = Account(peer, {}), zoho(peer.url)
            account.before = [json_answer(status, {"code": code, "message": "ada@example.com"})] * 2
            with pytest.raises(fate) as caught:
                await source.look("", NOW)
            assert not any(word in str(caught.value) for word in ("ada", *SECRETS, "1000.token"))
            await source.aclose()

    async def test_a_429_says_when_and_an_ended_token_is_renewed_once(self) -> None:
        async with running_peer() as peer:
            account, source = Account(peer, WHOLE), zoho(peer.url)
            account.before = [json_answer(429, {"code": "TOO_MANY_REQUESTS"}, {"Retry-After": "7"})]
            with pytest.raises(Unavailable) as caught:
                await source.fetch(ID)
            assert caught.value.retry_after
            assert caught.value.retry_after.total_seconds() == 7
            account.before = [json_answer(401, {"code": "INVALID_TOKEN"})]
            (reading,) = await source.fetch(ID)
            assert isinstance(reading, Snapshot)
            assert account.tokens == 2
            assert {request.headers["authorization"] for request in account.asked} == {
                "Zoho-oauthtoken 1000.token-of-an-hour"
            }
            await source.aclose()


async def an_answer(stage: AnswerStage = AnswerStage.CONFIRMED) -> SourceAnswer:
    order = (await fetched()).order
    key = AnswerKey(ref=order.ref, revision=1, stage=stage)
    return SourceAnswer(key=key, order=order, external_id=ID, page_url="https://orders.example.com/o/1", now=NOW)


SAVED = json_answer(201, {"data": [{"code": "SUCCESS", "status": "success", "details": {"id": "4150868000000900001"}}]})


class TestAnswering:
    async def test_a_note_is_written_once_starts_no_rule_and_is_found_again(self) -> None:
        async with running_peer() as peer:
            account, source, answer = Account(peer, {}), zoho(peer.url), await an_answer()
            account.before = [Answer(204), SAVED]
            first = await source.answer(answer)
            written = json.loads(account.asked[-1].body)
            assert written["trigger"] == []
            (note,) = written["data"]
            assert "https://orders.example.com/o/1" in note["Note_Content"]
            assert len(note["Note_Title"]) <= 120
            account.records[f"Deals/{ID}/Notes"] = [
                {"id": "4150868000000900000", "Note_Title": None},
                {"id": "4150868000000900001", "Note_Title": note["Note_Title"]},
            ]
            again = await source.answer(answer)
            assert (first.state, again.state) == (AnswerState.ACCEPTED, AnswerState.ACCEPTED)
            assert first.reference == again.reference == "4150868000000900001"
            assert [request.method for request in account.asked] == ["GET", "POST", "GET"]
            await source.aclose()

    async def test_a_cut_off_note_is_looked_for_before_it_is_written_again(self) -> None:
        async with running_peer() as peer:
            account, source, answer = Account(peer, {}), zoho(peer.url), await an_answer()
            account.before = [Answer(204), CutOff(), Answer(204), SAVED]
            with pytest.raises(Unavailable):
                await source.answer(answer)
            assert (await source.answer(answer)).state is AnswerState.ACCEPTED
            assert [request.method for request in account.asked] == ["GET", "POST", "GET", "POST"]
            await source.aclose()

    @pytest.mark.parametrize(
        ("code", "fate"),
        [("INVALID_DATA", Refused), ("RECORD_LOCKED", Unavailable), ("NO_PERMISSION", Misconfigured)],
    )
    async def test_a_refusal_inside_a_200_is_one(self, code: str, fate: type[Exception]) -> None:
        async with running_peer() as peer:
            account, source, answer = Account(peer, {}), zoho(peer.url), await an_answer()
            account.before = [
                Answer(204),
                json_answer(200, {"data": [{"code": code, "status": "error", "details": {}}]}),
            ]
            with pytest.raises(fate, match=code):
                await source.answer(answer)
            await source.aclose()

    async def test_the_connection_can_be_tried(self) -> None:
        async with running_peer() as peer:
            Account(peer, {"Deals": [{"id": ID}]})
            source = zoho(peer.url)
            assert "Closed Won" in await source.check()
            await source.aclose()


async def test_a_delivery_that_is_no_json_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput):
        await zoho().read(Delivery(id="1", body="module=Deals"))
