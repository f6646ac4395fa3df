"""I16: what an order says of its buyer lies in the ledger and with the vendors, sealed in Temporal, and nowhere else.

One order with a word of its own in every field, through the real run; then every byte that is left is read."""

import asyncio
import base64
import hashlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from temporalio.client import Client

from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.journal import Event, Stage
from orderack.contracts.updates import BuyerQuestion, CancelRequest, ReviewVerdict
from orderack.domain.order import Order
from orderack.embedded.demo.driver import Driver
from orderack.embedded.stack import Ports, Stack, running
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from tests.security.canaries import WORD, a_canary_order, a_word, seen_in, seen_in_files, spellings
from tests.temporal.server import binary

FAST = {"ORDERACK_POLICY_DIVISOR": "180", "ORDERACK_SEND_LEASE_SECONDS": "3"}
TOKEN = "a-token-of-the-order-desk"
OURS = ("ledger.db", "ledger.db-wal", "ledger.db-shm")
"""Where the buyer's data is at home."""


async def test_nothing_of_the_buyers_lies_anywhere_but_in_the_ledger(tmp_path: Path) -> None:
    home = tmp_path / "home"
    extra = FAST | {"ORDERACK_METRICS_ADDRESS": f"127.0.0.1:{_free_ports()}"}
    async with httpx.AsyncClient(timeout=30) as http:
        async with running(home, Ports(0, 0, 0, 0, 0), sealed=True, extra=extra) as stack:
            client = await connect(env=stack.environment)
            driver = Driver(stack, Orders(client), http)
            order = await lives_through_everything(driver, client)
            await operators_read_it_and_strangers_do_not(stack, order)
            figures = [text async for text in metrics(http, extra["ORDERACK_METRICS_ADDRESS"])]
            posts = (await http.get(f"{stack.sandbox_url}/mailbox", params={"format": "json"})).json()["messages"]
            secrets = [stack.secrets.api_key, stack.secrets.page, (home / "codec.keys").read_text().strip()]
    assert seen_in((home / "ledger.db").read_bytes()), "the look itself sees nothing"
    assert seen_in(json.dumps(posts).encode()), "nothing was sent"
    left = [file for file in home.rglob("*") if file.is_file() and file.name not in OURS]
    assert {"temporal.db", "worker.log", "gateway.log", "temporal.log", "codec.log"} <= {file.name for file in left}
    assert seen_in_files(left) == {}
    assert figures
    assert seen_in("".join(figures).encode()) == set()
    assert seen_in("\n".join(addresses(posts)).encode()) == set()
    for spelled in spellings(part for secret in secrets for part in secret.split(":")[-1:]):
        kept = {file.name for file in home.rglob("*") if file.is_file() and spelled in file.read_bytes()}
        assert kept <= {"secrets.json", "shell.env", "codec.keys"}
    assert {oct((home / name).stat().st_mode & 0o777) for name in ("secrets.json", "codec.keys")} == {"0o600"}


async def lives_through_everything(driver: Driver, client: Client) -> Order:
    """Approved, booked at the third attempt, confirmed and asked about; called off; and whatever is not an order."""
    order = a_canary_order(driver.number(1))
    await driver.fault("erp", "fail", order.number, times=2)
    await driver.hand_in(order)
    await driver.until(order.ref, lambda status: status.stage is Stage.REVIEW, "go to a person")
    await driver.decide(order.ref, ReviewVerdict.APPROVE, note=a_word("note"))
    await driver.confirmed(order.ref)
    await driver.until(order.ref, lambda status: status.stage is Stage.HANDED_OFF, "be handed off")
    question = BuyerQuestion(id="q-1", revision=1, via="portal", text=a_word("question"))
    assert (await driver.orders.ask(order.ref, question)).accepted
    handle = client.get_workflow_handle(order_workflow_id(order.ref))
    await handle.signal(names.SIGNAL_ERP_RECEIPT, {"street": a_word("signal")})
    await handle.signal(names.SIGNAL_EVIDENCE, a_word("no-evidence"))
    off = a_canary_order(driver.number(2), fetched=True)
    await driver.hand_in(off)
    await driver.until(off.ref, lambda status: status.stage is Stage.REVIEW, "go to a person")
    cancel = CancelRequest(id="c-1", reason=a_word("reason"))
    assert (await driver.orders.cancel(off.ref, cancel)).accepted
    await driver.seen(off.ref, Event.CANCELLED)
    await no_orders(driver, order)
    return order


