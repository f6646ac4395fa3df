"""Proof on the embedded run, as its user has it: machines, people, a fallback, an answer by SMS, a gateway that dies.

One run for all of it: starting it is what costs.
"""

import asyncio
import base64
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import httpx
import pytest
import yaml

from orderack.contracts.journal import Event, Stage
from orderack.contracts.queries import AcknowledgementStatus, OrderStatus
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.claims import claim
from orderack.domain.evidence import Grade
from orderack.domain.order import Order
from orderack.embedded.demo.driver import Driver, NotAsTold
from orderack.embedded.demo.orders import an_order
from orderack.embedded.demo.proofs import says_too_much
from orderack.embedded.sandbox.mail_clients import MAIL_CLIENTS, ReadAs
from orderack.embedded.sandbox.markup import Form, Markup, read_html
from orderack.embedded.sandbox.visit import Visit
from orderack.embedded.stack import Ports, running
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders

SECRET = "whsec_" + base64.b64encode(b"an endpoint's 24 bytes..").decode()
WANTS_DELIVERY = {
    "name": "wants_delivery",
    "when": 'order.source == "pos"',
    "then": {
        "channels": [["sendgrid_email", "twilio_sms"]],
        "evidence_needed": "E2",
        "service_levels": {"evidence_within": "12m"},
    },
}
"""Twelve minutes are four seconds here."""


def own_policy(folder: Path, sandbox_url: str) -> Path:
    """The policy as it stands, with one rule and one endpoint more."""
    shutil.copytree(Settings().policy_dir, folder)
    file = folder / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["rules"].insert(0, WANTS_DELIVERY)
    policy["endpoints"] = {"crm": {"url": f"{sandbox_url}/hooks/crm", "events": ["*"]}}
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return folder


@pytest.fixture(scope="module")
async def driver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Driver]:
    folder = tmp_path_factory.mktemp("proof")
    ports = Ports(0, 0, 0, 0, 0).taken()
    extra = {
        "ORDERACK_POLICY_DIR": str(own_policy(folder / "policy", f"http://127.0.0.1:{ports.sandbox}")),
        "ORDERACK_POLICY_DIVISOR": "180",
        "ORDERACK_SEND_LEASE_SECONDS": "3",
        "ORDERACK_ENDPOINT_CRM_SECRET": SECRET,
    }
    async with running(folder / "home", ports, extra=extra) as stack, httpx.AsyncClient(timeout=30) as http:
        driver = Driver(stack, Orders(await connect(env=stack.environment)), http)
        (await http.put(f"{stack.sandbox_url}/hooks/crm", json={"secret": SECRET})).raise_for_status()
        yield driver


def confirmation(status: OrderStatus) -> AcknowledgementStatus:
    return next(a for a in status.acknowledgements if a.kind is Kind.CONFIRMATION and a.revision == status.revision)


async def proved(driver: Driver, order: Order, grade: Grade) -> OrderStatus:
    """Wait until the confirmation is proved so, and check what is said of it."""
    status = await driver.until(
        order.ref, lambda s: confirmation(s).grade is grade, f"have its confirmation proved {grade}", within=60
    )
    said = confirmation(status)
    assert says_too_much(said, claim(said)) == ""
    return status


async def confirmed(driver: Driver, order: Order) -> None:
    await driver.hand_in(order)
    await driver.confirmed(order.ref)


async def machines_prove_nothing(driver: Driver) -> None:
    order = an_order("P-MACHINE", 1)
    await driver.fault("sendgrid", "no_webhook", order.number, times=None)
    await confirmed(driver, order)
    for machine in (ReadAs.APPLE_MAIL, ReadAs.SCANNER):
        await driver.reads(order.ref, machine)
    await driver.accept(order.ref)
    status = await proved(driver, order, Grade.M)
    assert not status.work_may_begin
    assert confirmation(status).proof.receipt is None
    assert confirmation(status).proof.reading is None
    with pytest.raises(NotAsTold, match="never"):
        await driver.reads(order.ref, ReadAs.SCANNER, "affirms")


async def a_person_affirms(driver: Driver) -> None:
    order = an_order("P-AFFIRM", 2)
    await confirmed(driver, order)
    await driver.affirm(order.ref, 1)
    status = await proved(driver, order, Grade.E5)
    assert confirmation(status).proof.assented is None
    with pytest.raises(NotAsTold, match="no form"):
        await driver.affirm(order.ref, 1)


async def the_fallback_comes_when_no_evidence_does(driver: Driver) -> None:
    order = an_order("P-FALLBACK", 3, source="pos")
    await driver.fault("sendgrid", "no_webhook", order.number, times=None)
    await confirmed(driver, order)
    await driver.seen(order.ref, Event.EVIDENCE_MISSING)
    status = await proved(driver, order, Grade.E2)
    channels = [send.channel for send in confirmation(status).sends if send.state is SendState.ACCEPTED]
    assert "twilio_sms" in channels
    texts = [post for post in await driver.posts(order.ref) if post.channel == "twilio"]
    assert texts, "the fallback was decided and nothing was sent"


