"""Tasks in Salesforce against the channel's conformance suite and the fields that Salesforce describes."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, unquote

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import JsonValue, ValidationError

from orderack.channels.salesforce_task import SalesforceTask, SalesforceTaskSettings
from orderack.clients import salesforce
from orderack.domain.acknowledgement import Audience, Kind, Reason
from orderack.domain.order import Order, Priority
from orderack.errors import BadSignature, Misconfigured, Unavailable, Unsupported
from orderack.ports import Message, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance
from tests.conformance.openapi import spec
from tests.conformance.peer import Answer, json_answer

SECRET = "0123456789ABCDEF-consumer-secret"
SESSION = "00Dxx0000000001!session-of-the-test"
TASK = "00TAb000001ExAmPAA"
FIELD = "OrderAck_Key__c"
OWNER, QUEUE = "005000000000001AAA", "00G000000000001AAA"
ORDER = Order.model_validate(
    {
        "store": "shop",
        "number": "A-1001",
        "source": "web",
        "trigger_at": "2026-11-21T23:30:00+01:00",
        "currency": "EUR",
        "totals": {"total": "5.00"},
        "external_ids": [{"system": "zoho", "id": "1"}, {"system": "Salesforce", "id": "801000000000001AAA"}],
    }
)
READ_ONLY = {"Id", "IsDeleted", "AccountId", "IsClosed", "CreatedDate", "CreatedById", "IsHighPriority", "IsArchived"}


def settings(base_url: str, **own: JsonValue) -> SalesforceTaskSettings:
    login = {"client_id": "3MVG9.client", "client_secret": SECRET, "external_id_field": FIELD, "base_url": base_url}
    return SalesforceTaskSettings.model_validate(login | {"owners": {"ops": OWNER}} | own)


def says(status: int, code: str, message: str = "no", fields: list[str] | None = None) -> Answer:
    item: dict[str, JsonValue] = {"message": message, "errorCode": code}
    return json_answer(status, [item | ({"fields": list[JsonValue](fields)} if fields else {})])


def upserted(status: int, **change: JsonValue) -> Answer:
    body: dict[str, JsonValue] = {"id": TASK, "success": True, "errors": [], "created": status == 201}
    return json_answer(status, body | change)


SIGNED_IN = json_answer(
    200, {"access_token": SESSION, "token_type": "Bearer", "instance_url": "https://elsewhere.invalid"}
)


class TestSalesforceTask(HttpChannelConformance):
    name = "salesforce_task"
    recipient = "ops"
    audience = Audience.INTERNAL
    secrets = (SECRET, SESSION)
    required = (
        "ORDERACK_SALESFORCE_TASK_BASE_URL",
        "ORDERACK_SALESFORCE_TASK_CLIENT_ID",
        "ORDERACK_SALESFORCE_TASK_EXTERNAL_ID_FIELD",
    )

    login = (SIGNED_IN,)
    relogins = True
    accepted = upserted(201)
    provider_id = TASK
    healthy = (json_answer(200, {"DailyApiRequests": {"Max": 15000, "Remaining": 14998}, "Other": {}}),)
    refusals = (
        *((says(400, code), reason) for code, reason in salesforce.REFUSED.items()),
        (says(400, "A_CODE_OF_TOMORROW"), Reason.OTHER),
        (
            says(
                400,
                "DUPLICATE_VALUE",
                "duplicate value found: Other__c duplicates value on record with id: " + TASK,
            ),
            Reason.OTHER,
        ),
        (Answer(400, b"<html>"), Reason.OTHER),
        (Answer(400, b"[]"), Reason.OTHER),
        (Answer(414, b""), Reason.OTHER),
    )
    ours_to_mend = (
        *(says(400, code) for code in salesforce.OURS_TO_MEND),
        says(401, "INVALID_SESSION_ID"),
        says(403, "A_CODE_OF_TOMORROW"),
        says(404, "NOT_FOUND"),
        says(400, "INVALID_CROSS_REFERENCE_KEY", fields=["OwnerId"]),
        json_answer(300, ["/services/data/v65.0/sobjects/Task/1", "/services/data/v65.0/sobjects/Task/2"]),
        Answer(404, b"<html>"),
    )
    not_now = (
        says(403, "REQUEST_LIMIT_EXCEEDED"),
        *(says(400, code) for code in salesforce.NOT_NOW),
    )
    in_doubt = (
        *(says(400, code) for code in salesforce.IN_DOUBT),
        upserted(200, success=False),
        upserted(200, id="javascript:"),
        json_answer(200, {"success": True}),
    )
    throttled_body = b"[]"

    def make(self, base_url: str) -> SalesforceTask:
        return SalesforceTask(settings(base_url), clock=lambda: NOW)

    def about(self, **change: object) -> Message:
        """The message with its order, as the channel is given it."""
        return self.message().model_copy(update={"order": ORDER, **change})

    async def task(self, message: Message) -> dict[str, JsonValue]:
        sent: dict[str, JsonValue] = json.loads((await self.sent(message)).body)
        return sent

    async def test_it_is_upserted_by_our_key_with_the_session_of_the_sign_in(self) -> None:
        request = await self.sent()
        assert request.method == "PATCH"
        head, _, key = request.target.rpartition("/")
        assert head == f"/services/data/v65.0/sobjects/Task/{FIELD}"
        assert unquote(key).partition("~")[0] == self.message().key_text
        assert request.headers["authorization"] == f"Bearer {SESSION}"

    async def test_every_field_is_one_that_salesforce_describes_and_lets_be_written(self) -> None:
        described = json.loads(spec("../commerce/salesforce/sobject-fields-from-describe.json").read_text())["Task"]
        task = await self.task(self.about(kind=Kind.ALERT))
        assert set(task) == {"Subject", "Description", "Priority", "ActivityDate", "WhatId", "OwnerId"}
        assert set(task) <= set(described) - READ_ONLY
        assert {described[field]["type"] for field in task} == {"string"}
        assert all(isinstance(value, str) for value in task.values())

    async def test_it_says_which_order_what_about_and_until_when(self) -> None:
        message = self.about(kind=Kind.CHANGE_RECEIVED)
        task = await self.task(message)
        assert task == {
            "Subject": message.content.subject,
            "Description": f"{message.content.subject}\n\n{message.content.text}",
            "ActivityDate": "2026-11-21",
            "WhatId": "801000000000001AAA",
            "OwnerId": OWNER,
        }

    @pytest.mark.parametrize("subject", ["", "x" * 231])
    async def test_without_a_subject_that_fits_the_order_and_the_kind_are_named(self, subject: str) -> None:
        message = self.about(kind=Kind.CHANGE_RECEIVED)
        message = message.model_copy(update={"content": message.content.model_copy(update={"subject": subject})})
        assert (await self.task(message))["Subject"] == "Order A-1001: change received"

    async def test_a_task_that_somebody_has_done_is_not_opened_again_by_a_repeat(self) -> None:
        assert "Status" not in await self.task(self.about())

    async def test_a_partners_deadline_is_the_tasks(self) -> None:
        order = {
            **ORDER.model_dump(),
            "partner_deadline": {"partner": "walmart", "due_at": "2026-11-22T03:00:00+01:00"},
        }
        task = await self.task(self.about(order=Order.model_validate(order)))
        assert task["ActivityDate"] == "2026-11-22"

    @pytest.mark.parametrize(
        ("change", "urgent"),
        [
            ({"kind": Kind.ALERT}, True),
            ({"order": ORDER.model_copy(update={"priority": Priority.HIGH})}, True),
            ({}, False),
        ],
    )
    async def test_an_alert_and_an_urgent_order_are_urgent(self, change: dict[str, object], urgent: bool) -> None:
        assert ((await self.task(self.about(**change))).get("Priority") == "High") is urgent

    async def test_an_id_that_is_none_of_salesforces_ties_the_task_to_nothing(self) -> None:
        order = Order.model_validate(
            ORDER.model_dump() | {"external_ids": [{"system": "salesforce", "id": "801/../x"}]}
        )
        assert "WhatId" not in await self.task(self.about(order=order))
        assert "WhatId" not in await self.task(self.message())

    async def test_a_role_without_an_owner_goes_to_the_default_or_to_the_user_who_signs_in(self) -> None:
        assert "OwnerId" not in await self.task(self.about(recipient="finance"))
        async with self.provider() as (peer, _):
            peer.will(*self.login, self.accepted)
            channel = SalesforceTask(settings(peer.url, default_owner=QUEUE), clock=lambda: NOW)
            await channel.send(self.about(recipient="finance"))
            await channel.aclose()
            assert json.loads(peer.received[-1].body)["OwnerId"] == QUEUE

    async def test_a_key_too_long_for_the_field_is_its_digest_and_no_key_leaves_its_segment(self) -> None:
        ref = self.message().key.ref
        for number, longest in (("../../Account/Name/x?y#z", 255), ("9" * 200, 255)):
            long = self.message().key.model_copy(
                update={"ref": ref.model_copy(update={"number": number, "store": "s" * 60})}
            )
            request = await self.sent(self.message().model_copy(update={"key": long}))
            head, _, key = request.target.rpartition("/")
            assert head == f"/services/data/v65.0/sobjects/Task/{FIELD}"
            assert len(unquote(key)) <= longest
            assert "?" not in request.target

    async def test_a_task_that_was_there_is_accepted(self) -> None:
        twin = f"duplicate value found: {FIELD} duplicates value on record with id: {TASK}"
        for answer, task in ((upserted(200), TASK), (says(400, "DUPLICATE_VALUE", twin), TASK), (Answer(204), None)):
            async with self.provider() as (peer, channel):
                peer.will(*self.login, answer)
                sent = await channel.send(self.message())
                assert (sent.provider_id, sent.detail) == (task, "it was there already")

    async def test_a_spent_allowance_is_left_alone_for_an_hour(self) -> None:
        caught = await self.failure(says(403, "REQUEST_LIMIT_EXCEEDED"))
        assert isinstance(caught, Unavailable)
        assert caught.retry_after == timedelta(hours=1)
        locked = await self.failure(says(400, "UNABLE_TO_LOCK_ROW"))
        assert isinstance(locked, Unavailable)
        assert locked.retry_after is None

    async def test_a_session_that_ended_is_renewed_once_within_the_send(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.login, says(401, "INVALID_SESSION_ID"), *self.login, self.accepted)
            assert (await channel.send(self.message())).provider_id == TASK
            assert [request.target.rpartition("/")[2] for request in peer.received[::2]] == ["token", "token"]

    async def test_the_address_in_the_token_answer_is_not_followed(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.login, self.accepted)
            await channel.send(self.message())
            assert len(peer.received) == 2

    async def test_a_user_may_sign_in_with_a_private_key_instead(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        own: dict[str, JsonValue] = {"client_secret": None, "username": "robot@example.com", "private_key": pem}
        async with self.provider() as (peer, _):
            peer.will(*self.login, self.accepted)
            channel = SalesforceTask(settings(peer.url, **own), clock=lambda: NOW)
            await channel.send(self.message())
            await channel.aclose()
            form = parse_qs(peer.received[0].body.decode())
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        assert set(form) == {"grant_type", "assertion"}
        said = jwt.decode(
            form["assertion"][0],
            key.public_key(),
            algorithms=["RS256"],
            audience="https://login.salesforce.com",
            options={"verify_exp": False, "verify_iat": False},
        )
        assert (said["iss"], said["sub"]) == ("3MVG9.client", "robot@example.com")
        assert 0 < said["exp"] - NOW.timestamp() <= 180

    @pytest.mark.parametrize(
        "own",
        [
            {"client_secret": None},
            {"client_secret": None, "username": "robot@example.com"},
            {"username": "robot@example.com", "private_key": "no key"},
            {"api_version": "65"},
            {"external_id_field": "Subject"},
            {"external_id_field": "X__c/../../Account"},
        ],
    )
    def test_settings_that_do_not_suffice_are_refused(self, own: dict[str, JsonValue]) -> None:
        with pytest.raises(ValidationError) as caught:
            settings("https://x.example", **own)
        assert SECRET not in str(caught.value)

    def test_two_logins_at_once_are_one_too_many(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        with pytest.raises(ValidationError, match="ORDERACK_SALESFORCE_TASK_PRIVATE_KEY"):
            settings("https://x.example", username="robot@example.com", private_key=pem)

    async def test_the_subject_counts_for_the_length_too(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(Unsupported):
                await channel.send(self.message(text="x" * 31_995))

    async def test_a_check_tells_what_is_left_of_the_day(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, SalesforceTask)
            peer.will(*self.login, *self.healthy)
            assert "14998 of 15000" in await channel.check()
            assert peer.received[-1].target == "/services/data/v65.0/limits"
            peer.will(Answer(200, b"{}"))
            with pytest.raises(Unavailable):
                await channel.check()
            peer.will(says(403, "API_DISABLED_FOR_ORG"))
            with pytest.raises(Misconfigured):
                await channel.check()

    async def test_nothing_that_is_posted_is_believed(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(BadSignature):
                await channel.verify(RawRequest(url=WEBHOOK_URL, headers={"authorization": SESSION}, body=b"[]"))
