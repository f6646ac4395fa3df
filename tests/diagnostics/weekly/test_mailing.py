"""One mail to each address: what is claimed, what is in doubt, and what a second run does."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from orderack.diagnostics.weekly.mailing import Fate, Post, post
from orderack.domain.acknowledgement import Reason
from orderack.errors import InDoubt, Misconfigured, OrderAckError, Refused, Unavailable
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Inbox
from orderack.ports import Channel, Message, Rendered, Sent
from orderack.ports.reliability import MailEnd
from tests.ledger.samples import NOW

LATER = NOW + timedelta(hours=1)
MAIL = Post(
    report="weekly/2026-W47", store=None, address="Ops@shop.example", content=Rendered(subject="S", text="T", html="H")
)


class Postman:
    """A channel that takes what it is given, but for the errors it is to raise first."""

    name = "smtp_email"

    def __init__(self, *errors: OrderAckError) -> None:
        self.errors = list(errors)
        self.taken: list[Message] = []

    async def send(self, message: Message) -> Sent:
        await asyncio.sleep(0.01)
        if self.errors:
            raise self.errors.pop(0)
        self.taken.append(message)
        return Sent(provider_id="<1@shop.example>")


async def posted(ledger: SqlLedger, postman: Postman, one: Post = MAIL, *, again: bool = False) -> Fate:
    channel: Channel = postman  # type: ignore[assignment]
    return (await post(ledger, channel, one, LATER, again=again)).fate


async def ends(ledger: SqlLedger, one: Post = MAIL) -> Sequence[MailEnd]:
    return [mailing.end for mailing in await ledger.mailings(one.id)]


async def test_the_same_report_to_the_same_address_is_one_mail_unless_it_is_asked_for_again(ledger: SqlLedger) -> None:
    postman = Postman()
    other_spelling = MAIL.model_copy(update={"address": "ops@SHOP.example"})
    assert [await posted(ledger, postman), await posted(ledger, postman, other_spelling)] == [Fate.SENT, Fate.ALREADY]
    for more in ({"address": "b@shop.example"}, {"report": "weekly/2026-W46"}, {"store": "demo"}):
        assert await posted(ledger, postman, MAIL.model_copy(update=more)) is Fate.SENT
    assert await posted(ledger, postman, again=True) is Fate.SENT
    assert await posted(ledger, postman) is Fate.ALREADY
    keys = [message.key_text for message in postman.taken]
    assert len(keys) == len(set(keys)) == 5, "each mail has an identity of its own"
    assert not any("shop.example" in key for key in keys), "a vendor keeps the key"


async def test_many_runs_at_once_are_one_mail(ledger: SqlLedger) -> None:
    postman = Postman()
    fates = await asyncio.gather(*(posted(ledger, postman) for _ in range(8)))
    assert len(postman.taken) == 1
    assert fates.count(Fate.SENT) == 1
    assert set(fates) <= {Fate.SENT, Fate.UNDER_WAY, Fate.ALREADY}


@pytest.mark.parametrize(
    ("error", "fate"),
    [(Refused("no", Reason.BAD_RECIPIENT), Fate.REFUSED), (Unavailable("away"), Fate.UNAVAILABLE)],
)
async def test_what_certainly_did_not_go_out_is_tried_by_the_next_run(
    error: OrderAckError, fate: Fate, ledger: SqlLedger
) -> None:
    postman = Postman(error)
    assert [await posted(ledger, postman), await posted(ledger, postman)] == [fate, Fate.SENT]
    assert await ends(ledger) == [MailEnd.NOT_SENT, MailEnd.SENT]


async def test_a_mail_server_that_was_away_for_days_keeps_no_run_from_sending_and_knowing_it(ledger: SqlLedger) -> None:
    postman = Postman(*(Unavailable("away") for _ in range(101)))
    tried = [await posted(ledger, postman) for _ in range(104)]
    assert tried == [Fate.UNAVAILABLE] * 101 + [Fate.SENT] + [Fate.ALREADY] * 2
    assert len(postman.taken) == 1


async def test_a_wrong_setting_stops_the_run_and_leaves_no_doubt(ledger: SqlLedger) -> None:
    postman = Postman(Misconfigured("the sender is not allowed"))
    with pytest.raises(Misconfigured):
        await posted(ledger, postman)
    assert await posted(ledger, postman) is Fate.SENT


async def test_a_doubt_stays_until_somebody_asks_for_it_again(ledger: SqlLedger) -> None:
    postman = Postman(InDoubt("cut off"))
    assert [await posted(ledger, postman) for _ in range(3)] == [Fate.IN_DOUBT] * 3
    assert postman.taken == []
    assert await posted(ledger, postman, again=True) is Fate.SENT
    assert await posted(ledger, postman) is Fate.ALREADY


async def test_a_run_that_died_is_left_alone_for_five_minutes_and_is_then_a_doubt(ledger: SqlLedger) -> None:
    postman = Postman()
    assert await ledger.begin_mailing(MAIL.id, 1, LATER - timedelta(minutes=4))
    assert await posted(ledger, postman, again=True) is Fate.UNDER_WAY
    other = MAIL.model_copy(update={"address": "b@shop.example"})
    assert await ledger.begin_mailing(other.id, 1, LATER - timedelta(minutes=6))
    assert await posted(ledger, postman, other) is Fate.IN_DOUBT
    assert await posted(ledger, postman, other, again=True) is Fate.SENT
    assert len(postman.taken) == 1


async def test_the_gateways_sweep_never_finds_it_and_no_address_is_kept(ledger: SqlLedger) -> None:
    await posted(ledger, Postman())
    assert await ledger.unannounced(LATER + timedelta(days=1)) == []
    async with ledger._database.read() as session:
        (row,) = (await session.execute(select(Inbox))).scalars()
        (found,) = (await session.execute(text("SELECT external_id FROM inbox"))).scalars()
    assert "shop.example" not in row.model_dump_json().lower()
    assert found.startswith("weekly/2026-W47/every-store/")
