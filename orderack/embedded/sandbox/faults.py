"""Faults: how a look-alike is told to misbehave, for whom, how often, and proof that it did."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from orderack.domain.value import Value


class Target(StrEnum):
    """The look-alikes."""

    SENDGRID = "sendgrid"
    TWILIO = "twilio"
    SLACK = "slack"
    ERP = "erp"
    SMTP = "smtp"
    HOOKS = "hooks"
    """Endpoints of other systems that take our events."""
    MAILGUN = "mailgun"
    SES = "ses"
    VONAGE = "vonage"
    GMAIL = "gmail"
    OUTLOOK = "outlook"
    WHATSAPP = "whatsapp"
    MESSENGER = "messenger"
    LINE = "line"
    TELEGRAM = "telegram"
    VIBER = "viber"
    GOOGLE_CHAT = "google_chat"
    ZENDESK = "zendesk"
    HUBSPOT = "hubspot"
    SALESFORCE = "salesforce"
    ZOHO = "zoho"
    INTERCOM = "intercom"
    KLAVIYO = "klaviyo"
    ACTIVECAMPAIGN = "activecampaign"
    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    WEBHOOK = "webhook"
    BIGCOMMERCE = "bigcommerce"
    MAGENTO = "magento"
    AMAZON = "amazon"
    AMAZON_VENDOR_DF = "amazon_vendor_df"
    WALMART = "walmart"
    EBAY = "ebay"
    NETSUITE = "netsuite"
    CIN7_CORE = "cin7_core"
    CIN7_OMNI = "cin7_omni"
    FISHBOWL = "fishbowl"
    SAP_B1 = "sap_b1"
    EDI = "edi"
    """A trading partner's mailbox of interchanges."""
    IMAP = "imap"
    """A mailbox in which orders come as mail."""


class Operation(StrEnum):
    """What a request asks for. A fault strikes sends (and ERP submissions) unless it names another."""

    SEND = "send"
    LOOKUP = "lookup"
    AVAILABILITY = "availability"
    CANCEL = "cancel"
    ANY = "any"


class Action(StrEnum):
    """What goes wrong."""

    SLOW = "slow"
    """Accepts at once, answers after `seconds`."""
    REFUSE = "refuse"
    """Says no, in the vendor's words; `code` is the vendor's own."""
    THROTTLE = "throttle"
    """429 with Retry-After `retry_after`; nothing accepted."""
    FAIL = "fail"
    """`status` (503); nothing accepted."""
    CUT_OFF_BEFORE = "cut_off_before"
    """Closes the connection; nothing accepted."""
    CUT_OFF_AFTER_ACCEPT = "cut_off_after_accept"
    """Accepts, records, then closes the connection without an answer."""
    HANG = "hang"
    """Never answers; nothing accepted."""
    NONSENSE = "nonsense"
    """Accepts, and answers 200 with a page that says nothing."""
    BOUNCE = "bounce"
    """Accepts, and reports later that it could not deliver; `code` is the vendor's own."""
    LOSE = "lose"
    """ERP: accepts the order and never books it."""
    NO_WEBHOOK = "no_webhook"
    DUPLICATE_WEBHOOK = "duplicate_webhook"
    LATE_WEBHOOK = "late_webhook"
    """Every event of this message comes `seconds` later than it should."""


AFTERMATH = frozenset(
    {Action.BOUNCE, Action.LOSE, Action.NO_WEBHOOK, Action.DUPLICATE_WEBHOOK, Action.LATE_WEBHOOK},
)
"""Actions on what follows an accepted request; all others are about its answer."""

NEEDS: Mapping[Action, str] = {
    Action.SLOW: "seconds",
    Action.LATE_WEBHOOK: "seconds",
    Action.THROTTLE: "retry_after",
}
"""The field an action means nothing without."""

POSTS = frozenset(
    {
        *(Target.SENDGRID, Target.TWILIO, Target.MAILGUN, Target.SES, Target.VONAGE, Target.WHATSAPP),
        *(Target.MESSENGER, Target.VIBER, Target.WEBHOOK),
    }
)
"""Vendors that post what became of a message."""

BOUNCES = POSTS | {Target.GMAIL, Target.OUTLOOK}
"""Those, and the mailboxes into which a bounce comes as a mail."""

