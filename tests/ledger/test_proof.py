"""What is proved of a message: the same columns whatever the order of the facts, and for that message only."""

from datetime import timedelta
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from orderack.domain.acknowledgement import Kind, SendKey, SendState
from orderack.domain.address import address_sha256
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import OrderRef
from orderack.domain.proof import prove
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Acknowledgements
from tests.ledger.samples import LEASE, NOW, REF, fact, key, message, outcome

E = EvidenceEvent
FACTS = tuple(
    fact(f"ev-{number}", event, grade).model_copy(
        update={"channel": channel, "occurred_at": NOW + timedelta(seconds=second), "basis": f"{channel}:{event}"}
    )
    for number, (event, grade, channel, second) in enumerate(
        (
            (E.BOUNCED, Grade.E0, "smtp_email", 9),
            (E.MACHINE_TOUCH, Grade.M, "smtp_email", 1),
            (E.DELIVERED, Grade.E2, "smtp_email", 2),
            (E.DELIVERED, Grade.E2, "twilio_sms", 2),
            (E.DISPLAYED, Grade.E3P, "smtp_email", 40),
            (E.AFFIRMED, Grade.E5, "portal", 60),
            (E.ASSENTED, Grade.E5, "portal", 70),
            (E.DECLINED, Grade.E5, "portal", 70),
        )
    )
)
_numbers = count(1)


async def _acknowledgement(ledger: SqlLedger, send: SendKey) -> Acknowledgements:
    async with ledger._database.read() as session:  # the columns are for reports, so no call reads them yet
        mine = (send.ref.store, send.ref.number, send.revision, send.kind, send.n)
        query = select(Acknowledgements).filter_by(
            **dict(zip(("store", "number", "revision", "kind", "n"), mine, strict=True))
        )
        return (await session.execute(query)).scalar_one()


def _columns(row: Acknowledgements) -> dict[str, object]:
    return row.model_dump(exclude={"store", "number"})


async def _recorded(ledger: SqlLedger, facts: list[EvidenceFact]) -> Acknowledgements:
    number = next(_numbers)
    mine = key(ref=OrderRef(store="north", number=f"{number}"))
    await ledger.claim(mine, message(mine), NOW, LEASE)
    await ledger.finish(mine, outcome(SendState.ACCEPTED, f"p-{number}"), NOW)
    for one in facts:
        await ledger.record_evidence(mine.ref, one.model_copy(update={"id": f"{number}-{one.id}"}), "{}")
    return await _acknowledgement(ledger, mine)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from(FACTS), unique_by=lambda one: one.id, min_size=2).flatmap(
        lambda facts: st.tuples(st.just(facts), st.permutations([*facts, *facts]))
    )
)
async def test_facts_in_any_order_and_repeated_leave_the_same_columns(
    ledger: SqlLedger, case: tuple[list[EvidenceFact], list[EvidenceFact]]
) -> None:
    once, shuffled = case
    row = await _recorded(ledger, once)
    assert _columns(await _recorded(ledger, shuffled)) == _columns(row)
    proof = prove(once)
    assert row.receipt_at == (proof.receipt.at if proof.receipt else None)
    assert row.reading_at == (proof.reading.at if proof.reading else None)
    assert row.assent == {None: None, True: "assented", False: "declined"}[proof.assented]


async def test_receipt_reading_and_assent_are_three_columns(ledger: SqlLedger) -> None:
    row = await _recorded(ledger, list(FACTS))
    assert (row.receipt_at, row.receipt_basis) == (NOW + timedelta(seconds=2), "smtp_email:delivered")
    assert (row.reading_at, row.reading_basis) == (NOW + timedelta(seconds=60), "portal:affirmed")
    assert (row.assent, row.assent_at) == ("declined", NOW + timedelta(seconds=70))
    assert row.grade == Grade.E5


async def test_a_machine_touch_fills_no_column(ledger: SqlLedger) -> None:
    row = await _recorded(ledger, [FACTS[1]])
    assert (row.grade, row.receipt_at, row.reading_at, row.assent) == (Grade.M, None, None, None)


async def test_evidence_of_one_message_proves_nothing_of_another(ledger: SqlLedger) -> None:
    mine = key()
    others = [
        mine.model_copy(update={"revision": 2}),
        mine.model_copy(update={"n": 2}),
        key(Kind.RECEIVED),
    ]
    for each in (mine, *others):
        await ledger.claim(each, message(each), NOW, LEASE)
    await ledger.record_evidence(REF, FACTS[5], "{}")
    assert (await _acknowledgement(ledger, mine)).reading_at is not None
    for each in others:
        row = await _acknowledgement(ledger, each)
        assert (row.grade, row.receipt_at, row.reading_at) == (None, None, None)


async def test_what_proves_one_message_is_not_folded_into_the_next(ledger: SqlLedger) -> None:
    first, second = key(), key().model_copy(update={"revision": 2})
    for each in (first, second):
        await ledger.claim(each, message(each), NOW, LEASE)
    await ledger.record_evidence(REF, FACTS[5], "{}")
    await ledger.record_evidence(REF, FACTS[2].model_copy(update={"revision": 2}), "{}")
    row = await _acknowledgement(ledger, second)
    assert (row.grade, row.receipt_basis, row.reading_at) == (Grade.E2, "smtp_email:delivered", None)


async def test_a_send_is_found_by_the_address_that_it_went_to(ledger: SqlLedger) -> None:
    first, second = key(Kind.RECEIVED, channel="twilio_sms"), key(channel="twilio_sms")
    elsewhere = key(channel="twilio_sms", ref=OrderRef(store="north", number="2"))
    by_mail = key()
    for after, each in enumerate((first, second, elsewhere, by_mail)):
        to = "+15005550007" if each is elsewhere else "+1 (500) 555-0006"
        sent = message(each).model_copy(update={"recipient": to})
        await ledger.claim(each, sent, NOW + timedelta(seconds=after), LEASE)
    found = await ledger.sends_to("twilio_sms", address_sha256("+15005550006"), NOW)
    assert [send.key for send in found] == [str(second), str(first)]
    late = await ledger.sends_to("twilio_sms", address_sha256("+15005550006"), NOW + timedelta(seconds=1))
    assert [send.key for send in late] == [str(second)]


def test_one_address_has_one_spelling() -> None:
    assert address_sha256("Ada@Example.com ") == address_sha256("ada@example.COM")
    assert address_sha256("+1 (500) 555-0006") == address_sha256("15005550006")
    assert address_sha256("+15005550006") != address_sha256("+15005550007")
    assert address_sha256("-1001234567") != address_sha256("1001234567")
    assert address_sha256("U0ADA") != address_sha256("u0ada")
