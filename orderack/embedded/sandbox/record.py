"""What the look-alikes took in: the acceptance log (ground truth for a checker) and the outbox (for people)."""

import re
from collections import Counter, deque
from datetime import UTC, datetime

from pydantic import AwareDatetime

from orderack.domain.value import Value
from orderack.embedded.sandbox.faults import Action, Operation, Target
from orderack.embedded.sandbox.markup import Link, read_html

OUTBOX_SIZE = 5_000
"""Messages kept for the web view. The log keeps every acceptance: dropping one would falsify a count."""

_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"']+")


class Acceptance(Value):
    """One request that a look-alike accepted, whether or not its answer got out."""

    seq: int
    at: AwareDatetime
    target: Target
    operation: Operation
    key: str | None
    """Our key of the send, as the request carried it."""
    idempotency_key: str | None
    recipient: str
    provider_id: str
    repeated: bool
    """The idempotency key was known: nothing new came of it."""
    faults: tuple[Action, ...]


class Tally(Value):
    """How many requests of one kind ended one way (`accepted`, or the HTTP status or fault that stopped it)."""

    target: Target
    operation: Operation
    outcome: str
    count: int


class AcceptanceLog:
    """Every acceptance, in order, and a tally of all requests."""

    def __init__(self) -> None:
        self._entries: list[Acceptance] = []
        self._tally: Counter[tuple[Target, Operation, str]] = Counter()

    def accept(
        self,
        target: Target,
        operation: Operation,
        *,
        provider_id: str,
        recipient: str = "",
        key: str | None = None,
        idempotency_key: str | None = None,
        repeated: bool = False,
        faults: tuple[Action, ...] = (),
    ) -> Acceptance:
        entry = Acceptance(
            seq=len(self._entries) + 1,
            at=datetime.now(UTC),
            target=target,
            operation=operation,
            key=key,
            idempotency_key=idempotency_key,
            recipient=recipient,
            provider_id=provider_id,
            repeated=repeated,
            faults=faults,
        )
        self._entries.append(entry)
        self.count(target, operation, "accepted")
        return entry

    def count(self, target: Target, operation: Operation, outcome: str) -> None:
        self._tally[target, operation, outcome] += 1

    def entries(self, target: Target | None = None, key: str | None = None) -> tuple[Acceptance, ...]:
        """Acceptances, oldest first, of one look-alike and with `key` in their key, where given."""
        return tuple(
            entry
            for entry in self._entries
            if (target is None or entry.target is target)
            and (key is None or key in (entry.key or "") or key in (entry.idempotency_key or ""))
        )

    def tally(self) -> tuple[Tally, ...]:
        return tuple(
            Tally(target=target, operation=operation, outcome=outcome, count=count)
            for (target, operation, outcome), count in sorted(self._tally.items())
        )


class Posted(Value):
    """One message as its reader would see it."""

    id: int
    at: AwareDatetime
    channel: Target
    recipient: str
    sender: str = ""
    subject: str = ""
    text: str = ""
    html: str | None = None
    key: str | None = None
    provider_id: str
    headers: tuple[tuple[str, str], ...] = ()
    buttons: tuple[str, ...] = ()
    """The words on a chat's buttons, where the message itself carries them."""

    def links(self) -> tuple[Link, ...]:
        """What the HTML links to, or the web addresses that a plain text holds: each once, in order."""
        if self.html is not None:
            return read_html(self.html).links
        return tuple(Link(url) for url in dict.fromkeys(_WEB_ADDRESS.findall(self.text)))


class Outbox:
    """The latest messages of all channels."""

    def __init__(self, size: int = OUTBOX_SIZE) -> None:
        self._messages: deque[Posted] = deque(maxlen=size)
        self._next_id = 1

    def put(
        self,
        channel: Target,
        *,
        recipient: str,
        provider_id: str,
        sender: str = "",
        subject: str = "",
        text: str = "",
        html: str | None = None,
        key: str | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        buttons: tuple[str, ...] = (),
    ) -> Posted:
        message = Posted(
            id=self._next_id,
            at=datetime.now(UTC),
            channel=channel,
            recipient=recipient,
            sender=sender,
            subject=subject,
            text=text,
            html=html,
            key=key,
            provider_id=provider_id,
            headers=headers,
            buttons=buttons,
        )
        self._messages.append(message)
        self._next_id += 1
        return message

    def get(self, message_id: int) -> Posted | None:
        return next((message for message in self._messages if message.id == message_id), None)

    def find(self, text: str = "", channel: Target | None = None) -> tuple[Posted, ...]:
        """Newest first; `text` is looked for, whatever its case, in recipient, key, subject and plain text."""
        wanted = text.casefold()
        return tuple(
            message
            for message in reversed(self._messages)
            if (channel is None or message.channel is channel) and wanted in _searched(message)
        )


def _searched(message: Posted) -> str:
    return "\n".join((message.recipient, message.key or "", message.subject, message.text)).casefold()


class Hooked(Value):
    """One event that another system's endpoint took: its signature held."""

    at: AwareDatetime
    endpoint: str
    id: str
    """`webhook-id`: the same for every attempt of one event."""
    type: str
    repeated: bool
    """The endpoint had it before."""
    body: str


class HookBook:
    """What the endpoints took, and how often each refused a signature."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, str], list[Hooked]] = {}
        self.refused: Counter[str] = Counter()

    def take(self, endpoint: str, event_id: str, event_type: str, body: str) -> Hooked:
        attempts = self._taken.setdefault((endpoint, event_id), [])
        event = Hooked(
            at=datetime.now(UTC),
            endpoint=endpoint,
            id=event_id,
            type=event_type,
            repeated=bool(attempts),
            body=body,
        )
        attempts.append(event)
        return event

    def events(self) -> tuple[Hooked, ...]:
        """Oldest first, repeats included."""
        return tuple(sorted((event for attempts in self._taken.values() for event in attempts), key=lambda e: e.at))
