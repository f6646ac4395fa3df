"""One entry that is no order does not keep a look from all the others: it is kept, and refused by name."""

import json

import pytest

from orderack.errors import InvalidInput
from orderack.ports import Hint, Skipped, Snapshot
from tests.conformance.peer import Answer, running_peer
from tests.conformance.source import NOW
from tests.sources import bigcommerce_bodies as bigcommerce
from tests.sources import magento_bodies as magento

ODD = [None, 7, "x", [], {}, {"id": {}, "entity_id": {}}, {"id": True}, {"id": "9" * 300, "entity_id": None}]


@pytest.mark.parametrize("odd", ODD)
async def test_a_bigcommerce_look_goes_on(odd):
    good = {"id": 250, "date_modified": "Sat, 21 Nov 2026 09:10:00 +0000"}
    async with running_peer() as peer:
        source = bigcommerce.bigcommerce(peer.url)
        peer.will(Answer(200, json.dumps([odd, good]).encode()))
        looked = await source.look("", NOW)
        bad, last = looked.deliveries
        assert json.loads(looked.cursor)["since"] == "2026-11-21T09:10:00Z"
        assert await source.read(last) == (Hint(external_id="250"),)
        with pytest.raises(InvalidInput):
            await source.read(bad)
        assert len({one.id for one in looked.deliveries}) == 2
        await source.aclose()


@pytest.mark.parametrize("odd", ODD)
async def test_a_magento_look_goes_on(odd):
    async with running_peer() as peer:
        source = magento.magento(peer.url)
        peer.will(Answer(200, json.dumps({"items": [odd, magento.ORDER], "total_count": 2}).encode()))
        bad, last = (await source.look("", NOW)).deliveries
        (found,) = await source.read(last)
        assert isinstance(found, Snapshot)
        with pytest.raises(InvalidInput):
            await source.read(bad)
        await source.aclose()


@pytest.mark.parametrize("number", ["7" * 20, "../3", "x"])
async def test_an_entry_whose_number_is_none_asks_for_nothing(number):
    async with running_peer() as peer:
        source = bigcommerce.bigcommerce(peer.url)
        peer.will(Answer(200, json.dumps([{"id": number}]).encode()), Answer(404))
        (delivery,) = (await source.look("", NOW)).deliveries
        (hint,) = await source.read(delivery)
        assert isinstance((await source.fetch(hint.external_id))[0], Skipped)
        assert len(peer.received) == 1 + number.isdecimal()
        await source.aclose()
