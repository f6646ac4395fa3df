"""The codec server: it opens what is sealed for whoever may see it, and says nothing to anybody else."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload, Payloads

from orderack.codec_server.__main__ import access_of, is_loopback, people_of, serve
from orderack.codec_server.access import Access, AnyOf, Everybody, Tokens, Verb, Verdict
from orderack.codec_server.app import MAX_BYTES, CodecParts, create_app
from orderack.codec_server.logins import Logins
from orderack.codec_server.settings import CodecServerSettings
from orderack.errors import Misconfigured
from orderack.temporal.codec import is_sealed
from orderack.temporal.codec_keys import CodecKeys
from tests.temporal.test_codec import NEW, OLD, sealed

UI = "https://temporal.example"
TOKEN = "a-token-of-the-order-desk"
OTHERS = "a-token-for-another-namespace"


def triple(token: str, namespace: str) -> str:
    return f"desk:{namespace}:{hashlib.sha256(token.encode()).hexdigest()}"


TOKENS = Tokens.parse(f"{triple(TOKEN, 'shop')},{triple(OTHERS, 'another')}")


def parts(access: Access = TOKENS, *, encodes: bool = False, hosts: Sequence[str] = ("*",)) -> CodecParts:
    return CodecParts(CodecKeys.parse(f"{NEW},{OLD}"), access, (UI,), hosts, encodes)


@asynccontextmanager
async def asking(made: CodecParts | None = None, base: str = "http://codec") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(made or parts()))
    async with httpx.AsyncClient(transport=transport, base_url=base) as http:
        yield http


def headers(token: str = TOKEN, namespace: str = "shop", **more: str) -> dict[str, str]:
    told = {"X-Namespace": namespace, "Content-Type": "application/json", **more}
    return told | ({"Authorization": f"Bearer {token}"} if token else {})


def body(*payloads: Payload) -> str:
    return json.dumps(MessageToDict(Payloads(payloads=payloads)))


def read(answer: httpx.Response) -> list[bytes]:
    return [base64.b64decode(payload.get("data", "")) for payload in answer.json()["payloads"]]


@pytest.mark.parametrize("path", ["/decode", "/decode?preserveStorageRefs=true"])
async def test_sealed_payloads_are_opened_whichever_key_sealed_them_and_plain_ones_are_left(path: str) -> None:
    """The UI of 2.54 asks with a query (facts/temporal.md §2.4)."""
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b"plain")
    async with asking() as http:
        answer = await http.post(path, content=body(await sealed(OLD), plain, await sealed(NEW)), headers=headers())
    assert answer.status_code == 200
    assert read(answer) == [b"Ada Example", b"plain", b"Ada Example"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("token", "namespace", "status"),
    [
        ("", "shop", 401),
        ("guess", "shop", 401),
        (TOKEN.upper(), "shop", 401),
        (TOKEN + "x", "shop", 401),
        (OTHERS, "shop", 403),
        (TOKEN, "another", 403),
        (TOKEN, "", 400),
        (TOKEN, "x" * 300, 400),
    ],
)
async def test_nothing_is_opened_without_a_token_for_that_namespace(token: str, namespace: str, status: int) -> None:
    async with asking() as http:
        answer = await http.post("/decode", content=body(await sealed(NEW)), headers=headers(token, namespace))
    assert answer.status_code == status
    assert "Ada" not in answer.text


async def test_a_token_for_one_namespace_opens_nothing_of_another_that_is_passed_off_as_its_own() -> None:
    stolen = await sealed(NEW, namespace="another")
    async with asking() as http:
        answer = await http.post("/decode", content=body(stolen), headers=headers())
    assert answer.status_code == 422
    assert "payloads" not in answer.json()


@pytest.mark.parametrize("scheme", ["", "Basic ", "Token ", "bearer", "Bearer\t"])
async def test_a_token_in_another_dress_is_none(scheme: str) -> None:
    told = headers("") | {"Authorization": f"{scheme}{TOKEN}"}
    async with asking() as http:
        assert (await http.post("/decode", content="{}", headers=told)).status_code == 401


async def test_it_only_reads_unless_told_to_seal_as_well() -> None:
    plain = body(Payload(metadata={"encoding": b"json/plain"}, data=b'"a"'))
    async with asking() as http:
        assert (await http.post("/encode", content=plain, headers=headers())).status_code == 404
    async with asking(parts(encodes=True)) as http:
        answer = await http.post("/encode", content=plain, headers=headers())
        (made,) = answer.json()["payloads"]
        payload = Payload(
            metadata={name: base64.b64decode(value) for name, value in made["metadata"].items()},
            data=base64.b64decode(made["data"]),
        )
        assert is_sealed(payload)
        back = await http.post("/decode", content=body(payload), headers=headers())
        assert read(back) == [b'"a"']
        assert (await http.post("/encode", content=plain, headers=headers(OTHERS))).status_code == 403


async def test_only_the_uis_page_may_ask_from_a_browser() -> None:
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-namespace,authorization"}
    async with asking() as http:
        allowed = await http.options("/decode", headers={"Origin": UI, **preflight})
        assert allowed.headers["access-control-allow-origin"] == UI
        assert "x-namespace" in allowed.headers["access-control-allow-headers"].lower()
        answer = await http.post("/decode", content=body(await sealed(NEW)), headers=headers(Origin=UI))
        assert answer.headers["access-control-allow-origin"] == UI
        for origin in (
            "https://evil.example",
            "https://temporal.example.evil.example",
            "http://temporal.example",
            "null",
        ):
            refused = await http.options("/decode", headers={"Origin": origin, **preflight})
            assert "access-control-allow-origin" not in refused.headers
            answer = await http.post("/decode", content=body(await sealed(NEW)), headers=headers(Origin=origin))
            assert (answer.status_code, "Ada" in answer.text) == (403, False)


async def test_without_a_login_it_answers_to_this_machines_own_names_alone() -> None:
    """A page whose name is led to 127.0.0.1 is of the same origin, and shows its own name."""
    made = parts(Everybody(), hosts=("127.0.0.1", "localhost"))
    for base, status in (("http://127.0.0.1:8234", 200), ("http://localhost:8234", 200), ("http://evil.example", 400)):
        async with asking(made, base) as http:
            answer = await http.post("/decode", content=body(await sealed(NEW)), headers=headers(""))
            assert answer.status_code == status


@pytest.mark.parametrize(
    ("content", "more", "status"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b'{"payloads": {"a": 1}}', {}, 400),
        (b'{"payloads": [7]}', {}, 400),
        (b'{"payloads":' + b"[" * 50_000, {}, 400),
        (b'{"payloads": [{"data": ' + b"9" * 5_000 + b"}]}", {}, 400),
        (b"\xff\xfe", {}, 400),
        (b" " * (MAX_BYTES + 1), {}, 413),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Encoding": "gzip"}, 415),
    ],
)
async def test_a_body_that_is_none_is_refused_in_words(content: bytes, more: Mapping[str, str], status: int) -> None:
    async with asking() as http:
        answer = await http.post("/decode", content=content, headers=headers(**more))
    assert answer.status_code == status
    assert set(answer.json()) == {"message"}


@given(st.binary(max_size=300), st.dictionaries(st.text(max_size=20), st.binary(max_size=40), max_size=4))
async def test_whatever_calls_itself_sealed_is_opened_or_refused(data: bytes, metadata: dict[str, bytes]) -> None:
    payload = Payload(metadata={**metadata, "encoding": b"binary/encrypted"}, data=data)
    async with asking() as http:
        answer = await http.post("/decode", content=body(payload), headers=headers())
    assert answer.status_code == 422


async def test_a_stranger_is_turned_away_before_the_body_is_read() -> None:
    async def endless() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    async with asking() as http:
        answer = await http.post("/decode", content=endless(), headers=headers("guess"))
    assert answer.status_code == 401


async def test_it_is_healthy_without_a_token_and_has_no_other_page() -> None:
    async with asking() as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        assert (await http.get("/decode", headers=headers())).status_code == 405
        for path in ("/", "/docs", "/openapi.json", "/decode/../encode", "//decode", "/decode/"):
            assert (await http.get(path)).status_code in (404, 405, 307), path


async def test_nothing_of_what_it_opens_is_written_down(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with asking() as http:
        await http.post("/decode", content=body(await sealed(NEW)), headers=headers())
        await http.post("/decode", content=b"Ada Example", headers=headers())
    written = [record.getMessage() for record in caplog.records if not record.name.startswith("hypothesis")]
    assert not any("Ada" in line or TOKEN in line for line in written)


def test_a_token_that_will_not_do_is_named_by_its_place_and_never_shown() -> None:
    for entry in (f"desk:shop:{TOKEN}", "desk", f"::{'0' * 64}"):
        with pytest.raises(Misconfigured) as refused:
            Tokens.parse(f"{triple(TOKEN, 'shop')}, {entry}")
        assert "entry 2" in str(refused.value)
        assert TOKEN not in str(refused.value)


# -- logins of the UI -----------------------------------------------------------------------------------------------

EMAIL = "https://saas-api.tmprl.cloud/user/email"
ISSUER, AUDIENCE = "https://login.example/", "temporal-ui"
KEY, STRANGERS = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


class Issuer:
    """Its public keys over HTTP, and how often they were asked for."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.content: bytes | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
        content = self.content if self.content is not None else json.dumps({"keys": [jwk | {"kid": "k1"}]}).encode()
        return httpx.Response(self.status, content=content)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


