"""Tasks in Zoho CRM against the channel's conformance suite and the fields of the insert-records request (v8)."""

import json
from datetime import date, timedelta
from typing import Annotated, Literal
from urllib.parse import parse_qs

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from orderack.channels import zoho_task
from orderack.channels.zoho_task import ZohoTask, ZohoTaskSettings
from orderack.domain.acknowledgement import Audience, Kind, Reason
from orderack.domain.order import Order
from orderack.errors import BadSignature, Misconfigured, Unavailable, Unsupported
from orderack.ports import Message, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance
from tests.conformance.peer import Answer, json_answer

SECRET, REFRESH, TOKEN = "0123456789-client-secret", "1000.refresh-of-the-test", "1000.token-of-the-test"
TASK, ORDER_ID, OWNER = "4150868000003194003", "4150868000001234567", "4150868000000225001"
FIELD = "OrderAck_Key"
ORDER = Order.model_validate(
    {
        "store": "shop",
        "number": "A-1001",
        "source": "web",
        "trigger_at": "2026-11-21T23:30:00+01:00",
        "currency": "EUR",
        "totals": {"total": "5.00"},
        "external_ids": [{"system": "salesforce", "id": "801000000000001AAA"}, {"system": "zoho", "id": ORDER_ID}],
    }
)
Id = Annotated[str, StringConstraints(pattern=r"^\d{19}$")]


class Reference(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    id: Id


class Task(BaseModel):
    """Fields of the module Tasks, by their API names, and the account's own one."""

    model_config = ConfigDict(extra="forbid")

    Subject: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=255)]
    Description: Annotated[str, StringConstraints(strict=True, max_length=32_000)]
    OrderAck_Key: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=255)]
    Due_Date: date | None = None
    Priority: Literal["High", "Highest", "Low", "Lowest", "Normal"] | None = None
    Owner: Reference | None = None
    What_Id: Reference | None = None
    se_module: Literal["Sales_Orders"] | None = Field(default=None, alias="$se_module")


class Insert(BaseModel):
    model_config = ConfigDict(extra="forbid")

    data: list[Task] = Field(min_length=1, max_length=100)
    trigger: list[Literal["workflow", "approval", "blueprint", "pathfinder", "orchestration"]]


def settings(base_url: str, **own: JsonValue) -> ZohoTaskSettings:
    login = {"client_id": "1000.CLIENT", "client_secret": SECRET, "refresh_token": REFRESH, "key_field": FIELD}
    urls = {"base_url": base_url, "login_url": base_url}
    return ZohoTaskSettings.model_validate(login | urls | {"owners": {"ops": OWNER}} | own)


def record(code: str, http: int = 202, status: str = "error", **details: JsonValue) -> Answer:
    """What Zoho says of one record."""
    return json_answer(http, {"data": [{"code": code, "details": details, "message": "said", "status": status}]})


def whole(code: str, http: int) -> Answer:
    """What Zoho says of the request."""
    return json_answer(http, {"code": code, "details": {}, "message": "said", "status": "error"})


