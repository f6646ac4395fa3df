"""What the ledger offers the operators' queue: handoffs not accepted, sends in doubt."""

from datetime import timedelta

import pytest

from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import Event, Journal, Stage
from orderack.domain.acknowledgement import SendKey, SendState
from orderack.ledger.repository import SqlLedger
from tests.ledger.samples import NOW, REF, entry, journal, key, message, outcome


def an_offer(record: Journal, revision: int = 1) -> HandOffRequest:
    return HandOffRequest(
        ref=REF,
        revision=revision,
        content_hash="abc",
        team="kitchen",
        owner=None,
        document_id="SO-9",
        answers=(),
        journal=record,
    )


async def test_a_handoff_waits_from_its_offer_until_it_is_accepted(ledger: SqlLedger) -> None:
    await ledger.offer_handoff(an_offer(journal([entry(1)], stage=Stage.CONFIRMED)), NOW)
    (waiting,) = await ledger.open_handoffs()
    assert (waiting.ref, waiting.revision, waiting.team, waiting.offered_at) == (REF, 1, "kitchen", NOW)
    await ledger.write(journal([entry(2, Event.HANDOFF_ACCEPTED)], stage=Stage.HANDED_OFF))
    assert await ledger.open_handoffs() == []


async def test_a_handoff_of_an_older_revision_or_an_ended_order_waits_for_nobody(ledger: SqlLedger) -> None:
    await ledger.offer_handoff(an_offer(journal([entry(1)], stage=Stage.CONFIRMED)), NOW)
    await ledger.write(journal([entry(2)], stage=Stage.ASSESSING, revision=2))
    assert await ledger.open_handoffs() == []
    await ledger.offer_handoff(an_offer(journal([entry(3)], stage=Stage.CONFIRMED, revision=2), 2), NOW)
    assert [row.revision for row in await ledger.open_handoffs()] == [2]
    await ledger.write(journal([entry(4, Event.CANCELLED)], stage=Stage.CANCELLED, revision=2))
    assert await ledger.open_handoffs() == []


async def test_a_send_in_doubt_is_listed_and_one_that_went_out_is_not(ledger: SqlLedger) -> None:
    doubtful, sent = key(n=1), key(n=2)
    for send, state in ((doubtful, SendState.UNKNOWN), (sent, SendState.ACCEPTED)):
        await ledger.claim(send, message(send), NOW, timedelta(minutes=1))
        await ledger.finish(send, outcome(state), NOW)
    (doubt,) = await ledger.doubts()
    assert (doubt.ref, doubt.key, doubt.settled) == (REF, str(doubtful), False)
    left = "confirmation 1 by smtp_email: left: it may have been sent"
    await ledger.write(journal([entry(1, Event.SEND_SETTLED, note=left)]))
    assert [doubt.settled for doubt in await ledger.doubts()] == [True]
    await ledger.write(journal([entry(2)], stage=Stage.CLOSED))
    assert await ledger.doubts() == []


async def in_doubt(ledger: SqlLedger, *keys: SendKey) -> None:
    for send in keys:
        await ledger.claim(send, message(send), NOW, timedelta(minutes=1))
        await ledger.finish(send, outcome(SendState.UNKNOWN), NOW)


async def test_what_is_settled_does_not_crowd_out_what_waits_for_a_person(ledger: SqlLedger) -> None:
    await in_doubt(ledger, *(key(n=n) for n in range(1, 5)))
    notes = [f"confirmation {n} by smtp_email: left: it may have been sent" for n in range(1, 4)]
    await ledger.write(journal([entry(n, Event.SEND_SETTLED, note=note) for n, note in enumerate(notes, 1)]))
    assert [doubt.key for doubt in await ledger.doubts(1)] == [str(key(n=4))]
    assert len(await ledger.doubts()) == 4


async def test_a_doubt_whose_repeat_was_refused_is_back_on_the_list(ledger: SqlLedger) -> None:
    await in_doubt(ledger, key(n=1))
    about = "confirmation 1 by smtp_email: "
    told = [
        entry(1, Event.SEND_UNKNOWN, note=f"{about}cut off after sending"),
        entry(2, Event.SEND_SETTLED, note=f"{about}said again as 2, marked as a possible repeat"),
    ]
    await ledger.write(journal(told))
    assert [doubt.settled for doubt in await ledger.doubts()] == [True]
    await ledger.write(journal([entry(3, Event.SEND_UNKNOWN, note=f"{about}in doubt as before")]))
    assert [doubt.settled for doubt in await ledger.doubts()] == [False]
    await ledger.write(journal([entry(4, Event.SEND_SETTLED, note=f"{about}sent")]))
    assert [doubt.settled for doubt in await ledger.doubts()] == [True]


async def test_the_word_on_a_channel_settles_none_of_another_that_begins_with_its_name(ledger: SqlLedger) -> None:
    await in_doubt(ledger, key(n=1))
    await ledger.write(journal([entry(1, Event.SEND_SETTLED, note="confirmation 1 by smtp_email_note: sent")]))
    assert [doubt.settled for doubt in await ledger.doubts()] == [False]


@pytest.mark.parametrize(
    ("which", "over"),
    [("", {1: False, 2: True}), (" (revision 1)", {1: True, 2: False})],
    ids=["the later", "the former"],
)
async def test_a_word_settles_the_message_of_its_revision_and_not_its_namesake(
    ledger: SqlLedger, which: str, over: dict[int, bool]
) -> None:
    keys = {revision: key().model_copy(update={"revision": revision}) for revision in over}
    await in_doubt(ledger, *keys.values())
    note = f"confirmation 1 by smtp_email: sent{which}"
    await ledger.write(journal([entry(1, Event.SEND_SETTLED, note=note, revision=2)], revision=2))
    found = {doubt.key: doubt.settled for doubt in await ledger.doubts()}
    assert {revision: found[str(keys[revision])] for revision in over} == over


async def test_a_word_that_comes_once_a_change_is_there_still_settles_what_it_names(ledger: SqlLedger) -> None:
    await in_doubt(ledger, key(n=1))
    note = "confirmation 1 by smtp_email: sent"
    await ledger.write(journal([entry(1, Event.SEND_SETTLED, note=note, revision=2)], revision=2))
    assert [doubt.settled for doubt in await ledger.doubts()] == [True]


async def test_an_order_with_a_question_waits_until_each_is_answered_or_it_closes(ledger: SqlLedger) -> None:
    asked, answered = Event.QUESTION_ASKED, Event.QUESTION_ANSWERED
    await ledger.write(journal([entry(1)]))
    assert await ledger.asked() == []
    await ledger.write(journal([entry(2, asked), entry(3, asked), entry(4, answered)]))
    assert await ledger.asked() == [REF]
    await ledger.write(journal([entry(5, answered)]))
    assert await ledger.asked() == []
    await ledger.write(journal([entry(6, asked)], stage=Stage.CANCELLED))
    assert await ledger.asked() == [REF]
    await ledger.write(journal([entry(7)], stage=Stage.CLOSED))
    assert await ledger.asked() == []
