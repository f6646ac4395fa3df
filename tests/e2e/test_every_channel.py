"""Every channel on the embedded run: one order each, told by that channel alone, once, and what its buyer then does.

One run for all of it: starting it is what costs.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import pytest
import yaml
from pydantic import TypeAdapter

from orderack.bootstrap import channel_traits
from orderack.contracts.queries import AcknowledgementStatus, OrderStatus
from orderack.domain.acknowledgement import Audience, Kind, SendState
from orderack.domain.evidence import Grade
from orderack.domain.order import ChatId, ExternalId, Order
from orderack.domain.value import Value
from orderack.embedded.demo.chats import ADDRESS
from orderack.embedded.demo.driver import Driver
from orderack.embedded.demo.orders import an_order
from orderack.embedded.stack import Ports, running
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders

TRAITS = channel_traits()
A_FEW = ("gmail", "slack", "twilio_sms", "viber", "whatsapp", "woocommerce_note")
"""Mail, chat, text message and note; to buyers and to our own people; every deed but one; with our key and without."""
AT_ONCE = 7
"""Orders told side by side."""

DEEDS = {
    "whatsapp": ("press", Grade.E5),
    "telegram": ("press", Grade.E5),
    "line": ("press", Grade.E5),
    "messenger": ("read", Grade.E3),
    "viber": ("read", Grade.E3),
    "vonage_sms": ("write", Grade.E5),
    "twilio_sms": ("write", Grade.E5),
    "webhook": ("press", Grade.E5),
    "gmail": ("write", Grade.E5),
    "outlook": ("write", Grade.E5),
    "intercom": ("write", Grade.E5),
    "zendesk": ("write", Grade.E5),
}
"""What the buyer does with the confirmation, and what it then proves. A "yes" in writing affirms by its address."""

EXTERNAL = {
    "shopify": "820982911946154508",
    "woocommerce": "727",
    "salesforce": "801000000000001AAA",
    "zoho": "4876876000000376001",
}


KEYLESS = {
    "activecampaign": "activecampaign",
    "intercom": "intercom",
    "salesforce_email": "salesforce",
    "woocommerce_note": "woocommerce",
}
"""Channels whose vendors are not given our key: counted by the address that only this order has."""


class _Acceptance(Value):
    target: str
    key: str | None = None
    recipient: str = ""
    repeated: bool = False


class _Log(Value):
    accepted: tuple[_Acceptance, ...]


_LOG = TypeAdapter(_Log)


def own_policy(folder: Path) -> Path:
    """The policy as it stands, with a rule for each channel before all others."""
    shutil.copytree(Settings().policy_dir, folder)
    file = folder / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    rules = []
    for name, traits in TRAITS.items():
        legs = [[name]]
        buyer = {"gate": "ack_gated", "channels": legs, "button": True}
        inside = {"route": "review", "internal": legs}
        then = buyer if traits.audience is Audience.BUYER else inside
        rules.append({"name": f"by_{name}", "when": f'order.type == "by_{name}"', "then": then})
    policy["rules"] = rules + policy["rules"]
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return folder


@pytest.fixture(scope="module")
async def driver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Driver]:
    folder = tmp_path_factory.mktemp("channels")
    extra = {"ORDERACK_POLICY_DIR": str(own_policy(folder / "policy")), "ORDERACK_POLL_SECONDS": "2"}
    async with running(folder / "home", Ports(0, 0, 0, 0, 0), extra=extra) as stack:
        async with httpx.AsyncClient(timeout=30) as http:
            yield Driver(stack, Orders(await connect(env=stack.environment)), http)


def an_order_by(name: str, place: int) -> Order:
    order = an_order(f"CH-{place}-X", place)
    chats = tuple(ChatId(platform=app, id=form.format(place=place)) for app, form in ADDRESS.items())
    return order.model_copy(
        update={
            "order_type": f"by_{name}",
            "contacts": order.contacts.model_copy(update={"chats": chats}),
            "external_ids": tuple(ExternalId(system=system, id=id_) for system, id_ in EXTERNAL.items()),
        }
    )


def latest(status: OrderStatus, kind: Kind) -> AcknowledgementStatus:
    return [a for a in status.acknowledgements if a.kind is kind][-1]


async def accepted(driver: Driver, name: str, order: Order, key: str) -> int:
    """How often the vendor took this message; of one that is not given our key, all of the order's."""
    answer = await driver.http.get(f"{driver.stack.sandbox_url}/log")
    entries = _LOG.validate_python(answer.json()).accepted
    if name not in KEYLESS:
        return [entry.key for entry in entries].count(key)
    here = [entry for entry in entries if entry.target == KEYLESS[name]]
    return [entry.recipient in (order.contacts.email, f"order {EXTERNAL['woocommerce']}") for entry in here].count(True)


async def told_by(driver: Driver, name: str, place: int) -> None:
    order = an_order_by(name, place)
    kind = Kind.CONFIRMATION if TRAITS[name].audience is Audience.BUYER else Kind.ALERT
    await driver.hand_in(order)

    def is_out(status: OrderStatus) -> bool:
        sends = [s for a in status.acknowledgements if a.kind is kind for s in a.sends if s.channel == name]
        return any(s.state is SendState.ACCEPTED for s in sends)

    status = await driver.until(order.ref, is_out, f"tell its {kind} by {name}")
    assert {s.channel for s in latest(status, kind).sends if s.state is SendState.ACCEPTED} == {name}
    if name not in ("portal", "smtp_email"):
        key = f"{order.ref}/1/{kind}/1/{name}"
        sends = [s for a in status.acknowledgements for s in a.sends if s.channel == name]
        out = [send.state for send in sends].count(SendState.ACCEPTED) if name in KEYLESS else 1
        assert await accepted(driver, name, order, key) == out, f"{name} took {key} not exactly once"
    if deed := DEEDS.get(name):
        does, grade = deed
        match = order.contacts.email if name in KEYLESS else None
        await driver.replies(order.ref, "yes", channel=name, deed=does, match=match)
        await driver.until(order.ref, lambda s: latest(s, kind).grade is grade, f"be proved {grade} by {name}")


@pytest.mark.parametrize(
    ("names", "first"),
    [
        pytest.param(A_FEW, 60, id="a few"),
        pytest.param(tuple(sorted(TRAITS)), 20, id="all", marks=pytest.mark.long),
    ],
)
async def test_every_channel_tells_its_order_once_and_brings_back_what_its_buyer_does(
    names: Sequence[str], first: int, driver: Driver
) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(name: str, place: int) -> str:
        async with turns:
            try:
                await told_by(driver, name, place)
            except Exception as error:
                return f"{name}: {error}"
        return ""

    wrong = await asyncio.gather(*(one(name, place) for place, name in enumerate(names, start=first)))
    assert not (failed := "\n".join(why for why in wrong if why)), failed
    assert len(TRAITS) >= 26
