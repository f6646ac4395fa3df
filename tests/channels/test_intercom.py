"""Intercom against the channel's conformance suite and Intercom's own description."""

import hashlib
import hmac
import json
from datetime import datetime
from typing import ClassVar

import pytest
from pydantic import JsonValue

from orderack.channels.intercom import Intercom, IntercomSettings
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import Misconfigured, Refused, Unavailable
from orderack.ports import RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance, Statuses, WebhookConformance
from tests.conformance.openapi import assert_described
from tests.conformance.peer import Answer, json_answer
from tests.payloads import payload

TOKEN = "dG9rOnRlc3Qtb25seQ=="
SECRET = "test-only-client-secret"
SPEC = "../commerce/intercom/intercom-2.15-trimmed.openapi.json"
CONTACT_TOPICS = ("contact.unsubscribed", "contact.subscribed")


def contact(**more: JsonValue) -> JsonValue:
    ada: dict[str, JsonValue] = {"type": "contact", "id": "6762f0dd", "role": "user", "email": "ada@example.com"}
    return ada | more


def contacts(*found: JsonValue) -> Answer:
    return json_answer(200, {"type": "list", "data": list(found), "total_count": len(found)})


def no(status: int, code: str) -> Answer:
    """Intercom's error list."""
    errors: JsonValue = [{"code": code, "message": "ada@example.com is wrong"}]
    return json_answer(status, {"type": "error.list", "request_id": "r-1", "errors": errors})


