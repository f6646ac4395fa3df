"""Gmail in the sandbox."""

from typing import ClassVar

import httpx
import pytest

from orderack.embedded.sandbox import Sandbox, Target
from orderack.ports import Channel, RawRequest
from tests.embedded.sandbox.mailbox_suite import MailboxSuite

USER = "/gmail/v1/users/orders@shop.example.com"


class TestGmail(MailboxSuite):
    name = "gmail"
    target = Target.GMAIL
    receipts = "ORDERACK_GMAIL_REQUEST_RECEIPTS"
    doors: ClassVar = [
        ("POST", f"{USER}/messages/send"),
        ("GET", f"{USER}/messages"),
        ("GET", f"{USER}/messages/1"),
        ("GET", f"{USER}/profile"),
    ]

    def forged(self, request: RawRequest) -> RawRequest:
        token = request.headers["authorization"]
        changed = token[:-8] + ("A" if token[-8] != "A" else "B") + token[-7:]
        return request.model_copy(update={"headers": {**request.headers, "authorization": changed}})

    @pytest.mark.parametrize(
        ("body", "says"),
        [
            (b"{}", "raw"),
            (b'{"raw": "?"}', "raw"),
            (b'{"raw": "U3ViamVjdDogaGkNCg0KaGk="}', "Recipient address required"),
            (b'{"raw": "VG86IG5vYm9keQ0KDQpoaQ=="}', "Invalid To header"),
        ],
    )
    async def test_what_gmail_would_refuse_is_refused(
        self, channel: Channel, sandbox: Sandbox, http: httpx.AsyncClient, body: bytes, says: str
    ) -> None:
        form = {name: sandbox.environment()[f"ORDERACK_GMAIL_{name.upper()}"] for name in LOGIN}
        signed_in = await http.post("/gmail/token", data={"grant_type": "refresh_token", **form})
        headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        answer = await http.post(f"/gmail{USER}/messages/send", content=body, headers=headers)
        assert answer.status_code == 400
        assert says in answer.json()["error"]["message"]
        assert sandbox.state.log.entries(Target.GMAIL) == ()


LOGIN = ("client_id", "client_secret", "refresh_token")
