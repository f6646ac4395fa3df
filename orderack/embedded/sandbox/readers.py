"""Readers of the mail that the look-alikes took: machines and people, over HTTP, by what stands in the message alone.

They reach the gateway and nothing else: a link to anywhere else is left alone.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import ConfigDict, Field, JsonValue, NonNegativeFloat, StringConstraints, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.domain.value import Value
from orderack.embedded.sandbox.faults import Target
from orderack.embedded.sandbox.mail_clients import MAIL_CLIENTS, Does, Fetch, MailClient, ReadAs
from orderack.embedded.sandbox.markup import Form, Markup, read_html
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.sendgrid import SendGrid
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.visit import Visit

PATIENCE = 10.0
"""Seconds that a reader waits for its message."""

READ = (
    *(Target.SENDGRID, Target.SMTP, Target.GMAIL, Target.OUTLOOK, Target.SES, Target.MAILGUN),
    *(Target.TWILIO, Target.VONAGE),
)
"""Channels whose messages reach a buyer."""

FORM_OF: Mapping[Does, str] = {
    Does.AFFIRMS: "affirm",
    Does.ACCEPTS: "answer",
    Does.DECLINES: "answer",
    Does.ASKS: "question",
    Does.CHANGES: "change",
    Does.CANCELS: "cancel",
}
"""The last part of the address that the page's form posts to."""

PICKS: Mapping[Does, str] = {Does.ACCEPTS: "accept", Does.DECLINES: "declin"}
"""How the choice begins that a reader picks for each line."""


class Reader(Value):
    """Who reads which message, what they do with it and when. Raises ValueError for what a machine never does."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    who: ReadAs = Field(alias="as")
    match: Annotated[str, StringConstraints(min_length=1)]
    """Recipient, order number, our key or words; the newest message that has it is read."""
    does: tuple[Does, ...] = ()
    """In this order; empty: what such a reader usually does."""
    after: NonNegativeFloat = 0
    """Seconds from the message's arrival."""
    fill: Mapping[str, str] = {}
    """What a person writes or picks in the page's forms, by field name."""
    reported: bool = False
    """SendGrid saw it as well, by tracking of its own, and posts its events."""

    @model_validator(mode="after")
    def _can(self) -> Self:
        if never := sorted(set(self.does) - self.client.can):
            raise ValueError(f"{self.who} never {', '.join(never)}")
        return self

    @property
    def client(self) -> MailClient:
        return MAIL_CLIENTS[self.who]


class Reading(Value):
    """What a reader did: every request in its order."""

    id: int
    reader: Reader
    message: int | None = None
    """The message's number in the mailbox."""
    fetched: tuple[Fetch, ...] = ()
    problem: str = ""
    """Why it could not do all that it was told to; empty: it did."""


class Readers:
    """`POST /readers` reads and answers when it is done; `GET /readers` tells who has read what."""

    def __init__(self, state: SandboxState, sendgrid: SendGrid) -> None:
        self._state = state
        self._sendgrid = sendgrid
        self._readings: list[Reading] = []
        self._next_id = 1

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/readers", self._read, methods=["POST"]),
            Route("/readers", self._list, methods=["GET"]),
        )

    async def _list(self, request: Request) -> Response:
        return JSONResponse({"readings": [_shown(reading) for reading in self._readings]})

    async def _read(self, request: Request) -> Response:
        reader = Reader.model_validate_json(await request.body())
        reading = await self.read(reader)
        self._readings.append(reading)
        status = 404 if reading.message is None else 409 if reading.problem else 200
        return JSONResponse(_shown(reading), status_code=status)

    async def read(self, reader: Reader) -> Reading:
        """Read the message as told, and say what came of it. Never raises for what the gateway answers."""
        reading = Reading(id=self._next_id, reader=reader)
        self._next_id += 1
        message = await self._message(reader.match)
        if message is None:
            return reading.model_copy(update={"problem": "no message matches"})
        reading = reading.model_copy(update={"message": message.id})
        if self._state.callback_base is None:
            return reading.model_copy(update={"problem": "nobody knows where the gateway is: PUT /callback"})
        await _until(message.at + timedelta(seconds=reader.after))
        async with Visit(reader.client, self._state.callback_base) as visit:
            problem = await _act(visit, message, reader)
            if reader.reported:
                self._report(message, reader)
            return reading.model_copy(update={"fetched": tuple(visit.fetched), "problem": problem})

    async def _message(self, match: str) -> Posted | None:
        for _ in range(int(PATIENCE / 0.1)):
            found = (message for message in self._state.outbox.find(match) if message.channel in READ)
            if message := next(found, None):
                return message
            await asyncio.sleep(0.1)
        return None

    def _report(self, message: Posted, reader: Reader) -> None:
        """As SendGrid reports it: one open however many images, one click for each link."""
        does = reader.does or reader.client.usually
        seen: list[tuple[str, str, Mapping[str, JsonValue]]] = []
        if Does.OPENS in does:
            opened: Mapping[str, JsonValue] = {"sg_machine_open": reader.client.flagged, "sg_content_type": "html"}
            seen.append(("open", reader.client.image_agent, opened))
        for url in _clicked(message, reader.client) if Does.CLICKS in does else ():
            clicked: Mapping[str, JsonValue] = {"url": url, "url_offset": {"index": 0, "type": "html"}}
            seen.append(("click", reader.client.passes[-1][1], clicked))
        for event, agent, said in seen:
            self._sendgrid.report(message, event, agent, said)


