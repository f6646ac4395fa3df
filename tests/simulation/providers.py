"""Providers of the four classes, and the log of what each accepted: the ground truth of what the buyer was sent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from orderack.contracts.activities import Facts
from orderack.domain.acknowledgement import Audience, Kind, Reason, SendKey
from orderack.domain.evidence import Grade
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import (
    Channel,
    ChannelEvent,
    Content,
    Idempotency,
    Medium,
    Message,
    RawRequest,
    Rendered,
    Sent,
    Traits,
)
from tests.simulation.agenda import moment
from tests.simulation.chance import MINUTE, SECOND, Dice
from tests.simulation.storm import MS, Storm, inside


class Killed(Exception):
    """The worker dies here. Nothing in the product knows this error."""


@dataclass(frozen=True)
class Accepted:
    """One message that a provider will deliver."""

    key: SendKey
    kind: Kind
    channel: str
    audience: Audience
    at: int
    asked_at: int
    """When the activity's attempt that brought it began to be asked for by the workflow."""
    facts: Facts


@dataclass
class Wire:
    """What the attempt that is being made has used up, and whether its worker still lives."""

    now: int = 0
    attempt: int = 0
    took: int = 0
    dead: bool = False
    facts: Facts = field(default_factory=Facts)
    asked_at: int = 0

    def die(self) -> Killed:
        self.dead = True
        return Killed()

    def alive(self) -> None:
        """A dead worker does nothing more."""
        if self.dead:
            raise Killed


WEATHER = (
    (0.90, "accept"),
    (0.02, "refuse"),
    (0.02, "busy"),
    (0.01, "down"),
    (0.01, "cut off"),
    (0.01, "lost on the way"),
    (0.02, "slow"),
    (0.005, "unset"),
    (0.005, "cannot"),
)
"""How a provider answers, by weight."""


class Provider:
    """One provider: its class decides what it can be asked about a send in doubt."""

    name: ClassVar[str]
    traits: ClassVar[Traits]

    def __init__(self, wire: Wire, dice: Dice, storm: Storm, log: list[Accepted], told: Callable[[Accepted], None]):
        self._wire = wire
        self._dice = dice
        self._storm = storm
        self._log = log
        self._told = told
        self._tries = 0

    async def send(self, message: Message) -> Sent:
        """As the dice say; the worker may die before or after the provider has it."""
        wire, key = self._wire, message.key_text
        wire.alive()
        self._tries += 1
        if self.known(key):
            return Sent(provider_id=f"p-{key}")  # only a class that keeps keys is asked again
        if until := inside(self._storm.sky.channels.get(self.name, ()), wire.now):
            raise Unavailable(f"{self.name} is down", timedelta(microseconds=min(until - wire.now, 5 * MINUTE)))
        wire.took += self._dice.between(30 * MS, 900 * MS, "sends", key)
        killed = self._dice.chance(self._storm.rates.killed, "killed", key, self._tries)
        if killed and self._dice.chance(0.4, "before", key, self._tries):
            raise wire.die()
        weather = "accept" if self._storm.calm else self._dice.weighed(WEATHER, "weather", key, self._tries)
        return self._answer(weather, message, killed)

    def _answer(self, weather: str, message: Message, killed: bool) -> Sent:
        match weather:
            case "refuse":
                raise Refused("not a mailbox", Reason.BAD_RECIPIENT, "E-17")
            case "busy":
                raise Unavailable("429", timedelta(seconds=7))
            case "down":
                raise Unavailable("503")
            case "unset":
                raise Misconfigured("a key is missing")
            case "cannot":
                raise Unsupported("max_length")
            case "lost on the way":
                raise InDoubt("no answer in time")
            case "slow":
                self._wire.took += 9 * SECOND
        self._take(message)
        if killed:
            raise self._wire.die()
        if weather == "cut off":
            raise InDoubt("the connection was reset")
        return Sent(provider_id=f"p-{message.key_text}")

    def _take(self, message: Message) -> None:
        wire = self._wire
        accepted = Accepted(
            key=message.key,
            kind=message.kind,
            channel=self.name,
            audience=self.traits.audience,
            at=wire.now + wire.took,
            asked_at=wire.asked_at,
            facts=wire.facts,
        )
        self._log.append(accepted)
        self._told(accepted)

    def known(self, key: str) -> bool:
        """Whether it takes this key for one that it has."""
        return False

    def has(self, key: str) -> bool:
        return any(str(accepted.key) == key for accepted in self._log)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        raise AssertionError("an activity verifies nothing")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        raise AssertionError("an activity reads no events")

    async def aclose(self) -> None:
        """Nothing is open."""


def _traits(
    idempotency: Idempotency, ceiling: Grade, address: str = "email", audience: Audience = Audience.BUYER
) -> Traits:
    return Traits(
        medium=Medium.EMAIL,
        audience=audience,
        address=address,
        evidence_ceiling=ceiling,
        idempotency=idempotency,
    )


class KeyProvider(Provider):
    """Class A: a key is one message, however often it comes."""

    name = "key"
    traits = _traits(Idempotency.KEY, Grade.E3P)

    def known(self, key: str) -> bool:
        return self.has(key)


class LookupProvider(Provider):
    """Class B: it can be asked what it has."""

    name = "lookup"
    traits = _traits(Idempotency.LOOKUP, Grade.E2)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        self._wire.alive()
        found = next((a for a in self._log if str(a.key) == message.key_text and moment(a.at) >= since), None)
        return Sent(provider_id=f"p-{found.key}") if found else None


class EchoProvider(Provider):
    """Class C: it reports each message with our key."""

    name = "echo"
    traits = _traits(Idempotency.ECHO, Grade.E3)


class NoneProvider(Provider):
    """Class D: nothing can be known of a send that was cut off."""

    name = "none"
    traits = _traits(Idempotency.NONE, Grade.E2)


class OwnersProvider(KeyProvider):
    """Where the owners hear of it."""

    name = "owners"
    traits = _traits(Idempotency.KEY, Grade.E1, "chat:owners", Audience.INTERNAL)


PROVIDERS: tuple[type[Provider], ...] = (KeyProvider, LookupProvider, EchoProvider, NoneProvider, OwnersProvider)
BUYERS = tuple(provider.name for provider in PROVIDERS if provider.traits.audience is Audience.BUYER)
CEILINGS = {provider.name: provider.traits.evidence_ceiling for provider in PROVIDERS} | {"portal": Grade.E5}
"""What each channel can prove at most; `portal` is the buyer's page."""

_RENDERED = Rendered(text="simulated")


class Words:
    """Renders nothing: what may be said is read from the facts that would be rendered."""

    def render(self, content: Content) -> Rendered:
        return _RENDERED


def providers(
    wire: Wire, dice: Dice, storm: Storm, log: list[Accepted], told: Callable[[Accepted], None]
) -> dict[str, Channel]:
    """All of them, for one order."""
    made: dict[str, Channel] = {kind.name: kind(wire, dice, storm, log, told) for kind in PROVIDERS}
    return made
