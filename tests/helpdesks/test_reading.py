"""The helpdesks over a real socket: their requests against the vendors' descriptions, and every way to fail."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from openapi_core import OpenAPI
from pydantic import JsonValue, SecretStr

from orderack import helpdesks
from orderack.errors import Misconfigured, Unavailable
from orderack.helpdesks._patience import ATTEMPTS
from orderack.helpdesks.intercom import IntercomDesk, IntercomDeskSettings
from orderack.helpdesks.zendesk import ZendeskDesk, ZendeskDeskSettings
from orderack.ports.helpdesk import Helpdesk, Ticket
from tests.conformance.openapi import described_as, spec
from tests.conformance.peer import Answer, CutOff, Peer, Reaction, Received, json_answer, running_peer

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SINCE, UNTIL = NOW - timedelta(days=30), NOW
TOKEN = "test-only-0123456789"
ADA = "ada@example.com"
WORDS = "Where is my order 1001?"
Desk = Callable[[str], Helpdesk]


class Pauses:
    """Waits for nothing, and remembers how long it would have been."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def zendesk(url: str, pauses: Pauses) -> ZendeskDesk:
    settings = ZendeskDeskSettings(base_url=url, email="admin@shop.example", api_token=SecretStr(TOKEN))
    return ZendeskDesk(settings, lambda: NOW, pauses)


def intercom(url: str, pauses: Pauses) -> IntercomDesk:
    return IntercomDesk(IntercomDeskSettings(base_url=url, access_token=SecretStr(TOKEN)), lambda: NOW, pauses)


def exported(number: int = 1, at: datetime = NOW - timedelta(days=1), **more: JsonValue) -> JsonValue:
    ticket: dict[str, JsonValue] = {
        "id": number,
        "created_at": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "status": "open",
        "subject": "Order",
        "description": WORDS,
        "requester_id": 7,
        "tags": ["vip"],
    }
    return ticket | more


def export(*tickets: JsonValue, after: str | None = None) -> Answer:
    body: dict[str, JsonValue] = {"tickets": list(tickets), "users": [{"id": 7, "email": ADA}]}
    return json_answer(200, body | {"after_cursor": after or "end", "end_of_stream": after is None})


def conversation(number: int = 1, at: datetime = NOW - timedelta(days=1), **source: JsonValue) -> JsonValue:
    author: JsonValue = {"type": "user", "id": "u", "email": ADA}
    began: dict[str, JsonValue] = {
        "delivered_as": "customer_initiated",
        "subject": "",
        "body": f"<p>{WORDS}</p>",
        "author": author,
    }
    tags: JsonValue = {"type": "tag.list", "tags": [{"type": "tag", "id": "1", "name": "vip"}]}
    return {"id": str(number), "created_at": int(at.timestamp()), "source": began | source, "tags": tags}


def found(*conversations: JsonValue, after: str | None = None) -> Answer:
    pages: dict[str, JsonValue] = {"type": "pages", "page": 1, "per_page": 150, "total_pages": 1}
    if after:
        pages["next"] = {"per_page": 150, "starting_after": after}
    return json_answer(200, {"type": "conversation.list", "conversations": list(conversations), "pages": pages})


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with running_peer() as running:
        yield running


@pytest.fixture(params=["zendesk", "intercom"])
async def desk(request: pytest.FixtureRequest, peer: Peer, pauses: Pauses) -> AsyncIterator[Helpdesk]:
    made = zendesk(peer.url, pauses) if request.param == "zendesk" else intercom(peer.url, pauses)
    yield made
    await made.aclose()


def pages(desk: Helpdesk, *after: str | None) -> Sequence[Answer]:
    """A page with one ticket for each cursor."""
    if desk.name == "zendesk":
        return [export(exported(place), after=one) for place, one in enumerate(after, start=1)]
    return [found(conversation(place), after=one) for place, one in enumerate(after, start=1)]


async def read(desk: Helpdesk) -> list[Ticket]:
    return [ticket async for ticket in desk.tickets(SINCE, UNTIL)]


