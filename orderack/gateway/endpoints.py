"""The systems that are told what happens: what the policy says of them, joined to their secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from orderack.clients import standard_webhooks
from orderack.domain.problem import Problem
from orderack.policy.endpoints import address_problems, variable
from orderack.policy.model import EndpointPolicy
from orderack.ports import Subscription
from orderack.registry import settings_config


@dataclass(frozen=True)
class Endpoint:
    """One of them, ready to be told."""

    name: str
    url: str
    secrets: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"Endpoint({self.name})"


class _Secret(BaseSettings):
    """Read under the endpoint's own prefix."""

    model_config = settings_config("")

    secret: SecretStr = SecretStr("")


def subscriptions(policy: Mapping[str, EndpointPolicy]) -> tuple[Subscription, ...]:
    """What each endpoint listens to, whether or not it can be told now: its events wait for it."""
    return tuple(
        Subscription(endpoint=name, events=endpoint.events, stores=endpoint.stores, shadow=endpoint.shadow)
        for name, endpoint in policy.items()
    )


def served(policy: Mapping[str, EndpointPolicy]) -> tuple[Endpoint, ...]:
    """The endpoints that can be told: those without a problem."""
    return tuple(
        Endpoint(name, endpoint.url, standard_webhooks.secrets_of(_secret(name)))
        for name, endpoint in policy.items()
        if not any(problems_of(name, endpoint))
    )


def problems_of(name: str, endpoint: EndpointPolicy) -> Iterator[Problem]:
    """Why an endpoint is not served: its address, or its secret."""
    yield from address_problems(f"endpoints.{name}", endpoint)
    yield from secret_problems(name)


def secret_problems(name: str) -> Iterator[Problem]:
    """Why nothing could be signed for an endpoint. Never shows a secret."""
    path, text = f"endpoints.{name}", _secret(name)
    if not text:
        remedy = f"set {variable(name)} to `whsec_` and the base64 of at least 24 random bytes"
        yield Problem(field=path, problem="has no secret: nothing is sent to it", remedy=remedy)
        return
    try:
        standard_webhooks.secrets_of(text)
    except ValueError as error:
        yield Problem(field=path, problem=f"has an unusable secret: {error}", remedy=f"mend {variable(name)}")


def _secret(name: str) -> str:
    """As set; blanks and commas both part the old secret from the new while they are rotated."""
    prefix = variable(name).removesuffix("SECRET")
    return ",".join(_Secret(_env_prefix=prefix).secret.get_secret_value().replace(",", " ").split())
