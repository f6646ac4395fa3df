"""Whatever a vendor does, by every channel: one message at most, an outcome that is true, and none that is lost.

The judge is the vendor's own account of what it took (`tests.activities.vendors`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from orderack.clients import http
from orderack.domain.acknowledgement import SendOutcome, SendState
from orderack.embedded.sandbox import Action, Behaviour, Sandbox, SandboxState
from orderack.ledger.repository import SqlLedger
from orderack.ports import Idempotency, Message, Sent
from tests.activities.fakes import Killed
from tests.activities.vendors import CHANNELS, Vendor, one_of_each, traits_of, vendor
from tests.activities.world import LEASE, World

SURE = {Idempotency.KEY, Idempotency.LOOKUP}
"""Classes whose doubts the vendor settles."""
GIVES_NO_ID = {"klaviyo", "salesforce_email"}
"""Vendors that take a message and do not say under which id."""
NAMES_NO_DELAY = {"line", "ses_email", "smtp_email", "viber", "vonage_sms"}
"""Vendors that limit a rate and do not say for how long."""
WAITS = {
    "messenger": timedelta(minutes=1),
    "whatsapp": timedelta(minutes=1),
    "salesforce_email": timedelta(hours=1),
    "salesforce_task": timedelta(hours=1),
}
"""Meta counts in minutes; Salesforce limits a day and names no time, so ours is the longest one."""
SEVERAL_REQUESTS = (
    *("activecampaign", "gmail", "google_chat", "intercom", "outlook", "salesforce_email", "salesforce_task"),
    *("shopify_note", "woocommerce_note", "zendesk", "zendesk_note", "zoho_task"),
)
"""A sign-in, a search, a draft before the one that sends; or a look-up after it."""

MOST_REQUESTS = 12

every_channel = pytest.mark.parametrize("name", CHANNELS)
by_one_of_each = one_of_each()
BROKEN = (("before", 1), ("after", 2), ("down", 1))
"""How a request is struck, and how many after one another are."""


def one_way_each(names: Sequence[str], *, all_of: str) -> pytest.MarkDecorator:
    """Every channel with each of the ways; in the short run with one, in turn, but `all_of` with all."""
    cells = [
        (place % len(BROKEN) == way, name, *how) for place, name in enumerate(names) for way, how in enumerate(BROKEN)
    ]
    marked = [
        pytest.param(name, how, times, marks=() if short or name == all_of else pytest.mark.long)
        for short, name, how, times in cells
    ]
    return pytest.mark.parametrize(("name", "how", "times"), marked)


@pytest_asyncio.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox.start(state=SandboxState(behaviour=Behaviour(webhooks=False))) as running:
        yield running


@pytest_asyncio.fixture
async def at(name: str, sandbox: Sandbox, world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Vendor]:
    settings = {"ORDERACK_SMTP_EMAIL_TIMEOUT": "0.3"}
    async with vendor(name, sandbox, world, monkeypatch, **settings) as made:
        yield made


def has_its_id(at: Vendor, outcome: SendOutcome) -> None:
    """By it the vendor's reports find the message."""
    assert (outcome.provider_id is None) is (at.name in GIVES_NO_ID)


# -- one fault, then all is well ----------------------------------------------------------------------------------


@every_channel
async def test_taken_it_is_accepted_once_however_slow_the_answer(at: Vendor) -> None:
    at.strikes(Action.SLOW, seconds=0.01)
    outcome = await at.judged()
    assert outcome.state is SendState.ACCEPTED
    has_its_id(at, outcome)


@by_one_of_each
@pytest.mark.parametrize("action", [Action.CUT_OFF_BEFORE, Action.HANG, Action.FAIL])
async def test_a_doubt_about_what_was_not_taken_is_sent_where_the_vendor_says_so(
    at: Vendor, action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    at.strikes(action)
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3 if action is Action.HANG else http.TOTAL_SECONDS)
    outcome = await at.judged()
    assert at.struck() == 1
    if at.traits.idempotency in SURE:
        assert outcome.state is SendState.ACCEPTED
        has_its_id(at, outcome)
    elif (at.name, action) != ("smtp_email", Action.FAIL):  # a mail server says by a 4xx that it did not take it
        assert outcome.state is SendState.UNKNOWN


