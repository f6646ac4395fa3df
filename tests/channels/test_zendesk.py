"""Zendesk's tickets against the channel's conformance suite and Zendesk's own description."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from functools import cache
from typing import ClassVar

import pytest
from openapi_core import OpenAPI
from pydantic import JsonValue

from orderack.channels.zendesk import TRIGGER_BODY, ZendeskSettings, ZendeskTicket
from orderack.clients.zendesk import AUDIT_PAGES, reader_tag
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable
from orderack.ports import RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance, Statuses, WebhookConformance
from tests.conformance.openapi import described_as, spec
from tests.conformance.peer import Answer, CutOff, Received, json_answer
from tests.payloads import payload

TOKEN = "test-only-0123456789"
SECRET = "dGVzdC1vbmx5LXdlYmhvb2stc2VjcmV0"
USED = ("/api/v2/tickets", "/api/v2/tickets/{ticket_id}", "/api/v2/tickets/{ticket_id}/audits")
STAMP = "2026-11-21T09:12:00Z"


@cache
def _description() -> OpenAPI:
    """Zendesk's description of the paths that we use; elsewhere it is not valid as it is published."""
    whole = json.loads(spec("../commerce/zendesk/zendesk-support-trimmed.openapi.json").read_text())
    return OpenAPI.from_dict(whole | {"paths": {path: whole["paths"][path] for path in USED}})


def assert_described(request: Received) -> None:
    """Raise what is wrong with the request under Zendesk's own description."""
    described_as(_description(), "https://shop.zendesk.com", request)


def listed(*tickets: JsonValue) -> Answer:
    """What GET /tickets?external_id= answers."""
    return json_answer(200, {"tickets": list(tickets), "count": len(tickets)})


def ticket(number: int = 35436, status: str = "open", tags: tuple[str, ...] | None = None) -> JsonValue:
    own = ("orderack", reader_tag("ada@example.com")) if tags is None else tags
    return {"id": number, "requester_id": 7, "status": status, "updated_at": STAMP, "tags": list(own)}


def audits(*keys: str, after: str | None = None) -> Answer:
    """One page of a ticket's audits: one of ours for each key, after one of an agent's."""
    ours: list[JsonValue] = [{"id": n, "metadata": {"custom": {"orderack_key": key}}} for n, key in enumerate(keys, 2)]
    agents: JsonValue = {"id": 1, "metadata": {"system": {"location": "Springfield"}, "custom": {}}}
    return json_answer(200, {"audits": [agents, *ours], "meta": {"has_more": after is not None, "after_cursor": after}})


def invalid(field: str, status: int = 422) -> Answer:
    """Zendesk's body for a record that it does not take."""
    said: JsonValue = [{"description": "Requester: ada@example.com is wrong", "error": "InvalidValue"}]
    body: JsonValue = {"error": "RecordInvalid", "description": "Record validation errors", "details": {field: said}}
    return json_answer(status, body)


def error(status: int, word: str) -> Answer:
    return json_answer(status, {"error": word, "description": "ada@example.com"})


def made(number: int = 35436) -> Answer:
    return json_answer(201, {"ticket": {"id": number, "requester_id": 7, "status": "new"}})


