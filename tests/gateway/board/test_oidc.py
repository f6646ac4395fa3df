"""Login by OpenID Connect: the code flow to its end, and every way in which a provider's word does not count."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from orderack.errors import Misconfigured
from orderack.gateway.board.oidc import ASKED_AT_MOST_EVERY
from tests.gateway.board.board_world import Browser, World, a_world, words
from tests.gateway.board.login_provider import CLIENT, CLIENT_SECRET, ISSUER, LoginProvider
from tests.gateway.conftest import PUBLIC, Gateway

ROLES = "desk=reviewer@demo,ops=admin@*"
SETTINGS: dict[str, object] = {
    "oidc_issuer": ISSUER,
    "oidc_client_id": CLIENT,
    "oidc_client_secret": CLIENT_SECRET,
    "oidc_roles": ROLES,
}


@pytest.fixture
def provider() -> LoginProvider:
    return LoginProvider()


@pytest.fixture
def desk(gateway: Gateway, provider: LoginProvider) -> World:
    made = a_world(gateway, roles="", **SETTINGS)
    assert made.board.oidc
    made.board.oidc.http = httpx.AsyncClient(transport=provider.transport())
    return made


async def begun(browser: Browser, path: str = "/board/oidc/begin") -> str:
    """The address of the provider to which the browser is sent."""
    answer = await browser.get(path)
    assert answer.status_code == 303, words(answer)
    return answer.headers["location"]


async def back(browser: Browser, answer: dict[str, str]) -> httpx.Response:
    return await browser.get(f"/board/oidc/back?{httpx.QueryParams(answer)}")


async def test_a_person_logs_in_with_a_name_and_a_role(desk: World, provider: LoginProvider) -> None:
    await desk.order()
    browser = desk.browser()
    asked = await begun(browser, "/board/oidc/begin?next=/board/order/demo/1001")
    query = parse_qs(urlsplit(asked).query)
    assert query["redirect_uri"] == [f"{PUBLIC}/board/oidc/back"]
    assert query["scope"] == ["openid email profile"]
    answer = await back(browser, provider.approve(asked))
    assert (answer.status_code, answer.headers["location"]) == (303, "/board/order/demo/1001")
    page = await browser.get("/board/order/demo/1001")
    assert "ada@shop.example" in page.text
    assert "Approve" in page.text
    await browser.acts("/board/decide/demo/1001", verdict="approve")
    assert [decision.by for decision in desk.orders.decisions] == ["ada@shop.example"]


async def test_secrets_of_the_login_stay_out_of_addresses(desk: World, provider: LoginProvider) -> None:
    asked = await begun(desk.browser())
    assert CLIENT_SECRET not in asked
    assert "code_verifier" not in asked


def claims(**changed: object) -> Callable[[dict[str, object]], object]:
    return lambda told: told.update(changed)


LATE = datetime.now(UTC) - timedelta(hours=1)
LIES = {
    "wrong nonce": claims(nonce="another"),
    "no nonce": lambda told: told.pop("nonce"),
    "wrong audience": claims(aud="another-client"),
    "two audiences": claims(aud=[CLIENT, "another-client"]),
    "another party": claims(azp="another-client"),
    "wrong issuer": claims(iss="https://evil.example"),
    "expired": claims(exp=LATE, iat=LATE - timedelta(minutes=5)),
    "no end": lambda told: told.pop("exp"),
    "from the future": claims(iat=datetime.now(UTC) + timedelta(hours=2)),
    "nobody": lambda told: told.pop("sub"),
    "unproved e-mail": claims(email_verified=False),
    "no name": lambda told: told.pop("email"),
    "a name that is none": claims(email="\u202e \u200b"),
    "no group": claims(groups=[]),
    "another group": claims(groups=["marketing"]),
    "groups of nonsense": claims(groups=[{"desk": 1}, 7, None]),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
async def test_a_token_that_does_not_hold_logs_nobody_in(
    lie: Callable[[dict[str, object]], object], desk: World, provider: LoginProvider
) -> None:
    provider.lie = lie
    browser = desk.browser()
    answer = await back(browser, provider.approve(await begun(browser)))
    assert answer.status_code == 401
    assert (await browser.get("/board")).status_code == 303


@pytest.mark.parametrize(
    ("algorithm", "signed_by", "kid"),
    [("none", "k1", "k1"), ("HS256", "k1", "k1"), ("RS256", "stranger", "k1"), ("RS256", "stranger", "k9")],
)
async def test_only_the_providers_own_key_signs(
    algorithm: str, signed_by: str, kid: str, desk: World, provider: LoginProvider
) -> None:
    provider.algorithm, provider.signed_by, provider.kid = algorithm, signed_by, kid
    browser = desk.browser()
    answer = await back(browser, provider.approve(await begun(browser)))
    assert answer.status_code == 401
    assert (await browser.get("/board")).status_code == 303


async def test_a_new_key_of_the_providers_is_fetched_and_made_up_ones_cost_it_little(
    desk: World, provider: LoginProvider
) -> None:
    browser = desk.browser()
    assert (await back(browser, provider.approve(await begun(browser)))).status_code == 303
    provider.kid = "made-up"
    for _ in range(5):
        assert (await back(browser, provider.approve(await begun(browser)))).status_code == 401
    assert provider.asked.count("/keys") == 1
    desk.gateway.clock.ahead += ASKED_AT_MOST_EVERY + timedelta(seconds=1)
    provider.kid, provider.signed_by, provider.published = "k2", "k2", ("k1", "k2")
    assert (await back(browser, provider.approve(await begun(browser)))).status_code == 303


async def test_an_answer_that_this_browser_did_not_ask_for_logs_nobody_in(desk: World, provider: LoginProvider) -> None:
    ada, victim = desk.browser(), desk.browser()
    answer = provider.approve(await begun(ada))
    assert (await back(victim, answer)).status_code == 401, "without an attempt of its own"
    await begun(victim)
    assert (await back(victim, answer)).status_code == 401, "with the state of another's"
    assert (await victim.get("/board")).status_code == 303


async def test_an_answer_counts_once(desk: World, provider: LoginProvider) -> None:
    browser = desk.browser()
    answer = provider.approve(await begun(browser))
    assert (await back(browser, answer)).status_code == 303
    assert (await back(browser, answer)).status_code == 401


async def test_a_code_that_was_stolen_is_worth_nothing_without_its_verifier(
    desk: World, provider: LoginProvider
) -> None:
    ada, thief = desk.browser(), desk.browser()
    stolen = provider.approve(await begun(ada))["code"]
    own = provider.approve(await begun(thief))
    assert (await back(thief, own | {"code": stolen})).status_code == 401


@pytest.mark.parametrize(
    "change",
    [{"state": "other"}, {"iss": "https://evil.example"}, {"code": ""}, {"error": "access_denied", "code": ""}],
)
async def test_an_answer_that_is_not_right_logs_nobody_in(
    change: dict[str, str], desk: World, provider: LoginProvider
) -> None:
    browser = desk.browser()
    answer = provider.approve(await begun(browser)) | change
    assert (await back(browser, {name: value for name, value in answer.items() if value})).status_code == 401


async def test_an_attempt_that_took_too_long_is_begun_anew(desk: World, provider: LoginProvider) -> None:
    browser = desk.browser()
    answer = provider.approve(await begun(browser))
    for cookie in list(browser.http.cookies.jar):
        if cookie.name.endswith("_oidc"):
            browser.http.cookies.delete(cookie.name)
    assert (await back(browser, answer)).status_code == 401


async def test_what_is_said_twice_is_not_believed(desk: World, provider: LoginProvider) -> None:
    browser = desk.browser()
    answer = httpx.QueryParams(provider.approve(await begun(browser)))
    assert (await browser.get(f"/board/oidc/back?{answer}&state=other")).status_code == 401


async def test_a_provider_that_is_away_is_said_so(desk: World, provider: LoginProvider) -> None:
    provider.away = True
    answer = await desk.browser().get("/board/oidc/begin")
    assert answer.status_code == 503
    assert "does not answer" in words(answer)


async def test_another_issuer_than_the_settings_name_is_not_asked_for_anything(
    desk: World, provider: LoginProvider
) -> None:
    provider.issuer = "https://evil.example"
    assert (await desk.browser().get("/board/oidc/begin")).status_code == 500
    assert provider.asked == ["/.well-known/openid-configuration"]


async def test_groups_may_stand_inside_another_claim(gateway: Gateway) -> None:
    provider = LoginProvider({"preferred_username": "Ada L.", "realm_access": {"roles": ["ops"]}})
    more = {"oidc_name_claim": "preferred_username", "oidc_roles_claim": "realm_access.roles"}
    made = a_world(gateway, roles="", **SETTINGS | more)
    assert made.board.oidc
    made.board.oidc.http = httpx.AsyncClient(transport=provider.transport())
    browser = made.browser()
    await back(browser, provider.approve(await begun(browser)))
    page = await browser.get("/board")
    assert "Ada L." in page.text
    assert "Pause a channel" in page.text, "an admin of every store"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"oidc_issuer": "http://login.example"}, "OIDC_ISSUER"),
        ({"oidc_issuer": "login.example"}, "OIDC_ISSUER"),
        ({"oidc_client_id": ""}, "CLIENT_ID"),
        ({"oidc_roles": ""}, "OIDC_ROLES"),
        ({"oidc_scope": "email"}, "openid"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(
    changed: dict[str, object], named: str, gateway: Gateway
) -> None:
    with pytest.raises(Misconfigured, match=named):
        a_world(gateway, roles="", **SETTINGS | changed)
