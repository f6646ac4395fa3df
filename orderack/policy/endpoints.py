"""What is wrong with the policy's endpoints: systems of others that are told what happens."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from orderack.contracts.outbound import ALL, TYPES
from orderack.domain.problem import Problem
from orderack.domain.unknown_fields import closest
from orderack.policy.model import EndpointPolicy, Policy


def variable(name: str) -> str:
    """The environment variable with the endpoint's secret: `crm-eu` → `ORDERACK_ENDPOINT_CRM_EU_SECRET`."""
    return f"ORDERACK_ENDPOINT_{re.sub(r'[^A-Z0-9]', '_', name.upper())}_SECRET"


def endpoint_problems(policy: Policy) -> Iterator[Problem]:
    """Every finding about `endpoints`, in the order of the file."""
    variables: dict[str, str] = {}
    for name, endpoint in policy.endpoints.items():
        path = f"endpoints.{name}"
        yield from address_problems(path, endpoint)
        yield from _events(path, endpoint)
        yield from _stores(path, endpoint, policy)
        other = variables.setdefault(variable(name), name)
        if other != name:
            problem = f"would share {variable(name)} with {other}"
            yield Problem(field=path, problem=problem, remedy="name one of the two differently")


def address_problems(path: str, endpoint: EndpointPolicy) -> Iterator[Problem]:
    """Why nothing may be posted to the endpoint's address."""
    address, field = _parsed(endpoint.url), f"{path}.url"
    if address is None or not address.hostname:
        yield Problem(field=field, problem="is not a URL", remedy="write https://, the host, and the path")
    elif address.username or address.password:
        remedy = "remove it; our signature proves who we are"
        yield Problem(field=field, problem="holds a login", remedy=remedy)
    elif address.scheme == "http" and not _is_loopback(address.hostname):
        remedy = "use https; http is for this machine only"
        yield Problem(field=field, problem="would send events unencrypted", remedy=remedy)


def _events(path: str, endpoint: EndpointPolicy) -> Iterator[Problem]:
    for name in endpoint.events:
        if name != ALL and name not in TYPES:
            guess = closest(name, TYPES)
            remedy = f"did you mean {guess}?" if guess else f"use one of {', '.join(TYPES)}, or {ALL}"
            yield Problem(field=f"{path}.events", problem=f"names event {name}, which does not exist", remedy=remedy)


def _stores(path: str, endpoint: EndpointPolicy, policy: Policy) -> Iterator[Problem]:
    for name in endpoint.stores:
        if name not in policy.stores:
            guess = closest(name, sorted(policy.stores))
            remedy = f"did you mean {guess}?" if guess else f"use one of {', '.join(sorted(policy.stores))}"
            yield Problem(field=f"{path}.stores", problem=f"names store {name}, which does not exist", remedy=remedy)


def _parsed(url: str) -> SplitResult | None:
    try:
        address = urlsplit(url)
        _ = address.port  # a port that is no number shows only when it is asked for
    except ValueError:
        return None
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
