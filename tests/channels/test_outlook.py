"""Outlook against the channel's conformance suite, Microsoft's own descriptions and mails as they lie in a mailbox."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from pydantic import JsonValue, ValidationError

from orderack.channels import _graph
from orderack.channels.outlook import Outlook, OutlookSettings
from orderack.clients.own_message_ids import OwnMessageIds
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, InDoubt, InvalidInput, Misconfigured, Refused, Unavailable
from orderack.ports import ChannelEvent, Greets, Polls, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance
from tests.conformance.openapi import assert_described, spec
from tests.conformance.peer import Answer, CutOff, Peer, Received, Silence, json_answer
from tests.payloads import payload

DESCRIPTION = "outlook_graph/graph_v1.0.sendMail.patched.json"
SECRET = "test-only-0123456789"
STATE = "test-only-client-state"
MAILBOX = "orders@shop.example.com"
TOKEN = json_answer(200, {"access_token": "eyJ0.test-only", "expires_in": 3_599, "token_type": "Bearer"})
NONE = json_answer(200, {"value": []})
DRAFT = json_answer(201, {"id": "AAMk/draft=", "isDraft": True, "internetMessageId": None})
SINCE = NOW - timedelta(days=7)


def no(status: int, code: str) -> Answer:
    """Graph's error, as its API documents it."""
    return json_answer(status, {"error": {"code": code, "message": "said Graph of ada@example.com", "innerError": {}}})


def a_list(*found: Mapping[str, str | bool]) -> Answer:
    return json_answer(200, {"value": [dict[str, JsonValue](one) for one in found]})


def settings(base_url: str, **more: object) -> OutlookSettings:
    values = {
        "tenant_id": "tenant-1",
        "client_id": "client-1",
        "client_secret": "test-only-client-secret",
        "mailbox": MAILBOX,
        "message_id_secret": SECRET,
        "client_state": STATE,
        "base_url": base_url,
        "token_url": base_url,
    }
    return OutlookSettings.model_validate(values | more)