class TestZendesk(HttpChannelConformance, WebhookConformance):
    name = "zendesk"
    recipient = "ada@example.com"
    secrets = (TOKEN, SECRET)
    required = tuple(f"ORDERACK_ZENDESK_{name}" for name in ("BASE_URL", "EMAIL", "API_TOKEN", "WEBHOOK_SECRET"))
    key = None
    malformed = (
        b"",
        b"{}",
        b"[]",
        b"<html>",
        b'{"event": "comment", "ticket_id": "x/1", "at": "2026-11-21T09:29:30Z"}',
    )

    prelude = (listed(),)
    accepted = made()
    provider_id = "35436"
    found = (listed(ticket()), audits("shop/A-1001/1/confirmation/1/zendesk"))
    missing = (listed(ticket()), audits("shop/A-1001/1/received/1/zendesk"))
    healthy = (json_answer(200, {"user": {"id": 7, "role": "agent", "email": "agent@shop.example.com"}}),)
    refusals = (
        (invalid("requester"), Reason.BAD_RECIPIENT),
        (invalid("email"), Reason.BAD_RECIPIENT),
        (invalid("comment"), Reason.CONTENT),
        (invalid("description"), Reason.CONTENT),
        (invalid("subject"), Reason.CONTENT),
        (invalid("a_field_of_tomorrow"), Reason.OTHER),
        (error(400, "BadRequest"), Reason.OTHER),
        (error(413, "PayloadTooLarge"), Reason.TOO_LONG),
        (json_answer(400, {"error": {"title": "Invalid attribute", "message": "ada"}}), Reason.OTHER),
        (Answer(422, b"not json"), Reason.OTHER),
    )
    ours_to_mend = (
        error(401, "Couldn't authenticate you"),
        error(403, "Forbidden"),
        error(404, "InvalidEndpoint"),
    )
    in_doubt = (error(409, "Conflict"), error(400, "IdempotentRequestError"), json_answer(201, {"ticket": {}}))

    statuses: ClassVar[Statuses] = {"comment": (EvidenceEvent.REPLIED, Grade.E4)}

    def make(self, base_url: str) -> ZendeskTicket:
        values = {
            "base_url": base_url,
            "email": "agent@shop.example.com",
            "api_token": TOKEN,
            "webhook_secret": SECRET,
        }
        return ZendeskTicket(ZendeskSettings.model_validate(values), clock=lambda: NOW)

    def callback(self, status: str, **more: str) -> RawRequest:
        return self.signed(
            json.dumps(json.loads(payload("zendesk/comment.json")) | {"event": status} | more).encode(), NOW
        )

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        timestamp = f"{at:%Y-%m-%dT%H:%M:%SZ}"
        mac = hmac.new(SECRET.encode(), timestamp.encode() + body, hashlib.sha256).digest()
        headers = {
            "x-zendesk-webhook-signature": base64.b64encode(mac).decode(),
            "x-zendesk-webhook-signature-timestamp": timestamp,
        }
        return RawRequest(url=WEBHOOK_URL, headers=headers, body=body)

    async def asked(self, *answers: Answer) -> list[Received]:
        """The requests of one send that is answered so."""
        async with self.provider() as (peer, channel):
            peer.will(*answers)
            await channel.send(self.message())
            return peer.received

    async def test_the_requests_are_what_zendesk_describes(self) -> None:
        for request in (*await self.asked(listed(), made()), *await self.asked(listed(ticket()), made())):
            assert_described(request)
        async with self.provider() as (peer, channel):
            peer.will(*self.found)
            await channel.lookup(self.message(), NOW)
            for request in peer.received:
                assert_described(request)

    async def test_the_first_message_of_an_order_opens_a_ticket_under_its_key(self) -> None:
        look, post = await self.asked(listed(), made())
        assert (look.method, look.target) == ("GET", "/api/v2/tickets?external_id=shop%2FA-1001")
        login = base64.b64encode(f"agent@shop.example.com/token:{TOKEN}".encode()).decode()
        assert look.headers["authorization"] == post.headers["authorization"] == f"Basic {login}"
        message = self.message()
        assert post.headers["idempotency-key"] == hashlib.sha256(message.key_text.encode()).hexdigest()
        assert (post.method, post.target) == ("POST", "/api/v2/tickets")
        assert json.loads(post.body) == {
            "ticket": {
                "subject": "Your order A-1001",
                "external_id": "shop/A-1001",
                "tags": ["orderack", reader_tag(self.recipient)],
                "comment": {"body": message.content.text, "public": True},
                "metadata": {"orderack_key": message.key_text},
                "requester": {"name": self.recipient, "email": self.recipient},
            }
        }

    async def test_a_further_message_is_a_comment_on_the_ticket_as_it_was_read(self) -> None:
        _, put = await self.asked(listed(ticket(2), ticket(1)), made(1))
        assert (put.method, put.target) == ("PUT", "/api/v2/tickets/1")
        assert json.loads(put.body) == {
            "ticket": {
                "comment": {"body": self.message().content.text, "public": True},
                "metadata": {"orderack_key": self.message().key_text},
                "safe_update": True,
                "updated_stamp": STAMP,
            }
        }

    @pytest.mark.parametrize(
        "other",
        [
            ticket(status="closed"),
            ticket(tags=("orderack", reader_tag("ada@old.example"))),
            ticket(tags=("vip",)),
            ticket(tags=()),
        ],
        ids=["closed", "another address", "an agent's own", "without tags"],
    )
    async def test_a_ticket_that_is_closed_or_anothers_is_not_written_on(self, other: JsonValue) -> None:
        _, request = await self.asked(listed(other), made())
        assert (request.method, request.target) == ("POST", "/api/v2/tickets")

    @pytest.mark.parametrize(
        ("answer", "fate"),
        [
            (error(404, "RecordNotFound"), Unavailable),
            (invalid("status"), Unavailable),
            (invalid("comment"), Refused),
            (error(401, "no"), Misconfigured),
            (error(503, "no"), InDoubt),
        ],
    )
    async def test_what_zendesk_answers_to_a_comment_has_its_fate(self, answer: Answer, fate: type[Exception]) -> None:
        async with self.provider() as (peer, channel):
            peer.will(listed(ticket()), answer)
            with pytest.raises(fate):
                await channel.send(self.message())

    async def test_a_ticket_that_changed_by_our_own_earlier_attempt_has_the_message(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(listed(ticket()), error(409, "UpdateConflict"), audits(self.message().key_text))
            assert (await channel.send(self.message())).provider_id == "35436"
            assert [request.method for request in peer.received] == ["GET", "PUT", "GET"]

    @pytest.mark.parametrize(
        ("answer", "fate"),
        [
            (audits("another's"), Unavailable),
            (error(503, "no"), InDoubt),
            (CutOff(), InDoubt),
            (error(401, "no"), InDoubt),
            (audits(after="more"), InDoubt),
        ],
        ids=["somebody else's words", "down", "cut off", "a key withdrawn", "too long"],
    )
    async def test_a_ticket_that_changed_is_tried_again_only_if_it_certainly_lacks_the_message(
        self, answer: Answer | CutOff, fate: type[Exception]
    ) -> None:
        async with self.provider() as (peer, channel):
            peer.will(listed(ticket()), error(409, "UpdateConflict"), answer)
            with pytest.raises(fate):
                await channel.send(self.message())

    async def test_a_look_up_reads_all_of_the_orders_tickets_and_every_page_of_their_audits(self) -> None:
        key = self.message().key_text
        async with self.provider() as (peer, channel):
            peer.will(listed(ticket(2, "closed"), ticket(1)), audits(), audits("other", after="c/2"), audits(key))
            found = await channel.lookup(self.message(), NOW)
            assert found is not None
            assert found.provider_id == "2"
            assert [request.target for request in peer.received[1:]] == [
                "/api/v2/tickets/1/audits?page%5Bsize%5D=100",
                "/api/v2/tickets/2/audits?page%5Bsize%5D=100",
                "/api/v2/tickets/2/audits?page%5Bsize%5D=100&page%5Bafter%5D=c%2F2",
            ]

    async def test_a_ticket_too_long_to_be_read_leaves_the_doubt(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(listed(ticket()), audits(after="more"))
            with pytest.raises(InDoubt):
                await channel.lookup(self.message(), NOW)
            assert len(peer.received) == 1 + AUDIT_PAGES

    @pytest.mark.parametrize("recipient", ["ada@example.com, eve@example.com", "ada", "a@b\r\nBcc: x@y.z"])
    async def test_what_is_not_one_address_never_leaves(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    async def test_a_login_that_is_no_agents_is_misconfigured(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, ZendeskTicket)
            peer.will(json_answer(200, {"user": {"id": None, "role": "end-user"}}))
            with pytest.raises(Misconfigured, match="ORDERACK_ZENDESK_EMAIL"):
                await channel.check()

    async def test_a_reply_names_its_ticket_and_its_author_and_keeps_the_words(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("comment"))
            assert (event.provider_id, event.sender) == ("35436", "ada@example.com")
            assert event.text == "Yes, thank you. Please ring twice."
            assert event.occurred_at == datetime(2026, 11, 21, 9, 29, 30, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("text", "meaning"),
        [
            ("STOP", EvidenceEvent.OPTED_OUT),
            ("unsubscribe", EvidenceEvent.OPTED_OUT),
            ("Cancel", EvidenceEvent.REPLIED),
            ("please stop the press", EvidenceEvent.REPLIED),
        ],
    )
    async def test_a_word_that_can_only_mean_no_more_messages_opts_out(self, text: str, meaning: EvidenceEvent) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("comment", text=text))
            assert (event.event, event.sender) == (meaning, "ada@example.com")

    async def test_the_same_words_an_hour_later_are_another_reply(self) -> None:
        async with self.channel() as channel:
            (first,) = channel.events(self.callback("comment"))
            (second,) = channel.events(self.callback("comment", at="2026-11-21T10:29:30Z"))
            assert first.id != second.id

    def test_the_trigger_body_that_we_publish_is_the_one_that_is_read(self) -> None:
        assert set(json.loads(TRIGGER_BODY)) == set(json.loads(payload("zendesk/comment.json")))

    @pytest.mark.parametrize("timestamp", ["2026-11-21T09:30:00", "1795253400", "yesterday", "9999-99-99T00:00:00Z"])
    async def test_a_time_without_a_zone_or_none_at_all_is_refused_even_if_signed(self, timestamp: str) -> None:
        mac = hmac.new(SECRET.encode(), timestamp.encode() + b"{}", hashlib.sha256).digest()
        headers = {
            "x-zendesk-webhook-signature": base64.b64encode(mac).decode(),
            "x-zendesk-webhook-signature-timestamp": timestamp,
        }
        async with self.channel() as channel:
            with pytest.raises(BadSignature):
                await channel.verify(RawRequest(url=WEBHOOK_URL, headers=headers, body=b"{}"))
