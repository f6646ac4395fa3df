"""A shadow order's acts are kept and never done: at every channel's vendor, at ERPs and at sources; and if a workflow
or an activity were wrong about its side, the last door is not."""

import ast
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

import activities
from activities import Outages
from activities.answer_source import AnswerSource
from activities.cancel_in_erp import CancelInErp
from activities.hand_off import HandOff
from activities.invoice_in_erp import InvoiceInErp
from activities.submit_to_erp import SubmitToErp
from orderack.contracts.activities import (
    AnswerSourceRequest,
    CancelInErpRequest,
    ErpAnswer,
    ErpSubmission,
    HandOffRequest,
    Invoiced,
    InvoiceRequest,
    SubmitToErpRequest,
)
from orderack.domain.acknowledgement import Audience, Kind, Reason, SendOutcome, SendState
from orderack.domain.address import address_sha256
from orderack.domain.assessment import Side
from orderack.domain.order import Order, OrderRef
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.embedded.sandbox import Behaviour, Sandbox, SandboxState
from orderack.ports import StoredRevision
from tests.activities.fakes import KeyChannel, OwnersChannel, ScriptedErp, SmsChannel
from tests.activities.vendors import CHANNELS, Vendor, an_order, one_of_each, vendor
from tests.activities.world import ADDRESS, World, dispatch, key, request
from tests.intake.fakes import FakeSource
from tests.ledger.samples import REF, journal, order, stored

SHADOWED = "shadow run: nothing of it may leave the house"


def shadowed(content: Order | None = None, revision: int = 1) -> StoredRevision:
    made = stored(content, revision)
    decision = made.assessment.decision.model_copy(update={"side": Side.SHADOW})
    return made.model_copy(update={"assessment": made.assessment.model_copy(update={"decision": decision})})


async def in_the_shadow(world: World, content: Order) -> OrderRef:
    await world.ledger.save_revision(shadowed(content), "fingerprint", journal(ref=content.ref))
    return content.ref


@pytest_asyncio.fixture
async def ref(world: World) -> OrderRef:
    """An order in a shadow run."""
    return await in_the_shadow(world, order("S-1"))


async def mistaken(world: World, ref: OrderRef) -> None:
    """The bug that must not matter: the order's own decision has lost its side, as every activity reads it."""
    async with world.ledger._database.write() as session:
        await session.execute(
            text('UPDATE revisions SET assessment = replace(assessment, \'"side":"shadow"\', \'"side":"live"\')')
        )
    found = await world.ledger.revision(ref, 1)
    assert found is not None
    assert found.assessment.decision.side is Side.LIVE


# -- messages -------------------------------------------------------------------------------------------------------


async def test_a_shadow_orders_message_is_rendered_and_kept_and_the_channel_is_not_asked(
    world: World, ref: OrderRef
) -> None:
    mail = world.with_channel(KeyChannel())
    outcome = SendOutcome(channel="key", state=SendState.KEPT)
    assert await world.send("key", ref=ref) == (outcome,)
    assert mail.attempts == []
    assert await world.ledger.sends(ref) == []
    (kept,) = await world.ledger.kept_texts(ref)
    assert (kept.kind, kept.revision, kept.channel, kept.at) == (Kind.RECEIVED, 1, "key", world.clock())
    assert kept.recipient_sha256 == address_sha256(ADDRESS)
    assert "S-1" in (kept.text or "")
    live = await world.save(order("L-1"))
    await world.send("key", ref=live)
    assert kept.text == mail.taken[0].content.text.replace("L-1", "S-1"), "by the renderer of live messages"


async def test_a_message_is_kept_once_however_often_it_is_tried(world: World, ref: OrderRef) -> None:
    world.with_channel(KeyChannel())
    await world.send("key", ref=ref)
    first = await world.ledger.kept_texts(ref)
    world.clock.advance(timedelta(minutes=5))
    assert (await world.send("key", ref=ref))[0].state is SendState.KEPT
    assert await world.ledger.kept_texts(ref) == first


async def test_an_alert_to_the_team_is_kept_too(world: World, ref: OrderRef) -> None:
    owners = world.with_channel(OwnersChannel())
    alert = dispatch("owners", "ops").model_copy(update={"kind": Kind.ALERT})
    made = request("owners", ref=ref, dispatches=(alert,))
    assert (await world.run(made)).outcomes[0].state is SendState.KEPT
    (kept,) = await world.ledger.kept_texts(ref)
    assert (kept.audience, kept.role, owners.attempts) == (Audience.INTERNAL, "ops", [])