ERPS = frozenset({Target.ERP, Target.NETSUITE, Target.CIN7_CORE, Target.CIN7_OMNI, Target.FISHBOWL, Target.SAP_B1})
SHOPS = frozenset(
    {
        *(Target.SHOPIFY, Target.WOOCOMMERCE, Target.BIGCOMMERCE, Target.MAGENTO, Target.EBAY, Target.WALMART),
        *(Target.EDI, Target.HUBSPOT, Target.SALESFORCE, Target.ZOHO),
    }
)
"""Vendors that post what happens to their orders, or to the deals that become orders."""

_POSTING = POSTS | ERPS | SHOPS

NOT_FOR: Mapping[Action, frozenset[Target]] = {
    Action.LOSE: frozenset(Target) - ERPS,
    Action.BOUNCE: frozenset(Target) - BOUNCES,
    Action.NO_WEBHOOK: frozenset(Target) - _POSTING,
    Action.DUPLICATE_WEBHOOK: frozenset(Target) - _POSTING,
    Action.LATE_WEBHOOK: frozenset(Target) - _POSTING,
}
"""Targets on which an action could never be seen."""


class Fault(Value):
    """One scripted fault. Raises ValueError when the action lacks its field or could never be seen on the target."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Target
    action: Action
    match: str = ""
    """A part of the request: recipient, order number, any words in it. Empty: every request."""
    operation: Operation = Operation.SEND
    times: Annotated[int, Field(ge=1)] | None = 1
    """How often it strikes; None: until it is removed."""
    after: Annotated[int, Field(ge=0)] = 0
    """How many matching requests it lets pass first."""
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    retry_after: Annotated[int, Field(ge=0)] | None = None
    status: Annotated[int, Field(ge=400, le=599)] = 503
    code: str | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> "Fault":
        needed = NEEDS.get(self.action)
        if needed is not None and getattr(self, needed) is None:
            raise ValueError(f"{self.action} needs `{needed}`")
        if self.target in NOT_FOR.get(self.action, frozenset()):
            raise ValueError(f"{self.action} cannot happen at {self.target}")
        if self.target is Target.SMTP and self.code is not None and not re.fullmatch(r"[45]\d\d", self.code):
            raise ValueError("an SMTP code is three digits, 4xx or 5xx")
        if self.target is Target.TWILIO and self.code is not None and not re.fullmatch(r"\d{5}", self.code):
            raise ValueError("a Twilio code is five digits")
        return self


class Standing(Value):
    """A fault and what became of it."""

    id: int
    fault: Fault
    seen: int = 0
    """Matching requests."""
    fired: int = 0
    """Requests it struck."""

    @property
    def ready(self) -> bool:
        """Whether it strikes the request just seen."""
        spent = self.fault.times is not None and self.fired >= self.fault.times
        return self.seen > self.fault.after and not spent


@dataclass(frozen=True)
class Plan:
    """What goes wrong with one request: at most one fault for its answer, one for its aftermath."""

    answer: Fault | None = None
    aftermath: Fault | None = None

    @property
    def actions(self) -> tuple[Action, ...]:
        return tuple(fault.action for fault in (self.answer, self.aftermath) if fault is not None)

    def happens(self, action: Action) -> bool:
        return action in self.actions


class FaultBook:
    """The faults in force, in the order they were added; the earliest that is ready strikes."""

    def __init__(self) -> None:
        self._standings: dict[int, Standing] = {}
        self._next_id = 1

    def add(self, fault: Fault) -> Standing:
        standing = Standing(id=self._next_id, fault=fault)
        self._standings[standing.id] = standing
        self._next_id += 1
        return standing

    def clear(self) -> None:
        """Forget every fault and its counters."""
        self._standings.clear()

    def standings(self) -> tuple[Standing, ...]:
        return tuple(self._standings.values())

    def unfired(self) -> tuple[Standing, ...]:
        """Faults that never struck: a test that set one proves nothing."""
        return tuple(standing for standing in self.standings() if standing.fired == 0)

    def take(self, target: Target, operation: Operation, text: str) -> Plan:
        """Decide what goes wrong with a request whose readable content is `text`, and count it."""
        struck: dict[bool, Fault] = {}
        for standing in self.standings():
            fault = standing.fault
            if fault.target is not target or fault.operation not in (operation, Operation.ANY):
                continue
            if fault.match not in text:
                continue
            seen = standing.model_copy(update={"seen": standing.seen + 1})
            moment = fault.action in AFTERMATH
            if seen.ready and moment not in struck:
                struck[moment] = fault
                seen = seen.model_copy(update={"fired": seen.fired + 1})
            self._standings[standing.id] = seen
        return Plan(answer=struck.get(False), aftermath=struck.get(True))
