"""A customer who answers text messages only, on the embedded run: what the fourth order does with that."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import yaml

from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.address import address_sha256
from orderack.domain.evidence import Grade
from orderack.domain.order import Contacts, Customer, Order
from orderack.domain.reachability import Reachability
from orderack.embedded.demo.driver import Driver
from orderack.embedded.demo.orders import an_order
from orderack.embedded.stack import Ports, running
from orderack.ledger.repository import open_ledger
from orderack.policy.assessing import Explanation
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders

MAIL, SMS = "sendgrid_email", "twilio_sms"
WANTS_A_WORD = {
    "name": "wants_a_word",
    "when": 'order.source == "pos"',
    "then": {
        "channels": [[MAIL, SMS]],
        "evidence_needed": "E5",
        "button": True,
        "service_levels": {"evidence_within": "12m"},
    },
}
"""Twelve minutes are four seconds here."""


@pytest.fixture(scope="module")
async def driver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Driver]:
    folder = tmp_path_factory.mktemp("reach")
    shutil.copytree(Settings().policy_dir, folder / "policy")
    extra = {"ORDERACK_POLICY_DIR": str(folder / "policy"), "ORDERACK_POLICY_DIVISOR": "180"}
    learn(folder / "policy", "off")
    async with (
        running(folder / "home", Ports(0, 0, 0, 0, 0).taken(), extra=extra) as stack,
        httpx.AsyncClient() as http,
    ):
        yield Driver(stack, Orders(await connect(env=stack.environment)), http)


def learn(folder: Path, mode: str) -> None:
    """The policy as it stands, with one rule more; the next order follows it."""
    policy = yaml.safe_load((Settings().policy_dir / "policy.yaml").read_text())
    policy["rules"].insert(0, WANTS_A_WORD)
    policy["stores"]["demo"]["learn_channels"] = mode
    (folder / "policy.yaml").write_text(yaml.safe_dump(policy, sort_keys=False))


def policy_of(driver: Driver) -> Path:
    return Path(driver.stack.environment["ORDERACK_POLICY_DIR"])


def order_of(number: str, place: int, customer: str, prefers: str | None = None) -> Order:
    """One of this customer's; each with a basket of its own, or it would be taken for a duplicate."""
    made = an_order(number, place, source="pos")
    who = int(customer.removeprefix("C-"))
    contacts = Contacts(
        email=f"c{who}@example.com", phone=f"+49305551{who:03d}", language="en", preferred_channel=prefers
    )
    return made.model_copy(
        update={"customer": Customer(id=customer, relation=made.customer.relation), "contacts": contacts}
    )


async def told_first_by(driver: Driver, order: Order) -> str:
    """By which channel its confirmation was tried first."""
    await driver.hand_in(order)
    status = await driver.confirmed(order.ref)
    return confirmation_of(status)[0]


def confirmation_of(status: OrderStatus) -> list[str]:
    said = next(one for one in status.acknowledgements if one.kind is Kind.CONFIRMATION)
    return [send.channel for send in said.sends if send.state is SendState.ACCEPTED]


async def affirmed_by_sms(driver: Driver, order: Order) -> None:
    """Mail is not answered; the text message that follows is."""
    await driver.hand_in(order)
    await driver.confirmed(order.ref)
    await driver.until(order.ref, lambda s: SMS in confirmation_of(s), "fall through to a text message", within=90)
    await driver.replies(order.ref, f"YES {order.number}")
    await driver.until(
        order.ref,
        lambda s: any(a.kind is Kind.CONFIRMATION and a.grade is Grade.E5 for a in s.acknowledgements),
        "be affirmed",
        within=90,
    )


async def opted_out(driver: Driver, order: Order) -> None:
    """Wait until the ledger knows that the order's phone number wants no more."""
    ledger = await open_ledger(f"sqlite+aiosqlite:///{driver.stack.home.folder}/ledger.db")
    try:
        async with asyncio.timeout(60):
            while not (await ledger.reach(SMS, address_sha256(order.contacts.phone or ""))).opted_out:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
    finally:
        await ledger.aclose()


async def kept(driver: Driver, order: Order) -> Explanation:
    ledger = await open_ledger(f"sqlite+aiosqlite:///{driver.stack.home.folder}/ledger.db")
    try:
        stored = await ledger.revision(order.ref, 1)
        assert stored is not None
        return Explanation.model_validate_json(stored.explanation)
    finally:
        await ledger.aclose()


@pytest.mark.long
async def test_the_fourth_order_goes_by_what_its_customer_answers_where_the_store_applies_it(driver: Driver) -> None:
    answering = [order_of(f"R-{number}", number, "C-1") for number in (1, 2, 3)]
    await asyncio.gather(*(affirmed_by_sms(driver, order) for order in answering))

    off = order_of("R-OFF", 4, "C-1")
    assert await told_first_by(driver, off) == MAIL
    assert (await kept(driver, off)).reach is None

    learn(policy_of(driver), "suggest")
    suggest = order_of("R-SUGGEST", 5, "C-1")
    assert await told_first_by(driver, suggest) == MAIL
    explanation = await kept(driver, suggest)
    assert explanation.lesson is not None
    assert f"{SMS} would go before {MAIL}" in explanation.lesson.why
    assert explanation.reach is not None
    figures = explanation.reach.of(SMS)
    assert figures is not None
    assert (figures.messages, figures.affirmed) == (3, 3)

    learn(policy_of(driver), "apply")
    apply = order_of("R-APPLY", 6, "C-1")
    assert await told_first_by(driver, apply) == SMS
    await driver.hand_in(apply)  # the same order twice is the same order
    status = await driver.status(apply.ref)
    assert status is not None
    assert confirmation_of(status) == [SMS]
    texts = [post for post in await driver.posts(apply.ref) if post.channel == "twilio"]
    assert len([post for post in texts if "confirm" in post.text.lower()]) >= 1
    assert not [post for post in await driver.posts(apply.ref) if post.channel == "sendgrid"]

    wishes = order_of("R-WISH", 7, "C-1", prefers=MAIL)
    assert await told_first_by(driver, wishes) == MAIL

    stranger = order_of("R-NEW", 8, "C-2")
    assert await told_first_by(driver, stranger) == MAIL
    assert (await kept(driver, stranger)).reach == Reachability()

    await driver.replies(apply.ref, "STOP")
    await opted_out(driver, apply)
    gone = order_of("R-STOP", 9, "C-1")
    assert await told_first_by(driver, gone) == MAIL
    found = (await kept(driver, gone)).reach
    assert found is not None
    assert found.opted_out == (SMS,)
    assert SMS not in {post.channel for post in await driver.posts(gone.ref)}
