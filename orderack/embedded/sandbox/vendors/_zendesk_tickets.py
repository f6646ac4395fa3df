"""What Zendesk takes and gives of a ticket, so far as the look-alike keeps it."""

from dataclasses import dataclass, field
from datetime import datetime

from pydantic import AwareDatetime, BaseModel, JsonValue

AGENT = "agent@shop.example"
AGENT_ID = 7


class Requester(BaseModel):
    name: str = ""
    email: str = ""


class Imported(BaseModel):
    """What POST /imports/tickets takes of a ticket, so far as the sandbox keeps it."""

    subject: str = ""
    description: str = ""
    requester: Requester
    tags: list[str] = []
    created_at: AwareDatetime


class Import(BaseModel):
    ticket: Imported


class Comment(BaseModel):
    body: str = ""
    html_body: str | None = None
    public: bool = True


class TicketIn(BaseModel):
    """What POST and PUT take of a ticket, so far as our adapters can say it."""

    subject: str = ""
    external_id: str | None = None
    tags: list[str] | None = None
    group_id: int | None = None
    requester: Requester | None = None
    comment: Comment | None = None
    metadata: dict[str, JsonValue] = {}
    safe_update: bool = False
    updated_stamp: str = ""
    status: str | None = None


class Body(BaseModel):
    ticket: TicketIn


@dataclass
class Ticket:
    id: int
    subject: str
    external_id: str | None
    tags: list[str]
    group_id: int | None
    requester: str
    updated: datetime
    created: datetime
    description: str = ""
    status: str = "new"
    audits: list[dict[str, JsonValue]] = field(default_factory=list)


def shown(ticket: Ticket) -> dict[str, JsonValue]:
    return {
        "id": ticket.id,
        "external_id": ticket.external_id,
        "subject": ticket.subject,
        "status": ticket.status,
        "tags": list(ticket.tags),
        "group_id": ticket.group_id,
        "requester_id": requester_id(ticket),
        "description": ticket.description,
        "created_at": iso(ticket.created),
        "updated_at": iso(ticket.updated),
    }


def requester_id(ticket: Ticket) -> int:
    return AGENT_ID if ticket.requester == AGENT else 1_000 + ticket.id


def iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
