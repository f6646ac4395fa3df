"""The owner of an exception hears of it: after a sweep one message for each owner, of what is new to him and of what
nobody has claimed in its time.

What is owed stands in the ledger before anything is sent, so that a sweep that is repeated, retried or killed tells it
once. It is sent as every message is (`activities.sending`), behind the last door; what cannot go out now is tried after
the next sweep, with what has come by then.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import structlog

from activities._digest_sends import DigestSends
from activities.sending import Held, NotYet, Sender, Sending
from orderack.domain.acknowledgement import Kind, SendOutcome, SendState
from orderack.domain.assessment import Side
from orderack.domain.shadow import NONE_LIVE, side_of
from orderack.errors import Misconfigured, Unavailable
from orderack.policy.model import Levels, Policy, StoreMode, TeamPolicy
from orderack.ports import Channel, Medium, Message, Traits
from orderack.ports.digests import Digest, DigestBook, DigestState, DigestWords, Untold
from orderack.ports.sweeps import OpenException, SweepLedger

T = TypeVar("T")
log = structlog.get_logger(__name__)

TRIES = 3
"""Of one channel, in one go."""
WORTH_WAITING = timedelta(seconds=20)
"""A channel that may be asked again within this is waited for; else its fallback has its turn."""
AT_ONCE = 1_000
"""Exceptions put into a digest in one transaction: a file has one writer, and five thousand kept it for 2.4 s."""
SAID = 200
"""Characters of why it did not go out."""
_ENDS = {SendState.ACCEPTED: DigestState.TOLD, SendState.UNKNOWN: DigestState.IN_DOUBT}


class OwnersLedger(SweepLedger, DigestBook, Protocol):
    """All that telling owners asks of the record."""


@dataclass(frozen=True)
class Telling:
    """By what owners are told."""

    channels: Callable[[str], Channel]
    """Raises Misconfigured for one that is not set up here."""
    words: DigestWords
    sending: Sending


@dataclass(frozen=True)
class _Tried:
    """How one leg of a digest stands."""

    state: DigestState
    problem: str = ""


class OwnersTold:
    """One for each worker. `tell` is called when a sweep has ended, whichever way."""

    def __init__(
        self, ledger: OwnersLedger, telling: Telling, policy: Callable[[], Policy], now: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._telling = telling
        self._policy = policy
        self._now = now

    async def tell(self) -> None:
        """Gather what is owed, and send what is gathered. Raises Unavailable where the ledger does not answer."""
        policy = self._policy()
        for (team, owner), found in (await self._owed(policy)).items():
            for n in range(0, len(found), AT_ONCE):
                await self._ledger.gather(team, owner, found[n : n + AT_ONCE], self._now())
        for digest in await self._ledger.open_digests():
            await self._send(policy, digest)

    # -- what is owed -------------------------------------------------------------------------------------------------

    async def _owed(self, policy: Policy) -> Mapping[tuple[str, str], Sequence[OpenException]]:
        """By team and owner: what is new to the owner, and what is to be said again."""
        owed = dict[tuple[str, str], list[OpenException]]()
        for one in await self._ledger.untold():
            found = one.exception
            team = team_of(policy, found.ref.store, found.owner)
            owner = found.owner or team
            if team is None or owner is None or not _tells(policy.teams[team]):
                continue
            if self._is_due(policy, found, owner) and not await self._in_shadow(policy, one):
                owed.setdefault((team, owner), []).append(found)
        return owed

    def _is_due(self, policy: Policy, one: OpenException, owner: str) -> bool:
        """New to him; or unclaimed for `claim_within` since he was told, and after that at the pace of updates."""
        if one.told_at is None or one.told_to != owner:
            return True
        levels = policy.levels(policy.stores.get(one.ref.store), Levels())
        return one.told_at + (levels.claim_within if one.told == 1 else levels.update_every) <= self._now()

    async def _in_shadow(self, policy: Policy, one: Untold) -> bool:
        """Of an order that nobody has assessed yet: whether it will be a shadow order, as `assess` decides that."""
        if one.side is not None:
            return False  # those of the shadow are not read at all
        ref = one.exception.ref
        said, store = await self._ledger.side_said(ref), policy.stores.get(ref.store)
        percent = said.live_percent
        if percent is None and store is not None and store.mode is StoreMode.SHADOW:
            percent = store.live_percent or NONE_LIVE
        return said.decided is None and percent is not None and side_of(ref, percent) is Side.SHADOW

    # -- sending ------------------------------------------------------------------------------------------------------

    async def _send(self, policy: Policy, digest: Digest) -> None:
        team = policy.teams.get(digest.team)
        legs = team.internal if team and _tells(team) else ()
        if not digest.items or not (legs or digest.under_way):
            await self._ledger.end_digest(digest.id, DigestState.OVER, "", self._now())
            return
        language = policy.languages[0]
        legs = legs or (tuple(digest.under_way),)
        of_one = {name for name, many in Counter(name for leg in legs for name in leg).items() if many == 1}
        tried = [await self._leg(digest, leg, of_one, language) for leg in legs]
        state = _together([one.state for one in tried])
        problem = "; ".join(dict.fromkeys(one.problem for one in tried if one.problem))[:SAID]
        await self._ledger.end_digest(digest.id, state, problem, self._now())
        level = log.info if state is DigestState.TOLD else log.warning
        level(
            "owner told" if state is DigestState.TOLD else "owner not told",
            digest=digest.id,
            owner=digest.owner,
            orders=len(digest.items),
            state=str(state),
            why=problem,
        )

    async def _leg(self, digest: Digest, leg: Sequence[str], of_one: Set[str], language: str) -> _Tried:
        """The first channel that takes it. What may have gone out by one goes by no other, now or later.

        `of_one`: channels of one leg alone; what went out by another's says nothing of this one.
        """
        alone = [name for name in leg if name in of_one]
        sender = Sender(DigestSends(self._ledger, digest.version, alone), self._telling.sending, self._now)
        problems, waits = list[str](), False
        for n, name in enumerate(leg):
            try:
                channel = self._telling.channels(name)
                if not _carries(channel.traits):
                    problems.append(f"{name}: keeps records of orders only")
                    continue
                message = self._message(digest, name, language)
                outcome = await self._tried(sender, channel, message, fallback=n > 0)
            except (Misconfigured, Unavailable) as error:
                if await self._is_under_way(digest, name):
                    return _Tried(DigestState.OPEN, f"{name}: {error}")
                waits = True
                problems.append(f"{name}: {error}")
                continue
            if outcome.state in _ENDS:
                return _Tried(_ENDS[outcome.state], "" if outcome.state is SendState.ACCEPTED else outcome.detail)
            waits = waits or outcome.state is SendState.UNAVAILABLE
            problems.append(f"{name}: {outcome.reason or outcome.state}")
        return _Tried(DigestState.OPEN if waits else DigestState.REFUSED, "; ".join(problems))

    async def _tried(self, sender: Sender, channel: Channel, message: Message, *, fallback: bool) -> SendOutcome:
        """One send, to its end. Raises Unavailable once it is not worth waiting for here, Misconfigured."""
        for left in range(TRIES - 1, -1, -1):
            try:
                return await _whole(sender.once(channel, message, self._now(), fallback=fallback))
            except Unavailable as error:
                wait = error.retry_after if isinstance(error, NotYet) or error.retry_after else None
                if isinstance(error, Held) or not left or wait is None or wait > WORTH_WAITING:
                    raise
                await self._telling.sending.sleep(wait.total_seconds())
        raise AssertionError("the last try has returned or raised")

    async def _is_under_way(self, digest: Digest, channel: str) -> bool:
        stands = {one.id: one for one in await self._ledger.open_digests()}.get(digest.id)
        return stands is not None and channel in stands.under_way

    def _message(self, digest: Digest, channel: str, language: str) -> Message:
        return Message(
            key=digest.key(channel),
            recipient=digest.owner,
            kind=Kind.ALERT,
            language=language,
            content=self._telling.words.render(digest, language),
        )


def team_of(policy: Policy, store: str, owner: str | None) -> str | None:
    """The team by whose channels this owner hears: the store's where he is in it, else his own, else the store's."""
    known = policy.stores.get(store)
    of_store = known.team if known and known.team in policy.teams else None
    his = [name for name, team in policy.teams.items() if owner in (*team.rota, *team.reviewers)]
    if of_store in his or not his:
        return of_store or next(iter(policy.teams), None)
    return his[0]


def _tells(team: TeamPolicy) -> bool:
    return team.tell_exceptions and bool(team.internal)


def _carries(traits: Traits) -> bool:
    """A digest is about no one order, so nothing that keeps records beside an order can hold it."""
    return traits.medium not in (Medium.RECORD, Medium.PAGE) and not traits.needs_order


def _together(states: Sequence[DigestState]) -> DigestState:
    """Of several legs: open while one of them is; told where one was told."""
    order = (DigestState.OPEN, DigestState.TOLD, DigestState.IN_DOUBT, DigestState.REFUSED)
    return next((state for state in order if state in states), DigestState.REFUSED)


async def _whole(sending: Awaitable[T]) -> T:
    """A worker that stops must not cut a send in half: it ends first."""
    task = asyncio.ensure_future(sending)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
