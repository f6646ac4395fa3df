"""What is wrong with the evidence that a policy asks for: grades that its channels can never bring (mission.md §4)."""

from collections.abc import Iterator, Mapping

from orderack.domain.evidence import Grade
from orderack.domain.problem import Problem
from orderack.domain.store import BuyerMay
from orderack.policy.model import ChannelFacts, Outcome, Policy, StorePolicy

Channels = Mapping[str, ChannelFacts]
Offer = tuple[tuple[str, ...], ...]


def brings(channel: ChannelFacts, button: bool, store: StorePolicy) -> Grade:
    """The strongest evidence that this channel's messages can bring in this store.

    With the button every channel that reaches the buyer brings E5: its messages carry the link to the page. E-mail
    brings E3p by its image or its links, and only where the store has them.
    """
    touches = store.profile.touches
    if button and BuyerMay.AFFIRM in store.profile.page.may:
        return Grade.E5 if channel.ceiling.rank < Grade.E5.rank else channel.ceiling
    by_mail = channel.address == "email" and channel.carries_touches
    if by_mail and Grade.E1.rank <= channel.ceiling.rank <= Grade.E3P.rank:
        untouched = Grade.E2 if channel.ceiling is Grade.E3P else channel.ceiling
        return Grade.E3P if touches.pixel or touches.links else untouched
    return channel.ceiling


def evidence_problems(path: str, then: Outcome, policy: Policy, channels: Channels) -> Iterator[Problem]:
    """Every finding about one row; a channel that the row cannot use, or does not know, is another check's concern."""
    offers = [then.channels] if then.channels else [source.channels for source in policy.sources.values()]
    yield from _too_much(path, then, policy, channels, offers)
    yield from _work(path, then, policy, channels, offers)
    yield from _unwaited(path, then, policy)


def affirming_problems(key: str, store: StorePolicy) -> Iterator[Problem]:
    """Work on a changed order waits for the buyer's affirmation, whatever the matrix says."""
    if BuyerMay.AFFIRM not in store.profile.page.may:
        yield Problem(
            field=f"stores.{key}.profile.page.may",
            problem="leaves out affirm: nobody could affirm a changed order, and work on it would never begin",
            remedy="add affirm",
        )


def _too_much(path: str, then: Outcome, policy: Policy, channels: Channels, offers: list[Offer]) -> Iterator[Problem]:
    """Evidence asked of a channel that can never bring it."""
    needed = then.evidence_needed or Grade.E2
    weak: dict[str, tuple[Grade, str]] = {}
    for key, store in policy.stores.items():
        for name, channel in _named(channels, offers):
            best = brings(channel, then.button, store)
            if best.rank < needed.rank:
                weak.setdefault(name, (best, "" if best.rank >= channel.ceiling.rank else f" in store {key}"))
    for name, (best, where) in weak.items():
        problem = f"asks {needed} of {name}, which brings {best} at best{where}"
        remedy = f"ask for {best}, or use a channel that brings {needed}"
        if _by_button(needed, then):
            remedy = f"add `button: true`, so that the message asks the buyer for it; else {remedy}"
        yield Problem(field=f"{path}.evidence_needed", problem=problem, remedy=remedy)


def _work(path: str, then: Outcome, policy: Policy, channels: Channels, offers: list[Offer]) -> Iterator[Problem]:
    """Work that could never begin. E6 is attested by the store's own systems, so no channel has to bring it."""
    work = then.work_needs or Grade.E2
    if work is Grade.E6:
        return
    for store in policy.stores.values():
        for offer in offers:
            best = [brings(channel, then.button, store) for _, channel in _named(channels, [offer])]
            if best and max(grade.rank for grade in best) < work.rank:
                remedy = "add a channel that brings it"
                if _by_button(work, then):
                    remedy = f"add `button: true`, so that the confirmation asks the buyer for it; or {remedy}"
                problem = f"needs {work}, which no channel of the row brings: work would never begin"
                yield Problem(field=f"{path}.work_needs", problem=problem, remedy=remedy)
                return


def _unwaited(path: str, then: Outcome, policy: Policy) -> Iterator[Problem]:
    """Evidence that is asked for and waited for by nobody: no fallback would ever be used."""
    if then.evidence_needed is None:
        return
    if any(policy.levels(store, then.service_levels).evidence_within is None for store in policy.stores.values()):
        problem = "is asked for, but there is no evidence_within after which the fallback is used"
        remedy = "add service_levels: { evidence_within: … }, or leave evidence_needed out"
        yield Problem(field=f"{path}.evidence_needed", problem=problem, remedy=remedy)


def _named(channels: Channels, offers: list[Offer]) -> Iterator[tuple[str, ChannelFacts]]:
    """The buyer's channels of these offers that this installation has, each once."""
    for name in dict.fromkeys(name for offer in offers for leg in offer for name in leg):
        if name in channels and channels[name].buyer:
            yield name, channels[name]


def _by_button(needed: Grade, then: Outcome) -> bool:
    return not then.button and Grade.E3P.rank < needed.rank <= Grade.E5.rank
