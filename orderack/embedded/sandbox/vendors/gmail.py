"""Gmail: one mailbox that sends, searches and is written to, and the pushes of Pub/Sub that tell of news."""

import asyncio
import base64
import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as EMAIL
from functools import cache
from typing import ClassVar
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from email_validator import EmailNotValidError, validate_email
from jwt.algorithms import RSAAlgorithm
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Action, Operation, Plan, Target
from orderack.embedded.sandbox.inbox import Inbox, delivery_report, receipt_notice, reply
from orderack.embedded.sandbox.look_alike import KEY_HEADER, Deed, LookAlike, bearer
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState

MAILBOX = "orders@shop.example.com"
AUDIENCE = "https://sandbox.invalid/gmail"
PUSHER = "gmail-push@sandbox.iam.gserviceaccount.com"
EVENTS = "/webhooks/gmail"
KID = "sandbox"
PAGE_MAX = 500
BYTES_MAX = 36_700_160
_ID_QUERY = re.compile(r"rfc822msgid:(\S+)")
_NEWS_QUERY = re.compile(r"after:(\d+)(?: -in:[a-z]+)*")


class Sending(BaseModel):
    """As much of a Message as may be sent."""

    model_config = ConfigDict(extra="forbid")

    raw: str = ""
    threadId: str = ""


@cache
def _key() -> rsa.RSAPrivateKey:
    """Made once in a process: it takes a tenth of a second."""
    return rsa.generate_private_key(65_537, 2_048)


