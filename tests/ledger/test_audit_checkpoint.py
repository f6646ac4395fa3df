"""Checkpoints: a chain written anew, head and all, is sound from inside; against a head kept elsewhere it is not."""

from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import delete, insert, update

from orderack.errors import InvalidInput
from orderack.ledger import audit
from orderack.ledger.checkpoint import Head, batches, check, read, written
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Table
from tests.ledger.samples import NOW, REF, fact, journal
from tests.ledger.tampering import OTHER, one_of_everything, rows, run

SECRET = "an installation's secret"


@pytest_asyncio.fixture
async def recorded(ledger: SqlLedger) -> SqlLedger:
    await one_of_everything(ledger)
    return ledger


async def _checkpoint(ledger: SqlLedger, file: Path, secret: str = "", store: str | None = None) -> Path:
    with file.open("w", newline="\n") as target:
        async for line, _ in written(ledger.heads(store), NOW, store, secret):
            target.write(line)
    return file


async def _broken(ledger: SqlLedger, file: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for batch in batches(read(file)):
        found |= {order: one.problem for order, (one,) in (await ledger.compare(batch)).items()}
    return found


async def rewrite(url: str) -> None:
    """Change a fact, what is made from it, and write the whole chain anew, head and all, as its owner can."""
    evidence, chain, orders = (Table.metadata.tables[name] for name in ("evidence", "audit", "orders"))
    said = Table.metadata.tables["acknowledgements"]
    await run(url, update(evidence).values(grade="E6"), update(said).where(said.c.grade == "E2").values(grade="E6"))
    of_order = (chain.c.store == REF.store, chain.c.number == REF.number)
    kept = [row for row in await rows(url, "audit") if (row["store"], row["number"]) == (REF.store, REF.number)]
    (forged,) = await rows(url, "evidence")
    previous = ""
    for row in kept:
        if row["subject"] == "graded_evidence":
            row["content_hash"] = audit.content_hash(audit.SUBJECTS["graded_evidence"], forged)
        row["prev_hash"] = previous
        row["hash"] = previous = audit.row_hash(row)
    await run(
        url,
        delete(chain).where(*of_order),
        *(insert(chain).values(row) for row in kept),
        update(orders).where(orders.c.store == REF.store, orders.c.number == REF.number).values(chain_head=previous),
    )


async def test_a_chain_written_anew_is_sound_from_inside_and_caught_by_a_checkpoint(
    recorded: SqlLedger, ledger_url: str, tmp_path: Path
) -> None:
    kept = await _checkpoint(recorded, tmp_path / "heads")
    await rewrite(ledger_url)
    assert await recorded.verify_chain(REF) == []
    assert await _broken(recorded, kept) == {
        str(REF): "its chain is not the one that the checkpoint saw: it was written anew"
    }


async def test_a_chain_that_only_grew_runs_through_its_checkpoint(recorded: SqlLedger, tmp_path: Path) -> None:
    kept = await _checkpoint(recorded, tmp_path / "heads")
    await recorded.record_evidence(REF, fact("ev-2"), "raw")
    await recorded.write(journal(ref=OTHER))
    await recorded.erase(REF, "grace", "asked", NOW)
    assert await _broken(recorded, kept) == {}


async def test_orders_cut_short_or_removed_since_are_named(
    recorded: SqlLedger, ledger_url: str, tmp_path: Path
) -> None:
    kept = await _checkpoint(recorded, tmp_path / "heads")
    chain, orders = Table.metadata.tables["audit"], Table.metadata.tables["orders"]
    await run(ledger_url, delete(chain).where(chain.c.position == 9))
    assert "its end was cut off" in (await _broken(recorded, kept))[str(REF)]
    await run(ledger_url, delete(orders).where(orders.c.store == OTHER.store))
    assert "the whole order was removed" in (await _broken(recorded, kept))[f"{OTHER.store}/{REF.number}"]


async def test_a_checkpoint_says_of_which_store_it_is_and_who_sealed_it(recorded: SqlLedger, tmp_path: Path) -> None:
    kept = await _checkpoint(recorded, tmp_path / "heads", SECRET, "south")
    found = check(kept, SECRET)
    assert (found.header.store, found.seal.orders, found.signature) == ("south", 1, True)
    assert [head.store for head in read(kept)] == ["south"]
    assert check(kept, "another secret, also long").signature is False
    assert check(kept, "").signature is None
    assert check(await _checkpoint(recorded, tmp_path / "unsigned"), SECRET).signature is None


async def test_an_empty_ledger_has_a_checkpoint_too(ledger: SqlLedger, tmp_path: Path) -> None:
    kept = await _checkpoint(ledger, tmp_path / "heads")
    assert check(kept, "").seal.orders == 0
    assert list(read(kept)) == []


async def test_any_byte_changed_in_a_checkpoint_is_noticed(recorded: SqlLedger, tmp_path: Path) -> None:
    kept = await _checkpoint(recorded, tmp_path / "heads")
    whole = kept.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        kept.write_bytes(bytes(changed))
        with pytest.raises(InvalidInput):
            check(kept, "")
    for cut in [*range(0, len(whole) - 1, 7), len(whole) - 1]:
        kept.write_bytes(whole[:cut])
        with pytest.raises(InvalidInput):
            check(kept, "")
    lines = whole.splitlines(keepends=True)
    kept.write_bytes(b"".join([lines[0], *reversed(lines[1:-1]), lines[-1]]))
    with pytest.raises(InvalidInput, match="was changed after it was written"):
        check(kept, "")


async def test_what_cannot_be_read_is_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        check(tmp_path / "missing", "")
    (tmp_path / "noise").write_bytes(b"\xff\x00\n" * 3)
    with pytest.raises(InvalidInput, match="is not a checkpoint"):
        check(tmp_path / "noise", "")


def test_heads_come_in_batches() -> None:
    heads = [Head(store="s", number=str(n), length=0, head="") for n in range(601)]
    assert [len(batch) for batch in batches(iter(heads))] == [300, 300, 1]
