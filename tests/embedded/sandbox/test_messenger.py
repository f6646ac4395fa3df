"""Messenger's look-alike: the window, utility templates, echoes that settle a doubt, and what buyers do."""

from datetime import UTC, datetime, timedelta

import pytest

from orderack.domain.acknowledgement import Kind, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.embedded.sandbox.vendors.messenger import Messenger
from orderack.errors import InDoubt, Refused
from tests.embedded.sandbox.chat_suite import ChatSuite

ADA = "1254477777772919"


class TestMessenger(ChatSuite):
    target = Target.MESSENGER
    recipient = ADA
    retry_after = 60
    reports = 2

    def message(self, number: str = "A-1", **content: str | None):
        return super().message(number, **content).model_copy(update={"heard_at": datetime.now(UTC)})

    @pytest.fixture(autouse=True)
    def ada_has_written(self, sandbox):
        (vendor,) = [one for one in sandbox.vendors if isinstance(one, Messenger)]
        vendor._heard[ADA] = datetime.now(UTC).timestamp()
        return vendor

    async def reported(self, channel, gateway, count):
        posts = await gateway.wait_for(count, "/webhooks/messenger")
        return [event for post in posts for event in await self.read(channel, post)]

    async def test_the_echo_brings_our_key_and_the_delivery_the_id(self, channel, gateway):
        sent = await channel.send(self.message())
        echo, delivered = sorted(await self.reported(channel, gateway, 2), key=lambda event: event.event)
        assert (echo.event, echo.key) == (EvidenceEvent.ACCEPTED, self.message().key_text)
        assert (delivered.event, delivered.key) == (EvidenceEvent.DELIVERED, None)
        assert echo.provider_id == delivered.provider_id == sent.provider_id

    async def test_a_cut_off_send_is_settled_by_its_echo(self, channel, gateway, sandbox):
        sandbox.state.faults.add(Fault(target=Target.MESSENGER, action=Action.CUT_OFF_AFTER_ACCEPT))
        with pytest.raises(InDoubt):
            await channel.send(self.message())
        events = await self.reported(channel, gateway, 2)
        assert self.message().key_text in [event.key for event in events]

    async def test_what_never_arrives_is_echoed_and_never_delivered(self, channel, gateway, sandbox):
        sandbox.state.faults.add(Fault(target=Target.MESSENGER, action=Action.BOUNCE))
        await channel.send(self.message())
        (event,) = await self.reported(channel, gateway, 1)
        assert event.event is EvidenceEvent.ACCEPTED

    @pytest.mark.parametrize("text", ["We have order A-1", "We have order A-1. " + "x" * 700])
    @pytest.mark.parametrize(
        ("deed", "words", "meaning", "grade"),
        [
            ("write", "Yes & thänks ✓", EvidenceEvent.REPLIED, Grade.E4),
            ("press", "", EvidenceEvent.AFFIRMED, Grade.E5),
            ("read", "", EvidenceEvent.DISPLAYED, Grade.E3),
            ("opt_out", "", EvidenceEvent.OPTED_OUT, None),
        ],
    )
    async def test_what_a_buyer_does_comes_back(self, channel, gateway, http, text, deed, words, meaning, grade):
        await channel.send(self.message(text=text))
        await gateway.wait_for(2)
        event = await self.done(channel, gateway, http, deed, words)
        assert (event.event, event.grade, event.sender, event.text) == (meaning, grade, ADA, words)
        assert (event.watermark is not None) == (deed == "read")

    async def test_outside_the_window_a_template_goes_and_free_words_do_not(self, channel, sandbox, ada_has_written):
        ada_has_written._heard.clear()
        with pytest.raises(Refused) as caught:  # we believe that they wrote; Meta knows better
            await channel.send(self.message())
        assert (caught.value.reason, caught.value.code) == (Reason.WINDOW_CLOSED, "10:2018278")
        late = {"heard_at": datetime.now(UTC) - timedelta(days=2), "kind": Kind.CONFIRMATION}
        await channel.send(self.message(statement="Order A-1 is confirmed.").model_copy(update=late))
        (shown,) = sandbox.state.outbox.find("A-1", Target.MESSENGER)
        assert shown.text == "Fjord · A-1\n\nOrder A-1 is confirmed."


async def test_strangers_and_broken_requests_are_refused_as_meta_does(sandbox, http):
    own = sandbox.environment()
    path = f"/messenger/v25.0/{own['ORDERACK_MESSENGER_PAGE_ID']}"
    login = {"Authorization": f"Bearer {own['ORDERACK_MESSENGER_PAGE_ACCESS_TOKEN']}"}
    assert (await http.post(f"{path}/messages", json={})).json()["error"]["code"] == 190
    assert (await http.post(f"{path}/messages", json={}, headers=login)).json()["error"]["code"] == 100
    elsewhere = await http.get("/messenger/v25.0/1", headers=login)
    assert elsewhere.json()["error"]["error_subcode"] == 33