class TestZohoTask(HttpChannelConformance):
    name = "zoho_task"
    recipient = "ops"
    audience = Audience.INTERNAL
    secrets = (SECRET, REFRESH, TOKEN)
    required = (
        "ORDERACK_ZOHO_TASK_CLIENT_ID",
        "ORDERACK_ZOHO_TASK_CLIENT_SECRET",
        "ORDERACK_ZOHO_TASK_REFRESH_TOKEN",
        "ORDERACK_ZOHO_TASK_KEY_FIELD",
    )

    login = (json_answer(200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}),)
    relogins = True
    accepted = record("SUCCESS", 201, "success", id=TASK)
    provider_id = TASK
    healthy = (json_answer(200, {"org": [{"company_name": "Fjordlight", "zgid": "763257580"}]}),)
    refusals = (
        *((record(code, api_name="Subject"), reason) for code, reason in zoho_task.REFUSED.items()),
        *((record("INVALID_DATA", http, api_name="Description"), Reason.CONTENT) for http in (200, 201, 202, 207, 400)),
        (record("A_CODE_OF_TOMORROW"), Reason.OTHER),
        (record("A_CODE_OF_TOMORROW", 201), Reason.OTHER),
        (whole("A_CODE_OF_TOMORROW", 400), Reason.OTHER),
        (Answer(400, b"<html>"), Reason.OTHER),
        (Answer(413, b""), Reason.OTHER),
    )
    ours_to_mend = (
        *(record(code) for code in zoho_task.OURS_TO_MEND),
        whole("INVALID_TOKEN", 401),
        whole("OAUTH_SCOPE_MISMATCH", 401),
        whole("NO_PERMISSION", 403),
        whole("INVALID_URL_PATTERN", 404),
        whole("A_CODE_OF_TOMORROW", 403),
        record("INVALID_DATA", api_name="Owner"),
        record("INVALID_DATA", api_name=FIELD),
        Answer(404, b"<html>"),
    )
    not_now = (*(record(code) for code in zoho_task.NOT_NOW), whole("LIMIT_EXCEEDED", 403))
    in_doubt = (
        *(record(code, 200) for code in zoho_task.IN_DOUBT),
        record("SUCCESS", 201, "success"),
        record("SUCCESS", 201, "success", id="../1"),
        json_answer(200, {"data": []}),
    )
    throttled_body = b'{"code":"TOO_MANY_REQUESTS","details":{},"message":"said","status":"error"}'

    def make(self, base_url: str) -> ZohoTask:
        return ZohoTask(settings(base_url), clock=lambda: NOW)

    def about(self, **change: object) -> Message:
        """The message with its order, as the channel is given it."""
        return self.message().model_copy(update={"order": ORDER, **change})

    async def task(self, message: Message) -> Task:
        request = await self.sent(message)
        (task,) = Insert.model_validate_json(request.body).data
        return task

    async def test_it_is_one_record_as_zoho_documents_it_and_starts_no_rule_of_theirs(self) -> None:
        request = await self.sent(self.about())
        assert (request.method, request.target) == ("POST", "/crm/v8/Tasks")
        assert request.headers["authorization"] == f"Zoho-oauthtoken {TOKEN}"
        insert = Insert.model_validate_json(request.body)
        assert insert.trigger == []
        assert len(insert.data) == 1

    async def test_it_says_which_order_what_about_and_until_when(self) -> None:
        message = self.about(kind=Kind.ALERT)
        task = await self.task(message)
        assert task.Subject == message.content.subject
        assert task.Description == f"{message.content.subject}\n\n{message.content.text}"
        assert (task.Due_Date, task.Priority) == (date(2026, 11, 21), "High")
        assert (task.Owner, task.What_Id, task.se_module) == (
            Reference(id=OWNER),
            Reference(id=ORDER_ID),
            "Sales_Orders",
        )

    async def test_without_an_id_of_zohos_it_is_tied_to_nothing_and_without_an_owner_it_is_the_users(self) -> None:
        order = Order.model_validate(ORDER.model_dump() | {"external_ids": [{"system": "zoho", "id": "SO-1"}]})
        task = await self.task(self.about(order=order, recipient="finance"))
        assert (task.What_Id, task.se_module, task.Owner, task.Priority) == (None, None, None, None)
        assert (await self.task(self.message())).Due_Date is None

    async def test_a_role_without_an_owner_goes_to_the_default(self) -> None:
        async with self.provider() as (peer, _):
            peer.will(*self.login, self.accepted)
            channel = ZohoTask(settings(peer.url, default_owner=ORDER_ID), clock=lambda: NOW)
            await channel.send(self.about(recipient="finance"))
            await channel.aclose()
            assert json.loads(peer.received[-1].body)["data"][0]["Owner"] == {"id": ORDER_ID}

    async def test_keys_that_differ_in_their_spelling_only_are_two_keys_whatever_zoho_takes_for_the_same(self) -> None:
        ref = self.message().key.ref
        keys = []
        for number in ("A-1", "a-1", "9" * 200):
            own = self.message().key.model_copy(update={"ref": ref.model_copy(update={"number": number})})
            keys.append((await self.task(self.message().model_copy(update={"key": own}))).OrderAck_Key.casefold())
        assert len(set(keys)) == 3
        assert keys[0].startswith("shop/a-1/1/confirmation/1/zoho_task~")

    @pytest.mark.parametrize(
        ("details", "task"),
        [
            ({"duplicate_record": {"id": TASK, "module": "Tasks"}}, TASK),
            ({"id": TASK}, TASK),
            ({}, None),
        ],
    )
    async def test_a_task_that_was_there_is_accepted(self, details: dict[str, JsonValue], task: str | None) -> None:
        for http in (202, 400):
            async with self.provider() as (peer, channel):
                peer.will(*self.login, record("DUPLICATE_DATA", http, "error", api_name=FIELD, **details))
                sent = await channel.send(self.message())
                assert (sent.provider_id, sent.detail) == (task, "it was there already")

    async def test_spent_credits_are_left_alone_for_an_hour_and_a_lock_is_not(self) -> None:
        spent, locked = await self.failure(record("LIMIT_EXCEEDED")), await self.failure(record("RECORD_LOCKED"))
        assert isinstance(spent, Unavailable)
        assert isinstance(locked, Unavailable)
        assert (spent.retry_after, locked.retry_after) == (timedelta(hours=1), None)

    async def test_it_signs_in_with_the_refresh_token_and_again_when_the_access_token_has_ended(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.login, whole("INVALID_TOKEN", 401), *self.login, self.accepted)
            assert (await channel.send(self.message())).provider_id == TASK
            first, _, again, _ = peer.received
            assert first.target == again.target == "/oauth/v2/token"
            assert parse_qs(first.body.decode()) == {
                "grant_type": ["refresh_token"],
                "client_id": ["1000.CLIENT"],
                "client_secret": [SECRET],
                "refresh_token": [REFRESH],
            }

    async def test_a_refusal_to_sign_in_inside_a_200_names_the_settings_and_a_throttle_does_not(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(json_answer(200, {"error": "invalid_code"}))
            with pytest.raises(Misconfigured, match=r"invalid_code.*ORDERACK_ZOHO_TASK_REFRESH_TOKEN"):
                await channel.send(self.message())
            peer.will(json_answer(200, {"error": "Access Denied", "status": "failure"}))
            with pytest.raises(Unavailable):
                await channel.send(self.message())

    async def test_the_subject_counts_for_the_length_too(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(Unsupported):
                await channel.send(self.message(text="x" * 31_995))

    @pytest.mark.parametrize("own", [{"key_field": ""}, {"key_field": "Order/Key"}, {"login_url": "accounts.zoho.eu"}])
    def test_settings_that_do_not_suffice_are_refused(self, own: dict[str, JsonValue]) -> None:
        with pytest.raises(ValidationError) as caught:
            settings("https://x.example", **own)
        assert SECRET not in str(caught.value)

    async def test_a_check_names_the_company(self) -> None:
        async with self.provider() as (peer, channel):
            assert isinstance(channel, ZohoTask)
            peer.will(*self.login, *self.healthy)
            assert await channel.check() == "signed in to Zoho CRM of Fjordlight"
            assert peer.received[-1].target == "/crm/v8/org"
            peer.will(Answer(200, b"{}"))
            with pytest.raises(Unavailable):
                await channel.check()
            peer.will(whole("OAUTH_SCOPE_MISMATCH", 403))
            with pytest.raises(Misconfigured, match="scopes"):
                await channel.check()

    async def test_nothing_that_is_posted_is_believed(self) -> None:
        async with self.channel() as channel:
            with pytest.raises(BadSignature):
                await channel.verify(RawRequest(url=WEBHOOK_URL, headers={"authorization": TOKEN}, body=b"[]"))
