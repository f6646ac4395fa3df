"""The mailbox in the sandbox: the source, set up by the sandbox's settings alone, finds what buyers write."""

from datetime import UTC, datetime

import pytest

from orderack.embedded.sandbox import Action, Fault, Target
from orderack.embedded.sandbox.faults import Operation
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.errors import Unavailable
from orderack.ports import Delivery
from orderack.sources.imap import SOURCE
from tests.embedded.sandbox.letter_suite import ORDER, LetterSuite


class TestImap(LetterSuite):
    name = "imap"
    target = Target.IMAP
    spec = SOURCE

    async def delivered(self, source, gateway, count: int) -> list[Delivery]:
        return list((await source.look("", datetime.now(UTC))).deliveries)

    async def test_a_mail_is_brought_by_one_look_and_by_no_other(self, source, http):
        await self.happen(http, ShopDeed.PLACE)
        now = datetime.now(UTC)
        first = await source.look("", now)
        await self.happen(http, ShopDeed.PLACE, ORDER.model_copy(update={"number": "PO-4712"}))
        second = await source.look(first.cursor, now)
        third = await source.look(second.cursor, now)
        assert [len(one.deliveries) for one in (first, second, third)] == [1, 1, 0]

    async def test_a_server_that_is_away_loses_nothing(self, source, sandbox, http):
        await self.happen(http, ShopDeed.PLACE)
        sandbox.state.faults.add(
            Fault(target=Target.IMAP, action=Action.CUT_OFF_BEFORE, match="FETCH", operation=Operation.ANY)
        )
        with pytest.raises(Unavailable):
            await source.look("", datetime.now(UTC))
        assert len((await source.look("", datetime.now(UTC))).deliveries) == 1
        assert "1 mails" in await source.check()

    async def test_the_same_post_twice_is_one_delivery(self, source, sandbox, http, gateway):
        """A mailbox posts nothing; looked at from the beginning again, it names the same mails."""
        await self.happen(http, ShopDeed.PLACE)
        (first,) = await self.delivered(source, gateway, 1)
        (again,) = await self.delivered(source, gateway, 1)
        assert first.id == again.id
