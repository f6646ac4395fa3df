"""Zendesk's internal notes against the channel's conformance suite and Zendesk's own description."""

import json

import pytest

from orderack.channels.zendesk_note import ZendeskNote, ZendeskNoteSettings
from orderack.domain.acknowledgement import Audience, Reason
from orderack.errors import InvalidInput
from orderack.ports import RawRequest
from tests.channels.test_zendesk import TOKEN, assert_described, audits, error, invalid, listed, made, ticket
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance
from tests.conformance.peer import json_answer


class TestZendeskNote(HttpChannelConformance):
    name = "zendesk_note"
    recipient = "ops"
    audience = Audience.INTERNAL
    secrets = (TOKEN,)
    required = tuple(f"ORDERACK_ZENDESK_NOTE_{name}" for name in ("BASE_URL", "EMAIL", "API_TOKEN"))

    prelude = (listed(),)
    accepted = made()
    provider_id = "35436"
    found = (listed(ticket()), audits("shop/A-1001/1/confirmation/1/zendesk_note"))
    missing = (listed(),)
    healthy = (json_answer(200, {"user": {"id": 7, "role": "admin"}}),)
    refusals = ((invalid("comment"), Reason.CONTENT), (error(400, "BadRequest"), Reason.OTHER))
    ours_to_mend = (error(401, "no"), invalid("group"), invalid("group_id"))
    in_doubt = (error(409, "Conflict"),)

    def make(self, base_url: str) -> ZendeskNote:
        values = {"base_url": base_url, "email": "agent@shop.example.com", "api_token": TOKEN, "groups": {"ops": 36}}
        return ZendeskNote(ZendeskNoteSettings.model_validate(values), clock=lambda: NOW)

    async def test_a_note_on_an_order_without_a_ticket_opens_a_private_one_for_its_roles_group(self) -> None:
        request = await self.sent()
        opened = json.loads(request.body)["ticket"]
        assert opened["comment"]["public"] is False
        assert (opened["group_id"], opened["tags"]) == (36, ["orderack"])
        assert "requester" not in opened
        assert_described(request)

    async def test_a_note_goes_on_the_buyers_ticket_in_private(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(listed(ticket()), made())
            await channel.send(self.message())
            _, put = peer.received
        assert (put.method, put.target) == ("PUT", "/api/v2/tickets/35436")
        assert json.loads(put.body)["ticket"]["comment"]["public"] is False
        assert_described(put)

    async def test_nobody_calls_it_back(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(InvalidInput):
                channel.events(RawRequest(url=WEBHOOK_URL, headers={}, body=b"{}"))
