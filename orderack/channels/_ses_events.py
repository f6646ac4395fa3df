"""What Amazon SES reports of a mail, in the ten kinds that it publishes; and our key in its message tags.

Source: "Examples of event data that Amazon SES publishes to Amazon SNS" (Amazon SES developer guide).
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from pydantic import BaseModel, Field, ValidationError

from orderack.clients.sns import SnsPost
from orderack.clients.wire import Moment
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.ports import ChannelEvent
from orderack.touches import What
from orderack.touches.reported import reported

KEY_TAG = "orderack_key"
"""The first tag of the key; `orderack_key_2` and so on follow where it is long. No buyer's data goes here."""
TAG_LENGTH = 256

VENDOR_EVENT = MappingProxyType(
    {
        "Send": (EvidenceEvent.ACCEPTED, Grade.E1),
        "DeliveryDelay": (EvidenceEvent.ACCEPTED, Grade.E1),
        "Delivery": (EvidenceEvent.DELIVERED, Grade.E2),
        # a transient bounce too: SES reports it only once it has given up trying
        "Bounce": (EvidenceEvent.BOUNCED, None),
        "Reject": (EvidenceEvent.BOUNCED, None),
        "Rendering Failure": (EvidenceEvent.BOUNCED, None),
        "Open": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "Click": (EvidenceEvent.DISPLAYED, Grade.E3P),
        "Complaint": (EvidenceEvent.OPTED_OUT, None),
        # says nothing of this message, unless they unsubscribed from everything
        "Subscription": (EvidenceEvent.UNKNOWN, None),
    }
)
TOUCHED = MappingProxyType({"Open": What.PIXEL, "Click": What.PAGE})
"""Events of SES's own tracking, judged as our own touches are."""
NOT_SPAM = "not-spam"
"""A complaint's type (RFC 6430) by which somebody takes a mail out of the spam: no opt-out."""


class _Mail(BaseModel):
    messageId: str = Field(max_length=300)
    timestamp: Moment
    destination: tuple[str, ...] = ()
    tags: Mapping[str, tuple[str, ...]] = {}


class _Recipient(BaseModel):
    emailAddress: str = Field(max_length=1_000)


class _Preferences(BaseModel):
    unsubscribeAll: bool = False


class _Detail(BaseModel):
    """What an event says beside the mail, whichever it is."""

    timestamp: Moment | None = None
    bounceType: str = ""
    bounceSubType: str = ""
    complaintFeedbackType: str | None = None
    complainedRecipients: tuple[_Recipient, ...] = ()
    delayType: str = ""
    ipAddress: str | None = None
    userAgent: str | None = None
    newTopicPreferences: _Preferences = _Preferences()

    @property
    def words(self) -> Sequence[str]:
        return tuple(word[:60] for word in (self.bounceType, self.bounceSubType, self.delayType) if word)


class SesEvent(BaseModel):
    eventType: str = Field(min_length=1, max_length=100)
    mail: _Mail
    bounce: _Detail | None = None
    complaint: _Detail | None = None
    delivery: _Detail | None = None
    deliveryDelay: _Detail | None = None
    open: _Detail | None = None
    click: _Detail | None = None
    subscription: _Detail | None = None

    @property
    def detail(self) -> _Detail:
        parts = (self.bounce, self.complaint, self.delivery, self.deliveryDelay, self.open, self.click)
        return next((part for part in (*parts, self.subscription) if part is not None), _Detail())

    @property
    def at(self) -> datetime:
        return self.detail.timestamp or self.mail.timestamp


def reported_by(channel: str, post: SnsPost, now: datetime) -> ChannelEvent:
    """The event in a proved post. What is not one (SES's test message, for one) is UNKNOWN, and kept."""
    try:
        event = SesEvent.model_validate_json(post.Message)
    except ValidationError:
        return ChannelEvent(
            id=f"{post.MessageId}:unreadable",
            event=EvidenceEvent.UNKNOWN,
            grade=None,
            occurred_at=now,
            basis=f"{channel}:unreadable",
            raw=post.Message[:2_000],
        )
    word, detail, machine = event.eventType, event.detail, _machine(event)
    meaning, grade = (EvidenceEvent.MACHINE_TOUCH, Grade.M) if machine else _meaning(event)
    return ChannelEvent(
        id=f"{post.MessageId}:{word}",
        event=meaning,
        grade=grade,
        key=key_in(event.mail.tags),
        provider_id=event.mail.messageId,
        occurred_at=event.at,
        basis=":".join((channel, word, *detail.words)),
        raw=post.Message[:2_000],
        sender=_sender(event) if meaning is EvidenceEvent.OPTED_OUT else None,
        machine=machine,
    )


def _meaning(event: SesEvent) -> tuple[EvidenceEvent, Grade | None]:
    if event.eventType == "Subscription" and event.detail.newTopicPreferences.unsubscribeAll:
        return EvidenceEvent.OPTED_OUT, None
    if event.eventType == "Complaint" and event.detail.complaintFeedbackType == NOT_SPAM:
        return EvidenceEvent.UNKNOWN, None
    return VENDOR_EVENT.get(event.eventType, (EvidenceEvent.UNKNOWN, None))


def _machine(event: SesEvent) -> tuple[str, ...]:
    what = TOUCHED.get(event.eventType)
    if what is None:
        return ()
    return reported(what, event.at, address=event.detail.ipAddress, user_agent=event.detail.userAgent)


def _sender(event: SesEvent) -> str | None:
    """Who wants no more: the one recipient there was."""
    complained = (recipient.emailAddress for recipient in event.detail.complainedRecipients)
    return next((address for address in (*complained, *event.mail.destination)), None)


def tags_of(key: str) -> Mapping[str, str]:
    """The key over as many tags as it needs, in its order."""
    text = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
    pieces = [text[start : start + TAG_LENGTH] for start in range(0, len(text), TAG_LENGTH)]
    return {KEY_TAG if n == 1 else f"{KEY_TAG}_{n}": piece for n, piece in enumerate(pieces, 1)}


def key_in(tags: Mapping[str, tuple[str, ...]]) -> str | None:
    """The key that `tags_of` made; None where there is none, or where somebody else wrote it."""
    names = (KEY_TAG, *(f"{KEY_TAG}_{n}" for n in range(2, len(tags) + 1)))
    text = "".join(value for name in names for value in tags.get(name, ()))
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()[:2_000] or None
    except (binascii.Error, ValueError):
        return None