async def test_who_has_opted_out_or_has_no_address_is_left_to_the_fallback_as_live(world: World, ref: OrderRef) -> None:
    world.with_channel(KeyChannel())
    world.with_channel(SmsChannel())
    await world.ledger.opted("key", address_sha256(ADDRESS), out=True, at=world.clock(), basis="stop")
    (outcome,) = await world.send("key", ref=ref)
    assert (outcome.state, outcome.reason) == (SendState.REJECTED, Reason.OPTED_OUT)
    silent = order("S-2")
    silent = silent.model_copy(update={"contacts": silent.contacts.model_copy(update={"phone": None})})
    (outcome,) = await world.send("sms", ref=await in_the_shadow(world, silent))
    assert (outcome.state, outcome.reason) == (SendState.REJECTED, Reason.NO_RECIPIENT)
    (outcome,) = await world.send("unknown", ref=ref)
    assert (outcome.state, outcome.reason) == (SendState.UNAVAILABLE, Reason.NOT_CONFIGURED)
    assert await world.ledger.kept_texts(ref) == []


# -- every channel at its vendor's look-alike -----------------------------------------------------------------------


@pytest_asyncio.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox.start(state=SandboxState(behaviour=Behaviour(webhooks=False))) as running:
        yield running


@pytest_asyncio.fixture
async def at(name: str, sandbox: Sandbox, world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Vendor]:
    async with vendor(name, sandbox, world, monkeypatch) as made:
        yield made


def asked(at: Vendor) -> int:
    """Requests that reached any vendor, of whatever kind."""
    return sum(tally.count for tally in at.sandbox.state.log.tally())


@one_of_each()
async def test_no_request_of_a_shadow_order_reaches_the_vendor(at: Vendor) -> None:
    live = at.ref
    at.ref = await in_the_shadow(at.world, an_order(f"{live.number}-S"))
    before = asked(at)
    for _ in range(2):
        outcome = await at.attempt()
        assert isinstance(outcome, SendOutcome)
        assert outcome.state is SendState.KEPT
    assert asked(at) == before
    at.ref = live
    sent = await at.attempt()
    assert isinstance(sent, SendOutcome)
    assert sent.state is SendState.ACCEPTED, "the same channel, of a live order"
    assert asked(at) > before


@one_of_each()
async def test_nor_does_it_where_the_activity_believes_it_live(at: Vendor) -> None:
    at.ref = await in_the_shadow(at.world, an_order(f"{at.ref.number}-S"))
    await mistaken(at.world, at.ref)
    before = asked(at)
    failed = await at.attempt()
    assert isinstance(failed, ApplicationError)
    assert SHADOWED in str(failed)
    assert asked(at) == before


def test_every_channel_is_tried() -> None:
    assert len(CHANNELS) >= 20


# -- ERPs, sources, the team ----------------------------------------------------------------------------------------


@pytest.fixture
def erp(world: World) -> ScriptedErp:
    world.erps["main"] = ScriptedErp()
    return world.erps["main"]


def outages(world: World) -> Outages:
    async def nobody(ref: OrderRef, activity: str) -> bool:
        return False

    return Outages(world.ledger, nobody, world.clock)


async def submit(world: World, ref: OrderRef) -> ErpSubmission:
    made = SubmitToErpRequest(ref=ref, revision=1, erp="main", journal=journal(ref=ref))
    submitting = SubmitToErp(world.ledger, world.erps, outages(world), world.clock)
    return await ActivityEnvironment().run(submitting.submit_to_erp, made)


async def cancel(world: World, ref: OrderRef) -> ErpSubmission:
    made = CancelInErpRequest(ref=ref, erp="main", document_id="SO-1", reason="off", journal=journal(ref=ref))
    cancelling = CancelInErp(world.ledger, world.erps, outages(world), world.clock)
    return await ActivityEnvironment().run(cancelling.cancel_in_erp, made)


class InvoicingErp(ScriptedErp):
    def __init__(self) -> None:
        super().__init__()
        self.invoiced: list[OrderRef] = []

    async def invoice(self, ref: OrderRef, document_id: str) -> str:
        self.invoiced.append(ref)
        return "INV-1"


async def invoice(world: World, ref: OrderRef) -> Invoiced:
    made = InvoiceRequest(ref=ref, erp="main", document_id="SO-1", journal=journal(ref=ref))
    return await ActivityEnvironment().run(
        InvoiceInErp(world.ledger, world.erps, outages(world), world.clock).invoice_in_erp, made
    )


