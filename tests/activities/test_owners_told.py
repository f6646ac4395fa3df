"""The owner of an exception hears of it: once for what is new, again while nobody has claimed it; on both databases."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import update

from activities._owners_told import Telling
from activities.sending import Sending
from orderack.contracts.journal import Event, Stage
from orderack.domain.acknowledgement import SendState
from orderack.domain.assessment import Side
from orderack.domain.order import OrderRef
from orderack.domain.shadow import side_of
from orderack.domain.store import StoreProfile
from orderack.errors import Misconfigured
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Orders
from orderack.messages import MessageRenderer
from orderack.messages.digest import DigestRenderer
from orderack.policy.model import Policy, StoreMode
from orderack.ports import Channel, Message, Pause
from orderack.ports.digests import EVERY_STORE, Digest, DigestState
from tests.activities.fakes import (
    ACCEPTED,
    CUT_OFF,
    DOWN,
    KILLED_AFTER,
    KILLED_BEFORE,
    LOST,
    REFUSED,
    THROTTLED,
    KeyChannel,
    LookupChannel,
    NoneChannel,
    OwnersChannel,
    Step,
)
from tests.activities.sweeping import LATE, Sweeping, booking_in
from tests.activities.world import LEASE, World
from tests.ledger.samples import entry, journal

WORDS = Path(__file__).parents[2] / "policy" / "messages"
CLAIM_WITHIN = timedelta(minutes=30)
UPDATE_EVERY = timedelta(hours=2)


class Told:
    """A sweep whose owners are told by these channels, in turn."""

    def __init__(self, ledger: SqlLedger, renderer: MessageRenderer, *channels: NoneChannel) -> None:
        self.world = World(ledger, renderer)
        self.world.clock.at = datetime.now(UTC) + LATE
        self.sweeping = Sweeping(self.world, policy=self.policy())
        self.by(*channels or (OwnersChannel(),))

    def by(self, *channels: NoneChannel) -> None:
        self.channels = {channel.name: channel for channel in channels}
        self.sweeping.policy = self.policy(*self.channels)
        self.sweeping.to_owners = Telling(
            self._channel,
            DigestRenderer(WORDS, lambda id_: StoreProfile(id=id_, display_name=id_), "https://ops.example/board"),
            Sending(LEASE, sleep=self.world.sleep),
        )

    def policy(self, *leg: str, tell: bool = True, mode: StoreMode = StoreMode.LIVE) -> Policy:
        base = booking_in("main")
        team = base.teams["operations"].model_copy(
            update={"rota": ("ops", "deputy"), "internal": (leg,) if leg else (), "tell_exceptions": tell}
        )
        north = base.stores["demo"].model_copy(update={"mode": mode})
        return base.model_copy(
            update={"teams": {"operations": team}, "stores": {"north": north, "demo": base.stores["demo"]}}
        )

    def _channel(self, name: str) -> Channel:
        if name not in self.channels:
            raise Misconfigured(f"the channel {name} is not configured")
        return self.channels[name]

    async def lost(self, *numbers: str) -> list[OrderRef]:
        return [(await self.sweeping.waiting(number)).ref for number in numbers]

    async def swept(self, after: timedelta = timedelta(0)) -> None:
        self.world.clock.advance(after)
        await self.sweeping.erp_swept()

    @property
    def taken(self) -> list[Message]:
        return [message for channel in self.channels.values() for message in channel.taken]

    async def states(self) -> list[str]:
        found = await self.world.ledger.digests_in_trouble(self.world.clock() + timedelta(days=1))
        return [str(one.state) for one in found]


@pytest_asyncio.fixture
async def told(ledger: SqlLedger, renderer: MessageRenderer) -> AsyncIterator[Told]:
    yield Told(ledger, renderer)


def _named(message: Message) -> list[str]:
    return [row.split(":")[0].removeprefix("- north/") for row in message.content.text.splitlines() if row[:2] == "- "]


# -- once ------------------------------------------------------------------------------------------------------------


async def test_an_owner_is_told_once_of_what_a_sweep_found_however_often_it_repeats(told: Told) -> None:
    await told.lost("A", "B")
    await told.swept()
    (message,) = told.taken
    assert (message.recipient, message.key.ref.store, message.kind) == ("ops", EVERY_STORE, "alert")
    assert message.content.subject == "[Absent] 2 orders need ops"
    assert sorted(_named(message)) == ["A", "B"]
    for words in ("not in the ERP (main)", "orderack sweep claim north/A --by YOUR-NAME", "https://ops.example/board"):
        assert words in message.content.text
    await told.swept(timedelta(minutes=1))
    told.sweeping.runs.running |= {OrderRef(store="north", number=number): told.world.clock() for number in "AB"}
    await told.sweeping.books_swept()
    assert told.taken == [message]


async def test_the_next_message_is_of_what_is_new_alone(told: Told) -> None:
    await told.lost("A")
    await told.swept()
    await told.lost("B")
    await told.swept(timedelta(minutes=1))
    assert [_named(message) for message in told.taken] == [["A"], ["B"]]
    assert len({message.key_text for message in told.taken}) == 2


async def test_two_sweeps_at_once_tell_it_once(told: Told) -> None:
    await told.lost("A")
    await asyncio.gather(*(told.sweeping.erp_swept() for _ in range(4)))
    assert [_named(message) for message in told.taken] == [["A"]]
    found = [one.exception for one in await told.world.ledger.untold()]
    again = [told.world.ledger.gather("operations", "ops", found, told.world.clock()) for _ in range(4)]
    assert sorted(await asyncio.gather(*again)) == [0, 0, 0, 1], "nor is it reminded of twice"


async def test_what_is_new_does_not_stand_behind_what_was_told(told: Told) -> None:
    """However many stand: of those that are read at once, those that nobody was told of come first."""
    await told.lost("A", "B")
    await told.swept()
    await told.lost("C")
    words, told.sweeping.to_owners = told.sweeping.to_owners, None
    await told.swept(timedelta(minutes=1))
    told.sweeping.to_owners = words
    assert [one.exception.ref.number for one in await told.world.ledger.untold(limit=1)] == ["C"]


async def test_each_owner_hears_of_his_own(told: Told) -> None:
    _, other = await told.lost("A", "B")
    await told.world.ledger.write(
        journal([entry(6)], stage=Stage.AWAITING_ERP, ref=other).model_copy(update={"owner": "deputy"})
    )
    await told.swept()
    assert sorted((message.recipient, *_named(message)) for message in told.taken) == [("deputy", "B"), ("ops", "A")]


async def test_a_new_owner_hears_of_it_too(told: Told) -> None:
    (ref,) = await told.lost("A")
    await told.swept()
    handed = journal([entry(6)], stage=Stage.AWAITING_ERP, ref=ref).model_copy(update={"owner": "deputy"})
    await told.world.ledger.write(handed)
    await told.swept(timedelta(minutes=1))
    assert [message.recipient for message in told.taken] == ["ops", "deputy"]
    assert "reminder" not in told.taken[-1].content.text.lower()


async def test_one_that_closed_and_is_found_again_is_news_again(told: Told) -> None:
    (ref,) = await told.lost("A")
    await told.swept()
    told.sweeping.runs.trying.add(ref)  # another kind now, so the first one closes
    await told.swept(timedelta(minutes=1))
    told.sweeping.runs.trying.clear()
    await told.swept(timedelta(minutes=1))
    assert [message.content.subject for message in told.taken] == ["[Absent] 1 order needs ops"] * 3


# -- reminders -------------------------------------------------------------------------------------------------------


async def test_what_nobody_claims_is_said_again_at_the_service_level_and_then_at_the_pace_of_updates(
    told: Told,
) -> None:
    await told.lost("A")
    await told.swept()
    await told.swept(CLAIM_WITHIN - timedelta(minutes=1))
    assert len(told.taken) == 1
    await told.swept(timedelta(minutes=2))
    assert told.taken[-1].content.subject == "[Absent] 1 order needs ops: nobody has claimed it"
    await told.swept(UPDATE_EVERY - timedelta(minutes=1))
    assert len(told.taken) == 2
    await told.swept(timedelta(minutes=2))
    assert len(told.taken) == 3


async def test_a_reminder_rides_with_what_is_new_in_one_message(told: Told) -> None:
    await told.lost("A")
    await told.swept()
    await told.lost("B")
    await told.swept(CLAIM_WITHIN)
    assert sorted(_named(told.taken[-1])) == ["A", "B"]
    assert "1 of them are new; nobody has claimed the others." in told.taken[-1].content.text


@pytest.mark.parametrize("how", ["claimed", "resolved", "receipted", "button"])
async def test_nobody_is_reminded_of_what_is_in_hand_or_settled(told: Told, how: str) -> None:
    (ref,) = await told.lost("A")
    await told.swept()
    ledger, now = told.world.ledger, told.world.clock()
    if how == "claimed":
        (claimed,) = await ledger.claim_exceptions(ref, "grace", now)
        assert claimed.claimed_by == "grace"
    elif how == "resolved":
        await ledger.resolve(ref, "grace", "entered by hand", now)
    elif how == "button":
        assert await ledger.take_digest(told.taken[0].key_text, now) == 1
        assert [one.claimed_by for one in await ledger.exceptions()] == ["ops"]
        assert await ledger.take_digest(told.taken[0].key_text, now) == 0, "pressed twice"
        assert await ledger.take_digest("north/A/1/alert/1/owners", now) is None, "an order's own message"
    else:
        await ledger.write(journal([entry(6, Event.ERP_RECEIPT, note="SO-1")], stage=Stage.CONFIRMED, ref=ref))
    await told.swept(CLAIM_WITHIN * 2)
    await told.swept(UPDATE_EVERY * 2)
    assert len(told.taken) == 1


# -- nobody ----------------------------------------------------------------------------------------------------------


async def test_a_team_that_wants_no_such_messages_gets_none(told: Told) -> None:
    await told.lost("A")
    told.sweeping.policy = told.policy("owners", tell=False)
    await told.swept()
    assert told.taken == []
    told.sweeping.policy = told.policy("owners")
    await told.swept()
    assert len(told.taken) == 1, "switched on, it hears of what is open"


async def test_nobody_is_told_of_a_shadow_order(told: Told) -> None:
    (ref,) = await told.lost("A")
    async with told.world.ledger._database.write() as session:
        await session.execute(update(Orders).values(side=Side.SHADOW))
    await told.sweeping.books_swept()  # it does not run, which the books find of a shadow order too
    assert [one.ref for one in await told.sweeping.exceptions()] == [ref]
    assert (told.taken, await told.world.ledger.open_digests()) == ([], [])


@pytest.mark.parametrize(("mode", "messages"), [(StoreMode.SHADOW, 0), (StoreMode.LIVE, 1)])
async def test_of_an_order_that_nobody_has_assessed_the_stores_mode_decides(
    told: Told, mode: StoreMode, messages: int
) -> None:
    told.sweeping.policy = told.policy("owners", mode=mode)
    ref = OrderRef(store="north", number="NEW")
    await told.world.ledger.receive("intake/north", "NEW", "order", ref, "{}", told.world.clock() - LATE)
    await told.sweeping.books_swept()
    assert [one.kind for one in await told.sweeping.exceptions()] == ["not_announced"]
    assert len(told.taken) == messages


async def test_of_a_store_that_is_live_in_part_nobody_is_told_of_those_that_will_be_shadow_orders(told: Told) -> None:
    refs = [OrderRef(store="north", number=f"N{n}") for n in range(10)]
    policy = told.policy("owners", mode=StoreMode.SHADOW)
    north = policy.stores["north"].model_copy(update={"live_percent": 50})
    told.sweeping.policy = policy.model_copy(update={"stores": {**policy.stores, "north": north}})
    for ref in refs:
        await told.world.ledger.receive("intake/north", ref.number, "order", ref, "{}", told.world.clock() - LATE)
    await told.sweeping.books_swept()
    live = sorted(ref.number for ref in refs if side_of(ref, 50) is Side.LIVE)
    assert sorted(_named(told.taken[0])) == live
    assert 0 < len(live) < len(refs)


async def test_the_last_door_refuses_a_digest_that_names_a_shadow_order(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its side cannot change once it is assessed; the door does not hang on that."""
    await told.lost("A")
    open_digests = SqlLedger.open_digests

    async def and_then_it_is_a_shadow_order(ledger: SqlLedger) -> Sequence[Digest]:
        found = await open_digests(ledger)
        async with ledger._database.write() as session:
            await session.execute(update(Orders).values(side=Side.SHADOW))
        return found

    monkeypatch.setattr(SqlLedger, "open_digests", and_then_it_is_a_shadow_order)
    await told.swept()
    assert (told.taken, told.channels["owners"].attempts) == ([], [])


