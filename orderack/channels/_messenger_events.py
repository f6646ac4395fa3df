"""What Messenger posts to us: echoes of our messages, delivery and reading, and what people wrote or pressed."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from orderack.channels import _meta as meta
from orderack.clients.wire import not_an_event, read
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.ports import ChannelEvent, RawRequest

MARKETING = "notification_messages"
"""An opt-in to marketing messages, which are none of ours."""
MOST_MIDS = 1_000

_Id = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
_Short = Annotated[str, StringConstraints(max_length=1_000)]
_Milliseconds = Annotated[int, Field(ge=0, le=253_402_300_799_000)]


class _Kept(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Party(_Kept):
    id: _Short = ""


class _Payload(_Kept):
    payload: str = ""
    title: str = ""
    mid: _Short | None = None


class _ReplyTo(_Kept):
    mid: _Short | None = None


class _Said(_Kept):
    mid: _Id
    text: str = ""
    is_echo: bool = False
    is_deleted: bool = False
    metadata: Annotated[str, StringConstraints(max_length=1_000)] = ""
    quick_reply: _Payload | None = None
    reply_to: _ReplyTo = _ReplyTo()


class _Delivery(_Kept):
    mids: Annotated[tuple[_Id, ...], Field(max_length=MOST_MIDS)] = ()
    watermark: _Milliseconds


class _Read(_Kept):
    watermark: _Milliseconds


class _Reaction(_Kept):
    action: _Short = ""
    emoji: _Short = ""
    mid: _Short | None = None


class _OptIn(_Kept):
    type: _Short = ""


class _Messaging(_Kept):
    sender: _Party = _Party()
    recipient: _Party = _Party()
    timestamp: _Milliseconds = 0
    message: _Said | None = None
    postback: _Payload | None = None
    delivery: _Delivery | None = None
    read: _Read | None = None
    reaction: _Reaction | None = None
    optin: _OptIn | None = None

    @property
    def raw(self) -> str:
        return self.model_dump_json(exclude_none=True, exclude_unset=True)[:2_000]

    @property
    def at(self) -> datetime:
        return meta.moment(self.timestamp, 1_000)

    @property
    def digest(self) -> str:
        """The same for a repeated post, whose every byte is the same."""
        return hashlib.sha256(self.model_dump_json(exclude_unset=True).encode()).hexdigest()


class _Entry(_Kept):
    time: _Milliseconds = 0
    messaging: tuple[_Messaging, ...] = ()


class _Post(BaseModel):
    object: str
    entry: tuple[_Entry, ...] = Field(min_length=1)


_POST = TypeAdapter(_Post)


def events_in(request: RawRequest, channel: str) -> Sequence[ChannelEvent]:
    """Every fact in a post. Raises InvalidInput when it is not one of Messenger's."""
    post = read(_POST, request.body)
    if post.object != "page":
        raise not_an_event("object", "not page", "subscribe this URL to Messenger's webhooks only")
    return [event for entry in post.entry for event in _of(entry, channel)]


def _of(entry: _Entry, channel: str) -> Iterator[ChannelEvent]:
    for told in entry.messaging:
        yield from _facts(told, channel)
    if not entry.messaging:  # a template was paused, the page changed: worth keeping
        other = _Messaging.model_validate({"timestamp": entry.time, "entry": entry.model_dump(mode="json")})
        yield _event(other, f"{channel}:other", EvidenceEvent.UNKNOWN, None)