def logins(issuer: Issuer, later: timedelta = timedelta()) -> Logins:
    http = httpx.AsyncClient(transport=httpx.MockTransport(issuer))
    return Logins(
        http,
        issuer=ISSUER,
        audience=AUDIENCE,
        jwks_url="https://login.example/keys",
        claim="permissions",
        email_claim=EMAIL,
        people=people_of("ada@example.com:shop, grace@example.com:another"),
        now=lambda: datetime.now(UTC) + later,
    )


def login(key: object = KEY, kid: str = "k1", algorithm: str = "RS256", **changed: object) -> str:
    now = datetime.now(UTC)
    claims: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "iat": now,
        "exp": now + timedelta(minutes=5),
        "permissions": ["shop:read"],
    }
    kept = {name: value for name, value in (claims | changed).items() if value is not None}
    return jwt.encode(kept, key, algorithm=algorithm, headers={"kid": kid})  # type: ignore[arg-type]


def by_hand(algorithm: str, sign: Callable[[bytes], bytes]) -> str:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": 4_000_000_000, "permissions": ["shop:read"]}
    told = ({"alg": algorithm, "kid": "k1"}, claims)
    signed = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in told)
    return (signed + b"." + base64.urlsafe_b64encode(sign(signed)).rstrip(b"=")).decode()


