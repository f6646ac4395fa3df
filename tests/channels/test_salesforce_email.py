"""E-mail through Salesforce against the channel's conformance suite and the action's documented request and answer."""

import json
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from orderack.channels.salesforce_email import SalesforceEmail, SalesforceEmailSettings
from orderack.clients import salesforce
from orderack.domain.acknowledgement import Reason
from orderack.errors import BadSignature, Refused, Unavailable
from orderack.ports import RawRequest
from tests.conformance.channel import BODY, NOW, WEBHOOK_URL, HttpChannelConformance
from tests.conformance.openapi import spec
from tests.conformance.peer import Answer, json_answer

SECRET = "0123456789ABCDEF-consumer-secret"
SESSION = "00Dxx0000000001!session-of-the-test"
SENDER = "orders@shop.example.com"


class Input(BaseModel):
    """The action's documented inputs (Actions Developer Guide, Simple Email Actions), as far as we send them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    emailAddresses: str
    emailSubject: str
    emailBody: str
    senderType: Literal["CurrentUser", "DefaultWorkflowUser", "OrgWideEmailAddress"]
    senderAddress: str
    sendRichBody: bool


def action(success: bool | None, *codes: str) -> JsonValue:
    errors: list[JsonValue] = [{"statusCode": code, "message": "no", "fields": []} for code in codes]
    done: dict[str, JsonValue] = {"actionName": "emailSimple", "errors": errors or None, "outputValues": None}
    return done if success is None else done | {"isSuccess": success}


def says(status: int, code: str) -> Answer:
    return json_answer(status, [{"message": "no", "errorCode": code}])


class TestSalesforceEmail(HttpChannelConformance):
    name = "salesforce_email"
    recipient = "ada@example.com"
    secrets = (SECRET, SESSION)
    required = (
        "ORDERACK_SALESFORCE_EMAIL_BASE_URL",
        "ORDERACK_SALESFORCE_EMAIL_CLIENT_ID",
        "ORDERACK_SALESFORCE_EMAIL_SENDER",
    )

    login = (json_answer(200, {"access_token": SESSION, "token_type": "Bearer"}),)
    relogins = True
    accepted = json_answer(200, [action(True)])
    provider_id = None
    healthy = (json_answer(200, {"DailyApiRequests": {"Max": 15000, "Remaining": 14998}}),)
    refusals = (
        *((json_answer(400, [action(False, code)]), reason) for code, reason in salesforce.REFUSED.items()),
        (json_answer(200, [action(False, "INVALID_EMAIL_ADDRESS")]), Reason.BAD_RECIPIENT),
        (json_answer(200, action(False, "STRING_TOO_LONG")), Reason.TOO_LONG),
        (json_answer(200, [action(False)]), Reason.OTHER),
        (json_answer(400, [action(False, "A_CODE_OF_TOMORROW")]), Reason.OTHER),
        (says(400, "INVALID_EMAIL_ADDRESS"), Reason.BAD_RECIPIENT),
    )
    ours_to_mend = (
        *(json_answer(400, [action(False, code)]) for code in salesforce.OURS_TO_MEND),
        says(401, "INVALID_SESSION_ID"),
        says(403, "INSUFFICIENT_ACCESS"),
        says(404, "NOT_FOUND"),
    )
    not_now = (
        says(403, "REQUEST_LIMIT_EXCEEDED"),
        *(json_answer(400, [action(False, code)]) for code in salesforce.NOT_NOW),
    )
    in_doubt = (
        json_answer(400, [action(False, "UNKNOWN_EXCEPTION")]),
        json_answer(200, [action(None)]),
        json_answer(200, []),
        json_answer(200, [action(True), action(True)]),
    )
    throttled_body = b"[]"

    def make(self, base_url: str) -> SalesforceEmail:
        login = {"client_id": "3MVG9.client", "client_secret": SECRET, "sender": SENDER, "base_url": base_url}
        return SalesforceEmail(SalesforceEmailSettings.model_validate(login), clock=lambda: NOW)

    async def test_the_request_is_what_salesforce_documents(self) -> None:
        request = await self.sent()
        sample = json.loads(spec("../commerce/salesforce/samples/email_simple_action.docs.json").read_text())["request"]
        assert request.method == "POST"
        assert request.target.split("/")[4:] == sample["path"].split("/")[4:]
        body = json.loads(request.body)
        assert set(body) == set(sample["body"])
        (given,) = body["inputs"]
        assert set(sample["body"]["inputs"][0]) <= set(given)
        assert Input.model_validate(given) == Input(
            emailAddresses=self.recipient,
            emailSubject="Your order A-1001",
            emailBody=f"<p>{BODY}</p>",
            sendRichBody=True,
            senderType="OrgWideEmailAddress",
            senderAddress=SENDER,
        )

    async def test_the_answer_as_salesforces_page_shows_it_is_accepted_too(self) -> None:
        shown = json.loads(spec("../commerce/salesforce/samples/email_simple_action.docs.json").read_text())["response"]
        async with self.provider() as (peer, channel):
            peer.will(*self.login, json_answer(200, shown))
            assert (await channel.send(self.message())).provider_id is None

    async def test_a_message_without_html_goes_as_text_and_its_subject_stays_one_line(self) -> None:
        request = await self.sent(self.message(html=None, subject="Order\r\nBcc: eve@example.com"))
        (given,) = json.loads(request.body)["inputs"]
        assert (given["emailBody"], given["sendRichBody"]) == (BODY, False)
        assert given["emailSubject"] == "Order Bcc: eve@example.com"

    async def test_two_addresses_in_one_are_refused_before_anything_is_sent(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.login, self.accepted)
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"recipient": "ada@example.com,eve@example.com"}))
            assert caught.value.reason is Reason.BAD_RECIPIENT
            assert peer.received == []

    async def test_a_spent_daily_limit_of_mails_is_left_alone_for_an_hour(self) -> None:
        caught = await self.failure(json_answer(400, [action(False, "SINGLE_EMAIL_LIMIT_EXCEEDED")]))
        assert isinstance(caught, Unavailable)
        assert caught.retry_after is not None
        assert caught.retry_after.total_seconds() == 3_600

    @pytest.mark.parametrize("sender", ["nobody", "a@example.com,b@example.com", "Shop <a@example.com>"])
    def test_a_sender_that_is_no_address_is_refused_with_the_settings(self, sender: str) -> None:
        login = {"client_id": "x", "client_secret": SECRET, "base_url": "https://x.example", "sender": sender}
        with pytest.raises(ValidationError):
            SalesforceEmailSettings.model_validate(login)

    async def test_nothing_that_is_posted_is_believed(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(BadSignature):
                await channel.verify(RawRequest(url=WEBHOOK_URL, headers={"authorization": SESSION}, body=b"[]"))