@cache
def zendesks() -> OpenAPI:
    """Zendesk's description of the export. The trimmed copy has the time-based path; the cursor-based one takes the
    same start, and beside it the cursor (docs/spec/openapi.yaml of ballerina-platform/module-ballerinax-zendesk)."""
    whole = json.loads(spec("../commerce/zendesk/zendesk-support-trimmed.openapi.json").read_text())
    path = whole["paths"]["/api/v2/incremental/tickets"]
    cursor = {"name": "cursor", "in": "query", "schema": {"type": "string"}}
    include = {"name": "include", "in": "query", "schema": {"type": "string"}}
    start = {"name": "start_time", "in": "query", "schema": {"type": "integer"}}
    mine = {"parameters": [cursor, include, start], "get": path["get"]}
    return OpenAPI.from_dict(whole | {"paths": {"/api/v2/incremental/tickets/cursor": mine}})


@cache
def intercoms() -> OpenAPI:
    """Intercom's description of search: the request and the answer that it names, under the path they belong to."""
    whole = json.loads(spec("../commerce/intercom/intercom-2.15-trimmed.openapi.json").read_text())
    request = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/search_request"}}}}
    version = {
        "name": "Intercom-Version",
        "in": "header",
        "schema": {"$ref": "#/components/schemas/intercom_version"},
    }
    post = {
        "operationId": "searchConversations",
        "parameters": [version],
        "requestBody": request,
        "responses": {"200": {"description": "successful"}},
    }
    return OpenAPI.from_dict(whole | {"paths": {"/conversations/search": {"post": post}}})


def assert_described(name: str, request: Received) -> None:
    if name == "zendesk":
        described_as(zendesks(), "https://shop.zendesk.com", request)
    else:
        described_as(intercoms(), "https://api.intercom.io", request)


async def test_a_ticket_is_read_with_its_words_requester_and_tags_and_shows_none_of_them(desk, peer):
    peer.will(*pages(desk, None))
    (ticket,) = await read(desk)
    assert (ticket.id, ticket.created_at, ticket.text) == ("1", NOW - timedelta(days=1), WORDS)
    assert (ticket.email, ticket.tags, ticket.ours) == (ADA, frozenset({"vip"}), False)
    assert WORDS not in repr(ticket)
    assert ADA not in repr(ticket)
    assert TOKEN not in repr(desk)


async def test_every_page_is_read_and_every_request_is_as_the_vendor_describes_it(desk, peer):
    peer.will(*pages(desk, "c1", "c2", None))
    assert [ticket.id for ticket in await read(desk)] == ["1", "2", "3"]
    assert len(peer.received) == 3
    for request in peer.received:
        assert_described(desk.name, request)
    second, third = (request.target + request.body.decode() for request in peer.received[1:])
    assert "c1" in second
    assert "c2" in third


async def test_zendesk_names_the_start_once_and_then_the_cursor(peer, pauses):
    desk = zendesk(peer.url, pauses)
    peer.will(export(after="a|b"), export())
    assert await read(desk) == []
    await desk.aclose()
    first, second = (request.target for request in peer.received)
    assert first.endswith(f"?start_time={int(SINCE.timestamp())}&include=users")
    assert second.endswith("?cursor=a%7Cb&include=users")


async def test_zendesk_is_not_asked_for_the_last_minute(peer, pauses):
    desk = zendesk(peer.url, pauses)
    peer.will(export())
    assert [ticket async for ticket in desk.tickets(NOW - timedelta(seconds=5), NOW)] == []
    await desk.aclose()
    assert f"start_time={int((NOW - timedelta(seconds=70)).timestamp())}&" in peer.received[0].target


async def test_tickets_outside_the_span_and_deleted_ones_are_left_out_and_ours_are_marked(peer, pauses):
    desk = zendesk(peer.url, pauses)
    old, future = exported(1, SINCE - timedelta(seconds=1)), exported(2, UNTIL)
    peer.will(export(old, future, exported(3, status="deleted"), exported(4, tags=["orderack"]), exported(5)))
    assert [(ticket.id, ticket.ours) for ticket in await read(desk)] == [("4", True), ("5", False)]
    await desk.aclose()


async def test_a_requester_that_does_not_stand_beside_the_tickets_has_no_address(peer, pauses):
    desk = zendesk(peer.url, pauses)
    peer.will(export(exported(requester_id=8), exported(2, requester_id=None, subject=None, description=None)))
    assert [(ticket.email, ticket.subject) for ticket in await read(desk)] == [(None, "Order"), (None, "")]
    await desk.aclose()


