"""The buyer's page against the channel's conformance suite."""

import pytest

from orderack.channels.portal import Portal
from orderack.domain.evidence import Grade
from orderack.errors import InvalidInput, Unsupported
from orderack.ports import RawRequest
from tests.conformance.channel import WEBHOOK_URL, ChannelConformance


class TestPortal(ChannelConformance):
    name = "portal"
    recipient = "page"

    def make(self, base_url: str) -> Portal:
        return Portal()

    async def test_a_message_is_there_at_once_and_twice_is_the_same_page(self) -> None:
        async with self.channel() as channel:
            first, second = await channel.send(self.message()), await channel.send(self.message())
            assert first == second
            assert first.provider_id == "https://acks.example.com/o/abc"

    async def test_a_message_without_a_page_is_unsupported(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(Unsupported):
                await channel.send(self.message(link=None))

    async def test_nobody_calls_it_back(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(InvalidInput):
                channel.events(RawRequest(url=WEBHOOK_URL, headers={}, body=b"{}"))
            assert channel.traits.evidence_ceiling is Grade.E5