# -- channels --------------------------------------------------------------------------------------------------------


async def test_a_paused_channel_holds_it_and_one_message_says_how_it_stands_when_it_is_resumed(told: Told) -> None:
    ledger = told.world.ledger
    await ledger.pause(Pause(channel="owners", at=told.world.clock(), by="grace", reason="upgrade"))
    await told.lost("A", "GONE")
    await told.swept()
    assert told.taken == []
    assert await told.states() == ["open"]
    await told.lost("B")
    gone = OrderRef(store="north", number="GONE")
    await ledger.write(journal([entry(6, Event.CANCELLED)], stage=Stage.CANCELLED, ref=gone))
    await told.swept(timedelta(minutes=10))
    await ledger.resume("owners")
    await told.swept(timedelta(minutes=1))
    (message,) = told.taken
    assert sorted(_named(message)) == ["A", "B"]
    assert await told.states() == []


@pytest.mark.parametrize("step", [REFUSED, DOWN])
async def test_the_next_channel_carries_what_the_first_does_not(told: Told, step: Step) -> None:
    told.by(NoneChannel(step), OwnersChannel())
    await told.lost("A")
    await told.swept()
    assert [message.key.channel for message in told.taken] == ["owners"]
    await told.swept(timedelta(minutes=1))
    assert len(told.taken) == 1


