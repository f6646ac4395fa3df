"""WhatsApp: the window, templates, buttons, Meta's codes, and what comes back."""

import hmac
import json
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from orderack.channels import _meta as meta
from orderack.channels.whatsapp import CODES, WhatsApp, WhatsAppSettings
from orderack.domain.acknowledgement import Kind, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, Misconfigured, Refused, Unavailable
from orderack.ports import ChannelEvent, Greets, Message, RawRequest, Rendered, Sent
from tests.conformance.channel import (
    NOW,
    WEBHOOK_KEY,
    WEBHOOK_URL,
    HttpChannelConformance,
    Statuses,
    WebhookConformance,
    a_message,
)
from tests.conformance.peer import Answer, Received, json_answer
from tests.payloads import payload

TOKEN = "EAAsandbox0123456789abcdef"
SECRET = "0123456789abcdef0123456789abcdef"
VERIFY = "words of our choice"
NUMBER_ID = "106540352242922"
KEY = "shop/A-1001/1/confirmation/1/whatsapp"
LINK = "https://acks.example.com/o/abc"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _TextOf(_Strict):
    body: Annotated[str, Field(min_length=1, max_length=4_096)]
    preview_url: bool


class _Reply(_Strict):
    id: Annotated[str, Field(min_length=1, max_length=256)]
    title: Annotated[str, Field(min_length=1, max_length=20)]


class _ReplyButton(_Strict):
    type: Literal["reply"]
    reply: _Reply


class _Buttons(_Strict):
    buttons: Annotated[list[_ReplyButton], Field(min_length=1, max_length=3)]


class _Opens(_Strict):
    display_text: Annotated[str, Field(min_length=1, max_length=20)]
    url: Annotated[str, Field(pattern=r"^https?://")]


class _CtaUrl(_Strict):
    name: Literal["cta_url"]
    parameters: _Opens


class _Above(_Strict):
    text: Annotated[str, Field(min_length=1, max_length=1_024)]


class _WithButtons(_Strict):
    type: Literal["button"]
    body: _Above
    action: _Buttons


class _WithLink(_Strict):
    type: Literal["cta_url"]
    body: _Above
    action: _CtaUrl


class _TextValue(_Strict):
    type: Literal["text"]
    text: Annotated[str, Field(min_length=1, pattern=r"^( {0,3}[^\s])+$")]


class _PayloadValue(_Strict):
    type: Literal["payload"]
    payload: Annotated[str, Field(min_length=1, max_length=256)]


class _BodyPart(_Strict):
    type: Literal["body"]
    parameters: list[_TextValue]


class _ButtonPart(_Strict):
    type: Literal["button"]
    sub_type: Literal["url", "quick_reply"]
    index: Annotated[str, Field(pattern=r"^[0-9]$")]
    parameters: Annotated[list[_TextValue | _PayloadValue], Field(min_length=1, max_length=1)]


