"""What a message carries to tell that it was touched, and where it must not."""

from datetime import timedelta
from typing import ClassVar

import pytest

from orderack.domain.acknowledgement import Audience, SendKey
from orderack.domain.order import Address, Order
from orderack.domain.store import StoreProfile, TouchRules
from orderack.ports import Idempotency, Medium, Message, MessageLinks, Traits
from tests.activities.fakes import DOWN, LOST, KeyChannel, NoneChannel, _traits
from tests.activities.world import ADDRESS, World, dispatch
from tests.ledger.samples import order

BERLIN = Address(street="1 Sample Street", city="Berlin", country="DE")
BOSTON = Address(street="1 Sample Street", city="Boston", country="US")


def links(key: SendKey, role: str, recipient: str) -> MessageLinks:
    """Each names the send, the role and the address that it was made for."""
    made = f"https://shop.example/{{}}/{key.channel}/{role}/{recipient or 'nobody'}"
    fields = ("page_url", "page_link", "shop_link", "pixel_url", "honeypot_url")
    return MessageLinks(**{name: made.format(name) for name in fields})


class TextChannel(NoneChannel):
    name: ClassVar[str] = "text"
    traits: ClassVar[Traits] = _traits(Idempotency.NONE, address="phone").model_copy(update={"medium": Medium.SMS})


class PageChannel(NoneChannel):
    name: ClassVar[str] = "page"
    traits: ClassVar[Traits] = _traits(Idempotency.KEY, address="page").model_copy(update={"medium": Medium.PAGE})


class StaffChannel(NoneChannel):
    name: ClassVar[str] = "staff"
    traits: ClassVar[Traits] = _traits(Idempotency.NONE, audience=Audience.INTERNAL)


async def sent(world: World, channel: NoneChannel, content: Order | None = None, **more: object) -> Message:
    """The message as the channel is given it."""
    world.links = links
    world.with_channel(channel)
    if content is not None:
        await world.save(content)
        more |= {"ref": content.ref}
    await world.send(channel.name, **more)
    (message,) = channel.attempts
    return message


def ordered(number: str, delivery: Address | None, billing: Address | None = None) -> Order:
    return order(number).model_copy(update={"delivery_address": delivery, "billing_address": billing})


async def test_an_e_mail_to_the_buyer_carries_links_bound_to_the_send_and_to_its_address(world: World) -> None:
    message = await sent(world, NoneChannel())
    html = message.content.html or ""
    for what in ("page_link", "shop_link", "pixel_url", "honeypot_url"):
        assert f"https://shop.example/{what}/none/buyer/{ADDRESS}" in html
    assert message.content.link == f"https://shop.example/page_url/none/buyer/{ADDRESS}"
    assert message.content.link in message.content.text
    assert "page_link" not in message.content.text


@pytest.mark.parametrize("channel", [TextChannel(), PageChannel()], ids=["text", "page"])
async def test_no_other_medium_is_tracked(world: World, channel: NoneChannel) -> None:
    message = await sent(world, channel)
    assert not any(what in message.model_dump_json() for what in ("page_link", "shop_link", "pixel", "honeypot"))
    assert f"https://shop.example/page_url/{channel.name}/buyer/" in message.content.text


async def test_a_message_on_the_page_goes_to_the_page_itself(world: World) -> None:
    message = await sent(world, PageChannel())
    assert message.recipient == message.content.link == "https://shop.example/page_url/page/buyer/nobody"


async def test_what_goes_to_our_own_people_is_not_tracked_and_its_link_is_not_the_buyers(world: World) -> None:
    message = await sent(world, StaffChannel(), dispatches=(dispatch("staff", "order-desk").model_dump(),))
    assert not any(what in message.model_dump_json() for what in ("page_link", "shop_link", "pixel", "honeypot"))
    assert message.content.link == "https://shop.example/page_url/staff/order-desk/order-desk"


@pytest.mark.parametrize(
    ("rules", "gone", "stays"),
    [
        (TouchRules(pixel=False), ("pixel_url",), ("page_link", "shop_link", "honeypot_url")),
        (TouchRules(links=False), ("page_link", "shop_link", "honeypot_url"), ("pixel_url",)),
        (TouchRules(pixel=False, links=False), ("page_link", "shop_link", "honeypot_url", "pixel_url"), ("page_url",)),
    ],
)
async def test_a_store_switches_each_of_them_off(
    world: World, rules: TouchRules, gone: tuple[str, ...], stays: tuple[str, ...]
) -> None:
    world.store = StoreProfile(id="north", display_name="Demo", touches=rules)
    html = (await sent(world, NoneChannel())).content.html or ""
    assert not any(what in html for what in gone)
    assert all(what in html for what in stays)


@pytest.mark.parametrize(
    ("delivery", "billing", "off_in", "tracked"),
    [
        (BERLIN, None, {"DE", "FR"}, False),
        (BERLIN, BOSTON, {"DE"}, False),
        (BOSTON, BERLIN, {"DE"}, True),
        (None, BERLIN, {"DE"}, False),
        (None, BOSTON, {"DE"}, True),
        (None, None, {"DE"}, False),
        (None, None, set(), True),
        (BERLIN, None, set(), True),
        (BERLIN, None, {"de"}, False),
    ],
)
async def test_where_a_country_forbids_it_or_is_not_known_nothing_is_tracked(
    world: World, delivery: Address | None, billing: Address | None, off_in: set[str], tracked: bool
) -> None:
    world.store = StoreProfile(id="north", display_name="Demo", touches=TouchRules(off_in=frozenset(off_in)))
    message = await sent(world, NoneChannel(), ordered("2002", delivery, billing))
    html = message.content.html or ""
    assert ("pixel_url" in html, "page_link" in html, "honeypot_url" in html) == (tracked,) * 3
    assert ("page_url" in html) is not tracked


async def test_a_retry_sends_the_first_links_whatever_would_be_made_now(world: World) -> None:
    channel = world.with_channel(KeyChannel(DOWN, LOST))
    made = 0

    def numbered(key: SendKey, role: str, recipient: str) -> MessageLinks:
        nonlocal made
        made += 1
        return MessageLinks(page_url=f"https://shop.example/o/{made}", pixel_url=f"https://shop.example/t/{made}")

    world.links = numbered
    await world.fail("key")
    await world.fail("key")
    world.clock.advance(timedelta(minutes=2))
    await world.send("key")
    assert len(channel.attempts) == 3
    assert made > 2
    assert len({message.model_dump_json() for message in channel.attempts}) == 1