class TestOutlook(HttpChannelConformance):
    name = "outlook"
    recipient = "ada@example.com"
    secrets = (SECRET, STATE, "test-only-client-secret", "eyJ0.test-only")
    required = (
        "ORDERACK_OUTLOOK_TENANT_ID",
        "ORDERACK_OUTLOOK_CLIENT_ID",
        "ORDERACK_OUTLOOK_CLIENT_SECRET",
        "ORDERACK_OUTLOOK_MAILBOX",
        "ORDERACK_OUTLOOK_MESSAGE_ID_SECRET",
    )
    login = (TOKEN,)
    prelude = (NONE, DRAFT)
    relogins = True
    accepted = Answer(202)
    provider_id = OwnMessageIds(settings("http://x").message_id_secret, "shop.example.com").of(
        "shop/A-1001/1/confirmation/1/outlook"
    )
    found = (a_list({"id": "AAMk2", "isDraft": False}),)
    missing = (NONE,)
    healthy = (json_answer(200, {"id": "inbox", "displayName": "Inbox", "totalItemCount": 3}),)
    refusals = (
        *((no(400, code), reason) for code, reason in sorted(_graph.REFUSED_CODE.items())),
        (no(413, "RequestEntityTooLarge"), Reason.TOO_LONG),
        (no(400, "AWordOfTomorrow"), Reason.OTHER),
        (no(403, "ErrorMessageSubmissionBlocked"), Reason.BLOCKED),
        (Answer(400, b"<html>"), Reason.OTHER),
    )
    ours_to_mend = (
        *(no(403, code) for code in sorted(_graph.OURS_TO_MEND)),
        no(400, "ErrorQuotaExceeded"),
        no(403, "AWordOfTomorrow"),
        no(404, "ResourceNotFound"),
        no(401, "InvalidAuthenticationToken"),
    )
    not_now = tuple(no(400, code) for code in sorted(_graph.NOT_NOW))
    in_doubt = (
        *(no(404, code) for code in sorted(_graph.LEAVES_IT_OPEN)),
        no(409, "AWordOfTomorrow"),
        no(423, "AWordOfTomorrow"),
        Answer(204),
    )

    def make(self, base_url: str, **more: object) -> Outlook:
        return Outlook(settings(base_url, **more), clock=lambda: NOW)

    async def failure(self, answer: Answer | CutOff | Silence) -> Exception:
        """As the suite's; and a draft that is refused is deleted, whatever Graph says to that."""
        script = [*self.login, *self.prelude, answer]
        if isinstance(answer, Answer) and answer.status == 401:
            script += [*self.login, answer]
        async with self.provider() as (peer, channel):
            peer.will(*script, Answer(503))
            with pytest.raises(Exception) as caught:  # noqa: PT011 - the tests look at its type
                await channel.send(self.message())
            deleted = isinstance(caught.value, Refused)
            assert len(peer.received) == len(script) + deleted, "it must not repeat by itself"
            if deleted:
                assert peer.received[-1].method == "DELETE"
                assert peer.received[-1].target == peer.received[-2].target.removesuffix("/send")
            return caught.value

    # -- what is sent --------------------------------------------------------------------------------------------

    async def requests(self, *answers: Answer, message_settings: dict[str, object] | None = None) -> list[Received]:
        async with self.provider() as (peer, _):
            channel = self.make(peer.url, **(message_settings or {}))
            peer.will(TOKEN, *answers)
            await channel.send(self.message())
            await channel.aclose()
            return peer.received

    async def test_the_draft_and_its_sending_are_what_microsoft_describes(self) -> None:
        sign_in, find, draft, send = await self.requests(NONE, DRAFT, self.accepted)
        assert sign_in.target == "/tenant-1/oauth2/v2.0/token"
        assert parse_qs(sign_in.body.decode())["scope"] == ["https://graph.microsoft.com/.default"]
        assert (
            urlsplit(find.target).path
            == urlsplit(draft.target).path
            == "/v1.0/users/orders%40shop.example.com/messages"
        )
        assert send.target == "/v1.0/users/orders%40shop.example.com/messages/AAMk%2Fdraft%3D/send"
        assert (send.method, send.body) == ("POST", b"")
        message = json.loads(draft.body)
        # the description has sendMail alone; what it sends is the same message
        wrapped = replace(draft, target="/v1.0/users/orders/sendMail", body=json.dumps({"message": message}).encode())
        assert_described(DESCRIPTION, "https://graph.microsoft.com", wrapped)
        types = ET.parse(spec("outlook_graph/graph_v1.0.sendMail.csdl.xml")).iter()
        (entity,) = [one for one in types if one.get("Name") == "message" and one.tag.endswith("EntityType")]
        assert set(message) <= {one.get("Name") for one in entity}
        assert all(request.headers["authorization"] == "Bearer eyJ0.test-only" for request in (find, draft, send))

    async def test_the_draft_goes_from_the_mailbox_to_one_with_our_message_id_and_key(self) -> None:
        message = json.loads((await self.requests(NONE, DRAFT, self.accepted))[2].body)
        assert message["internetMessageId"] == self.provider_id
        assert message["toRecipients"] == [{"emailAddress": {"address": "ada@example.com"}}]
        assert message["body"] == {"contentType": "html", "content": self.message().content.html}
        headers = {header["name"]: header["value"] for header in message["internetMessageHeaders"]}
        assert headers["X-Orderack-Key"] == self.message().key_text
        assert all(name.lower().startswith("x-") for name in headers), "Graph takes no others"
        assert len(headers) <= 5
        assert (message["isDeliveryReceiptRequested"], message["isReadReceiptRequested"]) == (False, False)

    async def test_receipts_are_asked_for_where_the_settings_say_so(self) -> None:
        asked = await self.requests(NONE, DRAFT, self.accepted, message_settings={"request_receipts": True})
        message = json.loads(asked[2].body)
        assert (message["isDeliveryReceiptRequested"], message["isReadReceiptRequested"]) == (True, True)

    async def test_a_message_without_html_is_plain_text(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(TOKEN, NONE, DRAFT, self.accepted)
            await channel.send(self.message(html=None))
            assert json.loads(peer.received[2].body)["body"]["contentType"] == "text"

    # -- never twice, and no drafts left behind ------------------------------------------------------------------

    async def test_it_is_looked_for_by_its_message_id_before_a_draft_is_made(self) -> None:
        find = (await self.requests(NONE, DRAFT, self.accepted))[1]
        assert parse_qs(urlsplit(find.target).query)["$filter"] == [f"internetMessageId eq '{self.provider_id}'"]

    async def test_a_draft_that_is_there_already_is_sent_and_no_other_made(self) -> None:
        requests = await self.requests(a_list({"id": "AAMk1", "isDraft": True}), self.accepted)
        assert [(request.method, urlsplit(request.target).path[-11:]) for request in requests[1:]] == [
            ("GET", "om/messages"),
            ("POST", "/AAMk1/send"),
        ]

    async def test_what_went_out_already_is_not_sent_again(self) -> None:
        sent = a_list({"id": "AAMk1", "isDraft": True}, {"id": "AAMk2", "isDraft": False})
        requests = await self.requests(sent)
        assert [request.method for request in requests] == ["POST", "GET"]

    async def test_a_draft_is_not_sent_for_the_look_up(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(TOKEN, a_list({"id": "AAMk1", "isDraft": True}))
            assert await channel.lookup(self.message(), NOW) is None
            assert len(peer.received) == 2

    async def test_after_a_cut_off_while_sending_one_mail_goes_out_whatever_became_of_the_first_attempt(self) -> None:
        for arrived in (False, True):
            async with self.provider() as (peer, channel):
                peer.will(TOKEN, NONE, DRAFT, CutOff())
                with pytest.raises(InDoubt):
                    await channel.send(self.message())
                left: Mapping[str, str | bool]
                left = {"id": "AAMk2", "isDraft": False} if arrived else {"id": "AAMk/draft=", "isDraft": True}
                peer.will(a_list(left))
                assert (await channel.lookup(self.message(), NOW) is not None) is arrived
                peer.will(a_list(left), self.accepted)
                assert (await channel.send(self.message())).provider_id == self.provider_id
                drafts = [one for one in peer.received if one.method == "POST" and one.target.endswith("/messages")]
                sends = [one for one in peer.received if one.target.endswith("/send")]
                assert (len(drafts), len(sends)) == (1, 1 if arrived else 2)
                assert len({one.target for one in sends}) == 1, "the same draft can go out once only"

    async def test_a_draft_whose_making_was_cut_off_is_used_by_the_next_attempt(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(TOKEN, NONE, CutOff())
            with pytest.raises(Unavailable):
                await channel.send(self.message())
            peer.will(a_list({"id": "AAMk1", "isDraft": True}), self.accepted)
            await channel.send(self.message())
            assert peer.received[-1].target.endswith("/AAMk1/send")

    async def test_a_draft_that_is_refused_is_no_draft_and_is_refused(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(TOKEN, NONE, no(400, "ErrorInvalidRecipients"))
            with pytest.raises(Refused) as caught:
                await channel.send(self.message())
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert len(peer.received) == 3

    @pytest.mark.parametrize(
        "answer", [no(409, "ErrorIrresolvableConflict"), Answer(200, b"<html>"), no(400, "ErrorServerBusy")]
    )
    @pytest.mark.parametrize("place", [0, 1])
    async def test_whatever_is_unclear_before_the_sending_is_unavailable(self, place: int, answer: Answer) -> None:
        async with self.provider() as (peer, channel):
            peer.will(TOKEN, *self.prelude[:place], answer)
            with pytest.raises(Unavailable):
                await channel.send(self.message())

    async def test_throttling_while_the_draft_is_made_names_its_delay(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(TOKEN, NONE, Answer(503, b"{}", {"Retry-After": "17"}))
            with pytest.raises(Unavailable) as caught:
                await channel.send(self.message())
            assert caught.value.retry_after == timedelta(seconds=17)

    async def test_a_message_id_that_outlook_replaces_stops_the_channel(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(TOKEN, NONE, json_answer(201, {"id": "AAMk1", "internetMessageId": "<other@outlook.com>"}))
            with pytest.raises(Misconfigured, match="another Message-ID"):
                await channel.send(self.message())
            assert not [request for request in peer.received if request.target.endswith("/send")]

    @pytest.mark.parametrize("recipient", ["ada@example.com, eve@example.com", "ada"])
    async def test_what_is_not_one_address_never_leaves(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused):
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert peer.received == []

    # -- notifications -------------------------------------------------------------------------------------------

    def notification(self, **changes: JsonValue) -> RawRequest:
        body = json.loads(payload("outlook/notification.json"))
        body["value"][0] |= changes
        return RawRequest(url=WEBHOOK_URL, headers={}, body=json.dumps(body).encode())

    async def test_a_genuine_notification_is_a_hint_and_no_event(self) -> None:
        async with self.channel() as channel:
            request = self.notification()
            await channel.verify(request)
            assert channel.events(request) == ()

    @pytest.mark.parametrize("state", ["", "guessed", STATE[:-1], STATE + "x", "é", STATE.upper()])
    async def test_one_changed_character_of_the_client_state_is_refused(self, state: str) -> None:
        async with self.channel() as channel:
            with pytest.raises(BadSignature):
                await channel.verify(self.notification(clientState=state))

    async def test_one_stranger_among_genuine_notifications_is_refused(self) -> None:
        body = json.loads(self.notification().body)
        body["value"].append(body["value"][0] | {"clientState": "guessed"})
        async with self.channel() as channel:
            with pytest.raises(BadSignature):
                await channel.verify(self.notification().model_copy(update={"body": json.dumps(body).encode()}))

    @pytest.mark.parametrize("body", [b"", b"{}", b'{"value": []}', b"\xff", b"[]", b'{"value": [1]}'])
    async def test_a_body_that_is_no_notification_proves_nothing(self, body: bytes) -> None:
        async with self.channel() as channel:
            request = self.notification().model_copy(update={"body": body})
            with pytest.raises(BadSignature):
                await channel.verify(request)
            with pytest.raises(InvalidInput):
                channel.events(request)

    async def test_the_trial_of_a_new_subscription_gets_its_token_back_as_plain_text(self) -> None:
        async with self.channel() as channel:
            assert isinstance(channel, Greets)
            url = f"{WEBHOOK_URL.partition('?')[0]}?validationToken=Validation%3A%20Testing%20client%20%3Cb%3E"
            greeting = await channel.greet(RawRequest(url=url, headers={}, body=b""))
            assert greeting is not None
            assert (greeting.body, greeting.media_type, greeting.status) == (
                "Validation: Testing client <b>",
                "text/plain",
                200,
            )
            assert await channel.greet(self.notification()) is None
            twice = "https://a.example/?validationToken=a&validationToken=b"
            with pytest.raises(BadSignature):
                await channel.greet(RawRequest(url=twice, headers={}, body=b""))

    async def test_without_a_client_state_nothing_is_greeted_or_genuine(self) -> None:
        channel = self.make("http://127.0.0.1:9", client_state=None)
        assert await channel.greet(RawRequest(url="https://a.example/?validationToken=a", headers={}, body=b"")) is None
        with pytest.raises(BadSignature, match="ORDERACK_OUTLOOK_CLIENT_STATE"):
            await channel.verify(self.notification())
        await channel.aclose()

    def test_a_client_state_that_can_be_guessed_or_is_too_long_is_refused(self) -> None:
        for state in ("brief", "x" * 129):
            with pytest.raises(ValidationError) as caught:
                settings("http://127.0.0.1:9", client_state=state)
            assert state not in str(caught.value)

    # -- the mailbox ---------------------------------------------------------------------------------------------

    def report(self, name: str, **more: str) -> bytes:
        """A stored mail about the message that this suite sends."""
        text = payload(f"mailbox/{name}.eml").decode()
        for field, value in {"message_id": self.provider_id or "", "key": self.message().key_text, **more}.items():
            text = text.replace("{" + field + "}", value)
        return text.replace("\n", "\r\n").encode()

    async def polled(self, *mails: bytes) -> tuple[Sequence[ChannelEvent], Peer]:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Polls)
            listed = [{"id": f"m/{n}=", "receivedDateTime": "2026-11-21T09:30:00Z"} for n in range(len(mails))]
            peer.will(TOKEN, a_list(*listed), *(Answer(200, mail) for mail in mails))
            return await channel.poll(SINCE), peer

    BY_HAND: ClassVar = "manual-action/MDN-sent-manually; displayed"
    BY_EXCHANGE: ClassVar = "automatic-action/MDN-sent-automatically; displayed"

    async def test_what_lies_in_the_inbox_comes_back_as_events(self) -> None:
        events, peer = await self.polled(
            self.report("exchange_failed"),
            self.report("postfix_delivered"),
            self.report("notice", disposition=self.BY_HAND),
            self.report("notice", disposition=self.BY_EXCHANGE),
            self.report("gmail_reply"),
        )
        assert [(event.event, event.grade) for event in events] == [
            (EvidenceEvent.BOUNCED, None),
            (EvidenceEvent.DELIVERED, Grade.E2),
            (EvidenceEvent.DISPLAYED, Grade.E3),
            (EvidenceEvent.DELIVERED, Grade.E2),
            (EvidenceEvent.REPLIED, Grade.E4),
        ]
        assert {event.provider_id for event in events} == {self.provider_id}
        assert all(event.occurred_at == NOW and event.basis.startswith("outlook:") for event in events)
        assert len({event.id for event in events}) == 5
        asked = parse_qs(urlsplit(peer.received[1].target).query)
        assert unquote(urlsplit(peer.received[1].target).path).endswith("/mailFolders/inbox/messages")
        assert asked["$filter"] == ["receivedDateTime ge 2026-11-14T09:30:00Z"]
        assert asked["$orderby"] == ["receivedDateTime asc"]
        assert urlsplit(peer.received[2].target).path.endswith("/messages/m%2F0%3D/$value")
        assert {one.headers.get("prefer") for one in peer.received[1:]} == {'IdType="ImmutableId"'}, "moved mails too"

    async def test_a_forged_report_is_unknown(self) -> None:
        (event,), _ = await self.polled(self.report("exchange_failed", message_id="<made.up@shop.example.com>"))
        assert (event.event, event.grade, event.provider_id) == (EvidenceEvent.UNKNOWN, None, None)

    async def test_pages_are_asked_for_until_one_is_not_full(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_graph, "PAGE", 2)
        one, two, three = ({"id": f"m{n}", "receivedDateTime": "2026-11-21T09:30:00Z"} for n in range(3))
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Polls)
            pages = [a_list(one, two), a_list(three)]
            peer.will(TOKEN, *pages, Answer(200, b"Subject: an advertisement\r\n\r\nBuy!"))
            assert await channel.poll(SINCE) == []
            skips = [parse_qs(urlsplit(request.target).query)["$skip"] for request in peer.received[1:3]]
            assert skips == [["0"], ["2"]]
            assert len(peer.received) == 6

    async def test_a_mail_that_was_deleted_meanwhile_is_none(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Polls)
            listed = a_list({"id": "m1", "receivedDateTime": "2026-11-21T09:30:00Z"})
            peer.will(TOKEN, listed, no(404, "ErrorItemNotFound"))
            assert await channel.poll(SINCE) == []

    @pytest.mark.parametrize(
        ("answer", "fate"),
        [
            (Answer(503), Unavailable),
            (no(400, "ErrorServerBusy"), Unavailable),
            (no(409, "ErrorIrresolvableConflict"), Unavailable),
            (Answer(200, b"<html>"), Unavailable),
            (no(403, "ErrorAccessDenied"), Misconfigured),
            (no(404, "ErrorInvalidUser"), Misconfigured),
            (no(400, "AWordOfTomorrow"), Misconfigured),
        ],
    )
    async def test_a_mailbox_that_cannot_be_read_says_why(self, answer: Answer, fate: type[Exception]) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, Polls)
            peer.will(TOKEN, answer)
            with pytest.raises(fate):
                await channel.poll(SINCE)
