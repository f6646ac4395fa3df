"""Text messages through Twilio: the `twilio` library makes the request and reads the answer, httpx carries it.

Its own HTTP clients retry or hide what happened to the connection, which the three-state send must know. Messages
have no idempotency key and no custom field (messaging.md §1): our key travels in the status callback's URL.
"""

import hashlib
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar, Self
from urllib.parse import parse_qs, parse_qsl, urlencode, urlparse, urlsplit, urlunsplit

from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings
from twilio.base import values  # type: ignore[import-untyped]
from twilio.base.exceptions import TwilioException  # type: ignore[import-untyped]
from twilio.http import AsyncHttpClient  # type: ignore[import-untyped]
from twilio.http.response import Response  # type: ignore[import-untyped]
from twilio.request_validator import RequestValidator, add_port, remove_port  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from orderack.clients.http import NO_HEADERS, WRONG_KEY_OR_URL, BaseUrl, Clock, Http, segment, utc_now
from orderack.clients.wire import not_an_event, same
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.replies import may_mean_the_order, opts_out
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Traits
from orderack.registry import ChannelSpec, settings_config

_PREFIX = "ORDERACK_TWILIO_SMS_"
KEY_PARAMETER = "orderack_key"
MAX_LENGTH = 1_600
"""Characters of Body (Twilio's OpenAPI description of Messages)."""

VENDOR_STATUS = MappingProxyType(
    {
        "queued": (EvidenceEvent.ACCEPTED, Grade.E1),
        "accepted": (EvidenceEvent.ACCEPTED, Grade.E1),
        "scheduled": (EvidenceEvent.ACCEPTED, Grade.E1),
        "sending": (EvidenceEvent.ACCEPTED, Grade.E1),
        "sent": (EvidenceEvent.ACCEPTED, Grade.E1),
        "delivered": (EvidenceEvent.DELIVERED, Grade.E2),
        # RCS alone reports it; an SMS cannot be asked for it, so it proves no more than delivery here
        "read": (EvidenceEvent.DELIVERED, Grade.E2),
        "undelivered": (EvidenceEvent.BOUNCED, None),
        "failed": (EvidenceEvent.BOUNCED, None),
        "canceled": (EvidenceEvent.BOUNCED, None),
        # some segments only, and two words of inbound messages: they say nothing of what the buyer has
        "partially_delivered": (EvidenceEvent.UNKNOWN, None),
        "receiving": (EvidenceEvent.UNKNOWN, None),
        "received": (EvidenceEvent.UNKNOWN, None),
    }
)
REFUSED_CODE = MappingProxyType(
    {
        21211: Reason.BAD_RECIPIENT,
        21217: Reason.BAD_RECIPIENT,
        21408: Reason.BLOCKED,
        21602: Reason.CONTENT,
        21604: Reason.NO_RECIPIENT,
        21610: Reason.OPTED_OUT,
        21612: Reason.BLOCKED,
        21614: Reason.BAD_RECIPIENT,
        21617: Reason.TOO_LONG,
        30003: Reason.OTHER,
        30004: Reason.BLOCKED,
        30005: Reason.BAD_RECIPIENT,
        30006: Reason.BAD_RECIPIENT,
        30007: Reason.CONTENT,
        30008: Reason.OTHER,
    }
)
OURS_TO_MEND = frozenset({20003, 20404, 21212, 21603, 21606, 21609, 21659, 21701, 21703, 30002, 30034})
NOT_NOW = frozenset({20429, 30001})
OPTED_OUT = "21610"
OPTS_IN = frozenset({"start", "unstop"})
"""Twilio's opt-in words besides YES, which is an answer to us as well."""
MAX_FIELDS = 1_000
"""Fields of a callback; a message with ten pictures has about sixty."""
NO_WORDS = "(a picture or a file, without a word)"
_E164 = re.compile(r"^\+[1-9]\d{6,14}$")


class TwilioSettings(BaseSettings):
    """`ORDERACK_TWILIO_SMS_…`"""

    model_config = settings_config(_PREFIX)

    account_sid: str = Field(description="the account's SID (AC…)")
    auth_token: SecretStr = Field(description="the account's primary auth token; it also signs callbacks")
    sender: str | None = Field(default=None, description="a number of yours in E.164, or an alphanumeric sender")
    messaging_service_sid: str | None = Field(default=None, description="a messaging service (MG…) instead of a sender")
    base_url: BaseUrl = Field(default="https://api.twilio.com", description="the sandbox's address in tests")

    @model_validator(mode="after")
    def _one_sender(self) -> Self:
        if bool(self.sender) == bool(self.messaging_service_sid):
            raise ValueError(f"set one of {_PREFIX}SENDER and {_PREFIX}MESSAGING_SERVICE_SID")
        return self


