"""A channel's traits as the policy sees them, whatever floor of the house they are declared on."""

from typing import Protocol

from orderack.domain.acknowledgement import Audience
from orderack.domain.evidence import Grade
from orderack.policy.model import ChannelFacts


class ChannelTraits(Protocol):
    """What is needed of `orderack.ports.Traits`."""

    @property
    def audience(self) -> Audience: ...

    @property
    def evidence_ceiling(self) -> Grade: ...

    @property
    def address(self) -> str: ...

    @property
    def medium(self) -> str: ...

    @property
    def idempotency(self) -> str: ...


def channel_facts(traits: ChannelTraits) -> ChannelFacts:
    """The facts that rules, lint and decisions need."""
    buyer = traits.audience is Audience.BUYER
    return ChannelFacts(
        buyer=buyer,
        ceiling=traits.evidence_ceiling,
        address=traits.address,
        carries_touches=traits.medium == "email",
        settles=traits.idempotency in ("key", "lookup"),
    )