@every_channel
@pytest.mark.parametrize("action", [Action.CUT_OFF_AFTER_ACCEPT, Action.NONSENSE])
async def test_a_doubt_about_what_was_taken_ends_accepted_where_the_vendor_says_so(at: Vendor, action: Action) -> None:
    at.strikes(action)
    outcome = await at.judged()
    assert (at.struck(), len(at.taken())) == (1, 1)
    if at.traits.idempotency in SURE:
        assert outcome.state is SendState.ACCEPTED
        has_its_id(at, outcome)
    else:
        assert outcome.state is SendState.UNKNOWN


@every_channel
async def test_a_refusal_ends_it_and_is_not_tried_again(at: Vendor) -> None:
    at.strikes(Action.REFUSE)
    outcome = await at.judged()
    assert (outcome.state, at.struck(), len(at.ends)) == (SendState.REJECTED, 1, 2)
    assert outcome.reason


@every_channel
async def test_throttled_it_is_tried_when_the_vendor_said_and_that_is_no_doubt(at: Vendor) -> None:
    at.strikes(Action.THROTTLE, retry_after=9)
    first = await at.attempt()
    assert isinstance(first, ApplicationError)
    if at.name in NAMES_NO_DELAY:
        assert first.next_retry_delay is None
    else:
        named = WAITS.get(at.name, timedelta(seconds=9))
        assert first.next_retry_delay is not None
        assert named - timedelta(seconds=3) < first.next_retry_delay <= named  # some name a time, not a delay
    outcome = await at.judged()
    assert outcome.state is SendState.ACCEPTED
    has_its_id(at, outcome)


@by_one_of_each
async def test_a_vendor_that_asks_for_more_patience_than_the_policy_has_leaves_the_fallback_its_time(
    at: Vendor,
) -> None:
    at.strikes(Action.THROTTLE, retry_after=900, times=None)
    patience = at.started + timedelta(seconds=40)
    first = await at.attempt(give_up_at=patience)
    assert isinstance(first, ApplicationError)
    assert (first.next_retry_delay or timedelta(0)) <= timedelta(seconds=40)
    at.world.clock.at = patience
    ended = await at.attempt(give_up_at=patience)
    assert isinstance(ended, SendOutcome)
    assert (ended.state, at.taken()) == (SendState.UNAVAILABLE, [])


# -- faults that do not end ---------------------------------------------------------------------------------------


@by_one_of_each
async def test_taken_and_then_refused_it_is_not_said_to_be_refused(at: Vendor) -> None:
    """The vendor may look at the recipient before it looks at the key."""
    at.strikes(Action.CUT_OFF_AFTER_ACCEPT)
    at.strikes(Action.REFUSE, after=1, times=None)
    outcome = await at.judged()
    assert len(at.taken()) == 1
    assert outcome.state in {SendState.ACCEPTED, SendState.UNKNOWN}


@by_one_of_each
async def test_taken_and_then_limited_or_down_it_is_not_said_to_be_unavailable(at: Vendor) -> None:
    at.strikes(Action.CUT_OFF_AFTER_ACCEPT)
    await at.attempt()
    at.strikes(Action.THROTTLE, retry_after=900, times=2, operation="any")
    at.strikes(Action.FAIL, times=2, operation="any")
    outcome = await at.judged()
    assert len(at.taken()) == 1
    assert outcome.state is (SendState.ACCEPTED if at.traits.idempotency in SURE else SendState.UNKNOWN)


# -- each request of a send in turn -------------------------------------------------------------------------------

Sending = Callable[..., Awaitable[httpx.Response]]