async def test_a_login_opens_what_it_may_read_and_seals_where_it_may_write(issuer: Issuer) -> None:
    door = logins(issuer)
    assert await door.verdict(login(), Verb.DECODE, "shop") is Verdict.YES
    assert await door.verdict(login(), Verb.ENCODE, "shop") is Verdict.NOT_THIS
    assert await door.verdict(login(), Verb.DECODE, "another") is Verdict.NOT_THIS
    for held, verb, verdict in (
        (["shop:write"], Verb.ENCODE, Verdict.YES),
        (["temporal-system:admin"], Verb.ENCODE, Verdict.YES),
        (["shop:auditor"], Verb.DECODE, Verdict.NOT_THIS),
        (["shop"], Verb.DECODE, Verdict.NOT_THIS),
        ("shop:read", Verb.DECODE, Verdict.NOT_THIS),
        ([7, {"shop": "read"}], Verb.DECODE, Verdict.NOT_THIS),
        (None, Verb.DECODE, Verdict.NOT_THIS),
    ):
        assert await door.verdict(login(permissions=held), verb, "shop") is verdict, (held, verb)
    assert issuer.asked == 1


async def test_a_login_that_names_a_person_opens_what_that_person_may_see_and_seals_nothing(issuer: Issuer) -> None:
    door = logins(issuer)
    cases: tuple[tuple[object, Verb, str, Verdict], ...] = (
        ("ada@example.com", Verb.DECODE, "shop", Verdict.YES),
        ("ada@example.com", Verb.ENCODE, "shop", Verdict.NOT_THIS),
        ("ada@example.com", Verb.DECODE, "another", Verdict.NOT_THIS),
        ("grace@example.com", Verb.DECODE, "shop", Verdict.NOT_THIS),
        ("mallory@example.com", Verb.DECODE, "shop", Verdict.NOT_THIS),
        (None, Verb.DECODE, "shop", Verdict.NOT_THIS),
        ("", Verb.DECODE, "shop", Verdict.NOT_THIS),
        (7, Verb.DECODE, "shop", Verdict.NOT_THIS),
        (["ada@example.com"], Verb.DECODE, "shop", Verdict.NOT_THIS),
    )
    for email, verb, namespace, verdict in cases:
        assert await door.verdict(login(permissions=None, **{EMAIL: email}), verb, namespace) is verdict, email
    unsure = login(permissions=None, email_verified=False, **{EMAIL: "ada@example.com"})
    assert await door.verdict(unsure, Verb.DECODE, "shop") is Verdict.NOT_THIS
    for wrong in ("ada@example.com", ":shop", "ada@example.com:"):
        with pytest.raises(Misconfigured, match="entry 2"):
            people_of(f"ada@example.com:shop, {wrong}")


