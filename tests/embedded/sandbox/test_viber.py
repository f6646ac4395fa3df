"""Viber's look-alike: 200 whatever happened, and callbacks on delivery, reading and the buyer's deeds."""

import json

import pytest

from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.embedded.sandbox.vendors.viber import Viber
from orderack.errors import Misconfigured
from tests.embedded.sandbox.chat_suite import ChatSuite

ADA = "01234567890Ada=="
SEND = "/viber/pa/send_message"
GOOD = {"receiver": ADA, "type": "text", "text": "Order A-1", "sender": {"name": "Fjord"}}


class TestViber(ChatSuite):
    target = Target.VIBER
    recipient = ADA
    refused_as = Reason.OPTED_OUT
    retry_after = None
    reports = 1

    @pytest.mark.parametrize(
        ("deed", "text", "meaning", "grade"),
        [
            ("write", "Yes, thanks ✓", EvidenceEvent.REPLIED, Grade.E4),
            ("write", "stop", EvidenceEvent.OPTED_OUT, None),
            ("press", "", EvidenceEvent.AFFIRMED, Grade.E5),
            ("opt_out", "", EvidenceEvent.OPTED_OUT, None),
        ],
    )
    async def test_what_a_subscriber_does_comes_back(self, channel, gateway, http, deed, text, meaning, grade):
        await channel.send(self.message())
        await gateway.wait_for(1)
        event = await self.done(channel, gateway, http, deed, text)
        assert (event.event, event.grade, event.sender) == (meaning, grade, ADA)

    async def test_delivery_and_reading_are_of_that_message(self, channel, gateway, http):
        sent = await channel.send(self.message())
        (post,) = await gateway.wait_for(1, "/webhooks/viber")
        (delivered,) = await self.read(channel, post)
        assert (delivered.event, delivered.grade) == (EvidenceEvent.DELIVERED, Grade.E2)
        seen = await self.done(channel, gateway, http, "read")
        assert (seen.event, seen.grade) == (EvidenceEvent.DISPLAYED, Grade.E3)
        assert seen.provider_id == delivered.provider_id == sent.provider_id

    async def test_what_an_app_cannot_show_fails_later_and_a_repeated_callback_is_one_event(
        self, sandbox, channel, gateway
    ):
        sandbox.state.faults.add(Fault(target=Target.VIBER, action=Action.BOUNCE))
        sent = await channel.send(self.message())
        (post,) = await gateway.wait_for(1, "/webhooks/viber")
        (failed,) = await self.read(channel, post)
        assert (failed.event, failed.grade, failed.provider_id) == (EvidenceEvent.BOUNCED, None, sent.provider_id)
        sandbox.state.faults.add(Fault(target=Target.VIBER, action=Action.DUPLICATE_WEBHOOK))
        await channel.send(self.message())
        posts = await gateway.wait_for(3, "/webhooks/viber")
        first, again = [(await self.read(channel, one))[0] for one in posts[1:]]
        assert first.id == again.id != failed.id

    @pytest.mark.parametrize("code", ["2", "10", "24"])
    async def test_an_account_that_may_not_send_is_ours_to_mend(self, sandbox, channel, code):
        sandbox.state.faults.add(Fault(target=Target.VIBER, action=Action.REFUSE, code=code))
        with pytest.raises(Misconfigured):
            await channel.send(self.message())


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"receiver": ""}, 4),
        ({"text": ""}, 4),
        ({"sender": {"name": "x" * 29}}, 3),
        ({"sender": {}}, 3),
        ({"text": "x" * 7_001}, 3),
        ({"text": "🍎" * 7_000, "tracking_data": "🍎" * 4_000}, 3),
        ({"tracking_data": "x" * 4_001}, 3),
        ({"keyboard": {"Buttons": []}}, 3),
        ({"keyboard": {"Buttons": [{"ActionBody": "x", "Silent": True}]}}, 14),
        ({"colour": "red"}, 3),
    ],
)
async def test_a_bad_message_is_a_200_with_a_status_and_not_recorded(sandbox, http, change, status):
    (vendor,) = [one for one in sandbox.vendors if isinstance(one, Viber)]
    body = json.dumps(GOOD | change, ensure_ascii=False).encode()
    answer = await http.post(SEND, content=body, headers={"X-Viber-Auth-Token": vendor._token})
    assert (answer.status_code, answer.json()["status"]) == (200, status)
    assert sandbox.state.log.entries() == ()


async def test_a_stranger_is_told_so_with_200(sandbox, http):
    for headers in ({}, {"X-Viber-Auth-Token": "guessed"}):
        answer = await http.post(SEND, json=GOOD, headers=headers)
        assert (answer.status_code, answer.json()["status_message"]) == (200, "invalidAuthToken")
    assert sandbox.state.log.entries() == ()
