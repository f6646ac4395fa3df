"""`orderack report wismo` over a ledger file: from an export, and over HTTP from the sandbox's Zendesk and Intercom."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from orderack.embedded.sandbox import Action, Fault, Operation, Sandbox, Target
from orderack.ledger.repository import SqlLedger, open_ledger
from orderack.ports.helpdesk import Ticket
from tests.cli.conftest import Terminal
from tests.diagnostics.wismo.kept import export, keep
from tests.diagnostics.wismo.world import Rule, World, a_world
from tests.ledger_fixture import own_file

EARLY = timedelta(minutes=20)
"""Before now the generated time ends, so that nothing of it is still to come while tests run."""


def since() -> datetime:
    return (datetime.now(UTC) - timedelta(days=30) - EARLY).replace(microsecond=0)


WORLD = a_world(3, Rule(held=4), since=since())
CALM = a_world(4, Rule(), since=since())


def in_seconds(world: World) -> Sequence[Ticket]:
    """As helpdesks keep them: times in whole seconds, never before their order."""
    return [replace(one, created_at=one.created_at.replace(microsecond=0)) for one in world.tickets]


@pytest_asyncio.fixture(scope="module")
async def filled(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mapping[str, str]]:
    """The URL of a ledger for each world, with 2,400 orders in it."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("effect", "calm")}
    with own_file(sqlite_template, folders["effect"]) as effect, own_file(sqlite_template, folders["calm"]) as calm:
        for url, world in ((effect, WORLD), (calm, CALM)):
            ledger: SqlLedger = await open_ledger(url)
            await keep(ledger, world.book)
            await ledger.aclose()
        yield {"effect": effect, "calm": calm}


@pytest.fixture
def shop(bare: Terminal, filled: Mapping[str, str]) -> Terminal:
    bare.environment |= {"ORDERACK_DATABASE_URL": filled["effect"]}
    export(in_seconds(WORLD), bare.folder / "export.csv")
    return bare


async def test_the_effect_that_is_there_is_found_in_an_export_and_every_ticket_has_its_order(shop: Terminal) -> None:
    ended = await shop("report", "wismo", "--tickets", "export.csv", "--since", "31d", "--json")
    assert (ended.code, ended.err) == (0, "")
    found = ended.json
    assert found["orders"] == len(WORLD.book.orders) == 2_400
    refs = {one["ticket"]: (one["ref"]["store"], one["ref"]["number"]) for one in found["asked"]}
    assert refs == {ticket: (ref.store, ref.number) for ticket, ref in WORLD.of_order.items()}
    effects = {one["split"]: one["effect"] for one in found["splits"]}
    assert effects["held"] == "more"
    assert {one["meaning"] for one in found["columns"]} >= {"id", "created", "subject", "text", "email"}


async def test_where_there_is_no_effect_none_is_claimed(bare: Terminal, filled: Mapping[str, str]) -> None:
    export(in_seconds(CALM), bare.folder / "export.csv")
    arguments = ("report", "wismo", "--tickets", "export.csv", "--since", "31d", "--json")
    ended = await bare(*arguments, ORDERACK_DATABASE_URL=filled["calm"])
    assert {one["effect"] for one in ended.json["splits"]} == {"none_found"}


async def test_a_person_reads_sentences_first_then_tables_and_how_the_file_was_read(shop: Terminal) -> None:
    ended = await shop("report", "wismo", "--tickets", "export.csv", "--since", "31d", "--html", "wismo.html")
    assert ended.code == 0
    assert ended.out.startswith("- Tickets that ask where an order is: ")
    told = ("Orders that got a holding message are asked about", "orders that were", "\nsource", "\nday", "decided by")
    places = [ended.out.index(words) for words in (*told, "Another column: --map", "Written: wismo.html")]
    assert places == sorted(places)
    page = (shop.folder / "wismo.html").read_text()
    assert page.count("<svg") == 1
    for words in (ended.out, page):
        assert "@example.com" not in words
        assert "I placed order" not in words


async def test_one_store_and_a_tag_of_the_desks(shop: Terminal) -> None:
    arguments = ("report", "wismo", "--tickets", "export.csv", "--since", "31d", "--json")
    north = (await shop(*arguments, "--store", "north")).json
    assert {one["ref"]["store"] for one in north["asked"]} == {"north"}
    order = WORLD.book.orders[1_000]
    at = f"{order.trigger_at + timedelta(hours=1):%Y-%m-%d %H:%M:%S}"
    shop.file("tagged.csv", f"id,created_at,subject,tags\n1,{at},{order.ref.number},late-order\n2,{at},x,vip\n")
    tagged = await shop(
        "report", "wismo", "--tickets", "tagged.csv", "--since", "31d", "--wismo-tag", "late-order", "--json"
    )
    (one,) = tagged.json["asked"]
    assert (one["phrase"], one["ref"]["number"]) == ("tag: late-order", order.ref.number)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "--tickets: or --from has to be given"),
        (["--tickets", "export.csv", "--from", "zendesk"], 2, "--tickets: or --from has to be given, one of them"),
        (["--tickets", "nowhere.csv"], 2, "nowhere.csv: No such file"),
        (["--tickets", "export.csv", "--map", "text=Nope"], 2, "export.csv has no column Nope"),
        (["--tickets", "export.csv", "--since", "30"], 2, "--since: is not a duration"),
        (["--tickets", "export.csv", "--since", "800000d"], 2, "'800000d' is further back than there are tickets"),
        (["--tickets", "export.csv", "--time-zone", "Mars/Here"], 2, "is no time zone"),
        (["--tickets", "export.csv", "--store", "nort"], 2, "did you mean north?"),
        (["--tickets", "export.csv", "--html", "none/page.html"], 2, "none/page.html cannot be written"),
        (["--from", "freshdesk"], 2, "there are intercom, zendesk"),
        (["--from", "zendesk"], 2, "ORDERACK_HELPDESK_ZENDESK_API_TOKEN is missing"),
        (["--from", "intercom", "--map", "text=x"], 2, "are about a file"),
        (["--tickets", "export.csv", "--since", "1m"], 1, ""),
    ],
)
async def test_wrong_usage_says_what_to_do(shop: Terminal, arguments: list[str], code: int, says: str) -> None:
    ended = await shop("report", "wismo", *arguments)
    assert ended.code == code
    assert says in ended.err