async def an_answer_by_sms_affirms(driver: Driver) -> None:
    order = an_order("P-SMS", 4, source="phone")
    await confirmed(driver, order)
    await driver.replies(order.ref, "YES")
    status = await proved(driver, order, Grade.E5)
    assert confirmation(status).proof.reading is not None
    assert confirmation(status).proof.reading.channel == "twilio_sms"  # type: ignore[union-attr]


async def others_are_told_once_though_their_endpoint_failed(driver: Driver) -> None:
    order = an_order("P-HOOKS", 5)
    await driver.fault("hooks", "fail", order.number, status=500)
    await confirmed(driver, order)
    deadline = asyncio.get_running_loop().time() + 60
    while asyncio.get_running_loop().time() < deadline:
        shown = (await driver.http.get(f"{driver.stack.sandbox_url}/hooks?format=json")).json()
        told = [event for event in shown["events"] if order.number in event["body"]]
        if "order.confirmed" in {event["type"] for event in told}:
            break
        await asyncio.sleep(0.2)
    assert [event["type"] for event in told].count("order.confirmed") == 1
    assert not any(event["repeated"] for event in told)
    assert shown["refused"] == {}
    (fault,) = [
        standing
        for standing in (await driver.http.get(f"{driver.stack.sandbox_url}/faults")).json()["faults"]
        if standing["fault"]["target"] == "hooks"
    ]
    assert fault["fired"] == 1


@pytest.mark.long
async def test_evidence_is_what_it_is_and_moves_what_it_may_move(driver: Driver) -> None:
    await asyncio.gather(
        machines_prove_nothing(driver),
        a_person_affirms(driver),
        the_fallback_comes_when_no_evidence_does(driver),
        an_answer_by_sms_affirms(driver),
        others_are_told_once_though_their_endpoint_failed(driver),
    )


@pytest.mark.long
async def test_a_question_whose_gateway_died_before_it_was_told_is_told_by_the_sweep_once(driver: Driver) -> None:
    order = an_order("P-KILLED", 6)
    await confirmed(driver, order)
    button = await link(driver, order)
    async with Visit(MAIL_CLIENTS[ReadAs.PERSON], driver.stack.gateway_url) as visit:
        page = await visit.open_page(button)
        form = question(page)
        pairs = form.sent({"text": "When does it come?"})
        asked = asyncio.create_task(visit.post(form, pairs))
        await recorded_and_not_told(driver, order)
        with pytest.raises(ValueError, match="did not answer"):
            await asked
        await driver.until(order.ref, lambda s: bool(s.questions), "be asked after all", within=60)
        page = await visit.open_page(button)
        await visit.post(question(page), pairs)
    status = await driver.until(order.ref, lambda s: s.stage is Stage.HANDED_OFF, "go on")
    assert [each.text for each in status.questions] == ["When does it come?"]
    entries = (await driver.timeline(order.ref)).entries
    assert [entry.event for entry in entries].count(Event.QUESTION_ASKED) == 1
    assert driver.stack.restarts["gateway"] == 1
    assert unannounced(driver, order) == 0


async def recorded_and_not_told(driver: Driver, order: Order) -> None:
    """Let the gateway record what it is being asked, and kill it before it can tell Temporal."""
    stack = driver.stack
    temporal, gateway = stack.processes["temporal"].pid, stack.processes["gateway"].pid
    with closing(sqlite3.connect(stack.home.folder / "ledger.db", isolation_level=None, timeout=10)) as ledger:
        ledger.execute("BEGIN IMMEDIATE")  # nobody else can write: the gateway waits at its record
        await asyncio.sleep(1.5)
        os.kill(temporal, SIGSTOP)
        ledger.execute("ROLLBACK")
    try:
        async with asyncio.timeout(10):
            while not unannounced(driver, order):  # noqa: ASYNC110 - another process's database has no event
                await asyncio.sleep(0.05)
        os.kill(gateway, SIGKILL)
    finally:
        os.kill(temporal, SIGCONT)


def unannounced(driver: Driver, order: Order) -> int:
    with closing(sqlite3.connect(driver.stack.home.folder / "ledger.db", timeout=10)) as ledger:
        query = "SELECT count(*) FROM inbox WHERE number = ? AND source = 'page' AND announced_at IS NULL"
        count: int = ledger.execute(query, (order.number,)).fetchone()[0]
        return count


async def link(driver: Driver, order: Order) -> str:
    """Where the button of the last mail about this order leads."""
    query = {"format": "json", "q": order.number, "channel": "sendgrid"}
    answer = await driver.http.get(f"{driver.stack.sandbox_url}/mailbox", params=query)
    return next(each.url for each in read_html(answer.json()["messages"][0]["html"]).links if each.button)


def question(page: Markup) -> Form:
    return next(form for form in page.forms if form.action.endswith("/question"))
