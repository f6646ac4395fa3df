"""ntfy against the conformance suite."""

import json

from orderack.channels.ntfy import Ntfy, NtfySettings
from orderack.domain.acknowledgement import Audience, Reason
from tests.conformance.channel import NOW, HttpChannelConformance
from tests.conformance.peer import Answer, json_answer


class TestNtfy(HttpChannelConformance):
    name = "ntfy"
    recipient = "ops"
    audience = Audience.INTERNAL
    secrets = ("tk_0123456789",)
    required = ("ORDERACK_NTFY_TOPIC", "ORDERACK_NTFY_TOKEN")

    accepted = json_answer(200, {"id": "hwQ2YpKdmg", "time": 1795253400, "event": "message", "topic": "shop-ops"})
    provider_id = "hwQ2YpKdmg"
    refusals = (
        (json_answer(400, {"code": 40024, "http": 400, "error": "invalid request"}), Reason.CONTENT),
        (json_answer(413, {"code": 41301, "http": 413, "error": "too large"}), Reason.TOO_LONG),
        (Answer(418, b""), Reason.OTHER),
    )
    ours_to_mend = (json_answer(401, {"code": 40101}), json_answer(403, {"code": 40301}), Answer(404, b""))

    def make(self, base_url: str) -> Ntfy:
        own = NtfySettings(topic="shop-ops", token="tk_0123456789", base_url=base_url)
        return Ntfy(own, clock=lambda: NOW)

    async def test_the_notification_opens_the_order(self) -> None:
        body = json.loads((await self.sent()).body)
        assert body["topic"] == "shop-ops"
        assert body["title"] == "Your order A-1001"
        assert body["click"] == "https://acks.example.com/o/abc"
