"""Google's tokens: a good one passes, and every way to make another is refused without asking Google for much."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm
from pydantic import JsonValue

from orderack.clients import google_jwt
from orderack.clients.google_jwt import CHAT, CHAT_KEYS, OIDC_ISSUERS, OIDC_KEYS, GoogleTokens
from orderack.clients.http import Http
from orderack.errors import BadSignature, OrderAckError, Unavailable
from tests.conformance.channel import told
from tests.conformance.peer import Answer, CutOff, Peer, closed_port, json_answer, running_peer

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
AUDIENCE = "https://acks.example.com/webhooks/google_chat"
ISSUER = "https://accounts.google.com"
KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def claims(**change: JsonValue) -> dict[str, JsonValue]:
    """An ID token's claims, as Google Chat sends them; None leaves one out."""
    seconds = int(NOW.timestamp())
    good: dict[str, JsonValue] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "email": CHAT,
        "email_verified": True,
        "iat": seconds - 10,
        "exp": seconds + 3590,
        "sub": "1",
    }
    return {name: value for name, value in (good | change).items() if value is not None}


def bearer(
    of: Mapping[str, JsonValue], key: rsa.RSAPrivateKey = KEY, kid: JsonValue = "one", algorithm: str = "RS256"
) -> str:
    headers = {"kid": kid} if isinstance(kid, str) else {}
    return "Bearer " + jwt.encode(dict(of), key, algorithm=algorithm, headers=headers)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def jwks(**keys: rsa.RSAPrivateKey) -> Answer:
    listed: list[JsonValue] = [
        {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": "RS256"}
        for kid, key in keys.items()
    ]
    listed.append({"kid": "curve", "kty": "EC", "crv": "P-256"})
    return json_answer(200, {"keys": listed}, {"Cache-Control": "public, max-age=20000, must-revalidate"})


def certificates(**keys: rsa.RSAPrivateKey) -> Answer:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, CHAT)])
    listed: dict[str, JsonValue] = {}
    for kid, key in keys.items():
        built = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=16))
        listed[kid] = built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
    return json_answer(200, listed)


@asynccontextmanager
async def google(
    audience: str = AUDIENCE, issuers: frozenset[str] = OIDC_ISSUERS, email: str | None = CHAT, path: str = OIDC_KEYS
) -> AsyncIterator[tuple[Peer, GoogleTokens, Clock]]:
    """Google with one key, and a verifier whose clock can be moved."""
    clock = Clock()
    async with running_peer() as peer:
        http = Http("Google", peer.url, repeatable=True, clock=clock)
        peer.will(jwks(one=KEY))
        yield peer, GoogleTokens(http, path, audience=audience, issuers=issuers, email=email, clock=clock), clock
        await http.aclose()


async def test_a_token_of_google_for_us_passes_and_its_keys_are_fetched_once() -> None:
    async with google() as (peer, tokens, _):
        await tokens.verify(bearer(claims()))
        await tokens.verify(bearer(claims(iss="accounts.google.com")))
        (asked,) = peer.received
        assert (asked.method, asked.target) == ("GET", OIDC_KEYS)


async def test_certificates_serve_as_well_as_bare_keys() -> None:
    async with google("123456789", frozenset({CHAT}), None, CHAT_KEYS) as (peer, tokens, _):
        peer.will(certificates(one=KEY))
        await tokens.verify(bearer(claims(iss=CHAT, aud="123456789", email=None, email_verified=None)))
        assert peer.received[0].target == CHAT_KEYS
        with pytest.raises(BadSignature):
            await tokens.verify(bearer(claims(aud="123456789", email=None, email_verified=None)))


@pytest.mark.parametrize(
    "change",
    [
        {"aud": "https://someone.example.com/webhooks/google_chat"},
        {"aud": AUDIENCE + "/"},
        {"aud": [AUDIENCE, "https://someone.example.com"]},
        {"aud": None},
        {"iss": "https://accounts.example.com"},
        {"iss": CHAT},
        {"iss": None},
        {"email": "chat@system.gserviceaccount.com.example.com"},
        {"email": CHAT.upper()},
        {"email": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"exp": int(NOW.timestamp()) - 60},
        {"exp": str(int(NOW.timestamp()) + 60)},
        {"exp": None},
        {"iat": int(NOW.timestamp()) + 61},
        {"iat": None},
        {"exp": float("nan")},
    ],
)
async def test_a_token_that_google_signed_for_another_purpose_is_refused(change: dict[str, JsonValue]) -> None:
    async with google() as (_, tokens, _):
        with pytest.raises(BadSignature):
            await tokens.verify(bearer(claims(**change)))


