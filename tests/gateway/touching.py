"""Messages that went out, touched: what the stories of touches have in common."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from sqlalchemy import select
from sqlalchemy.engine import RowMapping

from orderack.contracts.journal import Journal, Stage
from orderack.domain.acknowledgement import Kind, SendKey, SendOutcome, SendState
from orderack.domain.evidence import EvidenceFact
from orderack.domain.order import Order, OrderRef
from orderack.gateway.grade_touches import grade_touches
from orderack.ledger.database import make_engine
from orderack.ledger.tables import Table
from orderack.links import BUYER, PageLink, fingerprint
from orderack.ports import Message, Rendered, StoredRevision
from orderack.touch_links import TouchLink
from orderack.touches import SETTLED, What
from tests.gateway.conftest import Gateway
from tests.workflows.orders import a_decision, an_assessment

BROWSER = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
ADDRESS = "ada@example.com"
TO = {"text": "+15005550006"}
"""Where a channel reaches the buyer, if not by e-mail."""

LATER = SETTLED + timedelta(seconds=1)


class Sent:
    """A message that went out to the buyer, with the links that it carried."""

    def __init__(self, gateway: Gateway, key: SendKey, role: str = BUYER) -> None:
        self.gateway, self.key, self.made_at = gateway, key, datetime.now(UTC).replace(microsecond=0)
        page = PageLink(
            ref=key.ref,
            role=role,
            via=key.channel,
            recipient=fingerprint(TO.get(key.channel, ADDRESS)),
            carrier=key,
            made_at=self.made_at,
        )
        self.page = gateway.parts.links.again(page)

    def path(self, what: What) -> str:
        link = TouchLink(key=self.key, what=what, recipient=fingerprint(ADDRESS), made_at=self.made_at)
        return urlsplit(self.gateway.parts.touch_links.url(link)).path

    async def touch(
        self, what: What = What.PIXEL, method: str = "GET", headers: dict[str, str] | None = None
    ) -> httpx.Response:
        return await self.gateway.http.request(method, self.path(what), headers=BROWSER | (headers or {}))


async def send(
    gateway: Gateway, order: Order, channel: str = "email", kind: Kind = Kind.CONFIRMATION, role: str = BUYER
) -> Sent:
    """Accepted an hour before anything is touched."""
    assessment = an_assessment(order, 1, a_decision())
    kept = StoredRevision(order=order, revision=1, content_hash=order.content_hash, assessment=assessment)
    await gateway.ledger.save_revision(kept, "print", Journal(ref=order.ref, stage=Stage.CONFIRMED, revision=1))
    sent = Sent(gateway, SendKey(ref=order.ref, revision=1, kind=kind, n=1, channel=channel), role)
    content = Rendered(subject="Yours", text=f"See {sent.page}", link=sent.page)
    message = Message(key=sent.key, recipient=TO.get(channel, ADDRESS), kind=kind, language="en", content=content)
    at = gateway.clock() - timedelta(hours=1)
    await gateway.ledger.claim(sent.key, message, at, timedelta(minutes=1))
    await gateway.ledger.finish(sent.key, SendOutcome(channel=channel, state=SendState.ACCEPTED, provider_id="p"), at)
    return sent


async def rows(database: Path) -> Sequence[RowMapping]:
    engine = make_engine(f"sqlite+aiosqlite:///{database}")
    async with engine.connect() as connection:
        query = select(Table.metadata.tables["touches"]).order_by(Table.metadata.tables["touches"].c.first_at)
        found = (await connection.execute(query)).mappings().all()
    await engine.dispose()
    return found


async def graded(gateway: Gateway) -> Sequence[EvidenceFact]:
    """The facts, once everything has settled."""
    gateway.clock.ahead += LATER
    await grade_touches(gateway.parts)
    return await gateway.ledger.evidence(OrderRef(store="demo", number="1001"))