async def test_a_channel_that_asks_for_a_moment_is_given_it(told: Told) -> None:
    told.by(OwnersChannel(THROTTLED))
    await told.lost("A")
    await told.swept()
    assert len(told.taken) == 1
    assert 7.0 in told.world.slept


@pytest.mark.parametrize("leg", [("missing",), ("owners",)])
async def test_failing_to_tell_does_not_fail_the_sweep_and_is_seen(told: Told, leg: tuple[str, ...]) -> None:
    told.by(OwnersChannel(*[DOWN] * 9))
    told.sweeping.policy = told.policy(*leg)
    await told.lost("A")
    result = await told.sweeping.erp_swept()
    assert result.opened == 1
    (trouble,) = await told.world.ledger.digests_in_trouble(told.world.clock() + timedelta(seconds=1))
    assert trouble.state is DigestState.OPEN
    assert trouble.problem.startswith(f"{leg[0]}: ")
    told.by(OwnersChannel())
    await told.swept(timedelta(minutes=1))
    assert [_named(message) for message in told.taken] == [["A"]]
    assert await told.states() == []


# -- cut off ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "step", "messages", "trouble"),
    [
        (KeyChannel, KILLED_AFTER, 1, []),
        (KeyChannel, KILLED_BEFORE, 1, []),
        (KeyChannel, CUT_OFF, 1, []),
        (LookupChannel, KILLED_AFTER, 1, []),
        (LookupChannel, KILLED_BEFORE, 1, []),
        (NoneChannel, KILLED_AFTER, 1, ["in_doubt"]),
        (NoneChannel, KILLED_BEFORE, 0, ["in_doubt"]),
        (NoneChannel, CUT_OFF, 1, ["in_doubt"]),
    ],
)
async def test_cut_off_in_the_middle_it_is_never_told_twice(
    told: Told, channel: type[NoneChannel], step: Step, messages: int, trouble: list[str]
) -> None:
    """What a vendor can settle is settled; of the others a doubt is left to a person, and the reminder comes."""
    told.by(channel(step, *[ACCEPTED] * 9))
    await told.lost("A")
    await told.swept()  # the death is one of the sender's, seen as an error nobody knows
    await told.lost("B")
    await told.swept(LEASE + timedelta(seconds=1))
    of_a = [message for message in told.taken if "A" in _named(message)]
    assert len(of_a) == messages
    assert [_named(message) for message in told.taken if message not in of_a] == [["B"]]
    assert await told.states() == trouble
    await told.swept(CLAIM_WITHIN)
    assert sorted(_named(told.taken[-1])) == ["A", "B"], "the reminder is another message"
    assert await told.states() == []