class TestIntercom(HttpChannelConformance, WebhookConformance):
    name = "intercom"
    recipient = "ada@example.com"
    secrets = (TOKEN, SECRET)
    required = tuple(f"ORDERACK_INTERCOM_{name}" for name in ("ACCESS_TOKEN", "CLIENT_SECRET", "ADMIN_ID"))
    key = None
    has_window = False
    malformed = (b"", b"{}", b"[]", b"<html>", b'{"id": "n", "topic": "ping", "created_at": -1, "data": {"item": {}}}')

    prelude = (contacts(contact()),)
    accepted = json_answer(
        200, {"type": "admin_message", "id": "19", "created_at": 1734537786, "message_type": "email"}
    )
    provider_id = "19"
    healthy = (json_answer(200, {"type": "admin", "id": "991267816", "email": "grace@shop.example.com"}),)
    refusals = (
        (no(400, "parameter_invalid"), Reason.CONTENT),
        (no(422, "parameter_not_found"), Reason.CONTENT),
        (no(422, "a_word_of_tomorrow"), Reason.OTHER),
        (Answer(400, b"not json"), Reason.OTHER),
        (json_answer(422, {"type": "error.list", "errors": []}), Reason.OTHER),
    )
    ours_to_mend = (
        no(401, "unauthorized"),
        no(401, "token_revoked"),
        no(403, "api_plan_restricted"),
        no(400, "token_not_found"),
        no(405, "x"),
    )
    not_now = (no(404, "not_found"),)
    in_doubt = (json_answer(200, {"type": "admin_message"}), json_answer(200, {"id": ""}))

    statuses: ClassVar[Statuses] = {
        "conversation.user.replied": (EvidenceEvent.REPLIED, Grade.E4),
        "contact.unsubscribed": (EvidenceEvent.OPTED_OUT, None),
        "contact.subscribed": (EvidenceEvent.OPTED_IN, None),
        "conversation.admin.replied": (EvidenceEvent.UNKNOWN, None),
        "ping": (EvidenceEvent.UNKNOWN, None),
    }

    def make(self, base_url: str) -> Intercom:
        values = {"access_token": TOKEN, "client_secret": SECRET, "admin_id": 991267816, "base_url": base_url}
        return Intercom(IntercomSettings.model_validate(values), clock=lambda: NOW)

    def callback(self, status: str) -> RawRequest:
        file = "contact" if status in CONTACT_TOPICS else "replied"
        told = json.loads(payload(f"intercom/{file}.json")) | {"topic": status, "id": f"notif_{status}"}
        return self.signed(json.dumps(told).encode(), NOW)

    def replied(self, **item: JsonValue) -> RawRequest:
        told = json.loads(payload("intercom/replied.json"))
        told["data"]["item"] |= item
        return self.signed(json.dumps(told).encode(), NOW)

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        mac = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
        return RawRequest(url=WEBHOOK_URL, headers={"x-hub-signature": f"sha1={mac}"}, body=body)

    async def test_the_requests_are_what_intercom_describes(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.prelude, self.accepted)
            await channel.send(self.message())
            for request in peer.received:
                assert_described(SPEC, "https://api.intercom.io", request)
                assert request.headers["intercom-version"] == "2.15"
                assert request.headers["authorization"] == f"Bearer {TOKEN}"

    async def test_it_finds_the_contact_and_writes_to_it_as_the_teammate(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.prelude, self.accepted)
            await channel.send(self.message(text="Dear Ada,\nA & B <script>\n\nBye"))
            search, sent = peer.received
        query = {"field": "email", "operator": "=", "value": self.recipient}
        assert (search.target, json.loads(search.body)) == ("/contacts/search", {"query": query})
        assert sent.target == "/messages"
        assert json.loads(sent.body) == {
            "message_type": "email",
            "subject": "Your order A-1001",
            "body": "<p>Dear Ada,<br>A &amp; B &lt;script&gt;</p><p>Bye</p>",
            "template": "plain",
            "from": {"type": "admin", "id": 991267816},
            "to": {"type": "user", "id": "6762f0dd"},
        }

    async def test_of_several_contacts_a_user_is_chosen_before_a_lead_and_always_the_same(self) -> None:
        lead, other = contact(id="1", role="lead"), contact(id="7")
        for found in ((lead, contact(), other), (other, contact(), lead)):
            async with self.provider() as (peer, channel):
                peer.will(contacts(*found), self.accepted)
                await channel.send(self.message())
                assert json.loads(peer.received[-1].body)["to"] == {"type": "user", "id": "6762f0dd"}
        async with self.provider() as (peer, channel):
            peer.will(contacts(lead), self.accepted)
            await channel.send(self.message())
            assert json.loads(peer.received[-1].body)["to"] == {"type": "lead", "id": "1"}

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (contacts(), Reason.NO_RECIPIENT),
            (contacts(contact(unsubscribed_from_emails=True)), Reason.OPTED_OUT),
            (contacts(contact(marked_email_as_spam=True)), Reason.BLOCKED),
            (contacts(contact(has_hard_bounced=True)), Reason.BAD_RECIPIENT),
        ],
    )
    async def test_a_contact_that_is_unknown_or_not_mailed_is_refused_before_anything_is_sent(
        self, answer: Answer, reason: Reason
    ) -> None:
        async with self.provider() as (peer, channel):
            peer.will(answer)
            with pytest.raises(Refused) as caught:
                await channel.send(self.message())
            assert caught.value.reason is reason
            assert caught.value.code
            assert len(peer.received) == 1

    @pytest.mark.parametrize(
        ("answer", "fate"), [(no(401, "unauthorized"), Misconfigured), (no(400, "parameter_invalid"), Unavailable)]
    )
    async def test_a_search_that_fails_is_never_taken_for_no_contact(
        self, answer: Answer, fate: type[Exception]
    ) -> None:
        async with self.provider() as (peer, channel):
            peer.will(answer)
            with pytest.raises(fate):
                await channel.send(self.message())

    @pytest.mark.parametrize("recipient", ["ada@example.com, eve@example.com", "ada", "a@b\r\nBcc: x@y.z"])
    async def test_what_is_not_one_address_is_not_even_searched_for(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused):
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert peer.received == []

    async def test_a_reply_names_our_message_and_its_author_and_keeps_the_words(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("conversation.user.replied"))
            assert (event.provider_id, event.sender) == ("19", "ada@example.com")
            assert event.text == "Yes, thank you & ring twice."

    async def test_only_the_contacts_own_last_words_are_a_reply(self) -> None:
        parts: list[JsonValue] = [
            {"body": "<p>first</p>", "author": {"type": "user", "email": "ada@example.com"}},
            {"body": "<p>second</p>", "author": {"type": "lead", "email": "ada@example.com"}},
            {"body": "<p>ours</p>", "author": {"type": "admin", "email": "grace@shop.example.com"}},
        ]
        async with self.channel() as channel:
            (event,) = channel.events(self.replied(conversation_parts={"conversation_parts": parts}))
            assert (event.text, event.sender) == ("second", "ada@example.com")
            (event,) = channel.events(self.replied(conversation_parts={"conversation_parts": parts[2:]}))
            assert (event.text, event.sender) == ("", None)

    async def test_a_conversation_that_a_visitor_began_is_nobodys_word_for_visitors_name_any_address(self) -> None:
        stop: JsonValue = {"body": "<p>stop</p>", "author": {"type": "lead", "email": "ada@example.com"}}
        began: JsonValue = {"id": "77", "delivered_as": "customer_initiated"}
        async with self.channel() as channel:
            (event,) = channel.events(self.replied(source=began))
            assert (event.provider_id, event.sender) == (None, None)
            (event,) = channel.events(self.replied(source=began, conversation_parts={"conversation_parts": [stop]}))
            assert (event.event, event.provider_id, event.sender) == (EvidenceEvent.OPTED_OUT, None, None)

    @pytest.mark.parametrize(
        ("text", "meaning"),
        [("<p>STOP</p>", EvidenceEvent.OPTED_OUT), ("<p>cancel</p>", EvidenceEvent.REPLIED)],
    )
    async def test_a_word_that_can_only_mean_no_more_messages_opts_out(self, text: str, meaning: EvidenceEvent) -> None:
        part: JsonValue = {"body": text, "author": {"type": "user", "email": "ada@example.com"}}
        async with self.channel() as channel:
            (event,) = channel.events(self.replied(conversation_parts={"conversation_parts": [part]}))
            assert (event.event, event.sender) == (meaning, "ada@example.com")

    async def test_who_unsubscribes_is_named_in_either_form_of_the_notification(self) -> None:
        told = json.loads(payload("intercom/contact.json"))
        beside = {"contact": told["data"]["item"], "subscription_types": {"type": "list", "data": []}}
        async with self.channel() as channel:
            for item in (told["data"]["item"], beside):
                body = json.dumps(told | {"data": {"item": item}}).encode()
                (event,) = channel.events(self.signed(body, NOW))
                assert (event.event, event.sender) == (EvidenceEvent.OPTED_OUT, "ada@example.com")
