"""The stories of chats and of an opt-out: told where the buyer is, proved as far as that platform can."""

from collections.abc import Callable

from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import Grade
from orderack.domain.order import ChatId, Contacts, Order
from orderack.embedded.demo.driver import Driver, told
from orderack.embedded.demo.orders import an_order, with_quantity
from orderack.embedded.demo.proofs import Proved
from orderack.embedded.demo.story import Story, Tell, check

ADDRESS = {
    "whatsapp": "+49305551{place:03d}",
    "messenger": "2400000000000{place:03d}",
    "line": "U{place:032x}",
    "telegram": "55500{place:04d}",
    "viber": "adaexample{place:012d}==",
}
"""A buyer's address on each platform, of the form it has there."""


def ordered_in(platform: str) -> Callable[[str, int], Order]:
    """Orders from this chat; an e-mail address is known as well, and not used."""

    def order(number: str, place: int) -> Order:
        chat = ChatId(platform=platform, id=ADDRESS[platform].format(place=place))
        contacts = Contacts(email=f"ada{place}@example.com", chats=(chat,), language="en")
        return an_order(number, place, source="chat").model_copy(update={"contacts": contacts})

    return order


def told_in(platform: str, deed: str = "") -> Tell:
    """Told there and nowhere else; then the buyer does that with the confirmation, where anything is reported."""

    async def tell(driver: Driver, order: Order) -> None:
        await driver.hand_in(order)
        status = await driver.confirmed(order.ref)
        went = {m.channel for m in told(status)}
        check(went == {platform}, f"it went by {', '.join(sorted(went))}")
        if deed:
            await driver.replies(order.ref, channel=platform, deed=deed)
        await driver.accept(order.ref)

    return tell


async def no_more_texts(driver: Driver, order: Order) -> None:
    await driver.hand_in(order)
    await driver.confirmed(order.ref)
    await driver.replies(order.ref, "STOP", deed="opt_out")
    await driver.accept(order.ref)
    await driver.remembered(order.ref, "twilio_sms")
    await driver.hand_in(with_quantity(order, 3))
    status = await driver.confirmed(order.ref, revision=2)
    later = {m.channel for m in told(status) if m.revision == 2}
    check(later == {"sendgrid_email"}, f"revision 2 went by {', '.join(sorted(later))}")
    await driver.accept(order.ref)


BOTH = (Kind.RECEIVED, Kind.CONFIRMATION)

CHAT_STORIES = (
    Story(
        "ordered in WhatsApp",
        "answered there by approved templates, and affirmed by the button",
        ordered_in("whatsapp"),
        told_in("whatsapp", "press"),
        BOTH,
        (Proved(Grade.E5),),
    ),
    Story(
        "ordered in Messenger",
        "Messenger says up to when the buyer has read: the confirmation was displayed",
        ordered_in("messenger"),
        told_in("messenger", "read"),
        BOTH,
        (Proved(Grade.E3),),
    ),
    Story(
        "ordered in LINE",
        "LINE reports neither arrival nor reading: accepted is all that may be said",
        ordered_in("line"),
        told_in("line"),
        BOTH,
        (Proved(None),),
    ),
    Story(
        "ordered in Telegram",
        "no receipts there either; the buyer presses the button",
        ordered_in("telegram"),
        told_in("telegram", "press"),
        BOTH,
        (Proved(Grade.E5),),
    ),
    Story(
        "ordered in Viber",
        "delivered to the handset, and seen",
        ordered_in("viber"),
        told_in("viber", "read"),
        BOTH,
        (Proved(Grade.E3),),
    ),
    Story(
        "no more text messages",
        "the buyer writes STOP: the changed order's confirmation goes by e-mail",
        lambda number, place: an_order(number, place, source="phone"),
        no_more_texts,
        (Kind.RECEIVED, Kind.CONFIRMATION, Kind.CHANGE_RECEIVED, Kind.CONFIRMATION),
        (Proved(Grade.E2), Proved(Grade.E2, revision=2)),
    ),
)