class _Account(BaseModel):
    status: str = ""
    type: str = ""


class _Carrier(AsyncHttpClient):  # type: ignore[misc]
    """The library's transport: our HTTP with its fates, to the configured host, without retries or logs."""

    def __init__(self, http: Http) -> None:
        super().__init__(logging.getLogger(__name__), is_async=True)
        self._http = http

    async def request(
        self,
        method: str,
        url: str,
        params: Mapping[str, object] | None = None,
        data: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the library's signature; Http has its own
        allow_redirects: bool = False,
    ) -> Response:
        answer = await self._http.send(
            method,
            urlsplit(url).path,
            content=urlencode(data or {}, doseq=True).encode(),
            headers=headers or NO_HEADERS,
            auth=auth,
        )
        return Response(answer.status_code, answer.text, answer.headers)


class _Form:
    """The posted form as the library's validator reads it: repeated fields keep all their values.

    Raises ValueError for more fields than Twilio ever sends: whoever sends them has not proved anything yet.
    """

    def __init__(self, body: bytes) -> None:
        self._values: dict[str, list[str]] = {}
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def getall(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def first(self, name: str) -> str:
        return next(iter(self.getall(name)), "")


class TwilioSms:
    """One text message to one number."""

    name: ClassVar[str] = "twilio_sms"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.SMS,
        audience=Audience.BUYER,
        address="phone",
        evidence_ceiling=Grade.E2,
        idempotency=Idempotency.ECHO,
        max_length=MAX_LENGTH,
        replies=True,
        rate_per_second=1.0,
    )

    def __init__(self, settings: TwilioSettings, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._http = Http("Twilio", settings.base_url, clock=clock)
        self._reads = Http("Twilio", settings.base_url, repeatable=True, clock=clock)
        token = settings.auth_token.get_secret_value()
        self._messages = Client(settings.account_sid, token, http_client=_Carrier(self._http)).messages
        self._validator = RequestValidator(token)

    async def send(self, message: Message) -> Sent:
        """POST …/Messages.json. `provider_id` is its SID, `detail` its status and how many segments it costs."""
        body = message.content.sms or message.content.text
        if len(body) > MAX_LENGTH:
            raise Unsupported("max_length")
        if not _E164.fullmatch(message.recipient):  # `whatsapp:+…` and the like would leave by another medium
            raise Refused("the recipient is not a phone number in E.164", Reason.BAD_RECIPIENT)
        own = self._settings
        try:
            created = await self._messages.create_async(
                to=message.recipient,
                from_=own.sender or values.unset,
                messaging_service_sid=own.messaging_service_sid or values.unset,
                body=body,
                status_callback=_callback(message) or values.unset,
            )
        except TwilioException as error:
            raise _fate(getattr(error, "status", 0), getattr(error, "code", None)) from None
        except (ValueError, TypeError, AttributeError):  # the library could not read the answer
            raise InDoubt("Twilio answered with a body that says nothing") from None
        if not isinstance(created.sid, str):
            raise InDoubt("Twilio answered without a message SID")
        return Sent(provider_id=created.sid, detail=f"{created.status}, segments: {created.num_segments}"[:200])

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        """The list filters by day and text only: two equal updates could not be told apart. Callbacks echo instead."""
        raise Unsupported("lookup")

    async def check(self) -> str:
        """The account's own record: whether the login holds, and whether the account may send."""
        own = self._settings
        auth = (own.account_sid, own.auth_token.get_secret_value())
        response = await self._reads.send("GET", f"/2010-04-01/Accounts/{segment(own.account_sid)}.json", auth=auth)
        if not response.is_success:
            raise Misconfigured(f"Twilio answered {response.status_code}: check {_PREFIX}ACCOUNT_SID and _AUTH_TOKEN")
        account = self._reads.read(_Account, response)
        if account.status != "active":
            raise Misconfigured(f"the account is not active but {account.status[:40]}: check {_PREFIX}ACCOUNT_SID")
        trial = " on trial: it writes to verified numbers only" if account.type == "Trial" else ""
        return f"the account is active{trial}"

    async def verify(self, request: RawRequest) -> None:
        """HMAC-SHA1 over the public URL and the form, with or without the port. It has no time: ids catch replays."""
        given = request.headers.get("x-twilio-signature", "")
        try:
            form, url = _Form(request.body), urlparse(request.url)
            expected = [self._validator.compute_signature(variant(url), form) for variant in (remove_port, add_port)]
        except ValueError:
            raise BadSignature("neither the address nor the form is one that Twilio could have signed") from None
        if not any(same(candidate, given) for candidate in expected):
            raise BadSignature("the Twilio signature does not fit")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        """The one status in a callback, or the one message that somebody wrote to our number (the same URL takes both).

        A status's id is message and status, for Twilio may repeat and reorder; a message's is its own.
        """
        form = _Form(request.body)
        sid, status = form.first("MessageSid"), form.first("MessageStatus")
        if sid and status:
            return [self._status(form, sid, status, request)]
        if sid and form.first("From") and form.getall("Body"):
            return [self._reply(form, sid, request)]
        raise not_an_event(
            "MessageSid, MessageStatus",
            "neither a status callback nor a message to our number",
            "point StatusCallback and the number's 'a message comes in' at this URL, and nothing else",
        )

    def _status(self, form: _Form, sid: str, status: str, request: RawRequest) -> ChannelEvent:
        code = form.first("ErrorCode")
        meaning, grade = VENDOR_STATUS.get(status, (EvidenceEvent.UNKNOWN, None))
        if code == OPTED_OUT:
            meaning = EvidenceEvent.OPTED_OUT
        return ChannelEvent(
            id=_event_id(sid, status),
            event=meaning,
            grade=grade,
            key=next(iter(parse_qs(urlsplit(request.url).query).get(KEY_PARAMETER, [])), None),
            provider_id=sid,
            occurred_at=self._http.clock(),
            basis=":".join(part for part in (self.name, status[:100], code[:20]) if part),
            raw=_raw(request),
        )

    def _reply(self, form: _Form, sid: str, request: RawRequest) -> ChannelEvent:
        """Words from a person's handset. What Twilio answers itself (STOP, START) is about the number alone."""
        text, kind = form.first("Body")[:MAX_LENGTH], form.first("OptOutType").casefold()
        if opts_out(text) or kind == "stop":
            meaning, grade, word = EvidenceEvent.OPTED_OUT, None, "stop"
            text = text if may_mean_the_order(text) else ""
        elif kind == "start" or text.strip().casefold() in OPTS_IN:
            meaning, grade, word, text = EvidenceEvent.OPTED_IN, None, "start", ""
        else:
            meaning, grade, word = EvidenceEvent.REPLIED, Grade.E4, "reply"
        return ChannelEvent(
            id=_event_id(sid, "reply"),
            event=meaning,
            grade=grade,
            occurred_at=self._http.clock(),
            basis=f"{self.name}:{word}",
            raw=_raw(request),
            sender=form.first("From")[:100],
            text=text or (NO_WORDS if meaning is EvidenceEvent.REPLIED else ""),
        )

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._http.aclose()
        await self._reads.aclose()


def _callback(message: Message) -> str | None:
    """The status callback's URL with our key in its query, which Twilio returns as it is."""
    if not message.status_url:
        return None
    parts = urlsplit(message.status_url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), (KEY_PARAMETER, message.key_text)])
    return urlunsplit(parts._replace(query=query))


