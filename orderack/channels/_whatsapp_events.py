"""What WhatsApp posts to us: status reports of our messages, and what people wrote to our number."""

import hashlib
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, TypeAdapter

from orderack.channels import _meta as meta
from orderack.clients.wire import not_an_event, read
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.ports import ChannelEvent, RawRequest

VENDOR_STATUS = MappingProxyType(
    {
        "sent": (EvidenceEvent.ACCEPTED, Grade.E1),
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        "read": (EvidenceEvent.DISPLAYED, Grade.E3),
        "failed": (EvidenceEvent.BOUNCED, None),
    }
)
OPTED_OUT = 131050
SILENT = frozenset({"system", "request_welcome"})
"""Kinds of inbound message that are nobody's words."""

_Id = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
_Short = Annotated[str, StringConstraints(max_length=1_000)]
_Seconds = Annotated[int, Field(ge=0, le=253_402_300_799)]


class _Kept(BaseModel):
    model_config = ConfigDict(extra="allow")

    @property
    def raw(self) -> str:
        return self.model_dump_json(exclude_none=True)[:2_000]


class _Error(_Kept):
    code: int = 0


class _Status(_Kept):
    id: _Id
    status: _Short
    timestamp: _Seconds
    recipient_id: _Short | None = None
    biz_opaque_callback_data: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    errors: tuple[_Error, ...] = ()


class _Words(_Kept):
    body: str = ""
    caption: str = ""
    emoji: str = ""
    message_id: _Short | None = None


class _Pressed(_Kept):
    id: str = ""
    payload: str = ""
    title: str = ""
    text: str = ""


class _Interactive(_Kept):
    button_reply: _Pressed | None = None
    list_reply: _Pressed | None = None


class _Context(_Kept):
    id: _Short | None = None


class _Inbound(_Kept):
    id: _Id
    sender: Annotated[_Short, Field(alias="from")]
    timestamp: _Seconds
    type: _Short
    context: _Context = _Context()
    text: _Words = _Words()
    image: _Words = _Words()
    video: _Words = _Words()
    document: _Words = _Words()
    reaction: _Words | None = None
    button: _Pressed | None = None
    interactive: _Interactive = _Interactive()

    @property
    def pressed(self) -> _Pressed | None:
        return self.button or self.interactive.button_reply or self.interactive.list_reply

    @property
    def words(self) -> str:
        return next(filter(None, (self.text.body, self.image.caption, self.video.caption, self.document.caption)), "")


class _Value(_Kept):
    statuses: tuple[_Status, ...] = ()
    messages: tuple[_Inbound, ...] = ()


class _Change(_Kept):
    field: _Short
    value: dict[str, JsonValue]


class _Entry(BaseModel):
    id: _Short = ""
    time: _Seconds | None = None
    changes: tuple[_Change, ...] = Field(min_length=1)


class _Post(BaseModel):
    object: str
    entry: tuple[_Entry, ...] = Field(min_length=1)


_POST = TypeAdapter(_Post)
_VALUE = TypeAdapter(_Value)


def events_in(request: RawRequest, channel: str) -> Sequence[ChannelEvent]:
    """Every fact in a post. Raises InvalidInput when it is not one of WhatsApp's."""
    post = read(_POST, request.body)
    if post.object != "whatsapp_business_account":
        raise not_an_event("object", "not whatsapp_business_account", "subscribe this URL to WhatsApp's webhooks only")
    return [event for entry in post.entry for change in entry.changes for event in _facts(change, entry, channel)]


def _facts(change: _Change, entry: _Entry, channel: str) -> Iterator[ChannelEvent]:
    value = read(_VALUE, meta.encoded(change.value)) if change.field == "messages" else _Value()
    yield from (_reported(status, channel) for status in value.statuses)
    yield from (_written(message, channel) for message in value.messages)
    if not value.statuses and not value.messages:  # a template was paused, a limit changed: worth keeping
        yield ChannelEvent(
            id=hashlib.sha256(f"{entry.id}:{entry.time}:{change.raw}".encode()).hexdigest(),
            event=EvidenceEvent.UNKNOWN,
            grade=None,
            occurred_at=meta.moment(entry.time or 0),
            basis=f"{channel}:{change.field[:100]}",
            raw=change.raw,
        )


def _reported(status: _Status, channel: str) -> ChannelEvent:
    """A report's id is message and status: they come twice and in any order, and `read` may come alone."""
    meaning, grade = VENDOR_STATUS.get(status.status, (EvidenceEvent.UNKNOWN, None))
    code = next((error.code for error in status.errors), None)
    if meaning is EvidenceEvent.BOUNCED and code == OPTED_OUT:
        meaning = EvidenceEvent.OPTED_OUT
    return ChannelEvent(
        id=_event_id(status.id, status.status),
        event=meaning,
        grade=grade,
        key=status.biz_opaque_callback_data,
        provider_id=status.id,
        occurred_at=meta.moment(status.timestamp),
        basis=":".join([channel, status.status[:100], *([str(code)] if code is not None else [])]),
        raw=status.raw,
        sender=status.recipient_id if meaning is EvidenceEvent.OPTED_OUT else None,
    )


def _written(message: _Inbound, channel: str) -> ChannelEvent:
    """Words, a press or a reaction from a person's number. A press with our key affirms that message."""
    pressed, reaction = message.pressed, message.reaction
    key, about = None, message.context.id
    if pressed and meta.is_key(payload := pressed.payload or pressed.id, channel):
        said, key = meta.Spoken(EvidenceEvent.AFFIRMED, Grade.E5, "button", ""), payload[:2_000]
    elif message.type in SILENT or (reaction and not reaction.emoji):
        said = meta.Spoken(EvidenceEvent.UNKNOWN, None, message.type[:50], "")
    elif reaction:
        said, about = meta.Spoken(EvidenceEvent.REPLIED, Grade.E4, "reaction", reaction.emoji[:50]), reaction.message_id
    else:
        said = meta.spoken(pressed.text or pressed.title if pressed else message.words)
    return ChannelEvent(
        id=_event_id(message.id, "message"),
        event=said.event,
        grade=said.grade,
        key=key,
        provider_id=about,
        occurred_at=meta.moment(message.timestamp),
        basis=f"{channel}:{said.word}",
        raw=message.raw,
        sender=message.sender,
        text=said.text,
    )


def _event_id(wamid: str, word: str) -> str:
    plain = f"{wamid}:{word}"
    return plain if len(plain) <= 200 else hashlib.sha256(plain.encode()).hexdigest()
