"""EDI on the embedded run: an 850 is acknowledged in the response and answered once the ERP has booked it.

Two partners: `acme`, whose interchanges are written here and whose answers lie in a directory, and the sandbox's own,
whose software takes what it is sent apart and says so in a 997. One run for all of it; the stories build on nothing
that another one did.
"""

import asyncio
import itertools
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import yaml

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.contracts.updates import ReviewVerdict
from orderack.domain.order import OrderRef
from orderack.embedded.demo.driver import Driver, NotAsTold
from orderack.embedded.demo.orders import an_order, with_quantity
from orderack.embedded.sandbox.signatures import standard_webhooks
from orderack.embedded.sandbox.vendors.edi import PROFILE
from orderack.embedded.stack import Ports, running
from orderack.ledger.repository import open_ledger
from orderack.ports import Delivery
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from tests.edi import interchanges as edi

STORE = "wholesale"
PREFIX = f"ORDERACK_SOURCE_{STORE.upper()}_EDI_X12_"
ACME = {
    "theirs": {"qualifier": edi.THEIRS[0], "id": edi.THEIRS[1]},
    "ours": {"qualifier": edi.OURS[0], "id": edi.OURS[1]},
    "versions": ["004010"],
    "time_zone": "America/Chicago",
    "answer_within_hours": 24,
    "email": "ada@example.com",
    "outbound": "directory",
}
STOCK: Mapping[str, Mapping[str, object]] = {
    "SCARCE": {"verdict": "partial", "available": "6", "expected_on": "2026-12-20"},
    "LATER": {"verdict": "backordered", "expected_on": "2026-12-24"},
    "SOME": {"verdict": "partial", "available": "6", "expected_on": "2026-12-20"},
    "OLD": {"verdict": "substituted", "substitute_sku": "NEW"},
    "GONE": {"verdict": "unavailable"},
}
PATIENCE = 20
EXAMPLE = Path(__file__).parents[2] / "docs" / "edi"


def own_policy(folder: Path) -> Path:
    """The policy as it stands, with a wholesale store that two partners order from."""
    shutil.copytree(Settings().policy_dir, folder)
    file = folder / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    store = yaml.safe_load(yaml.safe_dump(policy["stores"]["demo"]))
    example = yaml.safe_load((EXAMPLE / "partner.yaml").read_text())["edi_x12"]["partners"]
    partners = {"acme": ACME, "sandbox": dict(PROFILE), **example}
    store["checks"].remove("billing_mismatch")  # a head office pays, and every shop is delivered to
    store["connections"] = {"edi_x12": {"source": "edi", "partners": partners}}
    policy["stores"][STORE] = store
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return folder


class Answer(NamedTuple):
    """What we sent for one order, as the partner's own reader takes it apart."""

    document: str
    control: int
    kind: str
    """BAK02, BCA02."""
    lines: Mapping[str, list[list[str]]]
    """By line: what each ACK says."""


