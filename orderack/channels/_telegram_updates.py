"""What Telegram posts to a bot (an Update), and what of it we understand."""

from types import MappingProxyType

from pydantic import BaseModel, Field, JsonValue, TypeAdapter

from orderack.clients.wire import read
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.replies import may_mean_the_order, opts_out
from orderack.domain.value import Value

AFFIRM_KEY, AFFIRM_HASH = "oa:", "oa#"
"""Before our key in a button's data, or before its hash where it is too long; frozen, for old buttons still work."""
NO_WORDS = "(a sticker, a picture or a file, without a word)"

MEMBER = MappingProxyType({"kicked": EvidenceEvent.OPTED_OUT, "member": EvidenceEvent.OPTED_IN})
"""What became of the bot in a chat; in a private one: it was blocked, or unblocked."""
COMMANDS = MappingProxyType({"/start": EvidenceEvent.OPTED_IN, "/stop": EvidenceEvent.OPTED_OUT})


class Chat(BaseModel):
    id: int


class _User(BaseModel):
    is_bot: bool = False


class _Answered(BaseModel):
    message_id: int
    author: _User = Field(default=_User(is_bot=False), alias="from")


class _Message(BaseModel):
    message_id: int
    chat: Chat
    date: int = Field(default=0, ge=0, le=253_402_300_799)
    author: _User = Field(default=_User(is_bot=False), alias="from")
    text: str = Field(default="", max_length=20_000)
    caption: str = Field(default="", max_length=20_000)
    reply_to_message: _Answered | None = None
    sticker: JsonValue = None
    photo: JsonValue = None
    document: JsonValue = None
    voice: JsonValue = None
    video: JsonValue = None
    audio: JsonValue = None
    location: JsonValue = None

    @property
    def words(self) -> str:
        """What it says; empty: nothing that a person says (somebody joined, a title changed)."""
        things = (self.sticker, self.photo, self.document, self.voice, self.video, self.audio, self.location)
        return (self.text or self.caption or (NO_WORDS if any(things) else "")).strip()


class _Callback(BaseModel):
    data: str = Field(default="", max_length=200)
    message: _Message | None = None


class _Member(BaseModel):
    status: str = Field(max_length=50)


class _Membership(BaseModel):
    chat: Chat
    date: int = Field(default=0, ge=0, le=253_402_300_799)
    new_chat_member: _Member


class _Update(BaseModel):
    update_id: int = Field(ge=0)
    message: _Message | None = None
    callback_query: _Callback | None = None
    my_chat_member: _Membership | None = None


class Meaning(Value):
    """One update in our words."""

    event: EvidenceEvent = EvidenceEvent.UNKNOWN
    grade: Grade | None = None
    id: str = ""
    word: str
    key: str | None = None
    provider_id: str | None = None
    sender: str | None = None
    text: str = ""
    at: int = 0
    """Epoch seconds; 0: Telegram does not say."""


_UPDATE = TypeAdapter(_Update)
_FIELDS = TypeAdapter(dict[str, JsonValue])


def read_update(body: bytes) -> Meaning:
    """The one thing that an update tells. Raises InvalidInput when it is none."""
    update = read(_UPDATE, body)
    return _meaning(update, body).model_copy(update={"id": f"update/{update.update_id}"})


def _meaning(update: _Update, body: bytes) -> Meaning:
    if update.callback_query is not None:
        return _pressed(update.callback_query)
    if update.message is not None:
        return _written(update.message)
    if update.my_chat_member is not None:
        change = update.my_chat_member
        word, who = change.new_chat_member.status, str(change.chat.id)
        return Meaning(event=MEMBER.get(word, EvidenceEvent.UNKNOWN), word=word, sender=who, at=change.date)
    kinds = [name for name in _FIELDS.validate_json(body) if name != "update_id"]
    return Meaning(word=next(iter(kinds), "nothing")[:50])


def _pressed(query: _Callback) -> Meaning:
    """The message that the button stands on names the send; the key does as well, where there was room for it."""
    where, data = query.message, query.data
    if where is None or not data.startswith((AFFIRM_KEY, AFFIRM_HASH)):
        return Meaning(word="callback_query")
    return Meaning(
        event=EvidenceEvent.AFFIRMED,
        grade=Grade.E5,
        word="callback_query",
        key=data.removeprefix(AFFIRM_KEY) if data.startswith(AFFIRM_KEY) else None,
        provider_id=f"{where.chat.id}/{where.message_id}",
        sender=str(where.chat.id),
    )


def _written(message: _Message) -> Meaning:
    """A person's words; a reply to one message of ours names it."""
    words, who = message.words, str(message.chat.id)
    command = words.split(maxsplit=1)[0].partition("@")[0].casefold() if words else ""
    if message.author.is_bot or not words:
        return Meaning(word="message", sender=who, at=message.date)
    if command in COMMANDS:
        return Meaning(event=COMMANDS[command], word=command.removeprefix("/"), sender=who, at=message.date)
    if opts_out(words):
        kept = words if may_mean_the_order(words) else ""
        return Meaning(event=EvidenceEvent.OPTED_OUT, word="stop", text=kept, sender=who, at=message.date)
    answered = message.reply_to_message
    ours = answered is not None and answered.author.is_bot
    return Meaning(
        event=EvidenceEvent.REPLIED,
        grade=Grade.E4,
        word="message",
        text=words[:2_000],
        provider_id=f"{who}/{answered.message_id}" if answered and ours else None,
        sender=who,
        at=message.date,
    )
