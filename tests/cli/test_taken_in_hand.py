"""What is claimed or accepted on the command line stands in the ledger at once, and what can't be written is said."""

from orderack.cli.references import reference
from orderack.contracts.journal import Event
from tests.cli.conftest import KeptWorld, Terminal
from tests.cli.test_stories import confirmed


async def of(kept: KeptWorld, ref: str, event: Event) -> list[str | None]:
    """Who did this, by the ledger."""
    return [entry.owner for entry in await kept.ledger.entries(reference(ref)) if entry.event is event]


async def test_a_claim_and_an_acceptance_are_in_the_ledger_before_the_order_takes_another_step(
    terminal: Terminal, kept: KeptWorld
) -> None:
    ref = await confirmed(terminal)
    assert (await terminal("claim", "handoff", ref, "--by", "grace", "--id", "c1")).err == ""
    assert await of(kept, ref, Event.CLAIMED) == ["grace"]
    for _ in range(2):
        assert (await terminal("accept", ref, "--by", "grace", "--id", "a1", "--json")).json["accepted"]
    assert await of(kept, ref, Event.HANDOFF_ACCEPTED) == ["grace"]
    mine = [each for each in await kept.ledger.open_handoffs(100) if str(each.ref) == ref]
    assert mine == [], "the board counts it no more"
    seqs = [entry.seq for entry in await kept.ledger.entries(reference(ref))]
    assert seqs == sorted(set(seqs))


async def test_from_a_machine_that_does_not_reach_the_ledger_it_is_done_all_the_same_and_said(
    terminal: Terminal, kept: KeptWorld
) -> None:
    ref = await confirmed(terminal)
    away = await terminal("claim", "handoff", ref, "--by", "grace", ORDERACK_DATABASE_URL="sqlite+aiosqlite:///none.db")
    assert away.code == 0
    assert "grace owns the handoff" in away.out
    assert "with the order's next step" in away.err
    assert await of(kept, ref, Event.CLAIMED) == []
    assert (await terminal("status", ref, "--json")).json["handoff_owner"] == "grace"


async def test_what_is_refused_is_written_nowhere(terminal: Terminal, kept: KeptWorld) -> None:
    ref = await confirmed(terminal)
    before = await kept.ledger.entries(reference(ref))
    assert (await terminal("claim", "review", ref, "--by", "grace")).code == 1
    assert await kept.ledger.entries(reference(ref)) == before
