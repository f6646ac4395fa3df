"""Google Chat: the sign-in of a service account, messages in spaces, and the presses of their buttons."""

import json
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from html import unescape
from typing import ClassVar

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from orderack.embedded.sandbox.courier import Webhook
from orderack.embedded.sandbox.faults import Operation, Plan, Target
from orderack.embedded.sandbox.look_alike import KEY_FIELD, Deed, LookAlike, bearer
from orderack.embedded.sandbox.record import Posted
from orderack.embedded.sandbox.state import SandboxState

PROJECT = "123456789012"
EMAIL = "orders@sandbox.iam.gserviceaccount.com"
CHAT = "chat@system.gserviceaccount.com"
SPACE = "spaces/AAAASANDBOX"
SCOPE = "https://www.googleapis.com/auth/chat.bot"
TOKEN_AUDIENCE = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
BYTES_MAX = 32_000
WIDGETS_MAX = 100
KID = "sandbox"
EVENTS = "/webhooks/google_chat"
STATUS = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"} | {
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
CODE = {status: code for code, status in STATUS.items()} | {"FAILED_PRECONDITION": 400, "ALREADY_EXISTS": 409}

_OWN_NAME = re.compile(r"client-[a-z0-9-]{1,56}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Card(BaseModel):
    header: dict[str, JsonValue] = {}
    sections: list[dict[str, JsonValue]]


class CardWithId(_Strict):
    cardId: str = ""
    card: Card


class Post(_Strict):
    """As much of a Message as our kind of app may write."""

    text: str = ""
    cardsV2: list[CardWithId] = []
    thread: dict[str, str] = {}
    fallbackText: str = ""

    def widgets(self) -> list[dict[str, JsonValue]]:
        found: list[dict[str, JsonValue]] = []
        for one in self.cardsV2:
            for section in one.card.sections:
                widgets = section.get("widgets")
                found += [widget for widget in widgets if isinstance(widget, dict)] if isinstance(widgets, list) else []
        return found


@cache
def _key(whose: str) -> rsa.RSAPrivateKey:
    """Made once in a process: it takes a tenth of a second."""
    return rsa.generate_private_key(65537, 2_048)


@cache
def _certificate() -> str:
    """What Chat signs with, as Google publishes it."""
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, CHAT)]), datetime.now(UTC)
    built = x509.CertificateBuilder(name, name, _key("chat").public_key(), 1, now, now + timedelta(days=16))
    return built.sign(_key("chat"), hashes.SHA256()).public_bytes(Encoding.PEM).decode()