async def test_a_login_that_somebody_else_signed_or_that_is_over_is_none(issuer: Issuer) -> None:
    door, past = logins(issuer), datetime.now(UTC) - timedelta(hours=1)
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    forged = (
        login(STRANGERS),
        login(STRANGERS, kid="k2"),
        by_hand("HS256", lambda signed: hmac.digest(public, signed, "sha256")),
        by_hand("none", lambda signed: b""),
        login(exp=past),
        login(exp=None),
        login(nbf=datetime.now(UTC) + timedelta(hours=1)),
        login(iss="https://evil.example/"),
        login(aud="something-else"),
        login(aud=None),
        login() + "x",
        login().rpartition(".")[0] + ".",
        "a.b.c",
        "",
        "x" * 20_000,
    )
    for token in forged:
        assert await door.verdict(token, Verb.DECODE, "shop") is Verdict.UNKNOWN, token[:60]


async def test_made_up_key_ids_ask_the_issuer_once_a_minute(issuer: Issuer) -> None:
    door = logins(issuer)
    for kid in range(50):
        assert await door.verdict(login(STRANGERS, kid=str(kid)), Verb.DECODE, "shop") is Verdict.UNKNOWN
    assert issuer.asked == 1
    assert await door.verdict(login(), Verb.DECODE, "shop") is Verdict.YES


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"keys": []}', b'{"keys": 7}', b"x" * 300_000])
async def test_while_the_issuers_keys_cannot_be_had_nobody_is_let_in_and_that_is_said(
    issuer: Issuer, content: bytes
) -> None:
    issuer.content = content
    async with asking(parts(AnyOf([logins(issuer)]))) as http:
        for _ in range(2):
            answer = await http.post("/decode", content=body(await sealed(NEW)), headers=headers(login()))
            assert answer.status_code == 503
            assert "Ada" not in answer.text
    assert issuer.asked == 1


