"""A chain written by the first release verifies after the upgrade; what it did not cover is covered from then on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from orderack.ledger import schema
from orderack.ledger.columns import Moment
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger
from tests.ledger.samples import NOW, REF
from tests.ledger.tampering import run

Row = dict[str, object]

OF = {"store": REF.store, "number": REF.number}
VOUCHED: Mapping[str, Sequence[str]] = {
    "entry": ("at", "event", "revision", "note", "clock", "due_at", "owner"),
    "acceptance": (
        *("revision", "kind", "n", "channel", "state", "provider_id", "reason", "detail", "message_sha256"),
        *("attempts", "claimed_at", "lease_until", "in_doubt_since", "finished_at"),
    ),
    "evidence": ("event", "grade", "revision", "kind", "n", "occurred_at", "recorded_at", "basis", "raw_sha256"),
}
"""What the first release's chain covered."""

ENTRY: Row = OF | {
    "seq": 1, "at": NOW, "event": "confirmed", "revision": 1, "note": "", "clock": None, "due_at": None, "owner": None,
}  # fmt: skip
SEND: Row = OF | {
    "revision": 1, "kind": "confirmation", "n": 1, "channel": "email", "key": "north/1001/1/confirmation/1/email",
    "state": "accepted", "provider_id": "p-1", "reason": "", "detail": "", "message": "{}",
    "message_sha256": hashlib.sha256(b"{}").hexdigest(), "attempts": 1, "claimed_at": NOW, "lease_until": NOW,
    "in_doubt_since": None, "finished_at": NOW,
}  # fmt: skip
REFUSED = SEND | {"channel": "sms", "key": "north/1001/1/confirmation/1/sms", "state": "rejected", "provider_id": None}
DOUBTED = SEND | {
    "channel": "chat",
    "key": "north/1001/1/confirmation/1/chat",
    "state": "unknown",
    "in_doubt_since": NOW,
}
FACT: Row = OF | {
    "id": 1, "channel": "email", "event_id": "ev-1", "event": "delivered", "grade": "E2", "revision": 1,
    "kind": "confirmation", "n": 1, "occurred_at": NOW, "recorded_at": NOW, "basis": "email:delivered", "raw": "raw",
    "raw_sha256": hashlib.sha256(b"raw").hexdigest(),
}  # fmt: skip
SAID: Row = OF | {
    "revision": 1, "kind": "confirmation", "n": 1, "first_claimed_at": NOW, "out_at": NOW, "grade": "E2",
}  # fmt: skip
HANDOFF: Row = OF | {
    "id": "handoff-1", "revision": 1, "content_hash": "a" * 64, "team": "kitchen", "owner": None, "document_id": "SO-1",
    "answers": "[]", "offered_at": NOW, "accepted_at": None, "accepted_by": None,
}  # fmt: skip


def old_digest(columns: Row) -> str:
    plain = {k: v.astimezone(UTC).isoformat() if isinstance(v, datetime) else v for k, v in columns.items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def old_chain() -> list[Row]:
    facts = (("entry", "1", ENTRY), ("acceptance", str(SEND["key"]), SEND), ("evidence", "email/ev-1", FACT))
    chain: list[Row] = []
    for position, (subject, id_, fact) in enumerate(facts, start=1):
        row: Row = OF | {
            "position": position,
            "recorded_at": NOW,
            "subject": subject,
            "subject_id": id_,
            "content_hash": old_digest({name: fact[name] for name in VOUCHED[subject]}),
            "prev_hash": chain[-1]["hash"] if chain else "",
        }
        chain.append(row | {"hash": old_digest(row)})
    return chain


def insert(table: str, row: Row) -> sa.Insert:
    """With the columns of then, whatever the table has now."""
    columns = [
        sa.column(name, Moment()) if isinstance(held, datetime) else sa.column(name) for name, held in row.items()
    ]
    return sa.insert(sa.table(table, *columns)).values(row)


async def _old_ledger(url: str) -> None:
    await schema.upgrade(url)
    await schema.downgrade(url, "0001")
    chain = old_chain()
    order: Row = OF | {
        "received_at": NOW, "updated_at": NOW, "stage": "handed_off", "revision": 1, "journal_seq": 1,
        "content_revision": 0, "quantities": "{}", "chain_length": len(chain), "chain_head": chain[-1]["hash"],
    }  # fmt: skip
    sends = [insert("sends", row) for row in (SEND, REFUSED, DOUBTED)]
    facts = [
        insert("timeline", ENTRY),
        *sends,
        insert("acknowledgements", SAID),
        insert("evidence", FACT),
        insert("handoffs", HANDOFF),
    ]
    await run(url, insert("orders", order), *facts, *(insert("audit", row) for row in chain))


async def test_an_old_chain_verifies_after_the_upgrade_and_is_guarded_more_than_before(empty_url: str) -> None:
    await _old_ledger(empty_url)
    await schema.upgrade(empty_url)
    ledger = SqlLedger(Database(make_engine(empty_url)))
    assert await ledger.verify_chain(REF) == []
    assert await ledger.chain_length(REF) == 6
    for table, column, where in (
        ("timeline", "note", "seq = 1"),
        ("evidence", "grade", "id = 1"),
        ("sends", "provider_id", "channel = 'email'"),
        ("handoffs", "team", "revision = 1"),
        ("sends", "reason", "channel = 'sms'"),
        ("sends", "reason", "channel = 'chat'"),
    ):
        undo = sa.text(f"UPDATE {table} SET {column} = :was WHERE {where}")
        was = {"note": "", "grade": "E2", "provider_id": "p-1", "team": "kitchen", "reason": ""}[column]
        await run(empty_url, sa.text(f"UPDATE {table} SET {column} = 'forged' WHERE {where}"))
        assert len(await ledger.verify_chain(REF)) == 1, (table, where)
        await run(empty_url, undo.bindparams(was=was))
    assert await ledger.verify_chain(REF) == []
    record = await ledger.order_record(REF)
    assert record
    assert record.breaks == ()
    await ledger.aclose()


async def test_upgrading_again_vouches_for_nothing_twice(empty_url: str) -> None:
    await _old_ledger(empty_url)
    await schema.upgrade(empty_url)
    await schema.upgrade(empty_url)
    ledger = SqlLedger(Database(make_engine(empty_url)))
    assert (await ledger.chain_length(REF), await ledger.verify_chain(REF)) == (6, [])
    await ledger.aclose()