@dataclass
class Partner:
    """The buyer at the other end of `acme`: it numbers what it sends and keeps what it is answered."""

    driver: Driver
    folder: Path
    interchanges: "itertools.count[int]" = field(default_factory=lambda: itertools.count(905))
    acknowledged: list[str] = field(default_factory=list)

    def number(self, place: int) -> str:
        return f"PO-{self.driver.run}-{place}"

    def order(self, place: int, lines: Iterable[str], control: str = "0001") -> list[str]:
        head = [edi.HEADING[0].replace("PO-4711", self.number(place)), *edi.HEADING[1:]]
        return edi.order(head, list(lines), [f"CTT*{sum(line.startswith('PO1') for line in lines)}"], control)

    def change(self, place: int, lines: Sequence[str], sequence: str = "1") -> list[str]:
        return [
            segment.replace("PO-4711", self.number(place)) for segment in edi.change(lines, edi.CHARGES[1:], sequence)
        ]

    def enclosed(self, sets: Sequence[Sequence[str]], kind: str = "PO") -> bytes:
        return edi.interchange([edi.group(sets, kind)], f"{next(self.interchanges):09d}")

    async def send(self, body: bytes) -> httpx.Response:
        """As its gateway does; the response is the 997."""
        stack = self.driver.stack
        secret = stack.environment[f"{PREFIX}INBOUND_SECRET"]
        headers = standard_webhooks(secret, "msg_1", int(time.time()), body)
        url = f"{stack.gateway_url}/intake/{STORE}/edi_x12"
        response = await self.driver.http.post(url, content=body, headers=headers)
        if response.text:
            self.acknowledged.append(response.text)
        return response

    def ref(self, place: int) -> OrderRef:
        return OrderRef(store=STORE, number=self.number(place))

    async def until(self, place: int, holds: Callable[[OrderStatus], bool], what: str) -> OrderStatus:
        try:
            return await self.driver.until(self.ref(place), holds, what, PATIENCE)
        except NotAsTold as error:
            status = await self.driver.status(self.ref(place))
            why = "; ".join(flag.why for flag in status.flags) if status else ""
            raise NotAsTold(f"{error} {why}") from None

    def answers(self, place: int) -> list[Answer]:
        """The 855s and 865s for this order that lie there, oldest first."""
        found = [_answer(edi.parsed(text)) for text in self.sent() if f"*{self.number(place)}*" in text]
        return [one for one in found if one is not None]

    def sent(self) -> list[str]:
        return [file.read_text() for file in sorted(self.folder.glob("acme/*.edi"))]

    async def answered(self, place: int, count: int = 1) -> Answer:
        """The last of that many answers, once it is there."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if len(found := self.answers(place)) >= count:
                    break
                await asyncio.sleep(0.2)
        assert len(found) == count
        return found[-1]


def _answer(segments: Sequence[Sequence[str]]) -> Answer | None:
    """One set; each line once. None: it is another document."""
    (transaction,) = [segment for segment in segments if segment[0] == "ST"]
    (interchange, *_) = segments
    if transaction[1] not in ("855", "865"):
        return None
    lines: dict[str, list[list[str]]] = {}
    for tag, *elements in segments:
        if tag in ("PO1", "POC"):
            assert elements[0] not in lines
            lines[elements[0]] = []
        elif tag == "ACK":
            lines[[*lines][-1]].append(elements)
    (begin,) = [segment for segment in segments if segment[0] in ("BAK", "BCA")]
    return Answer(transaction[1], int(interchange[13]), begin[2], lines)


def quantities(answer: Answer) -> Mapping[str, Decimal]:
    """What each line is answered for in all."""
    return {line: sum((Decimal(ack[1]) for ack in said), Decimal(0)) for line, said in answer.lines.items()}


def said(text: str, tag: str) -> list[str]:
    return ["*".join(segment) for segment in edi.parsed(text) if segment[0] == tag]


@pytest.fixture(scope="module")
async def partner(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Partner]:
    folder = tmp_path_factory.mktemp("edi")
    out = folder / "out"
    out.mkdir()
    extra = {"ORDERACK_POLICY_DIR": str(own_policy(folder / "policy")), f"{PREFIX}DROP_DIRECTORY": str(out)}
    async with running(folder / "home", Ports(0, 0, 0, 0, 0), extra=extra) as stack:
        async with httpx.AsyncClient(timeout=30) as http:
            driver = Driver(stack, Orders(await connect(env=stack.environment)), http)
            for sku, stock in STOCK.items():
                (await http.put(f"{stack.sandbox_url}/stock/{sku}", json=stock)).raise_for_status()
            made = Partner(driver, out)
            yield made
    await _numbers_follow_each_other(made)


async def _numbers_follow_each_other(partner: Partner) -> None:
    """Of all that went to the partner, in responses and in its directory, whatever happened meanwhile."""
    sent = {*partner.acknowledged, *partner.sent()}
    numbers = sorted(int(edi.parsed(text)[0][13]) for text in sent)
    assert numbers == [*range(1, len(numbers) + 1)]


def confirmed(status: OrderStatus) -> bool:
    return status.confirmed_revision == status.revision


MIXED = (
    "PO1*1*10*EA*12.5**VN*LAMP",
    "PO1*2*4*CA*100**VN*LATER",
    "PO1*3*10*EA*3.2**VN*SOME",
    "PO1*4*7*EA*8**VN*OLD",
)


def lamps(count: int) -> Sequence[str]:
    """Nobody else orders just so many: the same again would be looked at as a probable duplicate."""
    return (f"PO1*1*{count}*EA*12.5**VN*LAMP",)


async def test_an_850_is_a_997_at_once_and_an_855_that_says_what_the_erp_said(partner: Partner) -> None:
    await partner.driver.erp_takes(2.0)
    try:
        response = await partner.send(partner.enclosed([partner.order(1, MIXED)]))
        assert (response.status_code, said(response.text, "AK9")) == (200, ["AK9*A*1*1*1"])
        await partner.until(1, lambda status: status.stage is Stage.AWAITING_ERP, "wait for the ERP")
        assert partner.answers(1) == []
        answer = await partner.answered(1)
    finally:
        await partner.driver.erp_takes(0.2)
    status = await partner.until(1, confirmed, "be confirmed")
    assert status.erp_document_id
    assert (answer.document, answer.kind) == ("855", "AC")
    assert quantities(answer) == {"1": 10, "2": 4, "3": 10, "4": 7}
    promised = f"{status.promise_on:%Y%m%d}"
    assert answer.lines == {
        "1": [["IA", "10", "EA", "068", promised]],
        "2": [["IB", "4", "CA", "068", "20261224"]],
        "3": [["IA", "6", "EA", "068", promised], ["IB", "4", "EA", "068", "20261220"]],
        "4": [["IS", "7", "EA", "068", promised, "", "VN", "NEW"]],
    }


async def test_of_an_order_that_a_person_must_see_the_997_says_nothing_and_the_855_comes_after(
    partner: Partner,
) -> None:
    lines = ("PO1*1*3*EA*12.5**VN*LAMP", "PO1*2*2*EA*80**VN*GONE")
    response = await partner.send(partner.enclosed([partner.order(2, lines)]))
    assert said(response.text, "AK5") == ["AK5*A"]
    await partner.until(2, lambda status: status.stage is Stage.REVIEW, "go to a person")
    assert partner.answers(2) == []
    await partner.driver.decide(partner.ref(2), ReviewVerdict.APPROVE)
    answer = await partner.answered(2)
    assert (answer.document, answer.kind) == ("855", "AC")
    assert [ack[:2] for ack in answer.lines["1"]] == [["IA", "3"]]
    assert answer.lines["2"] == [["IR", "2", "EA"]]


async def test_an_order_that_a_person_rejects_is_rejected_line_by_line(partner: Partner) -> None:
    await partner.send(partner.enclosed([partner.order(3, ("PO1*1*2*EA*80**VN*GONE",))]))
    await partner.until(3, lambda status: status.stage is Stage.REVIEW, "go to a person")
    await partner.driver.decide(partner.ref(3), ReviewVerdict.REJECT, note="Not made any more")
    answer = await partner.answered(3)
    assert (answer.document, answer.kind, answer.lines) == ("855", "RD", {"1": [["IR", "2", "EA"]]})


async def test_an_860_is_answered_by_an_865_as_a_confirmation_of_its_own(partner: Partner) -> None:
    await partner.send(partner.enclosed([partner.order(4, MIXED[:2])]))
    first = await partner.until(4, confirmed, "be confirmed")
    await partner.answered(4)
    response = await partner.send(partner.enclosed([partner.change(4, ["POC*1*QI*12**EA", "POC*2*DI"])], "PC"))
    assert said(response.text, "AK1") == ["AK1*PC*17"]
    assert said(response.text, "AK5") == ["AK5*A"]
    answer = await partner.answered(4, 2)
    assert (answer.document, answer.kind) == ("865", "AD")
    assert [ack[:2] for ack in answer.lines["1"]] == [["IA", "12"]]
    status = await partner.until(4, lambda now: now.revision == 2 and confirmed(now), "be confirmed anew")
    assert status.erp_document_id == first.erp_document_id


async def test_the_same_interchange_twice_is_one_order_one_855_and_the_same_997(partner: Partner) -> None:
    body = partner.enclosed([partner.order(5, lamps(5))])
    first, again = await asyncio.gather(partner.send(body), partner.send(body))
    await partner.answered(5)
    later = await partner.send(body)
    assert first.text == again.text == later.text
    status = await partner.until(5, confirmed, "be confirmed")
    assert status.revision == 1
    assert len(partner.answers(5)) == 1


async def test_a_broken_order_is_named_by_segment_and_element_and_the_good_ones_beside_it_are_taken(
    partner: Partner,
) -> None:
    broken = partner.order(7, ("PO1*1*ten*EA*12.5**VN*LAMP",), "0002")
    good = [partner.order(place, lamps(place), f"000{control}") for place, control in ((6, 1), (8, 3))]
    sets = [good[0], broken, good[1]]
    response = await partner.send(partner.enclosed(sets))
    assert said(response.text, "AK2") == ["AK2*850*0001", "AK2*850*0002", "AK2*850*0003"]
    place = 1 + next(at for at, segment in enumerate(broken) if segment.startswith("PO1"))
    assert said(response.text, "AK3") == [f"AK3*PO1*{place}**8"]
    assert said(response.text, "AK4") == ["AK4*2*380*6*ten"]
    assert said(response.text, "AK5") == ["AK5*A", "AK5*R*5", "AK5*A"]
    assert said(response.text, "AK9") == ["AK9*P*3*3*2"]
    for place in (6, 8):
        assert (await partner.answered(place)).kind == "AD"
    assert await partner.driver.status(partner.ref(7)) is None


async def test_an_interchange_that_was_cut_off_is_refused_whole_and_taken_when_it_comes_again(partner: Partner) -> None:
    body = partner.enclosed([partner.order(9, lamps(9))])
    cut = await partner.send(body[: body.rindex(b"GE*")])
    assert cut.status_code == 422
    assert [segment.split("*")[4:] for segment in said(cut.text, "TA1")] == [["R", "023"]]
    assert (await partner.send(body)).status_code == 200
    await partner.answered(9)


async def test_the_example_of_the_docs_is_answered_as_they_say(partner: Partner) -> None:
    """`docs/edi/send.sh` signs by itself, and what it prints and the 855 are those of docs/edi.md."""
    stack, words = partner.driver.stack, (EXAMPLE.parent / "edi.md").read_text()
    command = [str(EXAMPLE / "send.sh"), STORE, str(EXAMPLE / "850.edi")]
    process = await asyncio.create_subprocess_exec(*command, env=stack.environment, stdout=asyncio.subprocess.PIPE)
    (printed, _) = await process.communicate()
    assert process.returncode == 0
    lines = printed.decode().split()
    assert lines[-1] == "200"
    assert "AK5*A" in lines
    async with asyncio.timeout(PATIENCE):
        while True:
            if found := [*partner.folder.glob("example/*-855.edi")]:
                break
            await asyncio.sleep(0.2)
    told = [line for line in lines if line.startswith("AK")]
    told += ["*".join(segment) for segment in edi.parsed(found[0].read_text()) if segment[0] in ("PO1", "ACK", "CTT")]
    for segment in told:
        assert segment.partition("*068*")[0] in words, segment


async def test_the_partners_own_software_takes_what_it_is_answered(partner: Partner) -> None:
    """The sandbox's: it counts segments, compares every line with what it ordered, and says so in a 997."""
    driver = partner.driver
    order = an_order(f"{driver.run}-S", 77, source="edi", sku="SOME").model_copy(update={"store": STORE})
    order = with_quantity(order, 9)
    body = {"source": "edi_x12", "deed": "place", "order": order.model_dump(mode="json")}
    (await driver.http.post(f"{driver.stack.sandbox_url}/shops", json=body)).raise_for_status()
    await driver.until(order.ref, confirmed, "be confirmed", PATIENCE)
    body["deed"], body["order"] = "change", with_quantity(order, 4).model_dump(mode="json")
    (await driver.http.post(f"{driver.stack.sandbox_url}/shops", json=body)).raise_for_status()
    await driver.until(order.ref, lambda now: now.revision == 2 and confirmed(now), "be confirmed anew", PATIENCE)
    wanted = {f"855/{order.number}": "A", f"865/{order.number}": "A"}
    async with asyncio.timeout(PATIENCE):
        while True:
            if (found := await _taken(driver, order.number)).keys() == wanted.keys():
                break
            await asyncio.sleep(0.3)
    assert found == wanted


async def _taken(driver: Driver, number: str) -> Mapping[str, str]:
    """Our answers to this order that the partner's software took, and what its 997s say of them."""
    log = (await driver.http.get(f"{driver.stack.sandbox_url}/log")).json()["accepted"]
    keys = {entry["provider_id"]: entry["key"] for entry in log if entry["target"] == "edi" and number in entry["key"]}
    ledger = await open_ledger(f"sqlite+aiosqlite:///{driver.stack.home.folder}/ledger.db")
    try:
        rows = await ledger.received(f"sources/{STORE}/edi_x12", "sandbox/", 100)
    finally:
        await ledger.aclose()
    found: dict[str, str] = {}
    for row in rows:
        text = Delivery.model_validate_json(row.body).body
        for own, status in re.findall(r"AK1\*(?:PR|CA)\*(\d+)~.*?AK5\*(\w)", text, re.DOTALL):
            assert row.outcome in ("skipped", "")
            if (name := keys.get(f"{int(own):09d}")) is not None:
                found[name] = status
    return found
