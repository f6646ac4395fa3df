"""What comes in: the body within its limits, the caller's key, and the request as a signature check needs it."""

import asyncio
from datetime import timedelta

from fastapi import Request
from pydantic import ValidationError

from orderack.gateway.failures import Denied
from orderack.gateway.keys import Grant
from orderack.gateway.parts import GatewayParts
from orderack.ports import RawRequest

MAX_BYTES = 256 * 1024
MAX_BATCH = 1024 * 1024
"""Of a provider's report: SendGrid is said to post batches of up to 768 KB; one refused would be lost for good."""

PATIENCE = timedelta(seconds=20)
"""For the whole body."""


async def read_body(request: Request, limit: int = MAX_BYTES) -> bytes:
    """The raw body: bytes are counted as they come, whatever `Content-Length` says.

    413, 408 when it comes too slowly, 415 when it is compressed.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Denied(415, "unsupported_encoding", "Send the body uncompressed (no Content-Encoding).")
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise Denied(413, "too_large", f"The body is larger than {limit // 1024} KiB.")
    except TimeoutError:
        raise Denied(408, "too_slow", "The body did not come in time. Send it again.") from None
    return bytes(body)


async def read_json(request: Request, limit: int = MAX_BYTES) -> bytes:
    """The raw body of a request that says it is JSON; else 415. It is not parsed yet."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Denied(415, "unsupported_type", "Send JSON with Content-Type: application/json.")
    return await read_body(request, limit)


def presented_keys(request: Request) -> tuple[str, ...]:
    """The API keys that a request shows, as they stand there."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    bearer = key.strip() if scheme.lower() == "bearer" else ""
    return tuple(found for found in (bearer, request.headers.get("x-api-key", "")) if found)


def grants(request: Request, parts: GatewayParts) -> tuple[Grant, ...]:
    """What the caller's key opens; empty without a key or with an unknown one."""
    return next((found for key in presented_keys(request) if (found := parts.keys.of(key))), ())


def demand_store(request: Request, parts: GatewayParts, store: str) -> Grant:
    """The caller's grant for this store: 401 without a key, 404 for no such store, 403 for somebody else's."""
    held = grants(request, parts)
    if not held:
        raise Denied(401, "no_key", "Send your API key: `Authorization: Bearer <key>` or `X-Api-Key: <key>`.")
    if store not in parts.stores:
        raise Denied(404, "store_unknown", "We have no such store.")
    for grant in held:
        if grant.store == store:
            return grant
    raise Denied(403, "wrong_store", "Your key is for another store.")


def raw_request(request: Request, body: bytes, parts: GatewayParts) -> RawRequest:
    """The request as its sender signed it: public URL, lower-case headers, raw bytes."""
    path = request.scope["raw_path"].decode("ascii", "replace").partition("?")[0]
    query = request.scope["query_string"].decode("ascii", "replace")
    url = parts.public_url.rstrip("/") + path + (f"?{query}" if query else "")
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    try:
        return RawRequest(method=request.method, url=url, headers=headers, body=body)
    except ValidationError:
        raise Denied(414, "address_too_long", "The address is too long.") from None
