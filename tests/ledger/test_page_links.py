"""What came in through the buyer's page is found again by its order; links are taken back from a moment on."""

from datetime import timedelta

from orderack.domain.order import OrderRef
from orderack.ledger.repository import SqlLedger
from tests.ledger.samples import NOW, REF, entry, journal

MINE, OTHERS = "0a1b", ("0a1a", "0a1c", "0a2b", "9a1b", "0a")


async def test_events_are_found_by_the_beginning_of_their_id_the_newest_first(ledger: SqlLedger) -> None:
    ids = [MINE + end for end in ("0" * 40, "f" * 40, "7" + "a" * 39)]
    for external_id in (ids[0], *(other + "5" * 40 for other in OTHERS), *ids[1:]):
        await ledger.receive("page", external_id, "buyer_request", REF, "", NOW)
    await ledger.receive("elsewhere", MINE + "1" * 40, "buyer_request", REF, "", NOW)
    found = await ledger.received("page", MINE)
    assert [event.external_id for event in found] == ids[::-1]
    assert [event.external_id for event in await ledger.received("page", MINE, 1)] == [ids[2]]
    assert await ledger.received("page", "ffff") == []


async def test_links_are_revoked_for_one_order_and_the_last_time_stands(ledger: SqlLedger) -> None:
    other = OrderRef(store="other", number=REF.number)
    assert await ledger.links_revoked_at(REF) is None
    assert not await ledger.revoke_links(REF, NOW)
    await ledger.write(journal([entry(1)]))
    assert await ledger.links_revoked_at(REF) is None
    for later in (0, 5):
        assert await ledger.revoke_links(REF, NOW + timedelta(minutes=later))
    assert await ledger.links_revoked_at(REF) == NOW + timedelta(minutes=5)
    assert await ledger.links_revoked_at(other) is None
    assert list(await ledger.verify_chain(REF)) == []