class Gmail(LookAlike):
    """The mailbox of one shop."""

    target: ClassVar[Target] = Target.GMAIL
    channel: ClassVar[str] = "gmail"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = f"ya29.sandbox-{secrets.token_urlsafe(24)}"
        self._client = {
            "client_id": f"{secrets.token_hex(8)}.apps.sandbox.invalid",
            "client_secret": f"GOCSPX-{secrets.token_urlsafe(20)}",
            "refresh_token": f"1//sandbox-{secrets.token_urlsafe(32)}",
        }
        self._id_secret = secrets.token_urlsafe(32)
        self._inbox = Inbox()
        self._sent: dict[str, str] = {}
        """Gmail's id by Message-ID."""

    def routes(self) -> Sequence[BaseRoute]:
        user = "/gmail/v1/users/{user}"
        return (
            Route("/token", self._sign_in, methods=["POST"]),
            Route("/oauth2/v3/certs", self._keys, methods=["GET"]),
            Route(f"{user}/profile", self.endpoint(Operation.LOOKUP, self._profile), methods=["GET"]),
            Route(f"{user}/messages/send", self.endpoint(Operation.SEND, self._send), methods=["POST"]),
            Route(f"{user}/messages", self.endpoint(Operation.LOOKUP, self._list), methods=["GET"]),
            Route(f"{user}/messages/{{id}}", self.endpoint(Operation.LOOKUP, self._get), methods=["GET"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        return {
            "ORDERACK_GMAIL_MAILBOX": MAILBOX,
            "ORDERACK_GMAIL_MESSAGE_ID_SECRET": self._id_secret,
            "ORDERACK_GMAIL_PUSH_AUDIENCE": AUDIENCE,
            "ORDERACK_GMAIL_PUSH_EMAIL": PUSHER,
            "ORDERACK_GMAIL_BASE_URL": url,
            "ORDERACK_GMAIL_TOKEN_URL": f"{url}/token",
            "ORDERACK_GMAIL_KEYS_URL": url,
            **{f"ORDERACK_GMAIL_{name.upper()}": value for name, value in self._client.items()},
        }

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """A reply, or a notice where one was asked for, lies in the mailbox at once; what is posted is the hint."""
        wants_notice = any(name.lower() == "disposition-notification-to" for name, _ in message.headers)
        match deed:
            case Deed.WRITE:
                self._inbox.put(reply(message, text))
            case Deed.OPT_OUT:
                self._inbox.put(reply(message, text or "unsubscribe"))
            case Deed.READ if wants_notice:
                self._inbox.put(receipt_notice(message))
            case _:
                return None
        return self._push()

    def refused(self, code: str | None) -> Response:
        """A status, a reason of Google's, or no code: the recipient's address is at fault."""
        if code is not None and code.isdecimal():
            return _error(int(code), "forbidden" if code == "403" else "invalidArgument")
        return _error(400, code or "invalidArgument", "Invalid To header" if code is None else "")

    def throttled(self, retry_after: int) -> Response:
        headers = {"Retry-After": str(retry_after)}
        return _error(429, "rateLimitExceeded", "User-rate limit exceeded.", headers)

    def failed(self, status: int) -> Response:
        return _error(status, "backendError")

    def too_large(self) -> Response:
        return _error(413, "uploadTooLarge")

    async def words(self, request: Request) -> str:
        """The mail itself as well, which travels encoded."""
        found = await super().words(request)
        mail = _decoded(await request.body()) if request.method == "POST" else None
        return (
            found if mail is None else "\n".join((found, str(mail["To"]), str(mail["Subject"]), _text(mail, "plain")))
        )

    async def _sign_in(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        if form.get("grant_type") != "refresh_token":
            return JSONResponse({"error": "unsupported_grant_type"}, 400)
        if any(form.get(name) != value for name, value in self._client.items()):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": self._token, "expires_in": 3_599, "token_type": "Bearer"})

    async def _keys(self, request: Request) -> Response:
        jwk = RSAAlgorithm.to_jwk(_key().public_key(), as_dict=True)
        return JSONResponse({"keys": [{**jwk, "kid": KID, "use": "sig", "alg": "RS256"}]})

    def _stranger(self, request: Request) -> Response | None:
        if not bearer(request, self._token):
            return _error(401, "authError", "Invalid Credentials")
        if request.path_params["user"] not in (MAILBOX, "me"):
            return _error(403, "forbidden", "Delegation denied")
        return None

    async def _profile(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        count = len(self._sent) + len(self._inbox.letters)
        return JSONResponse({"emailAddress": MAILBOX, "messagesTotal": count, "threadsTotal": count, "historyId": "1"})

    async def _send(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        mail = _decoded(await request.body())
        if mail is None:
            return _error(400, "invalidArgument", "'raw' RFC822 payload message string or uploading message required")
        recipients = [address.addr_spec for address in getattr(mail["To"], "addresses", ())]
        if not recipients:
            return _error(400, "invalidArgument", "Recipient address required")
        if not all(_valid(recipient) for recipient in recipients):
            return _error(400, "invalidArgument", "Invalid To header")
        gmails_id = secrets.token_hex(8)
        message_id = str(mail["Message-ID"] or f"<{gmails_id}@mail.gmail.com>")
        self._sent[message_id] = gmails_id
        for recipient in recipients:
            self._record(mail, recipient, message_id, plan)
        return JSONResponse({"id": gmails_id, "threadId": gmails_id, "labelIds": ["SENT"]})

    def _record(self, mail: EmailMessage, recipient: str, message_id: str, plan: Plan) -> None:
        key = str(mail[KEY_HEADER]) if mail[KEY_HEADER] else None
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=message_id,
            recipient=recipient,
            key=key,
            faults=plan.actions,
        )
        posted = self.state.outbox.put(
            self.target,
            recipient=recipient,
            sender=MAILBOX,  # whatever From says: Gmail sends as the mailbox
            provider_id=message_id,
            subject=str(mail["Subject"] or ""),
            text=_text(mail, "plain"),
            html=_text(mail, "html") or None,
            key=key,
            headers=tuple((name, str(value)) for name, value in mail.items()),
        )
        if plan.happens(Action.BOUNCE):
            code = (plan.aftermath and plan.aftermath.code) or "5.1.1"
            self.state.courier.start(self._bounce(posted, code))

    async def _bounce(self, message: Posted, code: str) -> None:
        await asyncio.sleep(self.state.behaviour.delivered_after)
        self._inbox.put(delivery_report(message, "failed", code))
        self.state.announce(self._push(), Plan())

    async def _list(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        query = request.query_params
        found = self._found(query.get("q", ""))
        if found is None:
            return _error(400, "invalidArgument", "the sandbox knows no such query")
        first, most = int(query.get("pageToken", "0")), min(int(query.get("maxResults", "100")), PAGE_MAX)
        page = found[first : first + most]
        told = {"messages": [{"id": one, "threadId": one} for one in page]} if page else {}
        rest = {"nextPageToken": str(first + most)} if len(found) > first + most else {}
        return JSONResponse({**told, **rest, "resultSizeEstimate": len(found)})

    def _found(self, query: str) -> list[str] | None:
        """The newest first. Two kinds of query are known: by Message-ID, and what came since a second."""
        if by_id := _ID_QUERY.fullmatch(query):
            gmails_id = self._sent.get(f"<{by_id[1]}>")
            return [gmails_id] if gmails_id else []
        if news := _NEWS_QUERY.fullmatch(query):
            since = datetime.fromtimestamp(int(news[1]), UTC)
            return [letter.id for letter in reversed(self._inbox.since(since))]
        return None

    async def _get(self, request: Request, plan: Plan) -> Response:
        if (stranger := self._stranger(request)) is not None:
            return stranger
        letter = self._inbox.get(request.path_params["id"])
        if letter is None or request.query_params.get("format") != "raw":
            return _error(404, "notFound", "Requested entity was not found.")
        raw = base64.urlsafe_b64encode(letter.raw).decode()
        at = str(int(letter.at.timestamp() * 1_000))
        told = {"id": letter.id, "threadId": letter.id, "labelIds": ["INBOX"], "historyId": "1", "internalDate": at}
        return JSONResponse({**told, "sizeEstimate": len(letter.raw), "raw": raw})

    def _push(self) -> Webhook:
        news = base64.b64encode(json.dumps({"emailAddress": MAILBOX, "historyId": 1}).encode()).decode()
        body = {
            "message": {"data": news, "messageId": secrets.token_hex(8)},
            "subscription": "projects/x/subscriptions/y",
        }
        return Webhook(
            name="gmail push",
            url=lambda: self.state.callback(EVENTS),
            signed=lambda url: {"Content-Type": "application/json", "Authorization": f"Bearer {_push_token()}"},
            body=json.dumps(body).encode(),
        )


def _push_token() -> str:
    now = int(time.time())
    who = {"iss": "https://accounts.google.com", "aud": AUDIENCE, "email": PUSHER, "email_verified": True, "sub": "1"}
    return jwt.encode({**who, "iat": now, "exp": now + 3_600}, _key(), algorithm="RS256", headers={"kid": KID})


def _decoded(body: bytes) -> EmailMessage | None:
    """The mail in a request to send; None where there is none."""
    try:
        raw = Sending.model_validate_json(body).raw
        data = base64.b64decode(raw.replace("-", "+").replace("_", "/") + "=" * (-len(raw) % 4), validate=True)
    except (ValidationError, ValueError):
        return None
    return message_from_bytes(data, _class=EmailMessage, policy=EMAIL) if data and len(data) <= BYTES_MAX else None


def _text(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body(preferencelist=(kind,))
    try:
        return str(part.get_content()) if part is not None else ""
    except (LookupError, UnicodeError):
        return ""


def _valid(email: str) -> bool:
    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return False
    return True


def _error(status: int, reason: str, message: str = "", headers: Mapping[str, str] | None = None) -> Response:
    item = {"message": message or reason, "domain": "global", "reason": reason}
    error = {"code": status, "message": message or reason, "errors": [item]}
    return JSONResponse({"error": error}, status, headers=headers)


LOOK_ALIKE = Gmail
