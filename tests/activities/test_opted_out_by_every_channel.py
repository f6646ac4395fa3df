"""Opt-outs, pauses and keys that are forgotten, on the real adapters: whoever wants no message gets none."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from orderack.domain.acknowledgement import Audience, Reason, SendOutcome, SendState
from orderack.domain.address import address_sha256
from orderack.embedded.sandbox import Action, Behaviour, Sandbox, SandboxState
from orderack.ports import Idempotency, Medium, Message, Pause
from tests.activities.vendors import CHANNELS, ONE_OF_EACH, Vendor, an_order, one_of_each, traits_of, vendor
from tests.activities.world import LEASE, World

BUYERS = tuple(name for name in CHANNELS if traits_of(name).audience is Audience.BUYER)
DAY = timedelta(days=1)


@pytest_asyncio.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox.start(state=SandboxState(behaviour=Behaviour(webhooks=False))) as running:
        yield running


@pytest_asyncio.fixture
async def at(name: str, sandbox: Sandbox, world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Vendor]:
    async with vendor(name, sandbox, world, monkeypatch) as made:
        yield made


async def address(at: Vendor) -> str:
    """Where the channel sends, as the vendor is told it."""
    await at.attempt()
    held = await at.world.ledger.send(f"{at.ref}/1/received/{at.n}/{at.name}")
    assert held is not None
    at.n += 1
    at.before += len(at.taken())
    return Message.model_validate_json(held.message_json).recipient


async def opts(at: Vendor, spelled: str, *, out: bool, after: timedelta = timedelta(0)) -> None:
    now = at.world.clock() + after
    await at.world.ledger.opted(at.name, address_sha256(spelled), out=out, at=now, basis=f"{at.name}:stop")


async def ended(at: Vendor) -> SendOutcome:
    outcome = await at.judged()
    at.n += 1
    at.before += len(at.taken())
    return outcome


# -- opt-outs -----------------------------------------------------------------------------------------------------


@one_of_each(BUYERS)
async def test_who_opted_out_gets_nothing_by_that_channel_until_they_opt_in(at: Vendor) -> None:
    to = await address(at)
    await opts(at, to.upper() if "@" in to else to.removeprefix("+"), out=True)
    refused = await ended(at)
    assert (refused.state, refused.reason, refused.detail) == (
        SendState.REJECTED,
        Reason.OPTED_OUT,
        f"{at.name}:stop",
    )
    await at.world.ledger.erase(at.ref, "grace", "asked for it", at.world.clock())
    again = an_order(f"{at.ref.number}-B").model_copy(update={"contacts": an_order(at.ref.number).contacts})
    at.ref = await at.world.save(again)
    assert (await ended(at)).reason is Reason.OPTED_OUT
    await opts(at, to, out=False, after=timedelta(seconds=1))
    assert (await ended(at)).state is SendState.ACCEPTED


@pytest.mark.parametrize(
    ("name", "ordered", "spelled", "same"),
    [
        ("sendgrid_email", {"email": "Ada@Bücher.example"}, "ada@xn--bcher-kva.EXAMPLE", True),
        ("sendgrid_email", {"email": "a.da@gmail.com"}, "ada@gmail.com", False),
        ("twilio_sms", {"phone": "+49 30 5550010"}, "+49305550010", True),
        ("vonage_sms", {"phone": "+49 (30) 555-0010"}, "49305550010", True),
        ("vonage_sms", {"phone": "+49305550010"}, "49305550011", False),
        ("whatsapp", {"chats": ({"platform": "whatsapp", "id": "+15005550010"},)}, "15005550010", True),
        ("whatsapp", {"chats": ({"platform": "whatsapp", "id": "15005550010"},)}, "+1 500 555 0010", True),
        ("viber", {"chats": ({"platform": "viber", "id": "01234567890A="},)}, "01234567890a=", False),
    ],
)
async def test_an_opt_out_is_known_by_any_spelling_of_the_address_and_by_no_other_address(
    at: Vendor, ordered: dict[str, object], spelled: str, same: bool
) -> None:
    order = an_order(f"{at.ref.number}-S")
    contacts = order.contacts.model_validate(order.contacts.model_dump() | ordered)
    at.ref = await at.world.save(order.model_copy(update={"contacts": contacts}))
    await opts(at, spelled, out=True)
    assert (await ended(at)).state is (SendState.REJECTED if same else SendState.ACCEPTED)


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("action", [Action.CUT_OFF_BEFORE, Action.CUT_OFF_AFTER_ACCEPT])
async def test_an_opt_out_during_a_doubt_is_honoured_and_the_doubt_is_told(at: Vendor, action: Action) -> None:
    to = await address(at)
    at.strikes(action)
    await at.attempt()
    await opts(at, to, out=True)
    taken = len(at.taken())
    outcome = await at.judged()
    assert len(at.taken()) == taken
    if at.traits.idempotency is not Idempotency.LOOKUP:
        assert outcome.state is SendState.UNKNOWN
    elif taken:
        assert outcome.state is SendState.ACCEPTED
    else:
        assert (outcome.state, outcome.reason) == (SendState.REJECTED, Reason.OPTED_OUT)


async def test_of_several_words_the_latest_one_counts_in_whatever_order_they_come(
    sandbox: Sandbox, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with vendor("twilio_sms", sandbox, world, monkeypatch) as at:
        to = await address(at)
        await opts(at, to, out=True, after=timedelta(seconds=5))
        await opts(at, to, out=False, after=timedelta(seconds=3))
        await opts(at, to, out=True, after=timedelta(seconds=1))
        assert (await ended(at)).reason is Reason.OPTED_OUT
        await opts(at, to, out=False, after=timedelta(seconds=9))
        await opts(at, to, out=True, after=timedelta(seconds=6))
        assert (await ended(at)).state is SendState.ACCEPTED


# -- pauses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("action", [Action.CUT_OFF_BEFORE, Action.CUT_OFF_AFTER_ACCEPT])
async def test_a_pause_during_a_doubt_sends_nothing_and_the_end_is_true(at: Vendor, action: Action) -> None:
    at.strikes(action)
    await at.attempt()
    taken = len(at.taken())
    await at.world.ledger.pause(Pause(channel=at.name, at=at.world.clock(), by="grace"))
    for _ in range(3):
        at.world.clock.advance(LEASE)
        outcome = await at.attempt()
        assert len(at.taken()) == taken
        if isinstance(outcome, SendOutcome):
            at.is_true(outcome)
        else:
            assert at.traits.idempotency is Idempotency.KEY  # a fallback could be a second message
    await at.world.ledger.resume(at.name)
    assert (await at.judged()).state is not SendState.UNAVAILABLE


@one_of_each([name for name in CHANNELS if traits_of(name).medium is not Medium.PAGE])
async def test_paused_while_it_waits_for_its_turn_it_is_not_sent(at: Vendor) -> None:
    kind = type(at.world.channels[at.name])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "traits", kind.traits.model_copy(update={"rate_per_second": 1 / 60}))
        await at.attempt()
        at.n, at.before = 2, at.before + 1
        waits = await at.attempt()
        assert isinstance(waits, ApplicationError)
        assert waits.next_retry_delay
        assert waits.next_retry_delay > timedelta(seconds=30)
        await at.world.ledger.pause(Pause(channel=at.name, at=at.world.clock(), by="grace"))
        at.world.clock.advance(waits.next_retry_delay)
        outcome = await at.attempt()
        assert isinstance(outcome, SendOutcome)
        assert (outcome.state, outcome.reason, at.taken()) == (SendState.UNAVAILABLE, Reason.PAUSED, [])


# -- keys that are forgotten --------------------------------------------------------------------------------------


@one_of_each([name for name in CHANNELS if traits_of(name).key_lasts])
@pytest.mark.parametrize("action", [Action.CUT_OFF_BEFORE, Action.CUT_OFF_AFTER_ACCEPT])
@pytest.mark.parametrize("late", [False, True])
async def test_a_doubt_is_sent_again_only_while_the_vendor_surely_knows_the_key(
    at: Vendor, action: Action, late: bool
) -> None:
    at.strikes(action)
    await at.attempt()
    taken = len(at.taken())
    lasts = at.traits.key_lasts or DAY
    at.world.clock.advance(lasts - LEASE - (timedelta(0) if late else timedelta(seconds=1)))
    outcome = await at.judged()
    if late:  # the attempt could reach the vendor after it has forgotten the key
        assert (outcome.state, len(at.taken())) == (SendState.UNKNOWN, taken)
    else:
        assert (outcome.state, len(at.taken())) == (SendState.ACCEPTED, 1)


@pytest.mark.parametrize("name", ["zendesk", "zendesk_note"])
@pytest.mark.parametrize("action", [Action.CUT_OFF_BEFORE, Action.CUT_OFF_AFTER_ACCEPT])
async def test_a_doubt_of_zendesks_is_looked_up_however_old_it_is(at: Vendor, action: Action) -> None:
    at.strikes(action)
    await at.attempt()
    at.world.clock.advance(timedelta(hours=3))
    outcome = await at.judged()
    assert (outcome.state, len(at.taken())) == (SendState.ACCEPTED, 1)