class GoogleChat(LookAlike):
    """One project whose app is in every space."""

    target: ClassVar[Target] = Target.GOOGLE_CHAT
    channel: ClassVar[str] = "google_chat"

    def __init__(self, state: SandboxState) -> None:
        super().__init__(state)
        self._token = f"ya29.sandbox-{secrets.token_urlsafe(24)}"
        self._made: dict[str, dict[str, JsonValue]] = {}
        """By request id."""
        self._named: dict[str, str] = {}
        """System name by own name."""

    def routes(self) -> Sequence[BaseRoute]:
        certificates = f"/service_accounts/v1/metadata/x509/{CHAT}"
        return (
            Route("/token", self._sign_in, methods=["POST"]),
            Route(certificates, self._certificates, methods=["GET"]),
            Route("/v1/spaces/{space}", self.endpoint(Operation.LOOKUP, self._space), methods=["GET"]),
            Route("/v1/spaces/{space}/messages", self.endpoint(Operation.SEND, self._create), methods=["POST"]),
        )

    def environment(self, url: str) -> Mapping[str, str]:
        pem = _key("account").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {
            "ORDERACK_GOOGLE_CHAT_CLIENT_EMAIL": EMAIL,
            "ORDERACK_GOOGLE_CHAT_PRIVATE_KEY": pem.decode().replace("\n", "\\n"),
            "ORDERACK_GOOGLE_CHAT_AUDIENCE": PROJECT,
            "ORDERACK_GOOGLE_CHAT_DEFAULT_SPACE": SPACE,
            "ORDERACK_GOOGLE_CHAT_BASE_URL": url,
            "ORDERACK_GOOGLE_CHAT_TOKEN_BASE_URL": url,
            "ORDERACK_GOOGLE_CHAT_KEYS_BASE_URL": url,
        }

    def deed(self, message: Posted, deed: Deed, text: str) -> Webhook | None:
        """A press of the button, or words to the app. Chat reports neither reading nor leaving."""
        if deed not in (Deed.WRITE, Deed.PRESS):
            return None
        space = message.provider_id.partition("/messages/")[0]
        who = {"name": "users/100000000000000000002", "displayName": "Ada Example", "type": "HUMAN"}
        event: dict[str, object] = {
            "type": "CARD_CLICKED" if deed is Deed.PRESS else "MESSAGE",
            "eventTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "message": {"name": message.provider_id, "space": {"name": space}},
            "user": who,
            "space": {"name": space, "type": "ROOM"},
        }
        if deed is Deed.PRESS:
            parameters = [{"key": KEY_FIELD, "value": message.key}]
            event["action"] = {"actionMethodName": "orderack_affirm", "parameters": parameters}
        else:
            event["message"] = {"name": f"{space}/messages/{secrets.token_hex(6)}", "text": text, "sender": who}
        return Webhook(
            name=f"google_chat {event['type']}",
            url=lambda: self.state.callback(EVENTS),
            signed=lambda url: {"Authorization": f"Bearer {_proof()}", "Content-Type": "application/json"},
            body=json.dumps(event).encode(),
        )

    def refused(self, code: str | None) -> Response:
        return _error(CODE.get(code or "", 404), code or "NOT_FOUND")

    def throttled(self, retry_after: int) -> Response:
        return _error(429, "RESOURCE_EXHAUSTED", {"Retry-After": str(retry_after)})

    def failed(self, status: int) -> Response:
        return _error(status, STATUS.get(status, "UNKNOWN"))

    def too_large(self) -> Response:
        return _error(413, "INVALID_ARGUMENT")

    async def _sign_in(self, request: Request) -> Response:
        form = await request.form()
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
        try:
            claims = jwt.decode(
                str(form.get("assertion")),
                _key("account").public_key(),
                algorithms=["RS256"],
                audience=TOKEN_AUDIENCE,
                issuer=EMAIL,
            )
        except jwt.PyJWTError:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        if claims.get("scope") != SCOPE:
            return JSONResponse({"error": "invalid_scope"}, status_code=400)
        return JSONResponse({"access_token": self._token, "expires_in": 3599, "token_type": "Bearer"})

    async def _certificates(self, request: Request) -> Response:
        headers = {"Cache-Control": "public, max-age=20000, must-revalidate, no-transform"}
        return JSONResponse({KID: _certificate()}, headers=headers)

    async def _space(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self._token):
            return _error(401, "UNAUTHENTICATED")
        name = f"spaces/{request.path_params['space']}"
        return JSONResponse({"name": name, "spaceType": "SPACE", "displayName": "Orders"})

    async def _create(self, request: Request, plan: Plan) -> Response:
        if not bearer(request, self._token):
            return _error(401, "UNAUTHENTICATED")
        space, query = f"spaces/{request.path_params['space']}", request.query_params
        request_id, own_name = query.get("requestId", secrets.token_hex(8)), query.get("messageId")
        body = await request.body()
        try:
            post = Post.model_validate_json(body)
        except ValidationError:
            return _error(400, "INVALID_ARGUMENT")
        if len(body) > BYTES_MAX or not _fits(post) or (own_name and not _OWN_NAME.fullmatch(own_name)):
            return _error(400, "INVALID_ARGUMENT")
        if (made := self._made.get(f"{space} {request_id}")) is not None:
            self._record(post, made, request_id, plan, repeated=True)
            return JSONResponse(made)
        if own_name and f"{space}/{own_name}" in self._named:
            return _error(409, "ALREADY_EXISTS")
        made = {
            "name": f"{space}/messages/{secrets.token_urlsafe(8)}.{secrets.token_urlsafe(8)}",
            "createTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "thread": {"name": f"{space}/threads/{secrets.token_urlsafe(8)}"},
            "space": {"name": space},
        }
        self._made[f"{space} {request_id}"] = made
        if own_name:
            made["clientAssignedMessageId"] = own_name
            self._named[f"{space}/{own_name}"] = str(made["name"])
        self._record(post, made, request_id, plan, repeated=False)
        return JSONResponse(made)

    def _record(
        self, post: Post, made: Mapping[str, JsonValue], request_id: str, plan: Plan, *, repeated: bool
    ) -> None:
        name = str(made["name"])
        space, key = name.partition("/messages/")[0], _key_of(post)
        self.state.log.accept(
            self.target,
            Operation.SEND,
            provider_id=name,
            recipient=space,
            key=key,
            idempotency_key=request_id,
            repeated=repeated,
            faults=plan.actions,
        )
        if not repeated:
            words = "\n\n".join((post.text, *_words(post)))
            self.state.outbox.put(
                self.target,
                recipient=space,
                provider_id=name,
                sender=EMAIL,
                text=words,
                key=key,
                buttons=_titles(post),
            )


def _titles(post: Post) -> tuple[str, ...]:
    """The words on the cards' buttons."""
    lists = json.dumps([widget["buttonList"] for widget in post.widgets() if "buttonList" in widget])
    return tuple(json.loads(title) for title in re.findall(r'"text": ("(?:[^"\\]|\\.)*")', lists))


def _fits(post: Post) -> bool:
    return bool(post.text or post.cardsV2) and len(post.widgets()) <= WIDGETS_MAX


def _words(post: Post) -> list[str]:
    """What the cards' paragraphs say, and where their buttons lead."""
    found = []
    for widget in post.widgets():
        paragraph, buttons = widget.get("textParagraph"), widget.get("buttonList")
        found += [unescape(str(paragraph["text"]))] if isinstance(paragraph, dict) and "text" in paragraph else []
        found += re.findall(r'"url": "([^"]+)"', json.dumps(buttons))
    return found


def _key_of(post: Post) -> str | None:
    """The parameter of our button."""
    for widget in post.widgets():
        found = re.search(rf'"key": "{KEY_FIELD}", "value": ("(?:[^"\\]|\\.)*")', json.dumps(widget))
        if found is not None:
            return str(json.loads(found[1]))
    return None


def _proof() -> str:
    """The token by which Chat proves itself to an app whose audience is its project's number."""
    now = int(time.time())
    claims = {"iss": CHAT, "aud": PROJECT, "iat": now, "exp": now + 3600}
    return jwt.encode(claims, _key("chat"), algorithm="RS256", headers={"kid": KID})


def _error(code: int, status: str, headers: Mapping[str, str] | None = None) -> Response:
    body = {"error": {"code": code, "message": "The request was refused.", "status": status}}
    return JSONResponse(body, status_code=code, headers=headers)


LOOK_ALIKE = GoogleChat