async def no_orders(driver: Driver, order: Order) -> None:
    """Bodies that are refused, with the words in fields, keys and addresses."""
    headers = {"Authorization": f"Bearer {driver.stack.secrets.api_key}", "Content-Type": "application/json"}
    spoilt = order.model_dump_json().replace('"quantity":"2"', f'"quantity":"{a_word("number")}"')
    for body in (spoilt, f'{{"{WORD}": "{WORD}"}}', f'{{"store": "{WORD}"', WORD):
        answer = await driver.http.post(f"{driver.stack.gateway_url}/intake/demo", content=body, headers=headers)
        assert 400 <= answer.status_code < 500
    for path in (f"/o/{WORD}", f"/intake/{WORD}", f"/webhooks/{WORD}", f"/receipts/{WORD}?a={WORD}", f"/{WORD}"):
        for method in ("GET", "POST"):
            answer = await driver.http.request(
                method, driver.stack.gateway_url + path, content=WORD, headers=headers | {"X-Signature": WORD}
            )
            assert answer.status_code < 500, path


async def operators_read_it_and_strangers_do_not(stack: Stack, order: Order) -> None:
    """Temporal's own command line: sealed by itself, in clear through the codec server."""
    show = [binary(), "workflow", "show", "--address", stack.address, "--workflow-id", order_workflow_id(order.ref)]
    show += ["--output", "json"]
    assert seen_in(spelled_out(await output(*show))) == set()
    opened = await output(*show, "--codec-endpoint", str(stack.codec_url))
    for field in ("customer", "delivery-street", "instructions", "question"):
        assert a_word(field).encode() in spelled_out(opened)
    async with codec_server(stack) as url:
        asked = await output(*show, "--codec-endpoint", url, "--codec-auth", f"Bearer {TOKEN}")
        assert a_word("delivery-street").encode() in spelled_out(asked)
        refused = await output(*show, "--codec-endpoint", url, "--codec-auth", "Bearer guess")
        assert seen_in(spelled_out(refused)) == set()


@asynccontextmanager
async def codec_server(stack: Stack) -> AsyncIterator[str]:
    """Another one, as it is run where people have tokens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    tokens = f"desk:default:{hashlib.sha256(TOKEN.encode()).hexdigest()}"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orderack.codec_server", "--port", port),
        env=stack.environment | {"ORDERACK_CODEC_SERVER_TOKENS": tokens},
    )
    try:
        async with httpx.AsyncClient() as http, asyncio.timeout(30):
            while True:
                try:
                    await http.get(f"http://127.0.0.1:{port}/healthz")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def output(*command: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, env=os.environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return said


def spelled_out(said: bytes) -> bytes:
    """What was printed, and beside it what stands in it in base64."""
    found = [said]
    for word in said.replace(b'"', b" ").split():
        if len(word) >= 12 and len(word) % 4 == 0:
            try:
                found.append(base64.b64decode(word, validate=True))
            except ValueError:
                continue
    return b"\n".join(found)


def addresses(posts: Sequence[dict[str, object]]) -> list[str]:
    """Every address in the messages."""
    text = json.dumps(posts)
    return [word for word in text.replace('\\"', " ").replace('"', " ").split() if "://" in word]


def _free_ports() -> int:
    """The first of a range that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def metrics(http: httpx.AsyncClient, address: str) -> AsyncIterator[str]:
    """What each process serves; each took the next port of the range."""
    host, _, port = address.rpartition(":")
    for place in range(4):
        try:
            yield (await http.get(f"http://{host}:{int(port) + place}/metrics")).text
        except httpx.TransportError:
            continue
