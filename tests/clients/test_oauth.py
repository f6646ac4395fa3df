"""Signing in: one token for all, renewed in time, and no word of it shown to anyone."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from pydantic import JsonValue, SecretStr, TypeAdapter, ValidationError

from orderack.clients import oauth
from orderack.clients.http import Http
from orderack.clients.oauth import RsaKey, SignedIn, Tokens, jwt_assertion
from orderack.errors import InDoubt, Misconfigured, OrderAckError, Unavailable
from tests.conformance.channel import told
from tests.conformance.peer import Answer, CutOff, Peer, Reaction, Silence, closed_port, json_answer, running_peer

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
SETTING = "ORDERACK_SOME_CLIENT_SECRET"
SECRETS = ("s3cret-of-the-client", "t0ken-one", "t0ken-two", "assert10n")
FORM = {"grant_type": "client_credentials", "client_secret": SECRETS[0], "assertion": SECRETS[3]}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def token(text: str, expires_in: JsonValue = 3600) -> Answer:
    body: dict[str, JsonValue] = {"access_token": text, "token_type": "Bearer", "expires_in": expires_in}
    return json_answer(200, {k: v for k, v in body.items() if v is not None})


@asynccontextmanager
async def signing_in(
    *reactions: Reaction, clock: Hands | None = None, auth: tuple[str, str] | None = None
) -> AsyncIterator[tuple[Peer, Tokens]]:
    async with running_peer() as peer:
        peer.will(*reactions)
        hands = clock or Hands()
        tokens = Tokens(
            Http("Some", peer.url, clock=hands), "/token", lambda: FORM, setting=SETTING, auth=auth, clock=hands
        )
        try:
            yield peer, tokens
        finally:
            await tokens.aclose()


async def test_the_form_is_posted_and_the_token_is_kept() -> None:
    async with signing_in(token(SECRETS[1])) as (peer, tokens):
        assert [await tokens.bearer(), await tokens.bearer()] == [SECRETS[1]] * 2
        (request,) = peer.received
        assert (request.method, request.target) == ("POST", "/token")
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert parse_qs(request.body.decode()) == {name: [text] for name, text in FORM.items()}
        assert "authorization" not in request.headers


async def test_the_client_may_prove_itself_with_basic_auth() -> None:
    async with signing_in(token(SECRETS[1]), auth=("me", "pw")) as (peer, tokens):
        await tokens.bearer()
        assert peer.received[0].headers["authorization"] == "Basic bWU6cHc="


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (3600, timedelta(minutes=59)),
        ("3600", timedelta(minutes=59)),
        (None, timedelta(minutes=5)),
        (90, timedelta(seconds=30)),
        (10**30, timedelta(days=1, minutes=-1)),
    ],
)
async def test_a_token_is_renewed_a_minute_before_it_expires(said: JsonValue, kept: timedelta) -> None:
    clock = Hands()
    async with signing_in(token(SECRETS[1], said), token(SECRETS[2]), clock=clock) as (_, tokens):
        await tokens.bearer()
        clock.now += kept - timedelta(seconds=1)
        assert await tokens.bearer() == SECRETS[1]
        clock.now += timedelta(seconds=1)
        assert await tokens.bearer() == SECRETS[2]


@pytest.mark.parametrize("said", [0, -5, 30, 60])
async def test_a_token_that_is_about_to_expire_is_used_once(said: int) -> None:
    async with signing_in(token(SECRETS[1], said), token(SECRETS[2])) as (_, tokens):
        assert await tokens.bearer() == SECRETS[1]
        assert await tokens.bearer() == SECRETS[2]


async def test_a_slow_answer_does_not_lengthen_a_tokens_life() -> None:
    clock = Hands()
    async with signing_in(token(SECRETS[1], 120), token(SECRETS[2]), clock=clock) as (_, tokens):
        asked = asyncio.create_task(tokens.bearer())
        await asyncio.sleep(0)  # the caller starts the sign-in,
        await asyncio.sleep(0)  # which looks at the clock and is under way
        clock.now += timedelta(seconds=60)
        assert await asked == SECRETS[1]
        assert await tokens.bearer() == SECRETS[2]


async def test_callers_at_the_same_time_share_one_request() -> None:
    async with signing_in(token(SECRETS[1])) as (peer, tokens):
        assert await asyncio.gather(*(tokens.bearer() for _ in range(20))) == [SECRETS[1]] * 20
        assert len(peer.received) == 1


async def test_callers_share_a_failure_too_and_the_next_one_asks_anew() -> None:
    async with signing_in(Answer(503), token(SECRETS[1])) as (peer, tokens):
        failed = await asyncio.gather(*(tokens.bearer() for _ in range(5)), return_exceptions=True)
        assert {type(error) for error in failed} == {Unavailable}
        assert len(peer.received) == 1
        assert await tokens.bearer() == SECRETS[1]


async def test_a_caller_who_gives_up_takes_nobody_elses_token_away() -> None:
    async with signing_in(token(SECRETS[1])) as (peer, tokens):
        first, second = asyncio.create_task(tokens.bearer()), asyncio.create_task(tokens.bearer())
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await second == SECRETS[1]
        assert len(peer.received) == 1


async def test_a_sign_in_that_everybody_gave_up_on_is_kept_for_the_next() -> None:
    async with signing_in(token(SECRETS[1])) as (peer, tokens):
        only = asyncio.create_task(tokens.bearer())
        await asyncio.sleep(0)
        only.cancel()
        with pytest.raises(asyncio.CancelledError):
            await only
        assert await tokens.bearer() == SECRETS[1]
        assert len(peer.received) == 1


async def test_who_closes_ends_the_sign_in_and_who_waits_is_told_that_nothing_was_sent() -> None:
    async with signing_in(Silence()) as (_, tokens):
        waiting = asyncio.create_task(tokens.bearer())
        await asyncio.sleep(0.05)
        await tokens.aclose()
        with pytest.raises(Unavailable):
            await waiting


async def test_a_forgotten_token_is_asked_for_anew() -> None:
    async with signing_in(token(SECRETS[1]), token(SECRETS[2])) as (_, tokens):
        await tokens.bearer()
        tokens.forget()
        assert await tokens.bearer() == SECRETS[2]


async def test_a_late_refusal_of_the_old_token_does_not_forget_the_new_one() -> None:
    async with signing_in(token(SECRETS[1]), token(SECRETS[2])) as (peer, tokens):
        old = await tokens.bearer()
        tokens.forget(old)
        new = await tokens.bearer()
        tokens.forget(old)
        assert await tokens.bearer() == new
        assert len(peer.received) == 2


@pytest.mark.parametrize(
    "reaction",
    [
        CutOff(),
        Answer(408),
        Answer(500),
        Answer(503, b'{"error":"server_error"}'),
        json_answer(400, {"error": "temporarily_unavailable"}),
        json_answer(400, {"error": "slow_down"}),
        json_answer(400, {"error": "rate_limit_exceeded"}),
        json_answer(200, {"error": "Access Denied", "status": "failure"}),
        json_answer(400, {"error": "Access Denied", "status": "failure"}),
        Answer(200),
        Answer(200, b"<html>It works!</html>"),
        Answer(200, b"[]"),
        Answer(200, b"null"),
        Answer(200, b"\xff\xfe"),
        json_answer(200, {}),
        json_answer(200, {"access_token": ""}),
        json_answer(200, {"access_token": "two words", "expires_in": 3600}),
        json_answer(200, {"access_token": "line\r\nend", "expires_in": 3600}),
        json_answer(200, {"access_token": SECRETS[1], "expires_in": "soon"}),
        json_answer(200, {"access_token": 7}),
    ],
)
async def test_what_may_pass_is_unavailable_for_nothing_was_sent(reaction: Reaction) -> None:
    async with signing_in(reaction) as (peer, tokens):
        with pytest.raises(Unavailable):
            await tokens.bearer()
        assert len(peer.received) == 1


async def test_a_throttled_sign_in_names_its_delay() -> None:
    async with signing_in(Answer(429, headers={"Retry-After": "7"})) as (_, tokens):
        with pytest.raises(Unavailable) as caught:
            await tokens.bearer()
        assert caught.value.retry_after == timedelta(seconds=7)


async def test_a_silent_endpoint_is_unavailable_before_an_attempts_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(oauth, "SIGN_IN_SECONDS", 0.1)
    async with signing_in(Silence()) as (_, tokens):
        with pytest.raises(Unavailable):
            await tokens.bearer()


async def test_an_endpoint_where_nobody_listens_is_unavailable() -> None:
    tokens = Tokens(Http("Some", f"http://127.0.0.1:{await closed_port()}"), "/token", lambda: FORM, setting=SETTING)
    with pytest.raises(Unavailable):
        await tokens.bearer()
    await tokens.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        json_answer(400, {"error": "invalid_grant", "error_description": "expired"}),
        json_answer(401, {"error": "invalid_client"}),
        json_answer(403, {"error": "access_denied"}),
        json_answer(400, {"error": "something_new"}),
        json_answer(400, {"error": {"code": 7}}),
        json_answer(200, {"error": "invalid_code"}),
        json_answer(200, {"error": "something_new"}),
        Answer(400),
        Answer(404, b"<html>"),
        Answer(302, headers={"Location": "http://127.0.0.1:9/"}),
    ],
)
async def test_who_is_not_let_in_is_told_which_setting_to_check(answer: Answer) -> None:
    async with signing_in(answer) as (peer, tokens):
        with pytest.raises(Misconfigured, match=SETTING):
            await tokens.bearer()
        assert len(peer.received) == 1


async def test_a_known_word_of_the_vendors_is_repeated_and_no_other() -> None:
    shown = []
    for word in ("invalid_grant", SECRETS[0]):
        async with signing_in(json_answer(400, {"error": word, "error_description": SECRETS[0]})) as (_, tokens):
            with pytest.raises(Misconfigured) as caught:
                await tokens.bearer()
            shown.append(told(caught.value))
    assert "invalid_grant" in shown[0]
    assert SECRETS[0] not in "".join(shown)


async def test_nothing_shows_a_token_a_secret_or_an_assertion(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = ""
    echo = ("error_description=" + "&".join(SECRETS)).encode()
    for reaction in (token(SECRETS[1]), Answer(400, echo), Answer(503, echo), Answer(200, echo), CutOff()):
        async with signing_in(reaction) as (_, tokens):
            try:
                await tokens.bearer()
            except OrderAckError as error:
                shown += told(error)
            signed_in = SignedIn(Http("Some", "http://127.0.0.1:9"), tokens)
            shown += repr(tokens) + repr(signed_in) + repr(tokens._token)
            await signed_in.aclose()
    shown += caplog.text
    assert not [secret for secret in SECRETS if secret in shown]


@asynccontextmanager
async def signed_in(logins: list[Reaction], answers: list[Reaction]) -> AsyncIterator[tuple[Peer, Peer, SignedIn]]:
    async with running_peer() as api, signing_in(*logins) as (login, tokens):
        api.will(*answers)
        client = SignedIn(Http("Some", api.url), tokens, scheme="Zoho-oauthtoken")
        try:
            yield login, api, client
        finally:
            await client.aclose()


async def test_a_request_carries_the_token_in_the_vendors_scheme() -> None:
    async with signed_in([token(SECRETS[1])], [Answer(200)]) as (_, api, client):
        response = await client.send("POST", "/x", content=b"body", headers={"Authorization": "none", "X-Own": "1"})
        assert response.status_code == 200
        (request,) = api.received
        assert request.headers["authorization"] == f"Zoho-oauthtoken {SECRETS[1]}"
        assert (request.method, request.target, request.body, request.headers["x-own"]) == ("POST", "/x", b"body", "1")


async def test_after_a_401_it_signs_in_once_and_asks_again() -> None:
    async with signed_in([token(SECRETS[1]), token(SECRETS[2])], [Answer(401), Answer(200)]) as (login, api, client):
        assert (await client.send("POST", "/x", content=b"body")).status_code == 200
        assert len(login.received) == 2
        first, second = api.received
        assert first.body == second.body
        assert SECRETS[2] in second.headers["authorization"]


async def test_a_second_401_is_the_answer() -> None:
    async with signed_in([token(SECRETS[1])], [Answer(401)]) as (login, api, client):
        assert (await client.send("GET", "/x")).status_code == 401
        assert (len(login.received), len(api.received)) == (2, 2)


async def test_a_401_to_many_at_once_makes_one_sign_in() -> None:
    refused: list[Reaction] = [Answer(401)] * 5
    async with signed_in([token(SECRETS[1]), token(SECRETS[2])], [*refused, Answer(200)]) as (login, _, client):
        answers = await asyncio.gather(*(client.send("GET", "/x") for _ in range(5)))
        assert [answer.status_code for answer in answers] == [200] * 5
        assert len(login.received) == 2


async def test_a_401_that_came_late_leaves_the_second_send_to_the_next_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(oauth, "AGAIN_WITHIN", -1.0)
    async with signed_in([token(SECRETS[1]), token(SECRETS[2])], [Answer(401), Answer(200)]) as (_, api, client):
        with pytest.raises(Unavailable):
            await client.send("POST", "/x")
        assert len(api.received) == 1
        await client.send("POST", "/x")
        assert SECRETS[2] in api.received[-1].headers["authorization"]


async def test_what_is_cut_off_after_it_was_sent_stays_in_doubt() -> None:
    async with signed_in([token(SECRETS[1])], [CutOff()]) as (_, api, client):
        with pytest.raises(InDoubt):
            await client.send("POST", "/x")
        assert len(api.received) == 1


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, how: KeySerializationEncryption | None = None) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how or NoEncryption()).decode()


def claims(assertion: str) -> Mapping[str, object]:
    read: Mapping[str, object] = jwt.decode(
        assertion, KEY.public_key(), algorithms=["RS256"], audience="https://login.example.com", options=UNTIMED
    )
    return read


UNTIMED: jwt.types.Options = {"verify_exp": False, "verify_iat": False}


def test_an_assertion_says_who_for_whom_and_until_when() -> None:
    assertion = jwt_assertion(
        issuer="the-client",
        subject="robot@example.com",
        audience="https://login.example.com",
        scope="api",
        key_pem=pem(KEY),
        clock=lambda: NOW,
        lifetime=timedelta(minutes=2),
    )
    assert jwt.get_unverified_header(assertion) == {"alg": "RS256", "typ": "JWT"}
    assert claims(assertion) == {
        "iss": "the-client",
        "sub": "robot@example.com",
        "aud": "https://login.example.com",
        "scope": "api",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 120,
    }


def test_what_is_not_given_is_not_claimed() -> None:
    said = jwt_assertion(issuer="me", audience="https://login.example.com", key_pem=pem(KEY), clock=lambda: NOW)
    assert set(claims(said)) == {"iss", "aud", "iat", "exp"}


async def test_each_sign_in_signs_a_new_assertion_over_its_own_time() -> None:
    clock = Hands()

    def form() -> Mapping[str, str]:
        return {"assertion": jwt_assertion(issuer="me", audience="a", key_pem=pem(KEY), clock=clock)}

    async with running_peer() as peer:
        peer.will(token(SECRETS[1]))
        tokens = Tokens(Http("Some", peer.url), "/token", form, setting=SETTING, clock=clock)
        await tokens.bearer()
        clock.now += timedelta(hours=2)
        await tokens.bearer()
        await tokens.aclose()
        first, second = (request.body for request in peer.received)
        assert first != second


@pytest.mark.parametrize("written", ["{}", "  {}\n\n", "one line"])
def test_a_private_key_is_read_as_people_write_it(written: str) -> None:
    text = pem(KEY).replace("\n", "\\n") if written == "one line" else written.format(pem(KEY))
    key = TypeAdapter(RsaKey).validate_python(SecretStr(text)).get_secret_value()
    assert key == pem(KEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        pem(KEY, BestAvailableEncryption(b"passphrase")),
        pem(KEY)[:-60],
    ],
)
def test_what_is_no_usable_private_key_is_refused_with_the_settings(text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(RsaKey).validate_python(SecretStr(text))
    assert "not an RSA private key" in str(caught.value)
    assert "MII" not in str(caught.value)