async def test_no_ledger_ends_with_three_and_an_old_export_with_one(shop: Terminal) -> None:
    ended = await shop("report", "wismo", "--tickets", "export.csv", ORDERACK_DATABASE_URL="sqlite+aiosqlite:///no.db")
    assert ended.code == 3
    assert "there is no ledger" in ended.err
    shop.file("old.csv", "id,created_at,subject\n1,2020-01-02T03:04:05Z,Where is my order?\n")
    old = await shop("report", "wismo", "--tickets", "old.csv")
    assert old.code == 1
    assert "the last was opened 02 Jan 2020" in old.out


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox.start() as running:
        yield running


async def into_zendesk(env: Mapping[str, str], tickets: Sequence[Ticket]) -> None:
    login = (f"{env['ORDERACK_HELPDESK_ZENDESK_EMAIL']}/token", env["ORDERACK_HELPDESK_ZENDESK_API_TOKEN"])
    async with httpx.AsyncClient(base_url=env["ORDERACK_HELPDESK_ZENDESK_BASE_URL"], auth=login) as http:
        for one in tickets:
            made = {"subject": one.subject, "description": one.text, "created_at": one.created_at.isoformat()}
            requester = {"name": "A buyer", "email": one.email or "nobody@example.com"}
            answer = await http.post("/api/v2/imports/tickets", json={"ticket": made | {"requester": requester}})
            answer.raise_for_status()


async def into_intercom(env: Mapping[str, str], tickets: Sequence[Ticket]) -> None:
    headers = {"Authorization": f"Bearer {env['ORDERACK_HELPDESK_INTERCOM_ACCESS_TOKEN']}"}
    async with httpx.AsyncClient(base_url=env["ORDERACK_HELPDESK_INTERCOM_BASE_URL"], headers=headers) as http:
        for one in tickets:
            query = {"query": {"field": "email", "operator": "=", "value": one.email or "nobody@example.com"}}
            contact = (await http.post("/contacts/search", json=query)).json()["data"][0]["id"]
            at = int(one.created_at.timestamp())
            begun = {"from": {"type": "user", "id": contact}, "body": one.text, "subject": one.subject}
            (await http.post("/conversations", json=begun | {"created_at": at})).raise_for_status()


@pytest.mark.parametrize("name", ["zendesk", "intercom"])
async def test_a_helpdesk_read_over_http_gives_what_its_export_gives(
    name: str, shop: Terminal, sandbox: Sandbox
) -> None:
    env = dict(sandbox.environment())
    await (into_zendesk if name == "zendesk" else into_intercom)(env, in_seconds(WORLD))
    target = Target.ZENDESK if name == "zendesk" else Target.INTERCOM
    fault = Fault(target=target, action=Action.THROTTLE, operation=Operation.LOOKUP, retry_after=1)
    sandbox.state.faults.add(fault)
    desk, file = await asyncio.gather(
        shop("report", "wismo", "--from", name, "--since", "31d", "--json", **env),
        shop("report", "wismo", "--tickets", "export.csv", "--since", "31d", "--json"),
    )
    assert (desk.code, desk.err) == (0, "")
    assert desk.json["tickets_from"] == name
    assert len(desk.json["asked"]) == len(WORLD.of_order)
    for part in ("orders", "rate", "splits", "tickets_per_100"):
        assert desk.json[part] == file.json[part]


async def test_an_expired_token_and_a_desk_that_is_away_are_told_in_a_sentence(
    shop: Terminal, sandbox: Sandbox
) -> None:
    env = dict(sandbox.environment())
    expired = await shop(
        "report", "wismo", "--from", "intercom", **env | {"ORDERACK_HELPDESK_INTERCOM_ACCESS_TOKEN": "old-token-1"}
    )
    assert expired.code == 2
    assert "check ORDERACK_HELPDESK_INTERCOM_ACCESS_TOKEN" in expired.err
    assert "old-token-1" not in expired.err
    fault = Fault(target=Target.ZENDESK, action=Action.THROTTLE, operation=Operation.LOOKUP, retry_after=900, times=9)
    sandbox.state.faults.add(fault)
    away = await shop("report", "wismo", "--from", "zendesk", **env)
    assert away.code == 3
    assert "limiting our rate (429); try again in 900 s" in away.err