async def test_a_token_of_ours_and_a_login_are_both_taken(issuer: Issuer) -> None:
    async with asking(parts(AnyOf([TOKENS, logins(issuer)]))) as http:
        for token, status in ((TOKEN, 200), (login(), 200), (OTHERS, 403), ("guess", 401)):
            answer = await http.post("/decode", content=body(await sealed(NEW)), headers=headers(token))
            assert answer.status_code == status


async def test_a_token_of_ours_is_taken_while_the_issuer_is_away(issuer: Issuer) -> None:
    issuer.status = 500
    async with asking(parts(AnyOf([TOKENS, logins(issuer)]))) as http:
        for token, status in ((TOKEN, 200), ("guess", 401), (login(), 503)):
            answer = await http.post("/decode", content=body(await sealed(NEW)), headers=headers(token))
            assert answer.status_code == status


# -- a UI without logins --------------------------------------------------------------------------------------------


async def signed_in(http: httpx.AsyncClient, token: str = TOKEN) -> httpx.Response:
    return await http.post("/login", data={"token": token})


async def test_a_browser_that_left_a_token_shows_it_with_the_uis_requests() -> None:
    async with asking(base="https://codec.example") as http:
        assert "<form" in (await http.get("/login")).text
        answer = await signed_in(http)
        assert (answer.status_code, TOKEN in answer.text) == (200, False)
        cookie = answer.headers["set-cookie"].lower()
        assert all(
            word in cookie for word in ("path=/decode", "httponly", "samesite=strict", "secure", "max-age=28800")
        )
        asked = headers("", Origin=UI)
        opened = await http.post("/decode", content=body(await sealed(NEW)), headers=asked)
        assert read(opened) == [b"Ada Example"]
        assert opened.headers["access-control-allow-credentials"] == "true"
        elsewhere = headers("", "another", Origin=UI)
        assert (await http.post("/decode", content=body(await sealed(NEW)), headers=elsewhere)).status_code == 403


async def test_a_browsers_token_counts_for_no_other_page() -> None:
    async with asking(base="https://codec.example") as http:
        await signed_in(http)
        for origin, status in (("https://evil.example", 403), ("https://codec.example", 403)):
            told = headers("", Origin=origin)
            assert (await http.post("/decode", content=body(await sealed(NEW)), headers=told)).status_code == status
        assert (await http.post("/decode", content=body(await sealed(NEW)), headers=headers(""))).status_code == 401


@pytest.mark.parametrize("token", ["", "guess", "<script>", "x" * 3_000])
async def test_a_guess_leaves_nothing_in_the_browser(token: str) -> None:
    async with asking() as http:
        answer = await signed_in(http, token)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert "script" not in answer.text
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert (await signed_in(http, "x" * 5_000)).status_code == 413


# -- starting it ----------------------------------------------------------------------------------------------------


async def test_it_does_not_start_where_nobody_may_ask_or_nothing_could_be_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(Misconfigured, match="no key"):
        await serve("127.0.0.1", 0, login=True)
    monkeypatch.setenv("ORDERACK_CODEC_KEYS", NEW)
    with pytest.raises(Misconfigured, match="nobody may ask"):
        await serve("127.0.0.1", 0, login=True)
    for host in ("0.0.0.0", "::", "192.0.2.1", "codec.example"):
        assert not is_loopback(host)
        with pytest.raises(Misconfigured, match="this machine alone"):
            async with asyncio.timeout(5):
                await serve(host, 0, login=False)


def test_half_an_issuer_or_keys_over_an_open_line_are_refused() -> None:
    http = httpx.AsyncClient()
    whole = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": "https://login.example/keys"}
    access_of(CodecServerSettings.model_validate(whole), http)
    for changed in ({"audience": ""}, {"jwks_url": ""}, {"issuer": ""}, {"jwks_url": "http://login.example/keys"}):
        with pytest.raises(Misconfigured, match="together"):
            access_of(CodecServerSettings.model_validate(whole | changed), http)
