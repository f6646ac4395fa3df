"""The ledger in memory against the real one: whatever is claimed, ended, doubted or echoed, both say the same."""

from datetime import timedelta

from orderack.domain.acknowledgement import Kind, SendKey, SendOutcome, SendState
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.ledger.repository import SqlLedger
from orderack.ports import ClaimResult, Message, Rendered, StoredSend
from tests.ledger.samples import LEASE, NOW, REF, journal, stored
from tests.simulation.chance import Dice
from tests.simulation.memory import MemoryLedger

ENDS = (SendState.ACCEPTED, SendState.REJECTED, SendState.UNKNOWN, SendState.UNAVAILABLE)


def seen(send: StoredSend) -> tuple[object, ...]:
    return (
        send.state,
        send.attempts,
        send.claimed_at,
        send.lease_until,
        send.in_doubt_since,
        send.provider_id,
        send.reason,
        send.detail,
    )


def claimed(result: ClaimResult) -> tuple[object, ...]:
    return (result.mine, result.first, *seen(result.send))


async def test_both_ledgers_say_the_same_of_any_send(ledger: SqlLedger) -> None:
    await ledger.save_revision(stored(), "fingerprint", journal())
    memory = MemoryLedger()
    dice = Dice("ledgers")
    for n in range(12):
        key = SendKey(ref=REF, revision=1, kind=Kind.UPDATE, n=n + 1, channel="key")
        message = Message(
            key=key, recipient="ada@example.com", kind=Kind.UPDATE, language="en", content=Rendered(text="words")
        )
        now = NOW
        a, b = await ledger.claim(key, message, now, LEASE), await memory.claim(key, message, now, LEASE)
        assert claimed(a) == claimed(b)
        for step in range(8):
            now += timedelta(seconds=dice.pick((1, 20, 60), n, step, "later"))
            match dice.pick(("claim", "finish", "finish", "doubt", "echo"), n, step):
                case "claim":
                    a, b = await ledger.claim(key, message, now, LEASE), await memory.claim(key, message, now, LEASE)
                    assert claimed(a) == claimed(b), (n, step)
                case "finish":
                    outcome = SendOutcome(
                        channel="key", state=dice.pick(ENDS, n, step, "end"), provider_id=f"p-{step}", detail="so"
                    )
                    assert seen(await ledger.finish(key, outcome, now)) == seen(await memory.finish(key, outcome, now))
                case "doubt":
                    await ledger.doubt(key, "cut off", now, now + LEASE)
                    await memory.doubt(key, "cut off", now, now + LEASE)
                case _:
                    event = dice.pick(
                        (EvidenceEvent.DELIVERED, EvidenceEvent.BOUNCED, EvidenceEvent.UNKNOWN), n, step, "e"
                    )
                    fact = EvidenceFact(
                        id=f"{n}/{event}",
                        event=event,
                        grade=Grade.E2,
                        channel="key",
                        revision=1,
                        kind=Kind.UPDATE,
                        n=n + 1,
                        occurred_at=now,
                    )
                    assert await ledger.record_evidence(REF, fact, "{}") == memory.record_evidence(key, fact)
            stands, known = await ledger.send(str(key)), await memory.send(str(key))
            assert stands is not None
            assert known is not None
            assert seen(stands)[:5] == seen(known)[:5], (n, step)
