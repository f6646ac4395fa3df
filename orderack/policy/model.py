"""What stands in policy.yaml, as values. The file's keys are these field names; policy/README.md explains them."""

import re
from collections.abc import Mapping
from datetime import time, timedelta
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import ErpMode, FlagName, OnDoubt, QuietHours, Route, ServiceLevels
from orderack.domain.completeness import REQUIRABLE
from orderack.domain.evidence import Grade
from orderack.domain.flags import CHECKS
from orderack.domain.order import Amount, Name, Quantity, Text
from orderack.domain.store import StoreProfile
from orderack.domain.value import Value
from orderack.policy.duration import Duration

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _local_time(text: object) -> time:
    if isinstance(text, time):
        return text
    if not isinstance(text, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError("is not a time of day; write it as 15:00, in double quotes")
    return time.fromisoformat(text)


def _workday(word: object) -> int:
    if isinstance(word, int) and not isinstance(word, bool):
        return word
    if word not in _DAYS:
        raise ValueError(f"is not a weekday; use {', '.join(_DAYS)}")
    return _DAYS.index(str(word))


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("is not a time zone; use a name such as Europe/Berlin") from None
    return name


def _requirable(name: str) -> str:
    if name not in REQUIRABLE:
        raise ValueError(f"is not a field that can be required; use {', '.join(sorted(REQUIRABLE))}")
    return name


def _learning(word: object) -> object:
    """YAML reads a bare `off` as false."""
    return Learning.OFF if word is False else word


def _switchable(name: FlagName) -> FlagName:
    if name not in CHECKS:
        raise ValueError(f"is not a check; use {', '.join(CHECKS)}")
    return name


def _kind(word: object) -> object:
    if isinstance(word, str) and word not in tuple(Kind):
        raise ValueError(f"is not a kind of message; use {', '.join(Kind)}")
    return word


def _on_doubt(word: object) -> object:
    if word not in tuple(OnDoubt):
        raise ValueError(f"is not known; use {', '.join(OnDoubt)}")
    return word


OnDoubtByKind = Mapping[Annotated[Kind, BeforeValidator(_kind)], Annotated[OnDoubt, BeforeValidator(_on_doubt)]]
"""Kind of message → what becomes of one in doubt; of a kind that is not named a person is asked."""
LocalTime = Annotated[time, BeforeValidator(_local_time)]
Workday = Annotated[int, BeforeValidator(_workday), Field(ge=0, le=6)]
TimeZone = Annotated[Name, AfterValidator(_time_zone)]
Required = Annotated[Name, AfterValidator(_requirable)]
Check = Annotated[FlagName, AfterValidator(_switchable)]
Channels = Annotated[tuple[Name, ...], Field(min_length=1)]
"""One leg: the first channel that accepts is enough, the others are its fallback."""


class GateChoice(StrEnum):
    """`adaptive` picks one of the other two from the ERP's measured receipt latency."""

    ERP_GATED = "erp_gated"
    ACK_GATED = "ack_gated"
    ADAPTIVE = "adaptive"


class Received(StrEnum):
    IMMEDIATE = "immediate"
    WITHHOLD = "withhold"


class Updates(StrEnum):
    SEND = "send"
    WITHHOLD = "withhold"


QUICK = 12.0
WITHIN_MINUTES = timedelta(minutes=2)


class Levels(Value):
    """Service levels that differ from the floor below: code defaults < policy < store < rule."""

    acknowledge_within: Duration | None = None
    erp_budget: Duration | None = None
    hold_after: Duration | None = None
    review_within: Duration | None = None
    erp_receipt_within: Duration | None = None
    update_every: Duration | None = None
    resolve_within: Duration | Literal["same_day"] | None = None
    resolve_at_least: Duration | None = None
    claim_within: Duration | None = None
    partner_margin: Duration | None = None
    evidence_within: Duration | None = None
    fallback_after: Duration | None = None
    doubt_within: Duration | None = None
    change_window: Duration | None = None
    orphan_window: Duration | None = None

    def over(self, floor: ServiceLevels) -> ServiceLevels:
        """`floor` with what is said here put over it; `same_day` is the workflow's None."""
        said = {name: getattr(self, name) for name in self.model_fields_set}
        update = {name: None if value == "same_day" else value for name, value in said.items() if value is not None}
        return floor.model_copy(update=update)


class Profile(StoreProfile):
    """A store's profile as the file says it; its id is the key it stands under."""

    id: Name = "store"
    time_zone: TimeZone = "UTC"


class StoreMode(StrEnum):
    """`shadow`: everything is decided and kept, nothing is sent (docs/shadow.md)."""

    LIVE = "live"
    SHADOW = "shadow"


class ErpChoice(Value):
    name: Name
    """An installation under `erps:`, or a system of that name."""
    mode: ErpMode = ErpMode.PUSH
    invoice: bool = False
    """Have it invoice what was handed off."""


class ErpPolicy(Value):
    """One installation of an ERP. Its settings are `ORDERACK_ERP_<NAME>_…`, never in the file."""

    system: Name
    ask_every: Duration = timedelta(seconds=30)
    """How often it is asked for the receipts that it has not pushed."""


class ConnectionPolicy(Value):
    """One store's account at a system that orders come from; its settings are `ORDERACK_SOURCE_<STORE>_<SYSTEM>_…`."""

    source: Name
    """The row under `sources:` that its orders have."""
    answer: bool = True
    """Tell it what becomes of its orders, where it has a call for that."""
    poll_every: Duration | None = None
    """How often it is asked, where it can be; by default as often as its documentation allows."""
    fields: Mapping[Name, Name] = {}
    """Fields that the shop added to its form → what they are to us: `delivery_window`, `instructions` …"""
    sure_from: float = Field(default=0.8, ge=0, le=1)
    """What was read from prose with less confidence goes to a person."""
    partners: Mapping[Name, Mapping[Name, object]] = {}
    """Trading partners: their ids, codes and addresses (docs/edi.md); of e-mail, whose mails need no person
    (docs/sources/email.md)."""


class Calendar(Value):
    """Which days the store works, and how much of an order it gets done in them. Lead times in working days."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    region: Name | None = None
    """ISO 3166-2 subdivision without the country, for regional holidays."""
    workdays: Annotated[frozenset[Workday], Field(min_length=1)] = frozenset(range(5))
    cut_off: LocalTime
    lead_days: int = Field(ge=0, le=366)
    lead_days_by_type: Mapping[Name, int] = {}
    """Lead time of an order type, before the source's and the store's."""
    backorder_lead_days: int = Field(default=10, ge=0, le=366)
    """Stands in for the day a back-ordered line comes in, when the ERP names none."""
    capacity_per_day: int = Field(gt=0)


class Learning(StrEnum):
    """What is done with what a customer's answers teach of the channels (docs/reachability.md)."""

    OFF = "off"
    SUGGEST = "suggest"
    """The explanation says what would change; nothing does."""
    APPLY = "apply"
    """The channel that this customer answers goes first in its leg."""


class Limits(Value):
    """Over these a person looks. `high_value` per currency."""

    high_value: Mapping[Name, Amount] = {}
    quantity_cap: Quantity | None = None
    duplicate_window: Duration = timedelta(hours=24)


class StorePolicy(Value):
    """One shop."""

    profile: Profile
    mode: StoreMode = StoreMode.LIVE
    """What holds for new orders until `orderack cutover` says otherwise; an order keeps its side."""
    live_percent: int | None = Field(default=None, ge=0, le=100)
    """Of a shadow store's orders, so many go live: by the order's number, so that none changes sides."""
    erp: ErpChoice | None = None
    connections: Mapping[Name, ConnectionPolicy] = {}
    """System → how this store takes its orders."""
    calendar: Calendar
    checks: tuple[Check, ...] = tuple(CHECKS)
    thresholds: Limits = Limits()
    prices_include_tax: bool = False
    team: Name | None = None
    quiet_hours: QuietHours | None = None
    learn_channels: Annotated[Learning, BeforeValidator(_learning)] = Learning.OFF
    on_doubt: OnDoubtByKind = Field(default_factory=dict)
    service_levels: Levels = Levels()


class SourcePolicy(Value):
    """One way in. `channels`, `gate` and `team` hold where the rule that fires says nothing of its own."""

    trigger: Text
    """When the acknowledgement clock starts, in words."""
    required_fields: tuple[Required, ...] = ()
    channels: Annotated[tuple[Channels, ...], Field(min_length=1)]
    fallback: tuple[Name, ...] = ()
    gate: GateChoice = GateChoice.ACK_GATED
    team: Name | None = None
    owner: Name | None = None
    """The role that answers for this source working at all."""
    lead_days: int | None = Field(default=None, ge=0, le=366)
    test_order: Text | None = None
    """A sample order beside the policy, for trying the source out."""


class TeamPolicy(Value):
    """Roles, not people: who holds a role today is the directory's business."""

    rota: tuple[Name, ...] = ()
    reviewers: tuple[Name, ...] = ()
    internal: tuple[Channels, ...] = ()
    """Where the team's owners are alerted; a rule may say otherwise."""
    tell_handoffs: bool = False
    """Tell them there of each order that they are handed, and when its work must stop; a rule may say otherwise."""
    tell_exceptions: bool = True
    """Tell an owner there after a sweep which of his orders are absent somewhere (docs/sweep.md)."""


class Outcome(Value):
    """What a rule decides. What it leaves out comes from the order's source, store and the defaults."""

    route: Route = Route.STRAIGHT
    gate: GateChoice | None = None
    channels: tuple[Channels, ...] | None = None
    internal: tuple[Channels, ...] = ()
    team: Name | None = None
    tell_handoffs: bool | None = None
    received: Received | None = None
    """Default: `withhold` for orders that go to review, else `immediate`."""
    updates: Updates | None = None
    """Default: `withhold` while the payment is flagged, else `send`."""
    on_doubt: OnDoubtByKind = Field(default_factory=dict)
    service_levels: Levels = Levels()
    work_needs: Grade | None = None
    work_on_account: bool = False
    evidence_needed: Grade | None = None
    button: bool = False
    """Messages ask the buyer to affirm on the order's page: then every channel that carries its link can bring E5."""


class Rule(Value):
    """One row of the matrix. The first whose `when` is true decides."""

    name: Name
    why: Text = ""
    when: Text
    then: Outcome


class DefaultRule(Value):
    """The last row: decides when no rule fired."""

    why: Text = "No other rule applies."
    then: Outcome


class EndpointPolicy(Value):
    """Another system that is told what happens. Its secret is `ORDERACK_ENDPOINT_<NAME>_SECRET`, never in the file."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2_000)]
    events: Annotated[tuple[Name, ...], Field(min_length=1)]
    """Event types, such as `order.confirmed`; `*` for all."""
    stores: tuple[Name, ...] = ()
    """Empty: every store's."""
    shadow: bool = False
    """Whether it is told of shadow orders too. Their bodies say so: `"side": "shadow"`."""


class PolicyFile(Value):
    """The whole document."""

    languages: Annotated[tuple[Name, ...], Field(min_length=1)] = ("en",)
    """Languages in which every message must be worded."""
    service_levels: Levels = Levels()
    on_doubt: OnDoubtByKind = Field(default_factory=dict)
    stores: Annotated[Mapping[Name, StorePolicy], Field(min_length=1)]
    sources: Annotated[Mapping[Name, SourcePolicy], Field(min_length=1)]
    teams: Annotated[Mapping[Name, TeamPolicy], Field(min_length=1)]
    erps: Mapping[Name, ErpPolicy] = {}
    endpoints: Mapping[Name, EndpointPolicy] = {}
    rules: tuple[Rule, ...] = ()
    default: DefaultRule

    @field_validator("stores")
    @classmethod
    def _named(cls, stores: Mapping[str, StorePolicy]) -> Mapping[str, StorePolicy]:
        """A store's id is the key it stands under."""
        return {
            key: store.model_copy(update={"profile": store.profile.model_copy(update={"id": key})})
            for key, store in stores.items()
        }


class Policy(PolicyFile):
    """A loaded policy: the document, and the version that decisions carry."""

    version: Name
    """Content hash of policy.yaml: first 12 hex digits of its SHA-256."""
    divisor: float = Field(default=1.0, gt=0)

    def levels(self, store: StorePolicy | None, rule: Levels) -> ServiceLevels:
        """The service levels of one order: rule over store over policy over defaults, divided by the divisor."""
        floor = self.service_levels.over(ServiceLevels())
        merged = rule.over(store.service_levels.over(floor) if store else floor)
        if self.divisor == 1:
            return merged
        durations = {name: value / self._divisor(value) for name, value in merged if isinstance(value, timedelta)}
        return merged.model_copy(update=durations)

    def doubts(self, store: StorePolicy | None, rule: OnDoubtByKind) -> OnDoubtByKind:
        """Kind by kind the rule's word over the store's over the policy's; without those of which a person is asked."""
        merged = {**self.on_doubt, **(store.on_doubt if store else {}), **rule}
        return {kind: merged[kind] for kind in Kind if merged.get(kind, OnDoubt.ASK) is not OnDoubt.ASK}

    def _divisor(self, promised: timedelta) -> float:
        """Clocks of a few minutes are divided less: no machine is a hundred times faster for being in a demo."""
        return min(self.divisor, QUICK) if promised <= WITHIN_MINUTES else self.divisor

    def scaled(self, divisor: float) -> "Policy":
        """The same policy with every service-level duration divided (demos, tests); lead times stay days."""
        return self.model_copy(update={"divisor": self.divisor * divisor})


class ChannelFacts(Value):
    """What the policy has to know of a channel."""

    buyer: bool
    """False: it reaches people inside only, and never counts for the buyer."""
    ceiling: Grade
    """The strongest evidence it can ever bring."""
    address: Name
    """The contact it needs: `email`, `phone`, `page` or `chat:<platform>`."""
    carries_touches: bool = True
    """Its messages are our own mail, with the store's image and links in it: an event in another system is none."""
    settles: bool = False
    """Its vendor knows our key or can be asked, so that a send by it is hardly ever left in doubt."""