@pytest.mark.parametrize("change", [{"exp": int(NOW.timestamp()) - 59}, {"iat": int(NOW.timestamp()) + 60}])
async def test_a_clock_may_be_a_minute_off(change: dict[str, JsonValue]) -> None:
    async with google() as (_, tokens, _):
        await tokens.verify(bearer(claims(**change)))


async def test_time_is_told_by_our_own_clock() -> None:
    async with google() as (_, tokens, clock):
        token = bearer(claims())
        await tokens.verify(token)
        clock.now += timedelta(hours=1, seconds=60)
        with pytest.raises(BadSignature):
            await tokens.verify(token)


def forged() -> list[str]:
    """Tokens that another could make, knowing all that Google publishes."""
    body = part(claims())
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    own = RSAAlgorithm.to_jwk(OTHER_KEY.public_key(), as_dict=True)
    secret_of = base64.urlsafe_b64encode
    mac = jwt.api_jws.PyJWS().get_algorithm_by_name("HS256")
    signed = f"{part({'alg': 'HS256', 'kid': 'one'})}.{body}"
    hs256 = f"{signed}.{secret_of(mac.sign(signed.encode(), pem)).rstrip(b'=').decode()}"
    good = bearer(claims()).removeprefix("Bearer ")
    head, payload, signature = good.split(".")
    curve = jwt.encode(claims(), ec.generate_private_key(ec.SECP256R1()), "ES256", {"kid": "curve"})
    return [
        f"{part({'alg': 'none', 'kid': 'one'})}.{body}.",
        f"{part({'alg': 'none', 'kid': 'one'})}.{body}.AA",
        f"{part({'alg': 'None', 'kid': 'one'})}.{body}.{signature}",
        hs256,
        curve,
        bearer(claims(), OTHER_KEY).removeprefix("Bearer "),
        bearer(claims(), KEY, algorithm="RS512").removeprefix("Bearer "),
        bearer(claims(), KEY, algorithm="PS256").removeprefix("Bearer "),
        bearer(claims(), KEY, kid=None).removeprefix("Bearer "),
        jwt.encode(
            claims(), OTHER_KEY, "RS256", {"kid": "one", "jwk": own, "jku": "https://attacker.example.com/keys"}
        ),
        jwt.encode(claims(), OTHER_KEY, "RS256", {"jwk": own}),
        jwt.encode(claims(), KEY, "RS256", {"kid": "one", "crit": ["b64"], "b64": False}),
        f"{part({'alg': ['RS256'], 'kid': 'one'})}.{payload}.{signature}",
        f"{part({'alg': 'RS256', 'kid': ['one']})}.{payload}.{signature}",
        f"{head}.{part(claims(sub='2'))}.{signature}",
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature}.{signature}",
        f"{head}.{payload}.{signature[:-4]}",
        f"{part('[' * 3000)}.{payload}.{signature}",
        base64.urlsafe_b64encode(b"[" * 3000).decode() + f".{payload}.{signature}",
        f"{head}.{part([1])}.{signature}",
    ]


@pytest.mark.parametrize("token", forged())
async def test_a_forged_token_is_refused(token: str) -> None:
    async with google() as (_, tokens, _):
        with pytest.raises(BadSignature):
            await tokens.verify(f"Bearer {token}")


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a.b.c d", "Bearer \udcff.é.x", "Bearer " + "a" * 9_000 + ".b.c"],
)
async def test_a_header_that_holds_no_token_costs_no_fetch(header: str) -> None:
    async with google() as (peer, tokens, _):
        with pytest.raises(BadSignature):
            await tokens.verify(header)
        assert peer.received == []


async def test_a_huge_token_is_not_even_read() -> None:
    async with google() as (peer, tokens, _):
        with pytest.raises(BadSignature):
            await tokens.verify(bearer(claims(sub="x" * 1_000_000)))
        assert peer.received == []


async def test_requests_at_once_share_one_fetch() -> None:
    async with google() as (peer, tokens, _):
        await asyncio.gather(*(tokens.verify(bearer(claims(sub=str(n)))) for n in range(20)))
        assert len(peer.received) == 1


async def test_made_up_key_ids_cause_one_fetch_a_minute_and_good_tokens_pass_meanwhile() -> None:
    async with google() as (peer, tokens, clock):
        await tokens.verify(bearer(claims()))

        async def storm() -> None:
            for n in range(30):
                with pytest.raises(BadSignature):
                    await tokens.verify(bearer(claims(), OTHER_KEY, kid=f"forged-{n}"))

        clock.now += timedelta(seconds=59)
        await asyncio.gather(storm(), storm())
        assert len(peer.received) == 1, "the keys are fresh: less than a minute old"
        clock.now += timedelta(seconds=1)
        await asyncio.gather(storm(), storm())
        assert len(peer.received) == 2
        clock.now += timedelta(minutes=1)
        peer.will(CutOff())
        with pytest.raises(Unavailable):
            await tokens.verify(bearer(claims(), OTHER_KEY, kid="forged"))
        clock.now += timedelta(seconds=59)
        await storm()
        assert len(peer.received) == 3
        await tokens.verify(bearer(claims()))


