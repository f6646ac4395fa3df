"""The doctor's look at what is set here: the settings, the policy, and every system that the policy names."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

from orderack import channels, erps
from orderack.bootstrap import connections
from orderack.cli.adapter_settings import SettingsState, settings_state
from orderack.cli.channel_doctor import Word, diagnose
from orderack.cli.doctor_findings import Finding, ok, warn, wrong
from orderack.cli.policy_findings import check_policy
from orderack.cli.source_commands import check_connection
from orderack.diagnostics.wording import counted
from orderack.errors import Misconfigured, OrderAckError
from orderack.gateway.keys import ApiKeys
from orderack.policy.load import load_policy
from orderack.policy.model import Policy
from orderack.registry import prefix_of
from orderack.settings import Settings
from orderack.temporal.codec_keys import CodecKeys

SHORTEST = 32
"""Characters of ORDERACK_SECRET: it signs links that anybody on the net may guess at."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MAKE = "python3 -c 'import secrets; print(secrets.token_urlsafe(32))' makes one"


def check_settings(settings: Settings) -> Iterator[Finding]:
    """The settings that every part reads."""
    yield _secret(settings)
    yield _public_url(settings)
    yield _api_keys(settings)
    yield _codec(settings)
    if settings.policy_divisor != 1:
        yield warn(
            "clocks-of-the-policy",
            f"every service level is divided by {settings.policy_divisor:g}",
            "unset ORDERACK_POLICY_DIVISOR: it is for demos and tests",
        )
    if not _local(settings.public_url) and settings.ledger_url.startswith("sqlite"):
        yield warn(
            "ledger-place",
            "the ledger is a file on this machine",
            "name a PostgreSQL in ORDERACK_DATABASE_URL once a second machine is to work on it",
        )


def _secret(settings: Settings) -> Finding:
    length = len(settings.secret.get_secret_value())
    if not length:
        return wrong(
            "secret", "ORDERACK_SECRET is not set: links to the buyer's page cannot be signed", f"set it: {_MAKE}"
        )
    if length < SHORTEST:
        return wrong("secret", f"ORDERACK_SECRET has {length} characters", f"give it {SHORTEST} at least: {_MAKE}")
    return ok("secret", "set, and long enough")


def _public_url(settings: Settings) -> Finding:
    name, url = "public-url", settings.public_url
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host:
        return wrong(name, "ORDERACK_PUBLIC_URL is no address", "set it to where buyers and vendors reach the gateway")
    if _local(url):
        return warn(
            name,
            "it names this machine: no buyer and no vendor reaches it",
            "set ORDERACK_PUBLIC_URL to the gateway's public https address",
        )
    if parts.scheme != "https":
        return wrong(
            name,
            "it is not https: the buyers' links would travel in clear, and vendors post to nothing else",
            "put a proxy with a certificate before the gateway, and set ORDERACK_PUBLIC_URL to it",
        )
    return ok(name, f"https, {host}")


def _local(url: str) -> bool:
    try:
        return urlsplit(url).hostname in _LOOPBACK
    except ValueError:
        return False


def _api_keys(settings: Settings) -> Finding:
    try:
        grants = ApiKeys.parse(settings.api_keys.get_secret_value()).grants
    except Misconfigured as error:
        return wrong("api-keys", str(error), "docs/http-api.md says how a key is made")
    if not grants:
        return warn(
            "api-keys",
            "there is none: nobody can hand in an order or a receipt over HTTP",
            "set ORDERACK_API_KEYS; docs/http-api.md says how a key is made",
        )
    return ok(
        "api-keys",
        f"{counted(len({grant.digest for grant in grants}), 'key')} for "
        f"{counted(len({grant.store for grant in grants}), 'store')}",
    )


def _codec(settings: Settings) -> Finding:
    try:
        keys = CodecKeys.configured()
    except Misconfigured as error:
        return wrong("codec-keys", str(error), "without the keys nobody reads the orders that they sealed")
    if keys.sealing is None:
        return warn(
            "codec-keys",
            "what Temporal stores of an order is in clear",
            "set ORDERACK_CODEC_KEYS unless you run the Temporal server yourself and trust its disk",
        )
    return ok("codec-keys", f"{counted(len(keys.secrets), 'key')}; new orders are sealed with {keys.sealing}")


# -- the policy, and what it names ----------------------------------------------------------------------------------


async def check_policy_and_systems(settings: Settings, offline: bool) -> list[Finding]:
    """The policy, then every channel, connection and ERP that it names. `offline`: no vendor is asked."""
    problems = check_policy(settings.policy_dir)
    if problems:
        first = "; ".join(f"{p.field}: {p.problem}" for p in problems[:3])
        return [
            wrong("policy", f"{counted(len(problems), 'finding')}: {first}", "orderack policy check says all of it")
        ]
    policy = load_policy(settings.policy_dir)
    found = [ok("policy", f"version {policy.version}")]
    found += await asyncio.gather(*(_channel(name, settings, offline) for name in channels_of(policy)))
    found += await asyncio.gather(*(_connection(name, policy, offline) for name in map(str, connections(policy))))
    return found + [_erp(name, policy) for name in sorted({s.erp.name for s in policy.stores.values() if s.erp})]


def channels_of(policy: Policy) -> list[str]:
    """Every channel that a source, a rule or a team names."""
    outcomes = [rule.then for rule in policy.rules] + [policy.default.then]
    legs = [leg for source in policy.sources.values() for leg in (*source.channels, source.fallback)]
    legs += [leg for then in outcomes for leg in (*(then.channels or ()), *then.internal)]
    legs += [leg for team in policy.teams.values() for leg in team.internal]
    return sorted({name for leg in legs for name in leg})


async def _channel(name: str, settings: Settings, offline: bool) -> Finding:
    check, do = f"channel/{name}", f"orderack channel doctor {name}"
    found = await diagnose(name, channels.load()[name], settings.public_url, offline)
    if not found.settings.ready:
        return wrong(check, f"{_lack(found.settings)}; messages take the fallback that the policy names", do)
    if found.word is Word.WRONG:
        return wrong(check, f"its vendor says no: {found.said}", do)
    if found.word is Word.AWAY:
        return warn(check, f"its vendor could not be asked: {found.said}", f"try again: {do}")
    return ok(check, "set up" if offline or found.word is not Word.WELL else "set up, and its vendor says so")


async def _connection(name: str, policy: Policy, offline: bool) -> Finding:
    check, do = f"source/{name}", f"orderack source doctor {name}"
    one = next(connection for connection in connections(policy) if str(connection) == name)
    try:
        found = await check_connection(one, offline)
    except OrderAckError as error:
        return wrong(check, str(error), do)
    if not found.sound:
        return wrong(check, found.said or _lack(found.settings), do)
    return warn(check, found.said, f"try again: {do}") if found.away else ok(check, "set up")


def _erp(name: str, policy: Policy) -> Finding:
    check, row = f"erp/{name}", policy.erps.get(name)
    spec = erps.load().get(row.system if row else name)
    if spec is None:
        return wrong(check, "there is no such ERP system", "orderack erps lists them")
    state = settings_state(spec, prefix_of("ERP", name))
    if not state.ready:
        return wrong(check, f"{_lack(state)}; its stores' orders are not booked", "docs/erps.md says what it needs")
    return ok(check, "set up")


def _lack(state: SettingsState) -> str:
    lacking = [one.variable for one in state.settings if one.state in ("missing", "not valid")]
    return f"{state.word}: {', '.join(lacking) or '; '.join(state.problems)}"