def _raw(request: RawRequest) -> str:
    return request.body.decode("utf-8", "replace")[:2_000]


def _event_id(sid: str, status: str) -> str:
    plain = f"{sid}:{status}"
    return plain if len(plain) <= 200 else hashlib.sha256(plain.encode()).hexdigest()


def _fate(status: int, code: int | None) -> Unavailable | Refused | Misconfigured:
    """What Twilio's error code means for us. Its sentence is dropped: it repeats the number."""
    word = str(code or status)
    if code in NOT_NOW:
        return Unavailable(f"Twilio cannot take it now ({word})")
    if code in OURS_TO_MEND or (code not in REFUSED_CODE and status in WRONG_KEY_OR_URL):
        return Misconfigured(f"Twilio refuses us ({word}): check {_PREFIX}ACCOUNT_SID, _AUTH_TOKEN and _SENDER")
    return Refused(f"Twilio refused the message ({word})", REFUSED_CODE.get(code or 0, Reason.OTHER), word)


CHANNEL: ChannelSpec = ChannelSpec(
    description="Text messages through Twilio",
    obtain="Twilio console: Account Info (SID, auth token); Phone Numbers or Messaging > Services",
    settings=TwilioSettings,
    make=lambda: TwilioSms(TwilioSettings()),
    adapter=TwilioSms,
    webhook="Phone Numbers > your number > A message comes in: this URL (POST). Reports of delivery need nothing: "
    "every message names the URL itself.",
    traps=(
        "The signature covers the public URL: ORDERACK_PUBLIC_URL has to be the one that Twilio sees.",
        "A text message is never reported as read; delivered means the handset took it.",
        "STOP is answered by Twilio itself and blocks the number for this sender; START undoes it.",
        "A letter outside the GSM alphabet makes every segment 70 characters long, and costs accordingly.",
    ),
)