async def answer(world: World, ref: OrderRef, source: FakeSource) -> Answered:
    made = AnswerSourceRequest(
        ref=ref, revision=1, stage=AnswerStage.CONFIRMED, system="storefront", journal=journal(ref=ref)
    )
    work = AnswerSource(world.ledger, {"north/storefront": source}, lambda ref: "https://shop.example/o", world.clock)
    return await ActivityEnvironment().run(work.answer_source, made)


async def test_an_erp_is_neither_given_a_shadow_order_nor_told_that_it_is_off(
    world: World, erp: ScriptedErp, ref: OrderRef
) -> None:
    for _ in range(2):
        assert await submit(world, ref) == ErpSubmission(answer=ErpAnswer.KEPT)
        assert (await cancel(world, ref)).answer is ErpAnswer.KEPT
    assert (erp.booked, erp.cancelled) == ([], [])
    assert await acts(world, ref) == [("erp_cancellation", "main"), ("erp_submission", "main")]


async def test_no_invoice_no_answer_and_no_handoff_of_a_shadow_order(world: World, ref: OrderRef) -> None:
    erp = world.erps["main"] = InvoicingErp()
    source = FakeSource()
    handed = HandOffRequest(
        ref=ref,
        revision=1,
        content_hash=order("S-1").content_hash,
        team="desk",
        owner=None,
        document_id="SO-1",
        answers=(),
        journal=journal(ref=ref),
    )
    for _ in range(2):
        assert (await invoice(world, ref)).invoice_id is None
        assert (await answer(world, ref, source)).state is AnswerState.KEPT
        await ActivityEnvironment().run(HandOff(world.ledger, world.clock).hand_off, handed)
    assert (erp.invoiced, source.answers) == ([], [])
    assert await world.ledger.open_handoffs() == []
    kept = [("erp_invoice", "main SO-1"), ("handoff", "desk"), ("source_answer", "storefront: confirmed")]
    assert await acts(world, ref) == kept


async def acts(world: World, ref: OrderRef) -> list[tuple[str, str]]:
    async with world.ledger._database.read() as session:
        query = text("SELECT kind, detail FROM shadow_acts WHERE number = :number ORDER BY kind, detail")
        return [(kind, detail) for kind, detail in await session.execute(query, {"number": ref.number})]


async def test_the_last_door_is_shut_where_an_activity_believes_a_shadow_order_live(
    world: World, erp: ScriptedErp, ref: OrderRef
) -> None:
    await mistaken(world, ref)
    source = FakeSource()
    for act in (submit(world, ref), answer(world, ref, source)):
        with pytest.raises(ApplicationError, match=SHADOWED) as failed:
            await act
        assert failed.value.type == "Misconfigured", "it pages, and no fallback hides it"
    assert (erp.booked, source.answers) == ([], [])


DOORS = frozenset({"send", "submit", "cancel", "invoice", "answer"})
"""Calls of ports by which something leaves the house."""
OTHERS = frozenset({"self._door", "beating", "self._ledger", "task", "environment"})
"""What has methods of these names and is no port: the door itself, a task, the record."""


def calls_of(source: str) -> list[str]:
    """Every call of such a method, by what it is called on."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    methods = [call for call in calls if isinstance(call, ast.Attribute) and call.attr in DOORS]
    return [f"{ast.unparse(method.value)}.{method.attr}" for method in methods]


def outside(files: dict[str, str]) -> list[str]:
    return [
        f"{name}: {call}"
        for name, source in files.items()
        if name != "_last_door.py"
        for call in calls_of(source)
        if call.rpartition(".")[0] not in OTHERS
    ]


def test_no_activity_calls_a_port_but_through_the_last_door() -> None:
    folder = Path(next(iter(activities.__path__)))
    files = {path.name: path.read_text() for path in sorted(folder.glob("*.py"))}
    assert outside(files) == []
    assert outside({"new.py": "async def f(channel, m):\n    await channel.send(m)"}) == ["new.py: channel.send"]
    assert len(calls_of(files["_last_door.py"])) == len(DOORS)


@pytest.mark.parametrize("act", [submit, cancel])
async def test_a_live_order_passes(act: Callable[[World, OrderRef], object], world: World, erp: ScriptedErp) -> None:
    await act(world, REF)  # type: ignore[misc]
    assert len(erp.booked) + len(erp.cancelled) == 1
    assert key("key", REF).ref == REF
