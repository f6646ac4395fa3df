"""LINE's look-alike: a push and its repeat, and events that LINE's own description allows."""

import json

import pytest

from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.embedded.sandbox.vendors.line import Line
from orderack.errors import Refused
from tests.conformance import peer
from tests.conformance.openapi import assert_described
from tests.embedded.sandbox.chat_suite import ChatSuite

ADA = "U4af4980629000000000000000000ada1"
PUSH = "/line/v2/bot/message/push"
GOOD = {"to": ADA, "messages": [{"type": "text", "text": "Order A-1"}]}


class TestLine(ChatSuite):
    target = Target.LINE
    recipient = ADA
    remembers = True
    retry_after = None

    @pytest.mark.parametrize(
        ("deed", "text", "meaning", "grade"),
        [
            ("write", "Yes, thanks ✓", EvidenceEvent.REPLIED, Grade.E4),
            ("write", "stop", EvidenceEvent.OPTED_OUT, None),
            ("press", "", EvidenceEvent.AFFIRMED, Grade.E5),
            ("opt_out", "", EvidenceEvent.OPTED_OUT, None),
        ],
    )
    async def test_what_a_friend_does_comes_back_as_line_describes_it(
        self, channel, gateway, http, deed, text, meaning, grade
    ):
        await channel.send(self.message())
        event = await self.done(channel, gateway, http, deed, text)
        assert (event.event, event.grade, event.sender) == (meaning, grade, ADA)
        (post,) = gateway.received
        webhook = peer.Received("POST", "/callback", post.headers, post.body, post.body)
        assert_described("line/webhook.yml", "https://example.com", webhook)

    async def test_line_reports_no_reading(self, channel, http):
        await channel.send(self.message())
        answer = await http.post("/reply", json={"channel": "line", "match": "A-1", "deed": "read"})
        assert answer.status_code == 404

    async def test_a_month_that_is_used_up_is_a_refusal_and_no_matter_of_waiting(self, sandbox, channel):
        sandbox.state.faults.add(Fault(target=Target.LINE, action=Action.REFUSE, code="monthly_limit"))
        with pytest.raises(Refused) as caught:
            await channel.send(self.message())
        assert (caught.value.reason, caught.value.code) == (Reason.OTHER, "monthly_limit")


@pytest.fixture
def token(sandbox) -> dict[str, str]:
    (vendor,) = [one for one in sandbox.vendors if isinstance(one, Line)]
    return {"Authorization": f"Bearer {vendor._token}"}


async def test_a_repeat_of_the_key_is_a_conflict_with_the_first_request(sandbox, http, token):
    headers = token | {"X-Line-Retry-Key": "123e4567-e89b-12d3-a456-426614174000"}
    first, again = [await http.post(PUSH, json=GOOD, headers=headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 409)
    assert again.headers["X-Line-Accepted-Request-Id"] == first.headers["X-Line-Request-Id"]
    assert again.json()["sentMessages"] == first.json()["sentMessages"]
    assert [entry.repeated for entry in sandbox.state.log.entries()] == [False, True]
    assert (await http.post(PUSH, json=GOOD, headers=token)).status_code == 200


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"to": "ada"}, 400),
        ({"messages": []}, 400),
        ({"messages": [{"type": "text", "text": ""}]}, 400),
        ({"messages": [{"type": "text", "text": "🍎" * 2_501}]}, 400),
        ({"messages": [{"type": "flex", "altText": "x" * 401, "contents": {"type": "bubble"}}]}, 400),
        ({"messages": [{"type": "flex", "altText": "x", "contents": {}}]}, 400),
        ({"messages": [{"type": "flex", "altText": "x", "contents": {"data": "x" * 301}}]}, 400),
        ({"messages": [{"type": "hologram"}]}, 400),
        ({"color": "red"}, 400),
    ],
)
async def test_a_bad_push_is_refused_and_not_recorded(sandbox, http, token, change, status):
    assert (await http.post(PUSH, content=json.dumps(GOOD | change), headers=token)).status_code == status
    assert sandbox.state.log.entries() == ()


async def test_a_stranger_and_a_key_that_is_none_are_refused(sandbox, http, token):
    assert (await http.post(PUSH, json=GOOD)).status_code == 401
    assert (await http.post(PUSH, json=GOOD, headers=token | {"X-Line-Retry-Key": "1"})).status_code == 400
    assert sandbox.state.log.entries() == ()
