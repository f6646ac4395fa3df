"""Zendesk's look-alike and our adapters, configured by the sandbox's environment alone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from orderack import channels
from orderack.channels.zendesk import ZendeskTicket
from orderack.channels.zendesk_note import ZendeskNote
from orderack.domain.acknowledgement import Kind, Reason, SendKey
from orderack.domain.evidence import EvidenceEvent
from orderack.domain.order import OrderRef
from orderack.embedded.sandbox import Action, Fault, Operation, Sandbox, Target
from orderack.embedded.sandbox.vendors.zendesk import Zendesk
from orderack.errors import InDoubt, Refused, Unavailable
from orderack.ports import Message, RawRequest, Rendered, Sent

ADA = "ada@example.com"


def message(channel: str, kind: Kind = Kind.RECEIVED, number: str = "A-1", recipient: str = ADA) -> Message:
    return Message(
        key=SendKey(ref=OrderRef(store="shop", number=number), revision=1, kind=kind, n=1, channel=channel),
        recipient=recipient,
        kind=kind,
        language="en",
        content=Rendered(subject=f"Order {number}", text=f"We have order {number}"),
    )


@pytest.fixture
async def desk(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[ZendeskTicket, ZendeskNote]]:
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    built = channels.build(["zendesk", "zendesk_note"])
    assert built.not_configured == {}
    ticket, note = built["zendesk"], built["zendesk_note"]
    assert isinstance(ticket, ZendeskTicket)
    assert isinstance(note, ZendeskNote)
    yield ticket, note
    await ticket.aclose()
    await note.aclose()


def vendor(sandbox: Sandbox) -> Zendesk:
    (found,) = [one for one in sandbox.vendors if isinstance(one, Zendesk)]
    return found


async def test_an_orders_messages_and_notes_stand_on_one_ticket_and_another_orders_on_another(sandbox, desk):
    ticket, note = desk
    sent = [
        await ticket.send(message("zendesk")),
        await ticket.send(message("zendesk", Kind.CONFIRMATION)),
        await note.send(message("zendesk_note", Kind.ALERT, recipient="ops")),
        await ticket.send(message("zendesk", number="A-2")),
    ]
    ids = [one.provider_id for one in sent]
    assert ids[0] == ids[1] == ids[2] != ids[3]
    seen = {(one.recipient, one.key) for one in sandbox.state.outbox.find("A-1", Target.ZENDESK)}
    assert seen == {
        (ADA, "shop/A-1/1/received/1/zendesk"),
        (ADA, "shop/A-1/1/confirmation/1/zendesk"),
        ("team", "shop/A-1/1/alert/1/zendesk_note"),
    }


async def test_a_closed_ticket_and_a_corrected_address_get_a_new_ticket(sandbox, desk):
    ticket, _ = desk
    first = await ticket.send(message("zendesk"))
    corrected = await ticket.send(message("zendesk", Kind.HOLDING, recipient="ada@new.example"))
    assert first.provider_id is not None
    vendor(sandbox).close(int(first.provider_id))
    later = await ticket.send(message("zendesk", Kind.CONFIRMATION))
    assert len({first.provider_id, corrected.provider_id, later.provider_id}) == 3


@pytest.mark.parametrize("kind", [Kind.RECEIVED, Kind.CONFIRMATION], ids=["a new ticket", "a comment"])
async def test_what_was_cut_off_after_it_was_taken_is_found_again_and_never_there_twice(sandbox, desk, kind):
    ticket, _ = desk
    if kind is Kind.CONFIRMATION:
        await ticket.send(message("zendesk"))
    assert await ticket.lookup(message("zendesk", kind), datetime.now(UTC)) is None
    sandbox.state.faults.add(Fault(target=Target.ZENDESK, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(InDoubt):
        await ticket.send(message("zendesk", kind))
    found = await ticket.lookup(message("zendesk", kind), datetime.now(UTC))
    assert found is not None
    (entry,) = [one for one in sandbox.state.log.entries(Target.ZENDESK) if str(kind) in (one.key or "")]
    assert entry.provider_id == found.provider_id


async def test_messages_that_come_at_once_are_each_there_once_on_the_one_ticket(sandbox, desk):
    ticket, note = desk
    await ticket.send(message("zendesk"))
    waiting = {
        kind: (ticket, message("zendesk", kind)) for kind in (Kind.HOLDING, Kind.CONFIRMATION, Kind.CHANGE_RECEIVED)
    }
    waiting[Kind.ALERT] = (note, message("zendesk_note", Kind.ALERT, recipient="ops"))
    for _ in range(len(waiting)):
        ended = await asyncio.gather(*(one.send(said) for one, said in waiting.values()), return_exceptions=True)
        assert all(isinstance(one, Sent | Unavailable) for one in ended)
        waiting = {
            kind: waiting[kind] for kind, one in zip(waiting, ended, strict=True) if isinstance(one, Unavailable)
        }
    assert waiting == {}
    entries = sandbox.state.log.entries(Target.ZENDESK)
    assert len({entry.provider_id for entry in entries}) == 1
    assert len(entries) == len({entry.key for entry in entries}) == 5


async def test_two_attempts_with_one_key_are_one_ticket_even_when_neither_saw_the_other(sandbox, http, desk):
    body = {"ticket": {"subject": "x", "external_id": "shop/A-9", "comment": {"body": "once"}}}
    own = vendor(sandbox).environment("")
    auth = (f"{own['ORDERACK_ZENDESK_EMAIL']}/token", own["ORDERACK_ZENDESK_API_TOKEN"])
    headers = {"Idempotency-Key": "k1"}
    first, second = [
        await http.post("/zendesk/api/v2/tickets", json=body, auth=auth, headers=headers) for _ in range(2)
    ]
    assert [one.headers["x-idempotency-lookup"] for one in (first, second)] == ["miss", "hit"]
    assert first.json()["ticket"]["id"] == second.json()["ticket"]["id"]
    body["ticket"]["subject"] = "y"
    other = await http.post("/zendesk/api/v2/tickets", json=body, auth=auth, headers=headers)
    assert (other.status_code, other.json()["error"]) == (400, "IdempotentRequestError")


async def test_a_comment_on_a_ticket_that_changed_meanwhile_is_refused_by_zendesk(sandbox, http, desk):
    ticket, _ = desk
    sent = await ticket.send(message("zendesk"))
    own = vendor(sandbox).environment("")
    auth = (f"{own['ORDERACK_ZENDESK_EMAIL']}/token", own["ORDERACK_ZENDESK_API_TOKEN"])
    listed = await http.get("/zendesk/api/v2/tickets", params={"external_id": "shop/A-1"}, auth=auth)
    stamp = listed.json()["tickets"][0]["updated_at"]
    body = {"ticket": {"comment": {"body": "x"}, "safe_update": True, "updated_stamp": stamp}}
    path = f"/zendesk/api/v2/tickets/{sent.provider_id}"
    answers = [(await http.put(path, json=body, auth=auth)).status_code for _ in range(2)]
    assert answers == [200, 409]


async def test_a_refusal_a_throttle_and_a_stranger_are_told_in_zendesks_words(sandbox, http: httpx.AsyncClient, desk):
    ticket, _ = desk
    sandbox.state.faults.add(Fault(target=Target.ZENDESK, action=Action.REFUSE))
    with pytest.raises(Refused) as refused:
        await ticket.send(message("zendesk"))
    assert refused.value.reason is Reason.BAD_RECIPIENT
    sandbox.state.faults.add(Fault(target=Target.ZENDESK, action=Action.THROTTLE, retry_after=7))
    with pytest.raises(Unavailable) as later:
        await ticket.send(message("zendesk"))
    assert later.value.retry_after is not None
    assert later.value.retry_after.total_seconds() == 7
    sandbox.state.faults.add(Fault(target=Target.ZENDESK, action=Action.CUT_OFF_BEFORE, operation=Operation.LOOKUP))
    with pytest.raises(Unavailable):
        await ticket.send(message("zendesk"))
    assert sandbox.state.faults.unfired() == ()
    assert sandbox.state.log.entries(Target.ZENDESK) == ()
    assert (await http.get("/zendesk/api/v2/users/me")).status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "description"),
        ({"comment": {"body": ""}}, "description"),
        ({"comment": {"body": "x" * 65_536}}, "comment"),
        ({"comment": {"body": "x"}, "requester": {"name": "Ada", "email": "ada"}}, "requester"),
        ({"comment": {"body": "x"}, "requester": {"email": "ada@example.com"}}, "requester"),
        ({"comment": {"body": "x"}, "group_id": 1}, "group"),
    ],
)
async def test_a_ticket_that_zendesk_would_not_take_is_a_422_that_names_the_field(sandbox, http, body, field):
    own = vendor(sandbox).environment("")
    auth = (f"{own['ORDERACK_ZENDESK_EMAIL']}/token", own["ORDERACK_ZENDESK_API_TOKEN"])
    answer = await http.post("/zendesk/api/v2/tickets", json={"ticket": body}, auth=auth)
    assert (answer.status_code, list(answer.json()["details"])) == (422, [field])


async def test_what_the_buyer_answers_is_verified_and_read_by_the_adapter(gateway, http, desk):
    ticket, _ = desk
    sent = await ticket.send(message("zendesk"))
    answer = await http.post("/reply", json={"channel": "zendesk", "match": "A-1", "text": 'Yes "thanks" ✓'})
    assert answer.status_code == 202
    (post,) = await gateway.wait_for(1, "/webhooks/zendesk")
    request = RawRequest(url=post.url, headers=dict(post.headers), body=post.body)
    await ticket.verify(request)
    (event,) = ticket.events(request)
    assert (event.event, event.sender, event.provider_id) == (EvidenceEvent.REPLIED, ADA, sent.provider_id)
    assert event.text == 'Yes "thanks" ✓'


async def test_the_adapters_check_their_login(desk):
    assert [await one.check() for one in desk] == ["signed in as agent 7"] * 2
