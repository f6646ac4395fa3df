"""X12: 855, 865 and 997 as they go out, and what partners say of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
import respx

from orderack.domain.order import Order
from orderack.domain.response import LineAnswer, Outcome
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.embedded.sandbox.signatures import standard_webhooks
from orderack.errors import InvalidInput, Misconfigured, OrderAckError, Refused, Unavailable
from orderack.ports import (
    Skipped,
    SourceAnswer,
)
from tests.conformance.source import NOW
from tests.edi import interchanges as edi
from tests.sources.edi_partner import GATEWAY, SECRET, Partner, said

# -- the answer ------------------------------------------------------------------------------------------------------


def answer(order: Order, lines: Sequence[LineAnswer], revision: int = 1, stage: str = "confirmed") -> SourceAnswer:
    return SourceAnswer(
        key=AnswerKey(ref=order.ref, revision=revision, stage=AnswerStage(stage)),
        order=order,
        external_id="acme/PO-4711",
        lines=tuple(lines),
        document_id="SO-1001",
        promise_on=date(2026, 12, 1),
        now=NOW,
    )


SAID = (
    LineAnswer(line_id="1", outcome=Outcome.ACCEPT, accepted=Decimal(10)),
    LineAnswer(
        line_id="2",
        outcome=Outcome.BACKORDER,
        accepted=Decimal(1),
        backordered=Decimal(3),
        expected_on=date(2026, 12, 20),
    ),
    LineAnswer(line_id="3", outcome=Outcome.REJECT, rejected=Decimal(250), note="No longer made"),
)


GOLDEN = Path(__file__).parents[1] / "edi" / "golden"


@dataclass
class Sent:
    """What the partner's gateway took."""

    status: int = 202
    requests: list[httpx.Request] = field(default_factory=list)

    def take(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.status, text="no such mailbox of ada@example.com")

    @property
    def texts(self) -> list[str]:
        return [request.content.decode() for request in self.requests]


@pytest.fixture
def sent() -> Iterator[Sent]:
    with respx.mock:
        gateway = Sent()
        respx.post(url__startswith=GATEWAY).mock(side_effect=gateway.take)
        yield gateway


def golden(name: str, text: str) -> None:
    """Line by line, for people's eyes."""
    assert text.replace("~", "~\n") == (GOLDEN / name).read_text()


async def test_an_855_says_of_every_line_what_the_erp_said(sent: Sent) -> None:
    partner = Partner()
    order = await partner.order(edi.one(edi.order()))
    answered = await partner.source.answer(answer(order, SAID))
    assert (answered.state, answered.reference) == (AnswerState.ACCEPTED, "000000002")
    golden("855.edi", sent.texts[0])
    assert said(sent.texts[0], "BAK")[0][2] == "AC"
    assert str(sent.requests[0].url) == f"{GATEWAY}/acme"


async def test_the_same_answer_again_is_the_same_bytes_under_the_same_number(sent: Sent) -> None:
    partner = Partner()
    order = await partner.order(edi.one(edi.order()))
    await partner.source.answer(answer(order, SAID))
    partner.now += timedelta(days=2)
    await partner.source.answer(answer(order, SAID).model_copy(update={"now": partner.now}))
    await partner.source.answer(answer(order, SAID, revision=2))
    first, again, other = sent.texts
    assert first == again
    assert said(first, "ISA")[0][13] != said(other, "ISA")[0][13]


async def test_997s_and_answers_are_numbered_in_one_series_of_the_partners_own(sent: Sent) -> None:
    partner = Partner({"control_numbers_from": 7_001})
    order = await partner.order(edi.one(edi.order()))
    await partner.source.answer(answer(order, SAID))
    assert said(sent.texts[0], "ISA")[0][13] == "000007002"
    assert [(series, len(given)) for series, given in partner.book.numbers.items()] == [("acme", 2)]


async def test_an_865_answers_a_changed_order(sent: Sent) -> None:
    partner = Partner()
    await partner.order(edi.one(edi.order()))
    order = await partner.order(edi.one(edi.change(["POC*3*DI", "POC*1*QI*12**EA"]), "PC", "000000906"))
    lines = [
        LineAnswer(line_id="1", outcome=Outcome.QUANTITY, accepted=Decimal(8), rejected=Decimal(4)),
        LineAnswer(line_id="2", outcome=Outcome.SUBSTITUTE, accepted=Decimal(4), substitute_sku="BULB-10"),
    ]
    await partner.source.answer(answer(order, lines, revision=2))
    golden("865.edi", sent.texts[0])