async def test_a_key_that_google_has_just_begun_to_use_is_found() -> None:
    async with google() as (peer, tokens, clock):
        await tokens.verify(bearer(claims()))
        clock.now += timedelta(minutes=2)
        peer.will(jwks(two=OTHER_KEY))
        await tokens.verify(bearer(claims(), OTHER_KEY, kid="two"))
        with pytest.raises(BadSignature):
            await tokens.verify(bearer(claims()))  # its key is withdrawn


@pytest.mark.parametrize(
    ("cache_control", "kept"),
    [
        ("public, max-age=1200, must-revalidate", timedelta(minutes=20)),
        ("max-age=0", google_jwt.SHORTEST),
        ("no-store", google_jwt.USUAL),
        ("", google_jwt.USUAL),
        ("max-age=999999999", google_jwt.LONGEST),
        ("s-maxage=1, x-max-age=2", google_jwt.USUAL),
    ],
)
async def test_keys_are_kept_as_long_as_google_says_within_bounds(cache_control: str, kept: timedelta) -> None:
    async with google() as (peer, tokens, clock):
        peer.will(Answer(200, jwks(one=KEY).body, {"Cache-Control": cache_control}))
        token = bearer(claims(exp=int(NOW.timestamp()) + 1_000_000))
        await tokens.verify(token)
        clock.now = NOW + kept - timedelta(seconds=1)
        await tokens.verify(token)
        assert len(peer.received) == 1
        clock.now = NOW + kept
        await tokens.verify(token)
        assert len(peer.received) == 2


@pytest.mark.parametrize(
    "answer",
    [
        CutOff(),
        Answer(500),
        Answer(503),
        Answer(429),
        Answer(404, b"{}"),
        Answer(302, b"", {"Location": "http://127.0.0.1:9/"}),
        Answer(200, b""),
        Answer(200, b"{}"),
        Answer(200, b'{"keys": []}'),
        Answer(200, b'{"one": "no certificate"}'),
        Answer(200, b'{"keys": [{"kid": "one", "kty": "RSA", "n": "", "e": ""}]}'),
        Answer(200, b'{"keys": [{"kid": "one", "kty": "RSA", "n": "\\u00e9", "e": "AQAB"}]}'),
        Answer(200, b"<html>It works!</html>"),
    ],
)
async def test_without_googles_keys_nothing_passes_and_google_is_left_alone_for_a_moment(
    answer: Answer | CutOff,
) -> None:
    async with google() as (peer, tokens, clock):
        peer.will(answer)
        for _ in range(3):
            with pytest.raises(Unavailable):
                await tokens.verify(bearer(claims()))
        assert len(peer.received) == 1
        clock.now += google_jwt.AFTER_FAILURE
        peer.will(jwks(one=KEY))
        await tokens.verify(bearer(claims()))


async def test_keys_that_have_run_out_are_not_used_while_google_is_away() -> None:
    async with google() as (peer, tokens, clock):
        token = bearer(claims(exp=int(NOW.timestamp()) + 1_000_000))
        await tokens.verify(token)
        clock.now += timedelta(days=2)
        peer.will(Answer(503))
        for _ in range(2):
            with pytest.raises(Unavailable):
                await tokens.verify(token)


async def test_an_unreachable_google_is_unavailable_whatever_the_client_promises() -> None:
    for repeatable in (True, False):
        http = Http("Google", f"http://127.0.0.1:{await closed_port()}", repeatable=repeatable, clock=Clock())
        tokens = GoogleTokens(http, OIDC_KEYS, audience=AUDIENCE, issuers=OIDC_ISSUERS, email=CHAT, clock=Clock())
        with pytest.raises(Unavailable):
            await tokens.verify(bearer(claims()))
        await http.aclose()
    async with running_peer() as peer:
        peer.will(CutOff())
        http = Http("Google", peer.url, clock=Clock())
        tokens = GoogleTokens(http, OIDC_KEYS, audience=AUDIENCE, issuers=OIDC_ISSUERS, email=CHAT, clock=Clock())
        with pytest.raises(Unavailable):
            await tokens.verify(bearer(claims()))
        await http.aclose()


async def test_no_error_shows_the_token() -> None:
    async with google() as (_, tokens, _):
        for header in (bearer(claims(aud="x")), bearer(claims(), OTHER_KEY), bearer(claims(exp=1))):
            with pytest.raises(OrderAckError) as caught:
                await tokens.verify(header)
            assert header.split(".")[1] not in told(caught.value)
            assert AUDIENCE not in told(caught.value)