def _facts(told: _Messaging, channel: str) -> Iterator[ChannelEvent]:
    if told.message and told.message.is_echo:
        yield _echo(told, told.message, channel)
    elif told.message and not told.message.is_deleted:
        yield _words(told, told.message, channel)
    elif told.postback:
        yield _press(told, told.postback.payload, told.postback.mid, channel)
    elif told.delivery:
        yield from _delivered(told, told.delivery, channel)
    elif told.read:
        until = meta.moment(told.read.watermark, 1_000)
        event = _event(told, f"{channel}:read", EvidenceEvent.DISPLAYED, Grade.E3, sender=told.sender.id)
        yield event.model_copy(
            update={"id": _id(told.sender.id, told.read.watermark, "read"), "occurred_at": until, "watermark": until}
        )
    elif told.reaction and told.reaction.action == "react" and told.reaction.emoji:
        yield _event(
            told,
            f"{channel}:reaction",
            EvidenceEvent.REPLIED,
            Grade.E4,
            sender=told.sender.id,
            provider_id=told.reaction.mid,
            text=told.reaction.emoji[:50],
        )
    elif told.optin and told.optin.type != MARKETING:
        yield _event(told, f"{channel}:optin", EvidenceEvent.OPTED_IN, None, sender=told.sender.id)
    else:
        yield _event(told, f"{channel}:other", EvidenceEvent.UNKNOWN, None)


def _event(
    told: _Messaging,
    basis: str,
    event: EvidenceEvent,
    grade: Grade | None,
    *,
    name: str = "",
    key: str | None = None,
    provider_id: str | None = None,
    sender: str = "",
    text: str = "",
) -> ChannelEvent:
    return ChannelEvent(
        id=name or told.digest,
        event=event,
        grade=grade,
        key=key,
        provider_id=provider_id,
        occurred_at=told.at,
        basis=basis,
        raw=told.raw,
        sender=sender or None,
        text=text,
    )


def _echo(told: _Messaging, said: _Said, channel: str) -> ChannelEvent:
    """Messenger has taken a message of the page. One without our key was somebody else's."""
    ours = meta.is_key(said.metadata, channel)
    return _event(
        told,
        f"{channel}:echo",
        EvidenceEvent.ACCEPTED if ours else EvidenceEvent.UNKNOWN,
        Grade.E1 if ours else None,
        name=_id(said.mid, "echo"),
        key=said.metadata if ours else None,
        provider_id=said.mid,
    )


def _words(told: _Messaging, said: _Said, channel: str) -> ChannelEvent:
    if said.quick_reply and meta.is_key(said.quick_reply.payload, channel):
        return _press(told, said.quick_reply.payload, said.reply_to.mid, channel)
    spoken = meta.spoken(said.text)
    return _event(
        told,
        f"{channel}:{spoken.word}",
        spoken.event,
        spoken.grade,
        name=_id(said.mid, "message"),
        provider_id=said.reply_to.mid,
        sender=told.sender.id,
        text=spoken.text,
    )


def _press(told: _Messaging, payload: str, mid: str | None, channel: str) -> ChannelEvent:
    """A button with our key affirms that message; another's (a menu, "get started") says nothing of ours."""
    ours = meta.is_key(payload, channel)
    return _event(
        told,
        f"{channel}:button" if ours else f"{channel}:postback",
        EvidenceEvent.AFFIRMED if ours else EvidenceEvent.UNKNOWN,
        Grade.E5 if ours else None,
        key=payload[:2_000] if ours else None,
        provider_id=mid,
        sender=told.sender.id,
    )


def _delivered(told: _Messaging, delivery: _Delivery, channel: str) -> Iterator[ChannelEvent]:
    """Message by message where it names them, else by a watermark."""
    until = meta.moment(delivery.watermark, 1_000)
    event = _event(told, f"{channel}:delivered", EvidenceEvent.DELIVERED, Grade.E2)
    for mid in delivery.mids:
        about = {"id": _id(mid, "delivered"), "provider_id": mid, "occurred_at": until}
        yield event.model_copy(update=about)
    if not delivery.mids:
        about = {"id": _id(told.sender.id, delivery.watermark, "delivered"), "sender": told.sender.id}
        yield event.model_copy(update={**about, "occurred_at": until, "watermark": until})


def _id(*parts: object) -> str:
    plain = ":".join(map(str, parts))
    return plain if len(plain) <= 200 else hashlib.sha256(plain.encode()).hexdigest()