KINDS: Mapping[str, tuple[Outcome, str, str]] = {
    "all accepted": (Outcome.ACCEPT, "AD", "IA"),
    "all rejected": (Outcome.REJECT, "RD", "IR"),
    "all on hold": (Outcome.HOLD, "AH", "IH"),
    "another day": (Outcome.DATE, "AC", "DR"),
    "another price": (Outcome.PRICE, "AC", "IP"),
}


@pytest.mark.parametrize("case", KINDS)
async def test_the_855_of_an_order_with(case: str, sent: Sent) -> None:
    outcome, kind, status = KINDS[case]
    partner = Partner()
    order = await partner.order(edi.one(edi.order()))
    part = {Outcome.REJECT: "rejected", Outcome.HOLD: "held"}.get(outcome, "accepted")
    lines = [
        LineAnswer.model_validate({"line_id": one.line_id, "outcome": outcome, part: one.quantity})
        for one in order.lines
    ]
    await partner.source.answer(answer(order, lines))
    assert said(sent.texts[0], "BAK")[0][2] == kind
    assert {ack[1] for ack in said(sent.texts[0], "ACK")} == {status}


async def test_a_partners_own_codes_are_used(sent: Sent) -> None:
    partner = Partner({"line_status": {"accept": "AA", "backorder": "BP"}, "date_qualifier": "067"})
    order = await partner.order(edi.one(edi.order()))
    await partner.source.answer(answer(order, SAID))
    assert [(ack[1], ack[4:6]) for ack in said(sent.texts[0], "ACK")] == [
        ("AA", ["067", "20261201"]),
        ("AA", ["067", "20261201"]),
        ("BP", ["067", "20261220"]),
        ("IR", []),
    ]


async def test_an_order_that_is_rejected_or_cancelled_is_answered_in_full(sent: Sent) -> None:
    partner = Partner()
    order = await partner.order(edi.one(edi.order()))
    await partner.source.answer(answer(order, (), stage="rejected").model_copy(update={"reason": "Not sold there"}))
    await partner.source.answer(answer(order, SAID, stage="cancelled"))
    rejected, cancelled = sent.texts
    assert said(rejected, "BAK")[0][2] == "RD"
    assert said(rejected, "MSG") == [["MSG", "Not sold there"]]
    assert [ack[1:3] for ack in said(rejected, "ACK")] == [["IR", "10"], ["IR", "4"], ["IR", "250"]]
    assert said(cancelled, "BCA")[0][2] == "RD"


@pytest.mark.parametrize("lines", [SAID[:2], (*SAID, SAID[0]), (SAID[0], SAID[1], SAID[1])])
async def test_an_answer_that_leaves_a_line_out_is_not_sent(lines: Sequence[LineAnswer], sent: Sent) -> None:
    partner = Partner()
    order = await partner.order(edi.one(edi.order()))
    with pytest.raises(Refused, match="not every line"):
        await partner.source.answer(answer(order, lines))
    assert not sent.requests


async def test_an_answer_whose_quantities_do_not_add_up_is_not_sent(sent: Sent) -> None:
    partner = Partner()
    order = await partner.order(edi.one(edi.order()))
    short = SAID[0].model_copy(update={"accepted": Decimal(9)})
    with pytest.raises(Refused, match="line 1 is answered for 9 of 10"):
        await partner.source.answer(answer(order, (short, *SAID[1:])))
    assert not sent.requests


FATES: Mapping[int, type[OrderAckError] | None] = {
    200: None, 202: None, 409: None, 400: Refused, 422: Refused, 401: Misconfigured, 404: Misconfigured,
    429: Unavailable, 500: Unavailable, 503: Unavailable,
}  # fmt: skip


@pytest.mark.parametrize("status", FATES)
async def test_the_gateways_answer(status: int, sent: Sent) -> None:
    sent.status, fate, partner = status, FATES[status], Partner()
    order = await partner.order(edi.one(edi.order()))
    if fate is None:
        assert (await partner.source.answer(answer(order, SAID))).state is AnswerState.ACCEPTED
        return
    with pytest.raises(fate) as no:
        await partner.source.answer(answer(order, SAID))
    assert "ada@example.com" not in str(no.value)