class _Language(_Strict):
    code: Annotated[str, Field(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$")]


class _TemplateOf(_Strict):
    name: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,512}$")]
    language: _Language
    components: list[_BodyPart | _ButtonPart]


class _Common(_Strict):
    """What every request of POST /{Phone-Number-ID}/messages has (facts §5)."""

    messaging_product: Literal["whatsapp"]
    recipient_type: Literal["individual"]
    to: Annotated[str, Field(pattern=r"^\d{7,15}$")]
    biz_opaque_callback_data: Annotated[str, Field(min_length=1, max_length=512)]


class _Text(_Common):
    type: Literal["text"]
    text: _TextOf


class _Interactive(_Common):
    type: Literal["interactive"]
    interactive: _WithButtons | _WithLink


class _Template(_Common):
    type: Literal["template"]
    template: _TemplateOf


DESCRIBED: TypeAdapter[_Text | _Interactive | _Template] = TypeAdapter(_Text | _Interactive | _Template)


def said(request: Received) -> dict[str, JsonValue]:
    """The request's body, once it is what the vendor describes."""
    DESCRIBED.validate_json(request.body)
    body: dict[str, JsonValue] = json.loads(request.body)
    return body


def error(status: int, code: int, subcode: int | None = None) -> Answer:
    told: dict[str, JsonValue] = {"message": "(#1) no +15005550006", "type": "OAuthException", "code": code}
    told |= {"error_data": {"messaging_product": "whatsapp", "details": "15005550006"}, "fbtrace_id": "Az8or2"}
    return json_answer(status, {"error": told | ({"error_subcode": subcode} if subcode else {})})


def settings(base_url: str, **more: object) -> WhatsAppSettings:
    own = {"phone_number_id": NUMBER_ID, "access_token": TOKEN, "app_secret": SECRET, "verify_token": VERIFY}
    return WhatsAppSettings.model_validate({**own, "base_url": base_url, **more})


class TestWhatsApp(HttpChannelConformance, WebhookConformance):
    name = "whatsapp"
    recipient = "+15005550006"
    secrets = (TOKEN, SECRET, VERIFY)
    required = tuple(
        f"ORDERACK_WHATSAPP_{name}" for name in ("PHONE_NUMBER_ID", "ACCESS_TOKEN", "APP_SECRET", "VERIFY_TOKEN")
    )
    has_window = False
    malformed = (b"", b"{}", b"[]", b'{"object": "page", "entry": [{"changes": [{"field": "x", "value": {}}]}]}',
                 b'{"object": "whatsapp_business_account", "entry": []}',
                 b'{"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value":'
                 b' {"statuses": [{"status": "read"}]}}]}]}')  # fmt: skip

    accepted = Answer(200, payload("whatsapp/accepted.json"), {"Content-Type": "application/json"})
    provider_id = "wamid.HBgLMTUwMDU1NTAwMDYVAgARGBI3"
    healthy = (json_answer(200, {"verified_name": "Fjordlight", "quality_rating": "GREEN", "id": NUMBER_ID}),)
    refusals = (
        *((error(400, int(code)), reason) for code, reason in CODES.refused.items()),
        (error(400, 999_999), Reason.OTHER),
        (Answer(400, b"not json"), Reason.OTHER),
        (json_answer(200, {"messages": [{"id": "wamid.X", "message_status": "paused"}]}), Reason.BLOCKED),
    )
    ours_to_mend = (
        *(error(400, *map(int, word.split(":"))) for word in CODES.ours_to_mend),
        error(403, 200), error(400, 299), error(401, 999_999), Answer(404, b"<html>"), Answer(401, b"{}"),
    )  # fmt: skip
    not_now = tuple(error(400, int(code)) for code in CODES.not_now)
    in_doubt = (
        error(400, 1), error(400, 131000), json_answer(200, {"messages": []}), json_answer(200, {"messages": [{}]}),
    )  # fmt: skip
    key = WEBHOOK_KEY
    statuses: ClassVar[Statuses] = {
        "sent": (EvidenceEvent.ACCEPTED, Grade.E1),
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        "read": (EvidenceEvent.DISPLAYED, Grade.E3),
        "failed": (EvidenceEvent.BOUNCED, None),
    }

    def make(self, base_url: str) -> WhatsApp:
        return WhatsApp(settings(base_url), clock=lambda: NOW)

    def message(self, **content: str | None) -> Message:
        """Within the window."""
        told = a_message(self.name, self.recipient, **content)
        return told.model_copy(update={"heard_at": NOW - timedelta(hours=1), "sender_name": "Fjordlight"})

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        mac = hmac.new(SECRET.encode(), body, "sha256").hexdigest()
        return RawRequest(url=WEBHOOK_URL, headers={"x-hub-signature-256": f"sha256={mac}"}, body=body)

    def posted(self, field: str = "messages", **value: JsonValue) -> RawRequest:
        change: JsonValue = {"field": field, "value": {"messaging_product": "whatsapp", **value}}
        post = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
        return self.signed(json.dumps(post).encode(), NOW)

    def callback(self, status: str, **more: JsonValue) -> RawRequest:
        told: dict[str, JsonValue] = {"id": "wamid.A", "status": status, "timestamp": "1795253400"}
        told |= {"recipient_id": "15005550006", "biz_opaque_callback_data": WEBHOOK_KEY, **more}
        return self.posted(statuses=[told])

    async def inbound(self, kind: str, more: dict[str, JsonValue]) -> ChannelEvent:
        told: dict[str, JsonValue] = {"from": "15005550006", "id": "wamid.IN", "timestamp": "1795253400", "type": kind}
        async with self.channel() as channel:
            (event,) = channel.events(self.posted(messages=[told | more]))
            return event

    # the request

    async def test_a_long_text_goes_with_its_link_as_whatsapp_documents_it(self) -> None:
        request = await self.sent(self.message(chat="x" * 1_500, open_label="View your order"))
        body = said(request)
        assert request.target == f"/v23.0/{NUMBER_ID}/messages"
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        text = f"{'x' * 1_500}\n\nView your order: {LINK}"
        assert (body["to"], body["biz_opaque_callback_data"]) == ("15005550006", KEY)
        assert body["text"] == {"preview_url": False, "body": text}

    async def test_what_asks_has_the_affirming_button_and_the_link_in_its_words(self) -> None:
        body = said(await self.sent(self.message(chat="It is confirmed.", affirm_label="Confirm that you have it all")))
        shown = _Interactive.model_validate(body).interactive
        assert isinstance(shown, _WithButtons)
        assert shown.body.text == f"It is confirmed.\n\nView your order: {LINK}"
        assert shown.action.buttons[0].reply == _Reply(id=KEY, title="Confirm that you ha…")

    async def test_what_does_not_ask_has_the_links_button(self) -> None:
        body = said(await self.sent(self.message(chat="We have it.", open_label="Bestellung ansehen")))
        shown = _Interactive.model_validate(body).interactive
        assert isinstance(shown, _WithLink)
        assert shown.body.text == "We have it."
        assert shown.action.parameters == _Opens(display_text="Bestellung ansehen", url=LINK)

    async def test_without_a_link_it_is_a_text_and_above_a_buttons_limit_too(self) -> None:
        assert said(await self.sent(self.message(chat="We have it.", link=None)))["type"] == "text"
        asking = said(await self.sent(self.message(chat="x" * 1_024, affirm_label="Yes")))
        assert asking["type"] == "text"

    async def test_a_shape_that_is_too_long_gives_way_to_a_shorter_one_and_nothing_is_cut(self) -> None:
        body = said(await self.sent(self.message(text="x" * 5_000, chat=None, sms=f"Short. {LINK}", affirm_label="Y")))
        assert _Interactive.model_validate(body).interactive.body.text == f"Short. {LINK}"

    @pytest.mark.parametrize("recipient", ["ada@example.com", "+0123", "1500555000a", "", "+1 500 555 0006", "12345"])
    async def test_what_is_no_number_never_leaves(self, recipient: str) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": recipient}))
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    # outside the window

    async def templated(self, message: Message, **own: object) -> _TemplateOf:
        async with self.provider() as (peer, _):
            channel = WhatsApp(settings(peer.url, **own), clock=lambda: NOW)
            peer.will(self.accepted)
            try:
                await channel.send(message)
            finally:
                await channel.aclose()
            return _Template.model_validate(said(peer.received[0])).template

    @pytest.mark.parametrize("heard", [None, NOW - timedelta(hours=24), NOW - timedelta(days=9)])
    async def test_outside_the_window_nothing_goes_without_a_template(self, heard: datetime | None) -> None:
        async with self.provider() as (peer, channel):
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"heard_at": heard}))
            assert caught.value.reason is Reason.WINDOW_CLOSED
            assert peer.received == []

    async def test_a_second_before_the_window_closes_words_are_free(self) -> None:
        late = {"heard_at": NOW - timedelta(hours=24) + timedelta(seconds=1)}
        assert said(await self.sent(self.message().model_copy(update=late)))["type"] != "template"

    async def test_a_template_takes_number_store_and_one_line(self) -> None:
        content = {"statement": "Fjordlight:\torder A-1001     confirmed.\nDelivery Jun 12, 2026. Total $111.80."}
        message = self.message(**content).model_copy(update={"heard_at": None, "language": "de-AT"})
        template = await self.templated(message, templates={"confirmation": "order_confirmed"})
        assert (template.name, template.language.code) == ("order_confirmed", "de")
        (body,) = template.components
        assert isinstance(body, _BodyPart)
        assert [value.text for value in body.parameters] == [
            "A-1001", "Fjordlight", "Fjordlight: order A-1001 confirmed. Delivery Jun 12, 2026. Total $111.80.",
        ]  # fmt: skip

    async def test_a_template_with_buttons_gets_the_pages_path_and_our_key(self) -> None:
        own = {"templates": {"confirmation": "order_confirmed", "received": "order_received"}}
        own |= {"template_link_base": "https://acks.example.com/o/", "template_affirm": "true"}  # type: ignore[dict-item]
        message = self.message().model_copy(update={"heard_at": None, "language": "nl"})
        template = await self.templated(message, **own, template_language="en_GB")
        assert template.language.code == "en_GB"
        url, press = template.components[1:]
        assert isinstance(url, _ButtonPart)
        assert isinstance(press, _ButtonPart)
        assert (url.sub_type, url.index, url.parameters) == ("url", "0", [_TextValue(type="text", text="abc")])
        assert (press.sub_type, press.index) == ("quick_reply", "1")
        assert press.parameters == [_PayloadValue(type="payload", payload=KEY)]
        received = await self.templated(message.model_copy(update={"kind": Kind.RECEIVED}), **own)
        assert [part.type for part in received.components] == ["body", "button"]

    async def test_a_page_elsewhere_than_the_template_says_is_ours_to_mend(self) -> None:
        message = self.message().model_copy(update={"heard_at": None})
        with pytest.raises(Misconfigured, match="ORDERACK_WHATSAPP_TEMPLATE_LINK_BASE"):
            await self.templated(message, templates={"confirmation": "x"}, template_link_base="https://other.example/")

    async def test_a_templates_values_never_crowd_out_its_own_words(self) -> None:
        long = self.message(statement="s" * 300).model_copy(update={"heard_at": None, "sender_name": "F" * 500})
        template = await self.templated(long, templates={"confirmation": "x"})
        (body,) = template.components
        assert isinstance(body, _BodyPart)
        assert sum(len(value.text) for value in body.parameters) <= 580

    # the answer

    @pytest.mark.parametrize(
        ("code", "wait"),
        [(131056, timedelta(seconds=6)), (131048, timedelta(hours=1)), (130429, timedelta(seconds=1)), (2, None)],
    )
    @pytest.mark.parametrize("status", [400, 429])
    async def test_a_limit_says_how_long_it_holds(self, code: int, wait: timedelta | None, status: int) -> None:
        failure = await self.failure(error(status, code))
        assert isinstance(failure, Unavailable)
        assert failure.retry_after == wait

    async def test_metas_own_header_names_the_minutes(self) -> None:
        usage = '{"106": [{"type": "whatsapp", "call_count": 100, "estimated_time_to_regain_access": 7}]}'
        for status in (400, 429):
            answer = error(status, 80007)
            failure = await self.failure(Answer(status, answer.body, {"X-Business-Use-Case-Usage": usage}))
            assert isinstance(failure, Unavailable)
            assert failure.retry_after == timedelta(minutes=7)

    async def test_what_meta_still_assesses_is_accepted_and_said_so(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(
                json_answer(200, {"messages": [{"id": "wamid.H", "message_status": "held_for_quality_assessment"}]})
            )
            assert await channel.send(self.message()) == Sent(
                provider_id="wamid.H", detail="held_for_quality_assessment"
            )

    # events

    async def test_one_post_brings_many_facts(self) -> None:
        async with self.channel() as channel:
            request = self.signed(payload("whatsapp/many.json"), NOW)
            await channel.verify(request)
            read, failed, reply, template = channel.events(request)
        assert (read.event, read.key, read.provider_id) == (EvidenceEvent.DISPLAYED, KEY, "wamid.A")
        assert (failed.event, failed.basis) == (EvidenceEvent.BOUNCED, "whatsapp:failed:131047")
        assert (reply.event, reply.text, reply.sender) == (EvidenceEvent.REPLIED, "When does it come?", "15005550006")
        assert (template.event, template.basis) == (EvidenceEvent.UNKNOWN, "whatsapp:message_template_status_update")
        assert "PAUSED" in template.raw
        assert read.occurred_at.timestamp() == 1_795_253_400
        assert len({read.id, failed.id, reply.id, template.id}) == 4

    async def test_a_failure_because_of_an_opt_out_is_one(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.callback("failed", errors=[{"code": 131050, "title": "opted out"}]))
        assert (event.event, event.sender, event.grade) == (EvidenceEvent.OPTED_OUT, "15005550006", None)

    @pytest.mark.parametrize(
        "press",
        [
            {"button": {"payload": KEY, "text": "Confirm"}},
            {"interactive": {"type": "button_reply", "button_reply": {"id": KEY, "title": "C"}}},
        ],
    )
    async def test_a_press_affirms_its_message(self, press: dict[str, JsonValue]) -> None:
        event = await self.inbound(next(iter(press)), {**press, "context": {"id": "wamid.A"}})
        assert (event.event, event.grade, event.key) == (EvidenceEvent.AFFIRMED, Grade.E5, KEY)
        assert (event.sender, event.provider_id) == ("15005550006", "wamid.A")

    async def test_a_press_on_another_systems_button_is_words_and_affirms_nothing(self) -> None:
        event = await self.inbound("button", {"button": {"payload": "MENU_1", "text": "Opening hours"}})
        assert (event.event, event.text, event.key) == (EvidenceEvent.REPLIED, "Opening hours", None)

    async def test_words_say_which_message_they_answer_where_they_quote_it(self) -> None:
        event = await self.inbound("text", {"text": {"body": "yes"}, "context": {"id": "wamid.A"}})
        assert (event.event, event.grade, event.provider_id) == (EvidenceEvent.REPLIED, Grade.E4, "wamid.A")
        assert (await self.inbound("text", {"text": {"body": "yes"}})).provider_id is None

    @pytest.mark.parametrize(
        ("kind", "more", "meaning", "text"),
        [
            ("text", {"text": {"body": "STOP"}}, EvidenceEvent.OPTED_OUT, ""),
            ("text", {"text": {"body": "Cancel"}}, EvidenceEvent.OPTED_OUT, "Cancel"),
            ("text", {"text": {"body": "Start"}}, EvidenceEvent.OPTED_IN, ""),
            ("image", {"image": {"id": "1", "caption": "Wrong box"}}, EvidenceEvent.REPLIED, "Wrong box"),
            ("audio", {"audio": {"id": "1"}}, EvidenceEvent.REPLIED, meta.NO_WORDS),
            ("reaction", {"reaction": {"message_id": "wamid.A", "emoji": "👍"}}, EvidenceEvent.REPLIED, "👍"),
            ("reaction", {"reaction": {"message_id": "wamid.A"}}, EvidenceEvent.UNKNOWN, ""),
            ("system", {"system": {"body": "changed number"}}, EvidenceEvent.UNKNOWN, ""),
            ("unsupported", {"errors": [{"code": 131051}]}, EvidenceEvent.REPLIED, meta.NO_WORDS),
        ],
    )
    async def test_each_kind_of_inbound_message_has_its_meaning(
        self, kind: str, more: dict[str, JsonValue], meaning: EvidenceEvent, text: str
    ) -> None:
        event = await self.inbound(kind, more)
        assert (event.event, event.text, event.sender) == (meaning, text, "15005550006")

    # Meta's proofs

    def test_metas_published_vector_verifies_and_one_changed_byte_does_not(self) -> None:
        """GitHub's documentation of the same scheme ("Validating webhook deliveries")."""
        mac = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        request = RawRequest(url="/", headers={"x-hub-signature-256": f"sha256={mac}"}, body=b"Hello, World!")
        meta.verify(request, "It's a Secret to Everybody")
        with pytest.raises(BadSignature):
            meta.verify(request.model_copy(update={"body": b"Hello, World?"}), "It's a Secret to Everybody")
        with pytest.raises(BadSignature):
            meta.verify(request, "It's a secret to Everybody")

    async def test_the_greeting_gives_the_challenge_to_whoever_knows_our_words(self) -> None:
        async with self.channel() as channel:
            assert isinstance(channel, Greets)

            def asked(query: str, method: str = "GET") -> RawRequest:
                return RawRequest(method=method, url=f"https://acks.example.com/x?{query}", headers={}, body=b"")

            good = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=words+of+our+choice"
            greeting = await channel.greet(asked(good))
            assert greeting is not None
            assert (greeting.status, greeting.body, greeting.media_type) == (200, "1158201444", "text/plain")
            for bad in (
                good.replace("choice", "Choice"),
                good.replace("&hub.verify_token=words+of+our+choice", ""),
                good.replace("subscribe", "unsubscribe"),
                good.replace("1158201444", ""),
                good.replace("1158201444", "9" * 1_001),
            ):
                with pytest.raises(BadSignature):
                    await channel.greet(asked(bad))
            assert await channel.greet(asked("")) is None
            assert await channel.greet(asked(good, "POST")) is None


def test_the_model_of_the_request_refuses_what_whatsapp_would() -> None:
    good = {"messaging_product": "whatsapp", "recipient_type": "individual", "to": "15005550006"}
    good |= {"biz_opaque_callback_data": KEY, "type": "text", "text": {"body": "x", "preview_url": False}}  # type: ignore[dict-item]
    DESCRIBED.validate_python(good)
    for wrong in ({"to": "+1"}, {"text": {"body": "x" * 4_097, "preview_url": False}}, {"extra": 1}, {"type": "list"}):
        with pytest.raises(ValidationError):
            DESCRIBED.validate_python(good | wrong)


def test_a_template_for_a_kind_that_is_none_is_refused_with_the_settings() -> None:
    with pytest.raises(ValidationError):
        settings("http://127.0.0.1:9", templates={"confirmed": "x"})
    assert Rendered(text="x").affirm_label == ""
