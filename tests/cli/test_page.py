"""`orderack page`: a link made by hand, and links taken back."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from orderack.embedded.home import Home
from orderack.ledger.repository import SqlLedger, open_ledger
from orderack.links import PageLinks
from tests.cli.conftest import Terminal
from tests.ledger.samples import REF, entry, journal

SECRET = "a secret that signs buyers' links"


@pytest_asyncio.fixture
async def ledger(bare: Terminal, sqlite_template: Path) -> AsyncIterator[SqlLedger]:
    """The terminal's ledger, which knows one order."""
    url = f"sqlite+aiosqlite:///{bare.folder}/ledger.db"
    bare.environment |= {
        "ORDERACK_DATABASE_URL": url,
        "ORDERACK_SECRET": SECRET,
        "ORDERACK_PUBLIC_URL": "https://shop.example",
    }
    found = await open_ledger(url)
    await found.write(journal([entry(1)]))
    yield found
    await found.aclose()


async def test_a_link_is_printed_that_the_gateway_takes(bare: Terminal, ledger: SqlLedger) -> None:
    ended = await bare("page", "link", str(REF))
    assert ended.code == 0
    url = ended.out.strip()
    assert url.startswith("https://shop.example/o/")
    read = PageLinks(SECRET, "https://shop.example").read(url.rsplit("/", 1)[1])
    assert (read.ref, read.role, read.via) == (REF, "buyer", "")
    for_others = json.loads((await bare("page", "link", str(REF), "--role", "warehouse", "--json")).out)
    token = for_others["url"].rsplit("/", 1)[1]
    assert PageLinks(SECRET, "https://shop.example").read(token).role == "warehouse"


async def test_the_secret_of_the_installation_here_is_used_where_none_is_set(bare: Terminal, ledger: SqlLedger) -> None:
    bare.environment |= {"ORDERACK_SECRET": "", "ORDERACK_HOME": str(bare.folder / "home")}
    refused = await bare("page", "link", str(REF))
    assert (refused.code, "ORDERACK_SECRET" in refused.err) == (2, True)
    assert not (bare.folder / "home").exists()
    secret = Home(bare.folder / "home").secrets().page
    token = (await bare("page", "link", str(REF))).out.strip().rsplit("/", 1)[1]
    assert PageLinks(secret, "").read(token).ref == REF


async def test_links_that_were_made_before_are_void_and_those_made_after_are_not(
    bare: Terminal, ledger: SqlLedger
) -> None:
    old = PageLinks(SECRET, "").read(PageLinks(SECRET, "").token(REF))
    await asyncio.sleep(1)
    ended = await bare("page", "revoke", str(REF), "--json")
    assert (ended.code, json.loads(ended.out)["order"]) == (0, str(REF))
    await asyncio.sleep(1)
    fresh = PageLinks(SECRET, "").read(PageLinks(SECRET, "").token(REF))
    revoked_at = await ledger.links_revoked_at(REF)
    assert revoked_at
    assert old.made_at <= revoked_at < fresh.made_at
    assert "are void" in (await bare("page", "revoke", str(REF))).out


async def test_an_order_that_is_not_there_has_no_links(bare: Terminal, ledger: SqlLedger) -> None:
    for command in ("link", "revoke"):
        ended = await bare("page", command, "demo/never-came")
        assert (ended.code, ended.out) == (1, "")
        assert "no order demo/never-came" in ended.err
    assert (await bare("page", "link", "nonsense")).code == 2
    assert (await bare("page", "link", str(REF), "--role", " ")).code == 2
