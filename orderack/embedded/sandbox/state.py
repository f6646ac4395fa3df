"""What the sandbox knows while it runs: kept in memory, gone when it ends."""

from dataclasses import dataclass, field

from pydantic import ConfigDict, NonNegativeFloat

from orderack.domain.value import Value
from orderack.embedded.sandbox.courier import Courier, Webhook
from orderack.embedded.sandbox.credentials import Credentials
from orderack.embedded.sandbox.faults import Action, FaultBook, Plan
from orderack.embedded.sandbox.record import AcceptanceLog, HookBook, Outbox
from orderack.embedded.sandbox.stock import Stock


class Behaviour(Value):
    """How the look-alikes behave when nothing goes wrong. Delays in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    webhooks: bool = True
    delivered_after: NonNegativeFloat = 0.2
    """From acceptance of a message to its delivery event."""
    opened_after: NonNegativeFloat | None = None
    """From delivery of an e-mail to its open event; None: nobody opens it."""
    books_after: NonNegativeFloat = 0.2
    """From an order's submission to the ERP's receipt; 0: the answer itself carries the receipt."""
    acknowledged_within: NonNegativeFloat = 4 * 3600
    """From an order's placing at a marketplace that wants an acknowledgement (Walmart) until it gives up on it."""


@dataclass
class SandboxState:
    """Everything the look-alikes share. `callback_base` may be set while it runs: the gateway may start later."""

    credentials: Credentials = field(default_factory=Credentials.make)
    behaviour: Behaviour = field(default_factory=Behaviour)
    callback_base: str | None = None
    faults: FaultBook = field(default_factory=FaultBook)
    log: AcceptanceLog = field(default_factory=AcceptanceLog)
    outbox: Outbox = field(default_factory=Outbox)
    hooks: HookBook = field(default_factory=HookBook)
    stock: Stock = field(default_factory=Stock)
    courier: Courier = field(default_factory=Courier)

    def callback(self, path: str) -> str | None:
        """The gateway's URL for `path` (`/webhooks/…`), once it is known."""
        return self.callback_base.rstrip("/") + path if self.callback_base else None

    def announce(self, webhook: Webhook, plan: Plan, after: float = 0.0) -> None:
        """Post a webhook in `after` seconds, as the plan has it: not at all, twice, late."""
        if not self.behaviour.webhooks or plan.happens(Action.NO_WEBHOOK):
            return
        late = plan.aftermath.seconds if plan.aftermath and plan.aftermath.action is Action.LATE_WEBHOOK else None
        copies = 2 if plan.happens(Action.DUPLICATE_WEBHOOK) else 1
        for _ in range(copies):
            self.courier.post(webhook, after + (late or 0.0))
