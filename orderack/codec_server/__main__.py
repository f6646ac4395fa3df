"""`python -m orderack.codec_server [--host H] [--port P] [--no-login]`: the codec server in the foreground."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address

import httpx
import uvicorn

from orderack.codec_server.access import Access, AnyOf, Everybody, Tokens
from orderack.codec_server.app import CodecParts, create_app
from orderack.codec_server.logins import Logins
from orderack.codec_server.settings import CodecServerSettings
from orderack.errors import Misconfigured
from orderack.settings import Settings
from orderack.telemetry import logs
from orderack.temporal.codec_keys import CodecKeys
from orderack.temporal.ending import end

PORT = 8234
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_WHO = (
    "nobody may ask: set ORDERACK_CODEC_SERVER_TOKENS, or ORDERACK_CODEC_SERVER_ISSUER, _AUDIENCE and _JWKS_URL; "
    "--no-login answers whoever reaches this machine's own address"
)


async def serve(host: str, port: int, *, login: bool) -> None:
    """Serve until SIGINT or SIGTERM. Raises Misconfigured."""
    logs.configure(logs.Form(Settings().log))
    settings, keys = CodecServerSettings(), CodecKeys.configured()
    if not keys.secrets:
        raise Misconfigured(
            "there is no key to open anything with: set ORDERACK_CODEC_KEYS or ORDERACK_CODEC_KEY_FILES"
        )
    if not login and not is_loopback(host):
        raise Misconfigured(f"--no-login is for this machine alone: {host} is reached from others")
    async with httpx.AsyncClient(timeout=5, follow_redirects=False) as http:
        parts = CodecParts(
            keys,
            access=access_of(settings, http) if login else Everybody(),
            origins=tuple(origin.strip().rstrip("/") for origin in settings.origins.split(",") if origin.strip()),
            hosts=("*",) if login else LOOPBACK,
            encodes=settings.encodes,
        )
        config = uvicorn.Config(
            create_app(parts), host=host, port=port, http="h11", access_log=False, log_level="warning",
            server_header=False, proxy_headers=False, log_config=None,
        )  # fmt: skip
        await uvicorn.Server(config).serve()


def access_of(settings: CodecServerSettings, http: httpx.AsyncClient) -> Access:
    """Who may ask. Raises Misconfigured where that is nobody, or half said."""
    doors: list[Access] = []
    if tokens := settings.tokens.get_secret_value().strip():
        doors.append(Tokens.parse(tokens))
    issuer = (settings.issuer, settings.audience, settings.jwks_url)
    if any(issuer):
        if not all(issuer) or not settings.jwks_url.startswith("https://"):
            raise Misconfigured("set ORDERACK_CODEC_SERVER_ISSUER, _AUDIENCE and _JWKS_URL (https) together")
        doors.append(
            Logins(
                http,
                issuer=settings.issuer,
                audience=settings.audience,
                jwks_url=settings.jwks_url,
                claim=settings.claim,
                email_claim=settings.email_claim,
                people=people_of(settings.people),
                now=lambda: datetime.now(UTC),
            )
        )
    if not doors:
        raise Misconfigured(_WHO)
    return AnyOf(doors)


def people_of(text: str) -> tuple[tuple[str, str], ...]:
    """`e-mail:namespace` pairs. Raises Misconfigured, naming the entry's place."""
    found = []
    for place, entry in enumerate((part.strip() for part in text.split(",") if part.strip()), 1):
        person, _, namespace = entry.rpartition(":")
        if not person or not namespace:
            raise Misconfigured(f"ORDERACK_CODEC_SERVER_PEOPLE: entry {place} is not `e-mail:namespace`")
        found.append((person, namespace))
    return tuple(found)


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="orderack.codec_server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--no-login", action="store_true", help="answer whoever reaches this machine's own address")
    chosen = parser.parse_args(arguments)
    try:
        asyncio.run(serve(chosen.host, chosen.port, login=not chosen.no_login))
    except Misconfigured as error:
        sys.stderr.write(f"codec-server: {error}\n")
        end(2)
    end(0)


if __name__ == "__main__":
    main()