async def test_what_may_have_gone_out_by_one_channel_is_not_said_by_the_next(told: Told) -> None:
    told.by(KeyChannel(CUT_OFF), OwnersChannel())
    await told.lost("A")
    await told.swept()
    assert [message.key.channel for message in told.taken] == ["key"]
    await told.swept(LEASE + timedelta(seconds=1))
    assert [message.key.channel for message in told.taken] == ["key"], "settled by its key"
    assert await told.states() == []


@pytest.mark.parametrize("second", [LookupChannel, NoneChannel])
async def test_a_first_channel_that_is_back_does_not_repeat_what_may_have_gone_out_by_the_second(
    told: Told, second: type[NoneChannel]
) -> None:
    told.by(OwnersChannel(DOWN), second(KILLED_AFTER))
    await told.lost("A")
    await told.swept()
    await told.swept(LEASE + timedelta(seconds=1))
    assert [message.key.channel for message in told.taken] == [second.name]


async def test_a_leg_that_waits_has_no_other_leg_told_again(told: Told) -> None:
    told.by(OwnersChannel(DOWN), KeyChannel(), LookupChannel(DOWN, DOWN))
    policy = told.policy("owners", "key")
    team = policy.teams["operations"].model_copy(update={"internal": (("owners", "key"), ("lookup",))})
    told.sweeping.policy = policy.model_copy(update={"teams": {"operations": team}})
    await told.lost("A")
    await told.swept()
    assert await told.states() == ["open"]
    await told.swept(timedelta(minutes=1))
    await told.swept(timedelta(minutes=1))
    assert [message.key.channel for message in told.taken] == ["key", "lookup"]
    assert await told.states() == []


