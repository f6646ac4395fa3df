"""Handoffs as a team has them: a whole installation, the team's own chat, and a change while somebody has the work."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import yaml

from orderack.contracts.journal import Stage
from orderack.contracts.updates import AcceptHandoff, ChangeRequest
from orderack.domain.order import OrderRef, Priority
from orderack.embedded.demo.driver import Driver
from orderack.embedded.demo.orders import an_order, with_quantity
from orderack.embedded.stack import Ports, running
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders


def policy_of_a_kitchen(folder: Path) -> Path:
    """The policy as it stands, with urgent catering for the kitchen, which is told; other orders' team is not."""
    shutil.copytree(Settings().policy_dir, folder)
    file = folder / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["teams"]["kitchen"] = {
        "rota": ["chef", "sous-chef"],
        "internal": [["slack", "google_chat"]],
        "tell_handoffs": True,
    }
    rushed = {"team": "kitchen", "service_levels": {"claim_within": "5m"}}
    when = 'order.type == "catering" && order.priority == "high"'
    policy["rules"].insert(0, {"name": "urgent_catering", "when": when, "then": rushed})
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return folder


@asynccontextmanager
async def a_shop(folder: Path) -> AsyncIterator[Driver]:
    extra = {"ORDERACK_POLICY_DIR": str(policy_of_a_kitchen(folder / "policy"))}
    async with (
        running(folder / "home", Ports(0, 0, 0, 0, 0), extra=extra) as stack,
        httpx.AsyncClient(timeout=30) as http,
    ):
        yield Driver(stack, Orders(await connect(env=stack.environment)), http)


async def heard(shop: Driver, ref: OrderRef, *said: str) -> str:
    """The message in the team's chat that says all this, once it is there."""
    for _ in range(200):
        texts = [f"{post.subject}\n{post.text}" for post in await shop.posts(ref) if post.channel == "slack"]
        if found := [text for text in texts if all(word in text for word in said)]:
            assert len(found) == 1, "told once"
            return found[0]
        await asyncio.sleep(0.2)
    raise AssertionError(f"the team never heard {said}: {texts}")


async def test_a_team_takes_the_very_revision_is_stopped_by_a_change_and_gets_the_new_one(tmp_path: Path) -> None:
    async with a_shop(tmp_path) as shop:
        plain = an_order(shop.number(1), 1)
        urgent = an_order(shop.number(2), 2).model_copy(
            update={"order_type": "catering", "priority": Priority.HIGH, "instructions": "For Ada's wedding"}
        )
        await shop.hand_in(plain)
        await shop.hand_in(urgent)
        offer = await heard(shop, urgent.ref, "[Handoff]", "orderack accept", "Revision 1")
        for said in ("revision 1", "kitchen", "chef", urgent.content_hash[:12], "catering", "high"):
            assert said in offer, said
        assert f"/board/sheet/demo/{urgent.number}?revision=1" in offer
        assert f"orderack accept demo/{urgent.number} --revision 1" in offer
        for private in ("Ada", "Sample Street", "@example.com", "wedding"):
            assert private not in offer, private
        status = await shop.until(urgent.ref, lambda s: s.stage is Stage.HANDED_OFF, "be handed off")
        assert status.handoff_owner == "chef"

        hand = AcceptHandoff(id="a1", revision=1, content_hash=urgent.content_hash, by="grace")
        assert (await shop.orders.accept_handoff(urgent.ref, hand)).accepted
        changed = with_quantity(urgent, 40)
        assert (await shop.orders.change(urgent.ref, ChangeRequest(id="c1", order=changed))).accepted
        stop = await heard(shop, urgent.ref, "[Stop]")
        assert "with revision 1: a change is being decided." in stop
        again = await heard(shop, urgent.ref, "[Handoff]", "orderack accept", "Revision 2")
        assert changed.content_hash[:12] in again
        assert "TENT: quantity" in again
        assert "40" in again
        await shop.confirmed(urgent.ref, 2)
        await shop.cancel(urgent.ref, "Ada's wedding is off")
        off = await heard(shop, urgent.ref, "[Stop]", "withdrawn")
        assert "the order is cancelled" in off
        assert "wedding" not in off

        await shop.until(plain.ref, lambda s: s.stage is Stage.HANDED_OFF, "be handed off")
        assert [post.channel for post in await shop.posts(plain.ref) if post.channel == "slack"] == []
