"""WhatsApp's look-alike: templates, the window, reports of each message, and what buyers do."""

from datetime import UTC, datetime, timedelta

import pytest

from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.errors import BadSignature, Misconfigured, Refused
from orderack.ports import RawRequest
from tests.embedded.sandbox.chat_suite import ChatSuite

ADA = "15005550006"


class TestWhatsApp(ChatSuite):
    target = Target.WHATSAPP
    recipient = f"+{ADA}"
    retry_after = 60
    reports = 2

    def message(self, number: str = "A-1", **content: str | None):
        told = super().message(number, **{"statement": f"We have order {number}", **content})
        key = told.key.model_copy(update={"kind": Kind.CONFIRMATION})
        return told.model_copy(update={"kind": Kind.CONFIRMATION, "key": key})

    async def reported(self, channel, gateway, count):
        posts = await gateway.wait_for(count, "/webhooks/whatsapp")
        return [event for post in posts for event in await self.read(channel, post)]

    async def test_each_step_of_a_message_is_reported_with_our_key(self, channel, gateway):
        sent = await channel.send(self.message())
        events = await self.reported(channel, gateway, 2)
        assert {event.event for event in events} == {EvidenceEvent.ACCEPTED, EvidenceEvent.DELIVERED}
        assert {(event.key, event.provider_id) for event in events} == {(self.message().key_text, sent.provider_id)}

    async def test_a_bounce_and_an_opt_out_are_told_afterwards(self, channel, gateway, sandbox):
        for code, meaning in ((None, EvidenceEvent.BOUNCED), ("131050", EvidenceEvent.OPTED_OUT)):
            gateway.received.clear()
            sandbox.state.faults.add(Fault(target=Target.WHATSAPP, action=Action.BOUNCE, code=code))
            await channel.send(self.message())
            (event,) = await self.reported(channel, gateway, 1)
            assert event.event is meaning

    async def test_a_report_that_comes_twice_has_one_id(self, channel, gateway, sandbox):
        sandbox.state.faults.add(Fault(target=Target.WHATSAPP, action=Action.DUPLICATE_WEBHOOK))
        await channel.send(self.message())
        assert len({event.id for event in await self.reported(channel, gateway, 4)}) == 2

    @pytest.mark.parametrize(
        ("deed", "text", "meaning", "grade"),
        [
            ("write", "Yes & thänks ✓", EvidenceEvent.REPLIED, Grade.E4),
            ("press", "", EvidenceEvent.AFFIRMED, Grade.E5),
            ("read", "", EvidenceEvent.DISPLAYED, Grade.E3),
            ("opt_out", "", EvidenceEvent.OPTED_OUT, None),
        ],
    )
    async def test_what_a_buyer_does_comes_back(self, channel, gateway, http, deed, text, meaning, grade):
        await channel.send(self.message())
        await gateway.wait_for(2)
        event = await self.done(channel, gateway, http, deed, text)
        assert (event.event, event.grade) == (meaning, grade)
        assert event.text == (text if deed == "write" else "")
        assert event.sender == (None if deed == "read" else ADA)

    async def test_free_words_reach_who_has_written_and_fail_later_for_who_has_not(self, channel, gateway, http):
        free = self.message(chat="We have order A-1").model_copy(
            update={"heard_at": datetime.now(UTC) - timedelta(minutes=1)}
        )
        await channel.send(free)
        (failed,) = await self.reported(channel, gateway, 1)
        assert (failed.event, failed.basis) == (EvidenceEvent.BOUNCED, "whatsapp:failed:131047")
        await self.done(channel, gateway, http, "write", "hello")
        gateway.received.clear()
        await channel.send(free)
        events = await self.reported(channel, gateway, 2)
        assert EvidenceEvent.DELIVERED in {event.event for event in events}
        pressed = await self.done(channel, gateway, http, "press")
        assert (pressed.event, pressed.key) == (EvidenceEvent.AFFIRMED, free.key_text)

    async def test_a_template_that_was_never_approved_is_ours_to_mend(self, channel):
        channel._settings.templates[Kind.CONFIRMATION] = "somebody_elses"
        with pytest.raises(Misconfigured, match="ORDERACK_WHATSAPP_TEMPLATES"):
            await channel.send(self.message())

    async def test_a_kind_without_a_template_goes_to_another_channel(self, channel, sandbox):
        del channel._settings.templates[Kind.CONFIRMATION]
        with pytest.raises(Refused) as caught:
            await channel.send(self.message())
        assert caught.value.reason == "window_closed"
        assert sandbox.state.log.entries(Target.WHATSAPP) == ()

    async def test_a_guessed_signature_is_refused(self, channel, gateway):
        await channel.send(self.message())
        post = (await gateway.wait_for(1))[0]
        headers = dict(post.headers) | {"x-hub-signature-256": "sha256=" + "0" * 64}
        with pytest.raises(BadSignature):
            await channel.verify(RawRequest(url=post.url, headers=headers, body=post.body))


async def test_strangers_and_broken_requests_are_refused_as_meta_does(sandbox, http):
    own = sandbox.environment()
    path = f"/whatsapp/v23.0/{own['ORDERACK_WHATSAPP_PHONE_NUMBER_ID']}"
    login = {"Authorization": f"Bearer {own['ORDERACK_WHATSAPP_ACCESS_TOKEN']}"}
    assert (await http.post(f"{path}/messages", json={})).json()["error"]["code"] == 190
    assert (await http.post(f"{path}/messages", json={}, headers=login)).json()["error"]["code"] == 100
    elsewhere = await http.get("/whatsapp/v23.0/1", headers=login)
    assert elsewhere.json()["error"]["error_subcode"] == 33