class Line:
    """The line to the vendor: requests number `first` to `last` meet `break_` on their way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, how: str, first: int, last: int) -> None:
        self.requests = 0
        self.broke = 0
        send: Sending = httpx.AsyncClient.send

        async def over(client: httpx.AsyncClient, request: httpx.Request, **more: object) -> httpx.Response:
            self.requests += 1
            if not first <= self.requests <= last:
                return await send(client, request, **more)
            self.broke += 1
            if how == "before":
                raise httpx.ReadError("reset", request=request)
            response = await send(client, request, **more)
            if how == "down":
                return httpx.Response(503, request=request)
            assert how == "after", response
            raise httpx.RemoteProtocolError("reset", request=request)

        monkeypatch.setattr(httpx.AsyncClient, "send", over)


@one_way_each(SEVERAL_REQUESTS, all_of="gmail")
async def test_whichever_of_its_requests_is_struck_it_goes_out_once(
    name: str, how: str, times: int, sandbox: Sandbox, world: World
) -> None:
    for place in range(1, MOST_REQUESTS):
        with pytest.MonkeyPatch.context() as patch:
            async with vendor(name, sandbox, world, patch) as at:
                line = Line(patch, how, place, place + times - 1)
                outcome = await at.judged()
                settled = at.traits.idempotency in SURE or not line.broke
                assert outcome.state in ({SendState.ACCEPTED} if settled else {SendState.ACCEPTED, SendState.UNKNOWN})
                if not line.broke:
                    break
    assert 1 < place < MOST_REQUESTS - 1
    assert outcome.state is SendState.ACCEPTED


@pytest.mark.parametrize("name", ["zendesk", "zendesk_note"])
@pytest.mark.parametrize("how", ["before", "after", "down"])
async def test_a_comment_on_the_orders_ticket_goes_out_once_whichever_request_is_struck(
    name: str, how: str, sandbox: Sandbox, world: World
) -> None:
    for place in range(1, MOST_REQUESTS):
        with pytest.MonkeyPatch.context() as patch:
            async with vendor(name, sandbox, world, patch) as at:
                opening = await at.judged()
                at.before += 1
                at.n = 2
                line = Line(patch, how, place, place)
                outcome = await at.judged()
                assert outcome.state is SendState.ACCEPTED
                assert outcome.provider_id == opening.provider_id
                if not line.broke:
                    break
    assert 2 < place < MOST_REQUESTS - 1


# -- workers that die, and workers that meet ----------------------------------------------------------------------


@by_one_of_each
@pytest.mark.parametrize("moment", ["before it is sent", "before it is recorded"])
async def test_a_worker_that_dies_leaves_a_doubt_and_no_second_message(
    at: Vendor, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = at.world.channels[at.name]

    async def dies(message: Message) -> Sent:
        raise Killed

    async def forgets(*of: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if moment == "before it is sent":
            patch.setattr(channel, "send", dies)
        else:
            patch.setattr(SqlLedger, "finish", forgets)
        with pytest.raises(Killed):
            await at.world.run(at.request())
    taken = 0 if moment == "before it is sent" else 1
    assert len(at.taken()) == taken
    early = await at.attempt()
    assert len(at.taken()) == taken
    if taken and at.traits.idempotency is Idempotency.LOOKUP:
        assert isinstance(early, SendOutcome)  # the vendor says at once that it has the message
    else:
        assert isinstance(early, ApplicationError)
        assert early.next_retry_delay is not None
        assert timedelta(0) < early.next_retry_delay <= LEASE
    outcome = await at.judged()
    assert outcome.state is (SendState.ACCEPTED if at.traits.idempotency in SURE else SendState.UNKNOWN)


@by_one_of_each
async def test_two_workers_that_meet_send_one_message(at: Vendor) -> None:
    ended = await asyncio.gather(*(at.attempt() for _ in range(3)))
    assert len(at.taken()) == 1
    assert {outcome.state for outcome in ended if isinstance(outcome, SendOutcome)} == {SendState.ACCEPTED}
    assert (await at.judged()).state is SendState.ACCEPTED


@one_of_each([name for name in CHANNELS if traits_of(name).idempotency is Idempotency.KEY])
async def test_two_attempts_at_once_with_one_key_are_one_message(at: Vendor) -> None:
    """A zombie whose lease ran out, and its successor: the vendor's key keeps them apart."""
    first = await at.judged()
    held = await at.world.ledger.send(f"{at.ref}/1/received/1/{at.name}")
    assert held is not None
    message = Message.model_validate_json(held.message_json)
    again = await at.world.channels[at.name].send(message)
    assert len(at.taken()) == 1
    assert again.provider_id == first.provider_id
