"""`orderack webhooks`: endpoints and how they fare, what was given up, trying again, and one test event."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest_asyncio
import yaml

from orderack.contracts.journal import Event
from orderack.domain.order import OrderRef
from orderack.ledger.repository import SqlLedger, open_ledger
from orderack.ports import DeliveryEnd, DeliveryState, Subscription
from tests.cli.conftest import ROOT, KeptWorld, Terminal
from tests.ledger.samples import NOW, entry, journal
from tests.workflows.world import a_number

SECRET = f"whsec_{base64.b64encode(b'the subscriber signs with this key').decode()}"


def with_endpoints(terminal: Terminal, **urls: str) -> None:
    """Give the terminal a policy that names these endpoints, and a secret for each."""
    folder = terminal.folder / "policy"
    folder.mkdir(exist_ok=True)
    document = yaml.safe_load((ROOT / "policy" / "policy.yaml").read_text())
    document["endpoints"] = {name: {"url": url, "events": ["order.closed"]} for name, url in urls.items()}
    (folder / "policy.yaml").write_text(yaml.safe_dump(document))
    if not (folder / "messages").exists():
        (folder / "messages").symlink_to(ROOT / "policy" / "messages")
    terminal.environment["ORDERACK_POLICY_DIR"] = str(folder)
    terminal.environment |= {f"ORDERACK_ENDPOINT_{name.upper()}_SECRET": SECRET for name in urls}


@pytest_asyncio.fixture
async def ledger(bare: Terminal, sqlite_template: Path) -> AsyncIterator[SqlLedger]:
    """The terminal's ledger: two events for the CRM, one of them given up, one for an endpoint that is no more."""
    url = f"sqlite+aiosqlite:///{bare.folder}/ledger.db"
    bare.environment["ORDERACK_DATABASE_URL"] = url
    found = await open_ledger(url)
    await found.write(journal([entry(1, Event.ORDER_ACCEPTED), entry(2, Event.CLOSED)]))
    await found.fan_out([Subscription(endpoint=name, events=("*",)) for name in ("crm", "gone")], NOW)
    first, _ = await found.claim_events("crm", NOW, NOW - NOW, 2)
    await found.end_attempt(first, DeliveryEnd(state=DeliveryState.DEAD, answer="HTTP 500"), datetime.now(UTC))
    yield found
    await found.aclose()


@asynccontextmanager
async def answering(status: str) -> AsyncIterator[tuple[str, list[bytes]]]:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        got.append(head + await reader.readexactly(int(length.split(b":")[1])))
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook", got
    finally:
        server.close()


async def test_the_list_shows_each_endpoint_how_it_stands_and_why_it_is_not_served(
    bare: Terminal, ledger: SqlLedger
) -> None:
    with_endpoints(bare, crm="https://crm.example/hook", bare="http://crm.example/hook")
    rows = {row["name"]: row for row in (await bare("webhooks", "list", "--json")).json["endpoints"]}
    crm, open_, gone = rows["crm"], rows["bare"], rows["gone"]
    assert (crm["pending"], crm["delivered"], crm["dead"], crm["problem"]) == (1, 0, 1, "")
    assert "https" in open_["problem"]
    assert (gone["pending"], gone["problem"]) == (2, "is not in the policy")
    assert SECRET not in (await bare("webhooks", "list")).out


async def test_what_was_given_up_is_listed_and_tried_again_by_its_id_or_all(bare: Terminal, ledger: SqlLedger) -> None:
    (event,) = (await bare("webhooks", "dead", "--json")).json["dead"]
    assert (event["type"], event["endpoint"], event["last_answer"]) == ("order.accepted", "crm", "HTTP 500")
    assert event["event_id"] in (await bare("webhooks", "dead")).out
    assert (await bare("webhooks", "retry", "msg_nosuch")).code == 1
    ended = await bare("webhooks", "retry", event["event_id"])
    assert (ended.code, ended.out) == (0, "1 to be told again.\n")
    assert (await bare("webhooks", "dead")).out == "No event was given up.\n"
    assert (await bare("webhooks", "retry", "--all")).code == 1


async def test_retry_wants_one_event_or_all(bare: Terminal, ledger: SqlLedger) -> None:
    assert (await bare("webhooks", "retry")).code == 2
    assert (await bare("webhooks", "retry", "msg_1", "--all")).code == 2


async def test_a_test_event_is_signed_and_its_answer_shown(bare: Terminal) -> None:
    async with answering("200 OK") as (url, got):
        with_endpoints(bare, crm=url)
        ended = await bare("webhooks", "test", "crm", "--json")
    assert (ended.code, ended.json["answer"], ended.json["taken"]) == (0, "HTTP 200", True)
    assert b"orderack.test" in got[0]
    assert b"webhook-signature: v1," in got[0].lower()
    async with answering("503 Away") as (url, _):
        with_endpoints(bare, crm=url)
        ended = await bare("webhooks", "test", "crm")
    assert (ended.code, ended.out) == (1, "crm: HTTP 503\n")


async def test_an_endpoint_that_is_unknown_or_without_a_secret_is_not_tested(bare: Terminal) -> None:
    with_endpoints(bare, crm="https://crm.example/hook")
    unknown = await bare("webhooks", "test", "cmr")
    assert (unknown.code, "did you mean crm?" in unknown.err) == (2, True)
    bare.environment["ORDERACK_ENDPOINT_CRM_SECRET"] = ""
    silent = await bare("webhooks", "test", "crm")
    assert (silent.code, "ORDERACK_ENDPOINT_CRM_SECRET" in silent.err) == (2, True)


async def test_the_policy_check_names_an_endpoint_without_its_secret(bare: Terminal) -> None:
    with_endpoints(bare, crm="https://crm.example/hook")
    assert "ENDPOINT" not in (await bare("policy", "check")).err
    bare.environment["ORDERACK_ENDPOINT_CRM_SECRET"] = "whsec_short"
    ended = await bare("policy", "check")
    assert (ended.code, "mend ORDERACK_ENDPOINT_CRM_SECRET" in ended.err) == (1, True)


async def test_an_order_that_another_system_was_never_told_of_waits_in_the_queue(
    terminal: Terminal, kept: KeptWorld
) -> None:
    ref = OrderRef(store="demo", number=a_number())
    entries = [entry(seq, Event.CLOSED) for seq in (1, 2, 3)]
    await kept.ledger.write(journal(entries, ref=ref))
    await kept.ledger.fan_out([Subscription(endpoint="queue", events=("*",))], NOW)
    while due := await kept.ledger.claim_events("queue", NOW, NOW - NOW, 100):
        for one in due:
            await kept.ledger.end_attempt(one, DeliveryEnd(state=DeliveryState.DEAD, answer="HTTP 500"), NOW)
    queue = (await terminal("queue", "--json")).json["waiting"]
    mine = [row for row in queue if row["order"] == ref.model_dump()]
    assert [(row["why"], row["do"]) for row in mine] == [("untold", "orderack webhooks dead")]
    await kept.ledger.retry_events(NOW)
