"""A task in Salesforce for the people who look after an order. Internal only: it never counts for the buyer.

Our key stands in a field that the customer's admin has made (External ID, unique), and the task is upserted by it: the
same key is the same task for ever. `Status` is left to Salesforce's default, so that a repeat after a doubt does not
open a task again that somebody has done by then.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

import httpx
from pydantic import BaseModel, Field, JsonValue

from orderack.channels._crm_task import id_in, is_urgent, task_due, task_key, task_subject, task_text
from orderack.clients.http import Clock, segment, utc_now
from orderack.clients.salesforce import Salesforce, SalesforceSettings, first_problem
from orderack.clients.wire import not_an_event
from orderack.domain.acknowledgement import Audience
from orderack.domain.evidence import Grade
from orderack.errors import BadSignature, InDoubt, Misconfigured, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_SALESFORCE_TASK_"
TEXT_LIMIT = 32_000
"""Characters of Task.Description."""
SYSTEM = "salesforce"
"""How an order names its id in Salesforce (`external_ids[].system`)."""

_ID = re.compile(r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$")
_DUPLICATE = re.compile(r"duplicate value found: (\w+) duplicates value on record with id: ([A-Za-z0-9]{15,18})")


class SalesforceTaskSettings(SalesforceSettings):
    """`ORDERACK_SALESFORCE_TASK_…`"""

    model_config = settings_config(_PREFIX)

    external_id_field: str = Field(
        pattern=r"^[A-Za-z]\w{0,79}__c$",
        description="field on Activity that holds our key: text of 255, External ID, unique",
    )
    owners: dict[str, str] = Field(default={}, description='user or queue id by role, as JSON: {"ops": "005…"}')
    default_owner: str | None = Field(default=None, description="user or queue id for a role without one of its own")


class _Upserted(BaseModel):
    id: str = Field(pattern=r"^[A-Za-z0-9]{15,18}$")
    success: bool
    created: bool | None = None


class SalesforceTask:
    """One task for one message to one role."""

    name: ClassVar[str] = "salesforce_task"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.RECORD,
        audience=Audience.INTERNAL,
        address="chat:salesforce_task",
        evidence_ceiling=Grade.E1,
        idempotency=Idempotency.KEY,
        max_length=TEXT_LIMIT,
        rate_per_second=5.0,
        needs_order=True,
    )

    def __init__(self, settings: SalesforceTaskSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._salesforce = Salesforce(settings, clock)

    async def send(self, message: Message) -> Sent:
        """PATCH sobjects/Task/<field>/<key>: 201 is a new task, 200 (204 in old versions) the one that was there."""
        text = task_text(message)
        if len(text) > TEXT_LIMIT:
            raise Unsupported("max_length")
        path = f"/sobjects/Task/{self._settings.external_id_field}/{segment(task_key(message))}"
        response = await self._salesforce.send("PATCH", path, self._task(message, text))
        if response.status_code == httpx.codes.NO_CONTENT:
            return Sent(detail="it was there already")
        if response.status_code == httpx.codes.MULTIPLE_CHOICES:
            raise Misconfigured(f"two tasks have one key: make the field of {_PREFIX}EXTERNAL_ID_FIELD unique")
        if response.is_success:
            return self._upserted(response)
        return self._there_already(response)

    def _upserted(self, response: httpx.Response) -> Sent:
        task = self._salesforce.http.read(_Upserted, response)
        if not task.success:
            raise InDoubt("Salesforce answered with a task's id and without success")
        return Sent(provider_id=task.id, detail="it was there already" if task.created is False else "")

    def _there_already(self, response: httpx.Response) -> Sent:
        """Two of us made it at the same moment: the other's is ours. Raises what any other answer means."""
        problem = first_problem(response)
        found = _DUPLICATE.search(problem.message)
        if problem.code == "DUPLICATE_VALUE" and found and found[1] == self._settings.external_id_field:
            return Sent(provider_id=found[2], detail="it was there already")
        raise self._salesforce.refusal(response)

    def _task(self, message: Message, text: str) -> dict[str, JsonValue]:
        own, due, about = self._settings, task_due(message.order), id_in(SYSTEM, message.order)
        owner = own.owners.get(message.recipient) or own.default_owner
        given = {
            "Subject": task_subject(message),
            "Description": text,
            "Priority": "High" if is_urgent(message) else None,
            "ActivityDate": due.isoformat() if due else None,
            "WhatId": about if about and _ID.match(about) else None,
            "OwnerId": owner,
        }
        return {field: value for field, value in given.items() if value is not None}

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """Not needed: the key is known for ever, so sending again settles it."""
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        """Salesforce posts nothing to us."""
        raise BadSignature("Salesforce posts no events of its tasks")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """None: see `verify`."""
        raise not_an_event("body", "Salesforce posts no events of its tasks", "register no webhook for them")

    async def check(self) -> str:
        """Whether we are let in, and what is left of the day's requests."""
        return await self._salesforce.check()

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._salesforce.aclose()


CHANNEL: ChannelSpec = ChannelSpec(
    description="Tasks in Salesforce for the people who look after an order (internal)",
    obtain=(
        "Salesforce: Setup > External Client App Manager (client credentials, or JWT bearer with your certificate; "
        "scope api); the field: Setup > Object Manager > Activity > Fields, text of 255, External ID, "
        "unique; the domain: Setup > My Domain"
    ),
    settings=SalesforceTaskSettings,
    make=lambda: SalesforceTask(SalesforceTaskSettings()),
    adapter=SalesforceTask,
    traps=(
        "The key's field must be unique: otherwise two tasks may come of one message, and no more are made after that.",
        "A spent daily allowance of API requests is answered 403 and not 429: we wait an hour before we ask again.",
        "A Flow on the task object that writes to buyers would send them a second message: let it leave our tasks out.",
        "The task is tied to the order's record only where the order brings its Salesforce id (external_ids, system "
        "salesforce).",
    ),
)