async def test_a_channel_that_carries_one_leg_does_not_keep_back_another_which_falls_back_on_it(told: Told) -> None:
    told.by(OwnersChannel(), KeyChannel())
    team = told.policy("owners").teams["operations"].model_copy(update={"internal": (("owners",), ("key", "owners"))})
    told.sweeping.policy = told.policy("owners").model_copy(update={"teams": {"operations": team}})
    await told.lost("A")
    await told.swept()
    assert [message.key.channel for message in told.taken] == ["owners", "key"]
    assert await told.states() == []


async def test_what_was_lost_on_its_way_is_not_said_again_once_it_is_settled(told: Told) -> None:
    told.by(KeyChannel(LOST))
    (ref,) = await told.lost("A")
    await told.swept()
    assert await told.states() == ["open"]
    gone = journal([entry(6, Event.CANCELLED)], stage=Stage.CANCELLED, ref=ref)
    await told.world.ledger.write(gone)
    await told.swept(LEASE + timedelta(seconds=1))
    assert (told.taken, await told.states(), await told.world.ledger.open_digests()) == ([], [], [])


async def test_killed_between_what_is_owed_and_the_sending_the_next_sweep_tells_it(told: Told) -> None:
    await told.lost("A")
    words, told.sweeping.to_owners = told.sweeping.to_owners, None
    await told.swept()
    found = [one.exception for one in await told.world.ledger.untold()]
    await told.world.ledger.gather("operations", "ops", found, told.world.clock())
    told.sweeping.to_owners = words
    await told.swept(timedelta(minutes=1))
    assert [_named(message) for message in told.taken] == [["A"]]


async def test_what_joins_while_it_is_being_rendered_is_not_lost(told: Told) -> None:
    ledger = told.world.ledger
    await told.lost("A")
    claim, joined = ledger.claim_digest, list[int]()

    async def late(*args: object) -> object:
        if not joined:
            await told.lost("B")
            await Sweeping(told.world).erp_swept()
            found = [one.exception for one in await ledger.untold() if one.exception.told == 0]
            joined.append(await ledger.gather("operations", "ops", found, told.world.clock()))
        return await claim(*args)  # type: ignore[arg-type]

    ledger.claim_digest = late  # type: ignore[method-assign, assignment]
    await told.swept()
    assert (joined, told.taken) == ([1], [])
    await told.swept(timedelta(minutes=1))
    assert [sorted(_named(message)) for message in told.taken] == [["A", "B"]]


async def test_what_was_said_is_forgotten_and_its_hash_kept(told: Told) -> None:
    await told.lost("A")
    await told.swept()
    kept = await told.world.ledger.claim_digest(1, told.taken[0].key, told.taken[0], told.world.clock(), LEASE, None)
    assert (kept.mine, kept.send.state, kept.send.message_json) == (False, SendState.ACCEPTED, "")
    assert len(kept.send.body_sha256) == 64