async def test_what_goes_out_is_proved_by_the_secret_that_is_set(sent: Sent) -> None:
    own = "a partner's own token"
    for settings, wanted in (
        ({"outbound_secret": "a token for all of them"}, "Bearer a token for all of them"),
        ({"outbound_secret": "a token for all of them", "partner_secrets": {"acme": own}}, f"Bearer {own}"),
    ):
        partner = Partner(settings=settings)
        await partner.source.answer(answer(await partner.order(edi.one(edi.order())), SAID))
        assert sent.requests[-1].headers["authorization"] == wanted
    partner = Partner(settings={"outbound_secret": SECRET})
    await partner.source.answer(answer(await partner.order(edi.one(edi.order())), SAID))
    request = sent.requests[-1]
    own = request.headers["webhook-id"]
    assert own == f"acme-{request.headers['idempotency-key']}"
    assert own.startswith("acme-000000002-")
    expected = standard_webhooks(SECRET, own, int(NOW.timestamp()), request.content)
    assert request.headers["webhook-signature"] == expected["webhook-signature"]


async def test_a_partners_own_address_goes_before_the_connections(sent: Sent) -> None:
    with respx.mock:
        own = respx.post("https://as2.example/acme").mock(return_value=httpx.Response(200))
        partner = Partner({"outbound": "https://as2.example/acme"})
        await partner.source.answer(answer(await partner.order(edi.one(edi.order())), SAID))
        assert own.call_count == 1


async def test_a_directory_takes_whole_files_named_by_their_number(tmp_path: Path) -> None:
    partner = Partner({"outbound": "directory"}, {"drop_directory": tmp_path})
    order = await partner.order(edi.one(edi.order()))
    for _ in range(2):
        await partner.source.answer(answer(order, SAID))
    (file,) = (tmp_path / "acme").iterdir()
    assert file.name == "000000002-855.edi"
    golden("855.edi", file.read_text())
    bare = Partner({"outbound": "directory"})
    with pytest.raises(Misconfigured, match="DROP_DIRECTORY"):
        await bare.source.answer(answer(order, SAID))


async def test_the_doctor_says_which_partner_there_is_no_way_to() -> None:
    assert "1 partners" in await Partner().source.check()
    with pytest.raises(Misconfigured, match=r"OUTBOUND_URL is missing, and partners\.acme"):
        await Partner(settings={"outbound_url": None}).source.check()
    with pytest.raises(Misconfigured, match="DROP_DIRECTORY"):
        await Partner({"outbound": "directory"}).source.check()


async def test_a_997_goes_out_as_well_where_the_partner_wants_it(sent: Sent) -> None:
    partner = Partner({"functional_ack": True})
    greeting, deliveries = await partner.post(edi.one(edi.order()))
    for _ in range(2):
        await partner.source.read(deliveries[0])
    assert sent.texts == [greeting.body, greeting.body]
    golden("997.edi", greeting.body)


# -- what partners say of our answers ----------------------------------------------------------------------------------


def acknowledged(*segments: str) -> bytes:
    return edi.one(edi.transaction("997", ["AK1*PR*5000", *segments]), "FA", "000000950")


async def test_a_997_of_the_partners_is_read() -> None:
    body = acknowledged("AK2*855*0001", "AK5*A", "AK9*A*1*1*1")
    greeting, _ = await Partner().post(body)
    assert greeting.body == ""  # an acknowledgement is not acknowledged
    (reading,) = await Partner().readings(body)
    assert reading == Skipped(why="855 5000 accepted by the partner")


async def test_a_997_that_rejects_an_855_is_seen() -> None:
    body = acknowledged("AK2*855*0001", "AK3*ACK*7**8", "AK4*1*668*7*ZZ", "AK5*R*5", "AK9*R*1*1*0")
    (refusal,) = await Partner().readings(body)
    assert "855 5000 rejected by the partner" in str(refusal)
    assert "ACK at 7" in str(refusal)
    (whole,) = await Partner().readings(acknowledged("AK9*R*1*1*0*2"))
    assert "group 5000 rejected by the partner: GS08 is not the version agreed on" in str(whole)


async def test_a_ta1_that_rejects_an_interchange_of_ours_is_seen() -> None:
    for status, wanted in (("A*000", None), ("R*006", "interchange 000005000 rejected")):
        partner = Partner()
        _, (delivery,) = await partner.post(
            edi.interchange([[f"TA1*000005000*261121*0930*{status}"]]).replace(b"IEA*1", b"IEA*0")
        )
        if wanted is None:
            assert isinstance((await partner.source.read(delivery))[0], Skipped)
            continue
        with pytest.raises(InvalidInput, match=wanted):
            await partner.source.read(delivery)
