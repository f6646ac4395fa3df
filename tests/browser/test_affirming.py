"""A buyer opens the link in the mail, reads what is confirmed, and says: I have it."""

import pytest

from orderack.domain.evidence import Grade
from tests.browser.buyer import Buyers, Device
from tests.browser.eyes import Eyes
from tests.browser.shop import Shop, of_confirmation


@pytest.mark.parametrize("device", Device)
async def test_a_buyer_reads_what_is_confirmed_and_affirms_it(
    device: Device, shop: Shop, buyers: Buyers, eyes: Eyes
) -> None:
    order = shop.order()
    link = await shop.confirmed(order)
    buyer = await buyers.one(device)
    await buyer.opens(link)
    shown = await buyer.reads()
    for expected in (order.number, "confirmed", "Tent", "Rope, 20 m", "202,50", "SO-", "Sample Street"):
        assert expected in shown
    await eyes.look(buyer, "confirmed")
    await buyer.presses(buyer.form("affirm"))
    assert "You have affirmed revision 1" in await buyer.page.get_by_role("status").inner_text()
    assert await buyer.form("affirm").count() == 0
    await eyes.look(buyer, "affirmed")
    status = await shop.driver.until(
        order.ref, lambda s: of_confirmation(s).grade is Grade.E5, "be affirmed by its buyer"
    )
    proof = of_confirmation(status).proof
    assert proof.receipt
    assert proof.reading
    assert proof.assent is None


async def test_opening_the_page_changes_nothing(shop: Shop, buyers: Buyers) -> None:
    order = shop.order()
    link = await shop.confirmed(order)
    before = await shop.status(order.ref)
    for _ in range(3):
        await (await buyers.one()).opens(link)
    assert await shop.status(order.ref) == before
