"""The codec server: `POST /decode` and `POST /encode`, as Temporal's remote codec protocol has them.

Payloads go in and come out as protobuf JSON; the namespace stands in `X-Namespace`. Nothing of them is written down.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs

from google.protobuf.json_format import MessageToJson, Parse, ParseError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payload, Payloads

from orderack.codec_server import sign_in
from orderack.codec_server.access import Access, Verb, Verdict, bearer
from orderack.errors import Misconfigured, Unavailable
from orderack.temporal.codec import Sealing
from orderack.temporal.codec_keys import CodecKeys

MAX_BYTES = 8 * 1024 * 1024
"""Temporal keeps no payload of more than 2 MiB; in base64, and a few of them at once."""
PATIENCE = timedelta(seconds=20)
LONGEST_NAMESPACE = 255
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class CodecParts:
    """What the server is made of."""

    keys: CodecKeys
    access: Access
    origins: Sequence[str] = ()
    """Where a browser's page may come from to ask; a page from elsewhere is refused."""
    hosts: Sequence[str] = ("*",)
    """Under which names it may be asked: a name that somebody leads to this machine is none."""
    encodes: bool = False


class Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def create_app(parts: CodecParts) -> Starlette:
    """The app over these parts."""

    async def answer(request: Request) -> Response:
        verb = Verb(request.url.path.rpartition("/")[2])
        try:
            return Response(await _worked(request, parts, verb), media_type="application/json", headers=HEADERS)
        except Refusal as refusal:
            return _refused(refusal)

    async def healthy(request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=HEADERS)

    async def login(request: Request) -> Response:
        if request.method != "POST":
            return sign_in.asks()
        try:
            form = parse_qs((await _body(request, sign_in.LARGEST)).decode("ascii", "replace"))
            token = form.get("token", [""])[0]
            known = await parts.access.verdict(token, Verb.DECODE, "") is not Verdict.UNKNOWN
        except Refusal as refusal:
            return _refused(refusal)
        except Unavailable as error:
            return _refused(Refusal(503, str(error)))
        return sign_in.accepts(token, https=https) if known else sign_in.refuses()

    https = bool(parts.origins) and all(origin.startswith("https://") for origin in parts.origins)
    verbs = (Verb.DECODE, Verb.ENCODE) if parts.encodes else (Verb.DECODE,)
    routes = [Route(f"/{verb}", answer, methods=["POST"]) for verb in verbs]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=list(parts.origins),
        allow_methods=["POST"],
        allow_headers=["authorization", "content-type", "x-namespace"],
        allow_credentials=True,
    )
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=list(parts.hosts), www_redirect=False)
    routes += [Route("/healthz", healthy), Route(sign_in.PATH, login, methods=["GET", "POST"])]
    return Starlette(routes=routes, middleware=[hosts, cors])


async def _worked(request: Request, parts: CodecParts, verb: Verb) -> str:
    namespace = request.headers.get("x-namespace", "")
    await _demand(request, parts, verb, namespace)
    payloads = _payloads(await _body(request))
    sealing = Sealing(parts.keys, namespace)
    done: Iterable[Payload]
    try:
        done = await (sealing.decode(payloads) if verb is Verb.DECODE else sealing.encode(payloads))
    except Misconfigured as error:
        raise Refusal(422, str(error)) from None
    return MessageToJson(Payloads(payloads=done), indent=None)


async def _demand(request: Request, parts: CodecParts, verb: Verb, namespace: str) -> None:
    """Who asks, before anything is read."""
    origin = request.headers.get("origin")
    if origin is not None and origin not in parts.origins:
        raise Refusal(403, "pages of that origin are not answered")
    if not namespace or len(namespace) > LONGEST_NAMESPACE:
        raise Refusal(400, "name the namespace in X-Namespace")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal(415, "send JSON")
    try:
        verdict = await parts.access.verdict(_token(request, origin), verb, namespace)
    except Unavailable as error:
        raise Refusal(503, str(error)) from None
    if verdict is Verdict.UNKNOWN:
        raise Refusal(401, "send a token: `Authorization: Bearer <token>`")
    if verdict is Verdict.NOT_THIS:
        raise Refusal(403, f"this token may not {verb} in that namespace")


def _token(request: Request, origin: str | None) -> str:
    """What the caller shows; a cookie only where the UI's page sent it, for a browser adds it to anybody's request."""
    shown = bearer(request.headers.get("authorization", ""))
    return shown or (request.cookies.get(sign_in.COOKIE, "") if origin is not None else "")


async def _body(request: Request, limit: int = MAX_BYTES) -> bytes:
    """Counted as it comes, whatever `Content-Length` says."""
    if request.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise Refusal(415, "send the body uncompressed")
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise Refusal(413, f"the body is larger than {limit // 1024} KiB")
    except TimeoutError:
        raise Refusal(408, "the body did not come in time") from None
    return bytes(body)


def _payloads(body: bytes) -> Sequence[Payload]:
    try:
        return Parse(body, Payloads(), ignore_unknown_fields=True).payloads
    except (ParseError, ValueError, RecursionError):
        raise Refusal(400, "the body is not Temporal's payloads as JSON") from None


def _refused(refusal: Refusal) -> Response:
    headers = HEADERS | ({"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {})
    return JSONResponse({"message": refusal.message}, refusal.status, headers)
