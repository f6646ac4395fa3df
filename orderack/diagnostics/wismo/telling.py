"""The figures in plain sentences."""

from collections.abc import Iterator, Mapping

from orderack.diagnostics.wismo.figures import (
    Effect,
    LeadFigures,
    Leading,
    Rate,
    Split,
    SplitFigures,
    WismoFigures,
)

WHAT: Mapping[Split, str] = {
    Split.TOLD_LATE: "Orders whose buyer was told after the promised minute",
    Split.CONFIRMED_EARLY: "Orders confirmed before the ERP receipt",
    Split.HELD: "Orders that got a holding message",
    Split.ESCALATED: "Orders that were escalated",
}
OTHERS: Mapping[Split, str] = {
    Split.TOLD_LATE: "those told in time",
    Split.CONFIRMED_EARLY: "those confirmed after it",
    Split.HELD: "those that needed none",
    Split.ESCALATED: "those that were not",
}
NAMES: Mapping[Split, str] = {
    Split.TOLD_LATE: "told late",
    Split.CONFIRMED_EARLY: "confirmed before the ERP receipt",
    Split.HELD: "held",
    Split.ESCALATED: "escalated",
}
EFFECTS: Mapping[Effect, str] = {
    Effect.MORE: "asked about more often",
    Effect.FEWER: "asked about less often",
    Effect.NONE_FOUND: "no difference found",
    Effect.NO_VERDICT: "no verdict",
}


def told(found: WismoFigures) -> tuple[str, ...]:
    """What the figures say: how often, of which orders, whether tickets come first."""
    if found.rate is None:
        return ("No order was placed in this time, so there is nothing to reckon with.",)
    clear = [one for one in found.splits if one.effect in (Effect.MORE, Effect.FEWER)]
    rest = [one for one in found.splits if one not in clear]
    return (
        f"Tickets that ask where an order is: {found.tickets.wismo:,} of {found.tickets.read:,}. "
        f"Orders of this time that are asked about: {found.rate.asked:,} of {found.rate.orders:,}, "
        f"{share(found.rate)}.",
        *(split(one) for one in clear),
        lead(found.lead),
        *(split(one) for one in rest),
    )


def split(one: SplitFigures) -> str:
    """What one division of the orders says."""
    if one.with_it is None or one.without_it is None or one.ratio is None or one.p_held is None:
        return f"{WHAT[one.split]}: no verdict ({one.why})."
    against = (
        f"{one.with_it.per_100:.1f} of 100 against {one.without_it.per_100:.1f} of {OTHERS[one.split]}; "
        f"ratio {one.ratio:.1f}, 95 % interval {one.ratio_low:.1f} to {one.ratio_high:.1f}, {probability(one.p_held)}"
    )
    match one.effect:
        case Effect.MORE:
            return f"{WHAT[one.split]} are asked about {one.ratio:.1f} times as often ({against})."
        case Effect.FEWER:
            return f"{WHAT[one.split]} are asked about less often ({against})."
        case _:
            return f"{WHAT[one.split]}: no difference found ({against})."


def lead(one: LeadFigures) -> str:
    """Whether tickets come before the gap."""
    if one.best is None or one.p is None:
        return f"Whether tickets come before the gap cannot be said: {one.why}."
    days = "1 day" if abs(one.best.days) == 1 else f"{abs(one.best.days)} days"
    basis = f"correlation {one.best.correlation:.2f} over {one.best.pairs} pairs of days, {probability(one.p)}"
    match one.leading:
        case Leading.LEADS:
            return f"The rate of tickets rises {days} before the gap of the ERP receipts does ({basis})."
        case Leading.SAME_DAY:
            return f"The rate of tickets and the gap of the ERP receipts rise on the same day ({basis})."
        case Leading.FOLLOWS:
            return f"The rate of tickets rises {days} after the gap of the ERP receipts does ({basis})."
        case _:
            return f"No link of days was found between the rate of tickets and the gap of the ERP receipts ({basis})."


def share(one: Rate) -> str:
    """`4.6 of 100 (95 % interval 3.8 to 5.6)`."""
    return f"{one.per_100:.1f} of 100 (95 % interval {one.low:.1f} to {one.high:.1f})"


def probability(p: float) -> str:
    """`p < 0.001` or `p = 0.041`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def noted(found: WismoFigures) -> tuple[str, ...]:
    """What was left out or assumed."""
    return tuple(_notes(found))


def _notes(found: WismoFigures) -> Iterator[str]:
    counts = found.tickets
    for number, words in (
        (counts.ambiguous, "Tickets that would fit several orders and count for none"),
        (counts.unknown, "Tickets that fit no order of the ledger"),
        (counts.of_other_stores, "Tickets about orders of other stores, which do not count"),
        (counts.of_earlier_orders, "Tickets about orders placed before this time"),
        (counts.ours, "Tickets opened by our own messages, which do not count"),
        (found.gap.without_receipt, "Orders without an ERP receipt yet, which are in no time of a receipt"),
    ):
        if number:
            yield f"{words}: {number:,}."
    if found.store and counts.ambiguous + counts.unknown:
        yield "Whose the tickets without an order are is not known, so they are in no rate of this store."
    if found.orders:
        yield "Orders placed last have had the least time to be asked about."
