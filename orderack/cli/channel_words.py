"""What is said of a channel from its registration: the same words in the list, in `doctor` and in docs/channels.md."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from orderack.channels import load
from orderack.cli.exits import bad
from orderack.domain.acknowledgement import Audience
from orderack.domain.evidence import Grade
from orderack.domain.unknown_fields import closest
from orderack.ports import Idempotency, Traits
from orderack.registry import ChannelSpec

GRADE: Mapping[Grade, str] = MappingProxyType(
    {
        Grade.E0: "queued",
        Grade.E1: "accepted",
        Grade.E2: "delivered",
        Grade.M: "machine touch",
        Grade.E3P: "probably displayed",
        Grade.E3: "displayed",
        Grade.E4: "engaged",
        Grade.E5: "affirmed",
        Grade.E6: "attested",
    }
)
DOUBT: Mapping[Idempotency, str] = MappingProxyType(
    {
        Idempotency.KEY: "sending again: its key makes it the same send",
        Idempotency.LOOKUP: "asking the vendor whether it has it",
        Idempotency.ECHO: "the vendor's own events, which name the send",
        Idempotency.NONE: "nothing: a person, or the policy",
    }
)
AUDIENCE: Mapping[Audience, str] = MappingProxyType({Audience.BUYER: "the buyer", Audience.INTERNAL: "the team"})
ADDRESS: Mapping[str, str] = MappingProxyType(
    {
        "email": "an e-mail address",
        "phone": "a phone number",
        "page": "the buyer's page",
        "chat:line": "a LINE user id",
        "chat:messenger": "a Messenger user id",
        "chat:telegram": "a Telegram chat id",
        "chat:viber": "a Viber user id",
        "chat:whatsapp": "a WhatsApp number",
    }
)


def the_channel(name: str) -> ChannelSpec:
    """The registration of this name. Raises InvalidInput with the name that was probably meant."""
    known = load()
    if name in known:
        return known[name]
    guess = closest(name, sorted(known))
    remedy = f"did you mean {guess}?" if guess else f"the channels are {', '.join(sorted(known))}"
    raise bad("NAME", "is no channel of ours", remedy)


def strongest(traits: Traits) -> str:
    """The best evidence that it can bring: the vendor's, and what a reply may add."""
    own = f"{traits.evidence_ceiling} {GRADE[traits.evidence_ceiling]}"
    more = traits.replies and traits.audience is Audience.BUYER and traits.evidence_ceiling.rank < Grade.E5.rank
    return f"{own}; E5 affirmed by a reply" if more else own


def doubt(traits: Traits) -> str:
    """How a send that was cut off half-way is settled."""
    lasts = f", for {span(traits.key_lasts)}" if traits.key_lasts is not None else ""
    return DOUBT[traits.idempotency] + lasts


def address(traits: Traits) -> str:
    """Which contact of the order it needs."""
    if traits.audience is Audience.INTERNAL:
        return "a role of the team"
    return ADDRESS.get(traits.address, traits.address)


def rate(traits: Traits) -> str:
    """Sends in a second, without a needless `.0`."""
    return f"{traits.rate_per_second:g}"


def span(time: timedelta) -> str:
    """`2 h`, `1 day`, `30 min`."""
    for seconds, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if time.total_seconds() >= seconds and time.total_seconds() % seconds == 0:
            count = int(time.total_seconds() // seconds)
            return "1 day" if (count, unit) == (1, "days") else f"{count} {unit}"
    return f"{time.total_seconds():g} s"