async def test_a_conversation_that_we_or_a_bot_began_is_ours(peer, pauses):
    desk = intercom(peer.url, pauses)
    began = ("admin_initiated", "operator_initiated", "automated", "customer_initiated")
    peer.will(found(*(conversation(place, delivered_as=how) for place, how in enumerate(began))))
    assert [ticket.ours for ticket in await read(desk)] == [True, True, True, False]
    await desk.aclose()


async def test_intercom_is_asked_wider_than_the_span_because_it_may_know_the_day_only(peer, pauses):
    desk = intercom(peer.url, pauses)
    edges = [SINCE - timedelta(seconds=1), SINCE, UNTIL - timedelta(seconds=1), UNTIL]
    peer.will(found(*(conversation(place, at) for place, at in enumerate(edges))))
    assert [ticket.id for ticket in await read(desk)] == ["1", "2"]
    await desk.aclose()
    low, high = (int(one["value"]) for one in json.loads(peer.received[0].body)["query"]["value"])
    assert low <= SINCE.timestamp() - 86_400
    assert high >= UNTIL.timestamp() + 86_400


LIMITED = Answer(429, b"{}", {"Retry-After": "37"})


@pytest.mark.parametrize("trouble", [LIMITED, Answer(500), Answer(503), CutOff(), Answer(200, b"<html>")], ids=str)
async def test_a_page_that_failed_is_asked_for_again_and_nothing_is_lost_or_doubled(
    desk: Helpdesk, peer: Peer, pauses: Pauses, trouble: Reaction
) -> None:
    first, second = pages(desk, "c1", None)
    peer.will(trouble, first, trouble, trouble, second)
    assert [ticket.id for ticket in await read(desk)] == ["1", "2"]
    assert pauses.seconds == ([37.0] * 3 if trouble is LIMITED else [2.0, 2.0, 4.0])


async def test_patience_ends_and_a_desk_that_wants_a_long_wait_is_left_for_later(desk, peer, pauses):
    peer.will(Answer(500))
    with pytest.raises(Unavailable):
        await read(desk)
    assert len(peer.received) == ATTEMPTS
    peer.will(Answer(429, b"{}", {"Retry-After": "1800"}))
    with pytest.raises(Unavailable) as limited:
        await read(desk)
    assert limited.value.retry_after == timedelta(minutes=30)
    assert len(peer.received) == ATTEMPTS + 1


async def test_a_wrong_or_expired_token_is_ours_to_mend_and_is_not_repeated(desk, peer, pauses):
    peer.will(Answer(401, json.dumps({"error": f"{TOKEN} is no token of {ADA}"}).encode()))
    with pytest.raises(Misconfigured) as refused:
        await read(desk)
    assert f"ORDERACK_HELPDESK_{desk.name.upper()}_" in str(refused.value)
    assert TOKEN not in str(refused.value)
    assert ADA not in str(refused.value)
    assert (len(peer.received), pauses.seconds) == (1, [])


async def test_zendesks_export_is_for_administrators_and_the_error_says_so(peer, pauses):
    desk = zendesk(peer.url, pauses)
    peer.will(Answer(403, b"{}"))
    with pytest.raises(Misconfigured, match="administrators only"):
        await read(desk)
    await desk.aclose()


@pytest.mark.parametrize(("make", "page"), [(zendesk, export(after=None)), (intercom, found())])
async def test_a_desk_that_goes_round_in_a_circle_is_not_followed_for_ever(make, page, peer, pauses):
    desk = make(peer.url, pauses)
    if desk.name == "zendesk":
        peer.will(json_answer(200, {"tickets": [], "after_cursor": "same", "end_of_stream": False}))
    else:
        peer.will(found(after="same"))
    with pytest.raises(Unavailable):
        await read(desk)
    await desk.aclose()


def test_every_helpdesk_is_registered_under_its_name_and_says_what_it_lacks(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    specs = helpdesks.load()
    assert set(specs) == {"zendesk", "intercom"}
    assert all(spec.obtain and spec.description for spec in specs.values())
    built = helpdesks.build()
    assert "ORDERACK_HELPDESK_ZENDESK_EMAIL is missing" in built.not_configured["zendesk"]
    monkeypatch.setenv("ORDERACK_HELPDESK_INTERCOM_ACCESS_TOKEN", TOKEN)
    assert helpdesks.build(["intercom"])["intercom"].name == "intercom"