def _shown(reading: Reading) -> Mapping[str, object]:
    return reading.model_dump(mode="json", by_alias=True)


async def _until(moment: datetime) -> None:
    await asyncio.sleep(max((moment - datetime.now(UTC)).total_seconds(), 0))


async def _act(visit: Visit, message: Posted, reader: Reader) -> str:
    """Do it all; returns what kept the reader from it."""
    does = reader.does or reader.client.usually
    try:
        if Does.OPENS in does:
            await visit.load(read_html(message.html or "").images)
        if reader.client.machine and Does.CLICKS in does:
            await visit.open_all(_clicked(message, reader.client))
        elif set(does) - {Does.OPENS}:
            await _use_the_page(visit, message, reader, [deed for deed in does if deed in FORM_OF])
    except ValueError as error:
        return str(error)
    return ""


async def _use_the_page(visit: Visit, message: Posted, reader: Reader, deeds: Sequence[Does]) -> None:
    """A person presses the mail's button, else its first link to us, and sends the page's forms as they stand there."""
    links = [url for url in _clicked(message, reader.client) if visit.leads_home(url)]
    if not links:
        raise ValueError("the message has no link that leads to the gateway")
    page = await visit.open_page(links[0])
    for deed in deeds:
        form = _form(page, deed)
        page = await visit.post(form, form.sent(_filled(form, deed, reader.fill)))


def _clicked(message: Posted, client: MailClient) -> Sequence[str]:
    """What a reader opens: a machine everything, a person what can be seen, a button before any other link."""
    if client.machine:
        return [link.url for link in message.links()]
    return [link.url for link in sorted(message.links(), key=lambda link: not link.button) if not link.hidden]


def _form(page: Markup, deed: Does) -> Form:
    for form in page.forms:
        if form.action.partition("?")[0].rstrip("/").rpartition("/")[2] == FORM_OF[deed]:
            return form
    raise ValueError(f"the page shows no form by which anybody {deed}")


def _filled(form: Form, deed: Does, fill: Mapping[str, str]) -> Mapping[str, str]:
    """What the reader was told to write there; where it was told of no line, a choice for each.

    Who declines declines the first line and accepts the others; who cancels is sure of it.
    """
    names = {field.name for field in form.fields}
    filled = {name: value for name, value in fill.items() if name in names}
    lines = dict.fromkeys(field.name for field in form.fields if field.picked and field.name.startswith("line-"))
    if deed in PICKS and not filled.keys() & lines.keys():
        for place, name in enumerate(lines):
            filled[name] = _choice(form, name, PICKS[deed] if place == 0 else PICKS[Does.ACCEPTS])
    if deed is Does.CANCELS:
        filled = {field.name: field.value for field in form.fields if field.kind == "checkbox"} | filled
    return filled


def _choice(form: Form, name: str, begins: str) -> str:
    for field in form.fields:
        if field.name == name and field.value.startswith(begins):
            return field.value
    raise ValueError(f"nothing among the choices of {name} begins with {begins!r}")
