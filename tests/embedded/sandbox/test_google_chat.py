"""Google Chat's look-alike: our adapter signs in, sends once, and reads what it signs."""

import jwt
import pytest

from orderack.domain.evidence import EvidenceEvent
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.embedded.sandbox.vendors import google_chat
from orderack.errors import BadSignature, Misconfigured
from orderack.ports import RawRequest
from tests.embedded.sandbox.chat_suite import ChatSuite

MESSAGES = "/google_chat/v1/spaces/AAAASANDBOX/messages"
GOOD = {"text": "Order A-1", "cardsV2": []}


class TestGoogleChat(ChatSuite):
    target = Target.GOOGLE_CHAT
    recipient = "ops"
    remembers = True
    signs_body = False

    async def test_words_to_the_app_are_nobodys_answer(self, channel, gateway, http):
        await channel.send(self.message())
        event = await self.done(channel, gateway, http, "write", "yes")
        assert event.event is EvidenceEvent.UNKNOWN

    async def test_chat_reports_no_reading(self, channel, http):
        await channel.send(self.message())
        answer = await http.post("/reply", json={"channel": "google_chat", "match": "A-1", "deed": "read"})
        assert answer.status_code == 404

    async def test_a_proof_for_another_project_is_refused(self, channel, gateway, http, monkeypatch):
        await channel.send(self.message())
        monkeypatch.setattr(google_chat, "PROJECT", "999999999999")
        await http.post("/reply", json={"channel": "google_chat", "match": "A-1", "deed": "press"})
        (post,) = await gateway.wait_for(1, "/webhooks/google_chat")
        with pytest.raises(BadSignature):
            await channel.verify(RawRequest(url=post.url, headers=dict(post.headers), body=post.body))

    async def test_a_name_that_is_taken_is_a_message_that_is_there(self, sandbox, channel):
        """A worker that forgot nothing but the request id."""
        sent = await channel.send(self.message())
        (vendor,) = [one for one in sandbox.vendors if isinstance(one, google_chat.GoogleChat)]
        vendor._made.clear()
        again = await channel.send(self.message())
        assert again.provider_id is not None
        assert again.provider_id.startswith(f"{str(sent.provider_id).partition('/messages/')[0]}/messages/client-")
        assert len(sandbox.state.log.entries(Target.GOOGLE_CHAT)) == 1

    async def test_a_project_that_is_not_set_up_is_ours_to_mend(self, sandbox, channel):
        sandbox.state.faults.add(Fault(target=Target.GOOGLE_CHAT, action=Action.REFUSE, code="UNAUTHENTICATED"))
        sandbox.state.faults.add(Fault(target=Target.GOOGLE_CHAT, action=Action.REFUSE, code="UNAUTHENTICATED"))
        with pytest.raises(Misconfigured):
            await channel.send(self.message())


async def test_a_stranger_is_refused_as_google_does(sandbox, http):
    assert (await http.post(MESSAGES, json=GOOD)).json()["error"]["status"] == "UNAUTHENTICATED"
    assertion = jwt.encode({"iss": "x"}, "k" * 32, "HS256")
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    assert (await http.post("/google_chat/token", data=form)).json() == {"error": "invalid_grant"}
    assert (await http.post("/google_chat/token", data={})).json() == {"error": "unsupported_grant_type"}
    assert sandbox.state.log.entries() == ()


@pytest.mark.parametrize(
    ("change", "query"),
    [
        ({"text": ""}, {}),
        ({"color": "red"}, {}),
        ({"cardsV2": [{"card": {"sections": [{"widgets": [{}] * 101}]}}]}, {}),
        ({"text": "x" * 33_000}, {}),
        ({}, {"messageId": "orderack-1"}),
        ({}, {"messageId": "client-UPPER"}),
        ({}, {"messageId": "client-" + "x" * 57}),
    ],
)
async def test_a_bad_message_is_an_invalid_argument(sandbox, http, change, query):
    (vendor,) = [one for one in sandbox.vendors if isinstance(one, google_chat.GoogleChat)]
    headers = {"Authorization": f"Bearer {vendor._token}"}
    answer = await http.post(MESSAGES, json=GOOD | change, params=query, headers=headers)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    assert sandbox.state.log.entries() == ()
