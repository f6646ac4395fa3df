"""The ERP and the partner that the order came from: their own books are the ground truth of what is booked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from orderack.domain.order import Line, Order, OrderRef
from orderack.domain.receipt import ErpReceipt, LineVerdict, StockVerdict
from orderack.domain.source import Answered, AnswerState
from orderack.errors import InDoubt, Refused, Unavailable
from orderack.ports import Booking, RawRequest, SourceAnswer, Stock
from tests.simulation.agenda import moment
from tests.simulation.chance import HOUR, MINUTE, SECOND, Dice
from tests.simulation.providers import Wire
from tests.simulation.storm import MS, Storm, inside

QUICK = ((0.5, (SECOND, 40 * SECOND)), (0.5, (40 * SECOND, 14 * MINUTE)))
SLOW = ((0.55, (16 * MINUTE, 3 * HOUR)), (0.3, (3 * HOUR, 20 * HOUR)), (0.15, (0, 0)))
"""How long the ERP takes to book, by weight; the last: it never does, until a person sees to it."""

VERDICTS = (
    (0.3, StockVerdict.BACKORDERED),
    (0.3, StockVerdict.PARTIAL),
    (0.2, StockVerdict.SUBSTITUTED),
    (0.2, StockVerdict.UNAVAILABLE),
)


@dataclass(frozen=True)
class Manner:
    """How this ERP treats this order."""

    at_once: bool
    """It books and answers in the same call."""
    says_revision: bool
    refuses: bool
    waits: bool
    keeps: bool
    """It does not cancel."""


class SimErp:
    """One ERP's book for one order. `announce` posts a receipt, once it has booked."""

    name = "erp"

    def __init__(
        self,
        wire: Wire,
        dice: Dice,
        storm: Storm,
        announce: Callable[[ErpReceipt, int], None],
        slowness: float,
        waits_for_another: bool,
    ) -> None:
        self._slowness = slowness
        self._wire = wire
        self._dice = dice
        self._storm = storm
        self._announce = announce
        self._calls = 0
        self.known: dict[int, Order] = {}
        self.booked: dict[int, tuple[int, ErpReceipt]] = {}
        self.by_hand = False
        self.cancelled = False
        self.invoices: list[str] = []
        self.submissions = 0
        roll = dice.chance
        self.manner = Manner(
            at_once=roll(0.35, "erp at once"),
            says_revision=waits_for_another or roll(0.8, "erp says revision"),
            refuses=roll(0.05 * slowness, "erp refuses"),
            waits=roll(0.05, "erp waits"),
            keeps=roll(0.1, "erp keeps"),
        )

    def learn(self, order: Order, revision: int, at: int) -> None:
        """It has the order; it will book it when it comes to it, unless it is told that it is off."""
        if revision in self.known:
            return
        self.known[revision] = order
        if not self.manner.says_revision:  # one document, written anew: what was not booked by now never is
            for older in [r for r, (when, _) in self.booked.items() if r < revision and when > at]:
                del self.booked[older]
        slow = self._dice.chance(0.4 * self._slowness, "erp slow", revision)
        low, high = self._dice.weighed(SLOW if slow else QUICK, "erp latency", revision)
        if high:
            self._announce_later(revision, at + self._dice.between(low, high, "erp books", revision))

    def book_by_hand(self, order: Order, revision: int, at: int) -> None:
        """A person at the ERP enters it."""
        self.by_hand = True
        if not self.has_booked(revision, at):
            self.known[revision] = order
            self._announce_later(revision, at + self._dice.between(MINUTE, HOUR, "by hand", revision))

    def _announce_later(self, revision: int, at: int) -> None:
        until = inside(self._storm.sky.erp, at)
        when = until + self._dice.between(SECOND, 20 * MINUTE, "erp catches up", revision) if until else at
        self._announce(self._write(revision, when), when)

    def _write(self, revision: int, at: int) -> ErpReceipt:
        """The receipt that stands in the book from `at` on."""
        receipt = ErpReceipt(
            id=f"R{revision}",
            erp=self.name,
            store=self.known[revision].store,
            number=self.known[revision].number,
            revision=revision if self.manner.says_revision else None,
            document_id=f"SO-{revision}",
            recorded_at=moment(at),
            lines=tuple(self._verdict(line, revision) for line in self.known[revision].lines),
        )
        self.booked[revision] = (at, receipt)
        return receipt

    def _verdict(self, line: Line, revision: int) -> LineVerdict:
        short = self._dice.chance(0.3 * self._slowness, "short", line.line_id, revision)
        verdict = self._dice.weighed(VERDICTS, "verdict", line.line_id, revision) if short else StockVerdict.AVAILABLE
        part = {StockVerdict.PARTIAL: Decimal("0.3"), StockVerdict.BACKORDERED: Decimal("0.1")}.get(verdict)
        price = (
            line.unit_price + Decimal("0.10")
            if self._dice.chance(0.03 * self._slowness, "price", line.line_id, revision)
            else None
        )
        substitute = f"{line.sku}-B" if verdict is StockVerdict.SUBSTITUTED else None
        return LineVerdict(
            line_id=line.line_id, verdict=verdict, quantity=part, unit_price=price, substitute_sku=substitute
        )

    def stands(self, receipt: ErpReceipt) -> bool:
        """Whether the book still says what this receipt does."""
        return any(booked is receipt for _, booked in self.booked.values())

    def has_booked(self, revision: int, at: int) -> bool:
        """Whether it stood in the book by then."""
        return revision in self.booked and self.booked[revision][0] <= at

    async def submit(self, order: Order, revision: int) -> Booking:
        self._begin()
        self.submissions += 1
        if self.manner.refuses and revision == 1:
            raise Refused("unknown customer group")
        killed = self._dice.chance(self._storm.rates.killed, "erp killed", self._calls)
        in_doubt = not self._storm.calm and self._dice.chance(0.03, "erp in doubt", self._calls)
        if in_doubt and self._dice.chance(0.5, "erp did not get it", self._calls):
            raise InDoubt("no answer in time")
        now = self._wire.now
        first = revision not in self.known
        if first and self.manner.at_once:
            self.known[revision] = order
            self._write(revision, now)
        else:
            self.learn(order, revision, now)
        if killed:
            raise self._wire.die()
        if in_doubt:
            raise InDoubt("the connection was reset")
        if self.manner.at_once:
            return Booking(document_id=f"SO-{revision}", receipt=self.booked[revision][1])
        return Booking(document_id=f"SO-{revision}", waits="a draft, to be approved" if self.manner.waits else "")

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        self._begin()
        return self.booked[revision][1] if self.has_booked(revision, self._wire.now) else None

    async def cancel(self, ref: OrderRef, document_id: str | None, reason: str) -> bool:
        self._begin()
        if self.manner.keeps and self.booked:
            raise Refused("it has left the house")
        self.cancelled = self.cancelled or bool(self.known)
        return bool(self.known)

    async def invoice(self, ref: OrderRef, document_id: str) -> str:
        self._begin()
        if self._dice.chance(0.1, "no invoice"):
            raise Refused("the customer has no account")
        if document_id not in self.invoices:
            self.invoices.append(document_id)
        return f"INV-{document_id}"

    def _begin(self) -> None:
        self._wire.alive()
        self._calls += 1
        self._wire.took += self._dice.between(50 * MS, 1_500 * MS, "erp takes", self._calls)
        if until := inside(self._storm.sky.erp, self._wire.now):
            again = min(until - self._wire.now, 5 * MINUTE)
            raise Unavailable("the ERP does not answer", timedelta(microseconds=again))

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        return ()

    def verify(self, request: RawRequest) -> None:
        raise AssertionError("an activity verifies nothing")

    def receipts(self, request: RawRequest) -> Sequence[ErpReceipt]:
        raise AssertionError("an activity reads no requests")

    async def aclose(self) -> None:
        """Nothing is open."""


class Partner:
    """The system that the order came from: what it took of our answers."""

    def __init__(self, wire: Wire, dice: Dice, storm: Storm) -> None:
        self._wire = wire
        self._dice = dice
        self._storm = storm
        self._calls = 0
        self.took: dict[str, int] = {}

    async def answer(self, answer: SourceAnswer) -> Answered:
        self._wire.alive()
        self._calls += 1
        self._wire.took += 200 * MS
        key = str(answer.key)
        if key not in self.took and not self._storm.calm:
            match self._dice.weighed(
                ((0.9, ""), (0.04, "down"), (0.03, "doubt"), (0.03, "no")), "partner", self._calls
            ):
                case "down":
                    raise Unavailable("503", timedelta(minutes=2))
                case "doubt":
                    self.took[key] = self._wire.now
                    raise InDoubt("reset")
                case "no":
                    return Answered(state=AnswerState.REFUSED, detail="line 3 is unknown")
        self.took.setdefault(key, self._wire.now)
        if self._dice.chance(0.1, "pending", key) and not answer.reference:
            return Answered(state=AnswerState.PENDING, reference=f"t-{key}")
        return Answered(state=AnswerState.ACCEPTED, reference=f"n-{key}")
