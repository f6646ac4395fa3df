"""Outlook in the sandbox."""

from datetime import UTC, datetime
from typing import ClassVar

import httpx
import pytest

from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.embedded.sandbox import Action, Fault, Operation, Sandbox, Target
from orderack.embedded.sandbox.vendors.outlook import Outlook
from orderack.errors import InDoubt, Refused, Unavailable
from orderack.ports import Channel, RawRequest
from tests.embedded.sandbox.conftest import Gateway
from tests.embedded.sandbox.mailbox_suite import MailboxSuite

USER = "/v1.0/users/orders@shop.example.com"


def drafts(sandbox: Sandbox) -> int:
    (vendor,) = [vendor for vendor in sandbox.vendors if isinstance(vendor, Outlook)]
    return len(vendor.drafts())


class TestOutlook(MailboxSuite):
    name = "outlook"
    target = Target.OUTLOOK
    receipts = "ORDERACK_OUTLOOK_REQUEST_RECEIPTS"
    doors: ClassVar = [
        ("POST", f"{USER}/messages"),
        ("GET", f"{USER}/messages"),
        ("POST", f"{USER}/messages/1/send"),
        ("DELETE", f"{USER}/messages/1"),
        ("GET", f"{USER}/messages/1/$value"),
        ("GET", f"{USER}/mailFolders/inbox"),
        ("GET", f"{USER}/mailFolders/inbox/messages"),
    ]

    def forged(self, request: RawRequest) -> RawRequest:
        return request.model_copy(update={"body": request.body.replace(b'"clientState": "', b'"clientState": "x')})

    async def test_a_delivery_receipt_comes_into_the_inbox(self, channel: Channel, gateway: Gateway) -> None:
        await channel.send(self.message)
        (event,) = await self.hinted(channel, gateway)
        assert (event.event, event.grade) == (EvidenceEvent.DELIVERED, Grade.E2)

    @pytest.mark.parametrize("arrived", [True, False])
    async def test_however_often_it_is_cut_off_one_mail_goes_out_and_no_draft_is_left(
        self, channel: Channel, sandbox: Sandbox, arrived: bool
    ) -> None:
        action = Action.CUT_OFF_AFTER_ACCEPT if arrived else Action.CUT_OFF_BEFORE
        sandbox.state.faults.add(Fault(target=self.target, action=action, times=3))
        for _ in range(6):
            try:
                await channel.send(self.message)
            except InDoubt:
                await channel.lookup(self.message, datetime.now(UTC))
        assert len(sandbox.state.outbox.find("", self.target)) == 1
        assert drafts(sandbox) == 0

    async def test_a_draft_whose_answer_was_lost_is_the_one_that_goes_out(
        self, channel: Channel, sandbox: Sandbox
    ) -> None:
        lost = Fault(
            target=self.target, action=Action.CUT_OFF_AFTER_ACCEPT, operation=Operation.LOOKUP, match="toRecipients"
        )
        sandbox.state.faults.add(lost)
        with pytest.raises(Unavailable):
            await channel.send(self.message)
        assert drafts(sandbox) == 1
        await channel.send(self.message)
        assert (drafts(sandbox), len(sandbox.state.outbox.find("", self.target))) == (0, 1)
        assert sandbox.state.faults.unfired() == ()

    async def test_a_refused_message_leaves_no_draft_behind(self, channel: Channel, sandbox: Sandbox) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.REFUSE))
        with pytest.raises(Refused):
            await channel.send(self.message)
        assert drafts(sandbox) == 0

    @pytest.mark.parametrize(
        ("draft", "code"),
        [
            ({"internetMessageHeaders": [{"name": "Auto-Submitted", "value": "x"}]}, "ErrorInvalidInternetHeaderName"),
            ({"internetMessageHeaders": [{"name": "x-a", "value": "x"}] * 6}, "ErrorInvalidInternetHeaderName"),
            ({"body": {"contentType": "rtf", "content": "x"}}, "RequestBodyRead"),
            ({"nonsense": 1}, "RequestBodyRead"),
        ],
    )
    async def test_what_graph_would_refuse_is_refused(
        self, sandbox: Sandbox, http: httpx.AsyncClient, draft: dict[str, object], code: str
    ) -> None:
        own = {name.removeprefix("ORDERACK_OUTLOOK_"): value for name, value in sandbox.environment().items()}
        form = {"grant_type": "client_credentials", "scope": "https://graph.microsoft.com/.default"}
        login = {"client_id": own["CLIENT_ID"], "client_secret": own["CLIENT_SECRET"]}
        signed_in = await http.post(f"/outlook/{own['TENANT_ID']}/oauth2/v2.0/token", data=form | login)
        headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
        answer = await http.post(f"/outlook{USER}/messages", json=draft, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
