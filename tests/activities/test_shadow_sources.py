"""What leaves the house of a store in shadow, source by source: every request of every source is recorded.

The table in docs/shadow.md is what is proved here: its rows are these sources, and its words are these facts.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.answer_source import AnswerSource
from orderack.contracts.activities import AnswerSourceRequest
from orderack.domain.order import OrderRef
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.errors import OrderAckError
from orderack.ports import Answers, Fetches, Looks, Responds, Source
from orderack.sources import load
from tests.activities.test_shadow import SHADOWED, mistaken, ref
from tests.activities.world import World
from tests.conformance.source import NOW
from tests.edi import interchanges as edi
from tests.gateway.source_suites import SUITES
from tests.ledger.samples import journal
from tests.sources.edi_partner import Partner

__all__ = ["ref"]

PAGE = Path(__file__).parents[2] / "docs" / "shadow.md"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
LOGINS = re.compile(
    r"^/(auth/o2/token|identity/v1/oauth2/token|v3/token|admin/oauth/access_token|services/oauth2/token|oauth/v2/token)$"
)
SEARCHES = re.compile(
    r"^/(admin/api/[\w.-]+/graphql\.json|crm/(objects/)?v3/(objects/)?\w+/(search|batch/read)|crm/v\d+(\.\d+)?/coql)$"
)
"""Reading by POST: a GraphQL query, a search."""


@dataclass
class Vendors:
    """Whoever is at the other end: remembers every request, and answers nothing of use."""

    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, path, _ = head.split(" ", 2)
                length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
                self.bodies.append((await reader.readexactly(int(length[1]) if length else 0)).decode())
                self.asked.append((method, path.partition("?")[0]))
                said = b'{"access_token": "t", "expires_in": 3600, "token_type": "bearer"}'
                head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(said)}\r\n\r\n"
                writer.write(head.encode() + said)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def vendors() -> AsyncIterator[Vendors]:
    made = Vendors()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    server.close()


async def answered(world: World, ref: OrderRef, name: str, source: Source, stage: AnswerStage) -> Answered:
    made = AnswerSourceRequest(ref=ref, revision=1, stage=stage, system=name, journal=journal(ref=ref))
    sources = {f"{ref.store}/{name}": source}
    work = AnswerSource(world.ledger, sources, lambda ref: "https://shop.example/o", world.clock)
    return await ActivityEnvironment().run(work.answer_source, made)


@pytest.mark.parametrize("name", SUITES)
async def test_no_answer_of_a_shadow_order_leaves_whatever_it_says(name: str, world: World, ref: OrderRef) -> None:
    async with vendors() as others, SUITES[name]().made(others.url) as source:
        for stage in AnswerStage:
            assert (await answered(world, ref, name, source, stage)).state is AnswerState.KEPT
        assert others.asked == []


@pytest.mark.parametrize("name", [name for name, spec in load().items() if spec.adapter.traits.answer])
async def test_nor_where_the_activity_believes_it_live(name: str, world: World, ref: OrderRef) -> None:
    async with vendors() as others, SUITES[name]().made(others.url) as source:
        assert isinstance(source, Answers)
        await mistaken(world, ref)
        with pytest.raises(ApplicationError, match=SHADOWED):
            await answered(world, ref, name, source, AnswerStage.CONFIRMED)
        assert others.asked == []


@pytest.mark.parametrize("name", SUITES)
async def test_a_look_only_reads(name: str) -> None:
    """Whatever mode the store is in: a look, and the fetching of what a hint names, change nothing there."""
    async with vendors() as others, SUITES[name]().made(others.url) as source:
        if isinstance(source, Looks) and name != "imap":  # a mailbox is no HTTP; it is opened to read, see below
            with suppress(OrderAckError):
                await source.look("", NOW)
            assert others.asked, "else nothing was proved"
        if isinstance(source, Fetches):
            with suppress(OrderAckError):
                await source.fetch("1001")
    for (method, path), body in zip(others.asked, others.bodies, strict=True):
        reads = method == "GET" or LOGINS.match(path) or (SEARCHES.match(path) and "mutation" not in body)
        assert reads, f"{method} {path}"


async def test_the_answer_to_an_interchange_says_that_it_parsed_and_never_what_becomes_of_the_order() -> None:
    """A 997, or TA1. The 855 and the 865 are answers to the order, and held."""
    greeting, _ = await Partner().post(edi.one(edi.order()))
    assert set(re.findall(r"(?:^|~)\s*ST\*(\d+)", greeting.body)) == {"997"}
    assert {name for name, kind in SUITES.items() if isinstance(kind().make(), Responds)} == {"edi_x12"}


def test_the_page_says_so_of_every_source() -> None:
    rows = {name: (asks, inline, held) for name, asks, inline, held in ROW.findall(PAGE.read_text())}
    assert set(rows) == set(load())
    for name, spec in load().items():
        asks, inline, held = rows[name]
        adapter = spec.adapter
        assert asks.startswith("reads") == (hasattr(adapter, "look") or hasattr(adapter, "fetch")), name
        assert ("997" in inline) == hasattr(adapter, "respond"), name
        assert ("challenge" in inline) == hasattr(adapter, "greet"), name
        assert (held == "–") == (adapter.traits.answer is None), name
        stages = ", ".join(sorted(adapter.traits.answers))
        assert stages in held, name
