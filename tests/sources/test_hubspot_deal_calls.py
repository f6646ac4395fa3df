"""HubSpot deals: signed batches are hints, a merged deal goes on as one order, a note says once where it stands."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from openapi_core import OpenAPI

from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.errors import BadSignature, InvalidInput, Misconfigured, Unavailable
from orderack.ports import Hint, RawRequest, Recalls, Skipped, Snapshot, SourceAnswer, Stands
from orderack.sources.hubspot_deal import HubspotDeal, HubspotDealSettings
from tests.conformance.openapi import described_as
from tests.conformance.peer import Answer, CutOff, json_answer, running_peer
from tests.conformance.source import NOW, SPECS
from tests.sources.hubspot_portal import CONNECTION, DEAL, EVENT, URL, fetched, hubspot, signed, whole


class Remembers:
    """A memory in which these deals are orders."""

    def __init__(self, *taken: str) -> None:
        self._taken = taken

    async def order(self, external_id: str) -> Stands | None:
        made = (await fetched(*whole())).order
        return Stands(order=made, content_hash=made.content_hash, at=NOW) if external_id in self._taken else None


MERGED = {**DEAL, "id": "900", "properties": {**DEAL["properties"], "hs_merged_object_ids": "5;6"}}


class TestMerging:
    """HubSpot answers for a deal that was merged with the one that it became."""

    async def merged(self, memory: Remembers | None) -> Snapshot:
        async with running_peer() as peer:
            source = hubspot(peer.url)
            if memory:
                source.recall(memory)
            peer.will(json_answer(200, {**MERGED, "associations": None}), *whole(MERGED))
            (reading,) = await source.fetch("5")
            assert [urlsplit(one.target).path.rpartition("/")[2] for one in peer.received[:2]] == ["5", "900"]
            await source.aclose()
        assert len(reading.order.lines) == 2
        return reading

    @pytest.mark.parametrize(
        ("memory", "known_as"),
        [(Remembers("6"), "6"), (Remembers("900"), "900"), (Remembers(), "900"), (None, "900")],
    )
    async def test_the_order_that_one_of_them_was_goes_on(self, memory, known_as) -> None:
        assert isinstance(hubspot(), Recalls)
        assert (await self.merged(memory)).external_id == known_as

    async def test_of_several_orders_a_person_says_which_stands(self) -> None:
        with pytest.raises(InvalidInput, match=r"5, 6"):
            await self.merged(Remembers("5", "6"))


class TestWhatIsPosted:
    async def test_the_address_the_time_and_the_key_are_part_of_what_is_signed(self) -> None:
        source, body = hubspot(), json.dumps([EVENT]).encode()
        await source.verify(signed(body))
        await source.verify(signed(body, NOW - timedelta(minutes=4)))
        moved = signed(body).model_copy(update={"url": URL + "?a=1"})
        late = signed(body, NOW - timedelta(minutes=6))
        for request in (moved, late, signed(body, key="other"), signed(body).model_copy(update={"method": "PUT"})):
            with pytest.raises(BadSignature):
                await source.verify(request)

    async def test_the_signature_is_hubspots(self) -> None:
        """Worked out by another program: printf of method, address, body and time, then openssl dgst -hmac."""
        request = RawRequest(
            url="https://example.com/hook",
            headers={
                "x-hubspot-signature-v3": VECTOR,
                "x-hubspot-request-timestamp": "1795253400000",
            },
            body=b'[{"eventId":1}]',
        )
        await hubspot().verify(request)

    async def test_a_batch_is_a_delivery_for_each_event_and_a_second_attempt_is_the_same(self) -> None:
        source = hubspot()
        batch = [EVENT, {**EVENT, "eventId": 101, "objectId": 5}, {**EVENT, "attemptNumber": 3}]
        first, second = source.deliveries(signed(json.dumps(batch).encode()))
        assert first.id == "62515/100/9007199254740993/1795253400000"
        assert await source.read(first) == [Hint(external_id="9007199254740993")]
        assert await source.read(second) == [Hint(external_id="5")]

    async def test_a_hundred_events_are_told_apart_and_only_this_accounts_deals_are_asked_for(self) -> None:
        source = hubspot(portal_id="62515")
        kinds = ("deal.propertyChange", "deal.creation", "contact.propertyChange", "line_item.creation", "deal.merge")
        batch = [{**EVENT, "eventId": n, "objectId": n, "subscriptionType": kinds[n % 5]} for n in range(98)]
        batch += [{**EVENT, "eventId": 98, "portalId": 1}, {**EVENT, "eventId": 99, "objectId": None}]
        deliveries = source.deliveries(signed(json.dumps(batch).encode()))
        assert len({one.id for one in deliveries}) == 100
        readings = [reading for one in deliveries for reading in await source.read(one)]
        hints = [reading.external_id for reading in readings if isinstance(reading, Hint)]
        assert hints == [str(n) for n in range(98) if n % 5 in (0, 1, 4)]
        assert len(readings) == 100

    async def test_what_is_about_no_deal_is_skipped(self) -> None:
        source = hubspot()
        (one,) = source.deliveries(signed(json.dumps([{**EVENT, "subscriptionType": "contact.creation"}]).encode()))
        (reading,) = await source.read(one)
        assert isinstance(reading, Skipped)

    async def test_without_a_secret_nothing_is_believed(self) -> None:
        source = HubspotDeal(CONNECTION, HubspotDealSettings(token="pat"), "P_", clock=lambda: NOW)
        with pytest.raises(BadSignature):
            await source.verify(signed(b"[]", key=""))


VECTOR = "E0P/qkwzEaDEUOpDazYnnR3m9jYyTXyMuwbLQhF/ZmI="


class TestLooking:
    async def test_what_was_modified_is_found_page_by_page_and_again_as_the_same(self) -> None:
        one = {"id": "1", "properties": {"hs_lastmodifieddate": "2026-11-21T09:00:00Z", "dealstage": "closedwon"}}
        two = {"id": "2", "properties": {"hs_lastmodifieddate": "2026-11-21T09:10:00Z", "dealstage": "new"}}
        async with running_peer() as peer:
            source = hubspot(peer.url)
            peer.will(
                json_answer(200, {"results": [one], "paging": {"next": {"after": "100"}}}),
                json_answer(200, {"results": [two]}),
                json_answer(200, {"results": [two]}),
            )
            first = await source.look("", NOW)
            second = await source.look(first.cursor, NOW)
            third = await source.look(second.cursor, NOW)
            assert [first.more, second.more, third.more] == [True, False, False]
            assert second.deliveries == third.deliveries
            assert await source.read(first.deliveries[0]) == [Hint(external_id="1")]
            since = [
                json.loads(asked.body)["filterGroups"][0]["filters"][0]["value"] for asked in peer.received
            ]  # fmt: skip
            assert since[1] == str(int(datetime(2026, 11, 21, 9, tzinfo=UTC).timestamp() * 1000))
            assert int(since[2]) < int(datetime(2026, 11, 21, 9, 10, tzinfo=UTC).timestamp() * 1000)
            await source.aclose()

    @pytest.mark.parametrize(
        ("status", "fate"),
        [
            (401, Misconfigured),
            (403, Misconfigured),
            (423, Unavailable),
            (429, Unavailable),
            (502, Unavailable),
            (400, Unavailable),
        ],
    )
    async def test_every_failure_has_its_fate(self, status: int, fate: type[Exception]) -> None:
        async with running_peer() as peer:
            source = hubspot(peer.url)
            peer.will(json_answer(status, {"status": "error", "message": "ada@example.com"}))
            with pytest.raises(fate) as caught:
                await source.look("", NOW)
            assert "ada" not in str(caught.value)
            await source.aclose()


async def an_answer(stage: AnswerStage = AnswerStage.CONFIRMED) -> SourceAnswer:
    order = (await fetched(*whole())).order
    key = AnswerKey(ref=order.ref, revision=1, stage=stage)
    return SourceAnswer(
        key=key, order=order, external_id="9007199254740993", page_url="https://orders.example.com/o/1", now=NOW
    )


class TestAnswering:
    async def test_a_note_is_written_once_and_found_again(self) -> None:
        async with running_peer() as peer:
            source, answer = hubspot(peer.url), await an_answer()
            peer.will(json_answer(200, DEAL), json_answer(201, {"id": "88", "properties": {}}))
            first = await source.answer(answer)
            written = json.loads(peer.received[-1].body)
            assert "https://orders.example.com/o/1" in written["properties"]["hs_note_body"]
            noted = {**DEAL, "associations": {"notes": {"results": [{"id": "87"}, {"id": "88"}]}}}
            notes = [
                {"id": "87", "properties": {"hs_note_body": None}},
                {"id": "88", "properties": written["properties"]},
            ]
            peer.will(json_answer(200, noted), json_answer(200, {"results": notes}))
            again = await source.answer(answer)
            assert (first.state, again.state) == (AnswerState.ACCEPTED, AnswerState.ACCEPTED)
            assert (first.reference, again.reference) == ("88", "88")
            assert sum(one.target.endswith("/notes") for one in peer.received) == 1
            await source.aclose()

    async def test_our_own_note_does_not_change_the_order(self) -> None:
        noted = {**DEAL, "associations": {**DEAL["associations"], "notes": {"results": [{"id": "88"}]}}}
        noted["properties"] = {**DEAL["properties"], "hs_lastmodifieddate": "2026-11-21T09:40:00Z"}
        before, after = await fetched(*whole()), await fetched(*whole(noted))
        assert after.at > before.at
        assert after.order.content_hash == before.order.content_hash

    @pytest.mark.parametrize("status", [400, 409, 422])
    async def test_a_note_that_is_wrong_is_refused_and_not_written_for_ever(self, status: int) -> None:
        async with running_peer() as peer:
            source, answer = hubspot(peer.url), await an_answer()
            peer.will(json_answer(200, DEAL), json_answer(status, {"message": "ada@example.com"}))
            refused = await source.answer(answer)
            assert refused.state is AnswerState.REFUSED
            assert "ada" not in refused.detail
            await source.aclose()

    async def test_a_cut_off_note_is_asked_for_again_after_a_look(self) -> None:
        async with running_peer() as peer:
            source, answer = hubspot(peer.url), await an_answer()
            peer.will(json_answer(200, DEAL), CutOff())
            with pytest.raises(Unavailable):
                await source.answer(answer)
            peer.will(Answer(404))
            assert (await source.answer(answer)).state is AnswerState.REFUSED
            await source.aclose()

    async def test_a_contact_is_asked_for_as_hubspot_describes_it(self) -> None:
        if not SPECS.is_dir():
            pytest.skip("the vendors' descriptions are not beside this checkout")
        tree = json.loads((SPECS / "hubspot" / "contacts_v3.openapi.json").read_text())
        async with running_peer() as peer:
            source = hubspot(peer.url)
            peer.will(*whole())
            await source.fetch("9007199254740993")
            (asked,) = (one for one in peer.received if "/contacts/" in one.target)
            described_as(OpenAPI.from_dict(tree), "https://api.hubapi.com", asked)
            await source.aclose()

    async def test_the_note_is_as_hubspot_describes_it(self) -> None:
        if not SPECS.is_dir():
            pytest.skip("the vendors' descriptions are not beside this checkout")
        tree = json.loads((SPECS / "hubspot" / "notes_v3.openapi.json").read_text())
        async with running_peer() as peer:
            source, answer = hubspot(peer.url), await an_answer()
            noted = {**DEAL, "associations": {"notes": {"results": [{"id": "87"}]}}}
            peer.will(json_answer(200, noted), json_answer(200, {"results": []}), json_answer(201, {"id": "88"}))
            await source.answer(answer)
            _, read, write = peer.received
            for request in (read, write):
                described_as(OpenAPI.from_dict(tree), "https://api.hubapi.com", request)
            await source.aclose()
