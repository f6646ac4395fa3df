"""The store's own system: our contract, held from both ends, and the receiver that its page shows."""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from orderack.channels.webhook import MAY_REFUSE, REPORTED, Webhook, WebhookSettings, message_id
from orderack.domain.acknowledgement import Kind, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.errors import BadSignature, Misconfigured
from orderack.ports import RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance, Statuses, WebhookConformance
from tests.conformance.peer import Answer, json_answer
from tests.payloads import payload

PAGE = Path(__file__).parents[2] / "docs" / "webhook-channel.md"
OLD, NEW = base64.b64encode(b"o" * 24).decode(), base64.b64encode(b"n" * 24).decode()


class Documented(BaseModel):
    """The body as docs/webhook-channel.md shows it, and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)

    class Ref(BaseModel):
        model_config = ConfigDict(extra="forbid", strict=True)
        store: str
        number: str

    version: Literal[1]
    key: str
    order: Ref
    revision: int
    kind: str
    language: str
    recipient: str
    store_name: str
    subject: str
    text: str
    html: str | None
    sms: str | None
    chat: str | None
    link: str | None
    open_label: str
    affirm_label: str


def settings(url: str, secret: str = f"whsec_{NEW},whsec_{OLD}") -> WebhookSettings:
    return WebhookSettings.model_validate({"url": url, "secret": secret})


def signature(key: str, name: str, timestamp: str, body: bytes) -> str:
    signed = f"{name}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(base64.b64decode(key), signed, hashlib.sha256)).decode()


def refusing(reason: str, status: int = 422) -> Answer:
    return json_answer(status, {"reason": reason})


class TestWebhook(HttpChannelConformance, WebhookConformance):
    name = "webhook"
    recipient = "ada@example.com"
    secrets = (OLD, NEW)
    required = ("ORDERACK_WEBHOOK_URL", "ORDERACK_WEBHOOK_SECRET")
    nowhere = "https://nowhere.invalid"

    accepted = json_answer(200, {"id": "shop-app-1"})
    provider_id = "shop-app-1"
    refusals = (
        *((refusing(reason), reason) for reason in sorted(MAY_REFUSE)),
        (refusing("opted_out", 400), Reason.OPTED_OUT),
        (refusing("paused"), Reason.OTHER),
        (refusing("a_word_of_tomorrow"), Reason.OTHER),
        (Answer(422, b"<html>no</html>"), Reason.OTHER),
        (Answer(413, b""), Reason.TOO_LONG),
        (json_answer(413, {"reason": "content"}), Reason.CONTENT),
    )
    ours_to_mend = tuple(Answer(status, b"{}") for status in (401, 403, 404, 405, 407, 410, 301, 308))
    in_doubt = (json_answer(200, {"id": 7}), Answer(201, b""), Answer(206, b"OK"), Answer(304, b""))

    statuses: ClassVar[Statuses] = {
        "accepted": (EvidenceEvent.ACCEPTED, Grade.E1),
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        "bounced": (EvidenceEvent.BOUNCED, None),
        "machine_touch": (EvidenceEvent.MACHINE_TOUCH, Grade.M),
        "displayed": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "replied": (EvidenceEvent.REPLIED, Grade.E4),
        "affirmed": (EvidenceEvent.AFFIRMED, Grade.E5),
        "opted_out": (EvidenceEvent.OPTED_OUT, None),
        "opted_in": (EvidenceEvent.OPTED_IN, None),
        "engaged": (EvidenceEvent.UNKNOWN, None),
        "assented": (EvidenceEvent.UNKNOWN, None),
        "declined": (EvidenceEvent.UNKNOWN, None),
        "disputed": (EvidenceEvent.UNKNOWN, None),
    }
    malformed = (
        b"",
        b"[]",
        b"{}",
        b'{"events": {}}',
        b'{"events": [7]}',
        b'{"events": [{"id": "1", "event": "delivered", "occurred_at": "2026-11-21T09:30:00Z"}]}',
        b'{"events": [{"id": "1", "key": "k", "event": "delivered", "occurred_at": "2026-11-21T09:30:00"}]}',
        b'{"events": [{"id": "", "key": "k", "event": "delivered", "occurred_at": "2026-11-21T09:30:00Z"}]}',
    )

    def make(self, base_url: str) -> Webhook:
        return Webhook(settings(base_url), clock=lambda: NOW)

    def report(self, **changes: JsonValue) -> RawRequest:
        events = json.loads(payload("webhook/events.json"))
        events["events"][0] = {k: v for k, v in (events["events"][0] | changes).items() if v is not None}
        return self.signed(json.dumps(events).encode(), NOW)

    def callback(self, status: str) -> RawRequest:
        return self.report(id=f"event-{status}", event=status)

    def signed(self, body: bytes, at: datetime) -> RawRequest:
        timestamp = str(int(at.timestamp()))
        headers = {
            "webhook-id": "evt_1",
            "webhook-timestamp": timestamp,
            "webhook-signature": signature(OLD, "evt_1", timestamp, body),
        }
        return RawRequest(url=WEBHOOK_URL, headers=headers, body=body)

    async def test_the_body_is_what_the_page_documents_and_holds_the_whole_message(self) -> None:
        message = self.message(affirm_label="I have it", chat="short")
        request = await self.sent(message.model_copy(update={"sender_name": "Fjordlight"}))
        body = Documented.model_validate_json(request.body)
        shown = re.search(r'```json\n(\{"version".*?)```', PAGE.read_text(), re.DOTALL)
        assert shown
        assert set(Documented.model_validate_json(shown[1]).model_dump()) == set(body.model_dump())
        assert (body.key, body.order.model_dump()) == (message.key_text, {"store": "shop", "number": "A-1001"})
        assert (body.recipient, body.kind, body.revision) == ("ada@example.com", "confirmation", 1)
        assert (body.subject, body.text, body.html) == (
            message.content.subject,
            message.content.text,
            message.content.html,
        )
        assert (body.chat, body.sms, body.link) == ("short", message.content.sms, message.content.link)
        assert (body.open_label, body.affirm_label, body.store_name) == ("View your order", "I have it", "Fjordlight")

    async def test_the_request_is_signed_with_every_live_secret_and_its_id_is_the_sends(self) -> None:
        request = await self.sent()
        name, timestamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        assert request.headers["idempotency-key"] == name == message_id(self.message().key_text)
        assert timestamp == str(int(NOW.timestamp()))
        assert request.headers["webhook-signature"].split() == [
            signature(NEW, name, timestamp, request.body),
            signature(OLD, name, timestamp, request.body),
        ]

    def test_an_id_is_short_plain_and_another_for_every_send(self) -> None:
        message = self.message()
        keys = [message.key.model_copy(update={"n": n}) for n in (1, 2)]
        keys.append(keys[0].model_copy(update={"ref": keys[0].ref.model_copy(update={"number": "ü" * 200})}))
        ids = {message_id(str(key)) for key in keys}
        assert len(ids) == 3
        assert all(re.fullmatch(r"msg_[0-9a-f]{40}", one) for one in ids)

    @pytest.mark.parametrize(
        ("answer", "provider_id"),
        [
            (json_answer(200, {}), None),
            (json_answer(201, {"id": "x"}), "x"),
            (Answer(202), None),
            (Answer(204), None),
            (json_answer(202, {"id": "y"}), "y"),
            (json_answer(409, {"id": "z"}), "z"),
            (Answer(409, b"already here"), None),
        ],
    )
    async def test_every_documented_yes_is_one_and_a_repeat_they_had_is_too(
        self, answer: Answer, provider_id: str | None
    ) -> None:
        async with self.provider() as (peer, channel):
            peer.will(answer)
            sent = await channel.send(self.message())
            assert sent.provider_id == (provider_id or message_id(self.message().key_text))

    @pytest.mark.parametrize("word", ["replied", "affirmed"])
    async def test_words_and_buttons_without_the_address_they_came_from_prove_nothing(self, word: str) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.report(event=word, sender=None))
            assert (event.event, event.grade) == (EvidenceEvent.UNKNOWN, None)
            (event,) = channel.events(self.report(event=word, key=None))
            assert (event.event, event.sender) == (EvidenceEvent(word), "ada@example.com")

    async def test_a_reply_keeps_the_words_and_stop_is_an_opt_out(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.report(event="replied"))
            assert (event.text, event.sender) == ("We are at home until noon.", "ada@example.com")
            for text, kept in (("STOP", ""), ("Cancel", "Cancel")):
                (event,) = channel.events(self.report(event="replied", text=text))
                assert (event.event, event.grade, event.text) == (EvidenceEvent.OPTED_OUT, None, kept)
                assert event.sender == "ada@example.com"

    async def test_an_event_is_theirs_by_id_and_keeps_its_time_and_whole_body(self) -> None:
        async with self.channel() as channel:
            (event,) = channel.events(self.report())
            assert event.id == "shop-app-event-7"
            assert event.occurred_at == datetime(2026, 11, 21, 9, 29, 58, tzinfo=UTC)
            assert "phone" in event.raw

    async def test_a_stranger_whose_secret_is_another_is_refused(self) -> None:
        channel = Webhook(settings("https://app.example.com", f"whsec_{NEW}"), clock=lambda: NOW)
        with pytest.raises(BadSignature):
            await channel.verify(self.callback("delivered"))
        await channel.aclose()

    @pytest.mark.parametrize(
        ("url", "secret"),
        [
            ("http://app.example.com/acks", f"whsec_{NEW}"),
            ("ftp://app.example.com", f"whsec_{NEW}"),
            ("https://app.example.com", "whsec_short"),
            ("https://app.example.com", "whsec_" + base64.b64encode(b"short").decode()),
        ],
    )
    def test_an_unencrypted_address_and_a_weak_secret_are_refused_without_being_shown(
        self, url: str, secret: str
    ) -> None:
        with pytest.raises(ValidationError) as caught:
            settings(url, secret)
        assert url not in str(caught.value)
        assert secret not in str(caught.value)

    def test_this_machine_may_go_without_encryption(self) -> None:
        assert [settings(f"http://{host}:8080/acks").url for host in ("127.0.0.1", "[::1]", "localhost")]


def rows(heading: str) -> dict[str, str]:
    """The table below a heading: first cell → second."""
    section = PAGE.read_text().partition(f"## {heading}")[2].partition("\n## ")[0]
    cells = [line.split("|") for line in section.splitlines() if line.startswith("| ")]
    return {cell[1].strip(): cell[2].strip() for cell in cells}


def test_the_page_lists_every_event_with_its_grade_every_reason_and_every_kind() -> None:
    listed = {
        word: grade for words, grade in rows("What you tell us").items() for word in re.findall(r"`(\w+)`", words)
    }
    assert listed == {word: str(grade) if grade else "–" for word, (_, grade) in REPORTED.items()}
    refusal = next(cell for cell in rows("What you answer") if cell.startswith("4xx"))
    assert set(re.findall(r"`(\w+)`", refusal)) == {str(reason) for reason in MAY_REFUSE}
    kinds = re.search(r"- `kind` is one of (.*)\.", PAGE.read_text())
    assert kinds
    assert set(re.findall(r"`(\w+)`", kinds[1])) == {str(kind) for kind in Kind} - {Kind.ALERT}


@asynccontextmanager
async def the_pages_receiver(tmp_path: Path, secret: str) -> AsyncIterator[str]:
    """The receiver as the page shows it, in a process of its own."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert code
    (tmp_path / "receiver.py").write_text(code[1])
    probe = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = probe.sockets[0].getsockname()[1]
    probe.close()
    await probe.wait_closed()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(tmp_path / "receiver.py"),
        str(port),
        env={**os.environ, "ORDERACK_WEBHOOK_SECRET": secret},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except ConnectionError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                break
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def test_the_receiver_that_the_page_shows_takes_a_message_once_and_no_strangers(tmp_path: Path) -> None:
    suite = TestWebhook()
    async with the_pages_receiver(tmp_path, f"whsec_{OLD}") as url:
        channel, stranger = Webhook(settings(url)), Webhook(settings(url, f"whsec_{NEW}"))
        late = Webhook(settings(url), clock=lambda: datetime.now(UTC) - timedelta(hours=1))
        first, again = [await channel.send(suite.message()) for _ in range(2)]
        assert first.provider_id == again.provider_id == message_id(suite.message().key_text)
        assert (first.detail, again.detail) == ("", "had it already")
        for wrong in (stranger, late):
            with pytest.raises(Misconfigured):
                await wrong.send(suite.message())
        for one in (channel, stranger, late):
            await one.aclose()
