"""X12 as a partner's own software writes and checks it. Shares no code with ours: it is what ours is held to."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from orderack.domain.order import Address, Line, Order

BUYER, SELLER = "SANDBOXBUYER", "SANDBOXSHOP"
WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)


def enclosed(kind: str, sets: Sequence[tuple[str, Sequence[str]]], control: int, now: datetime) -> bytes:
    """ISA … IEA around one group."""
    head = f"ISA*00*{'':10}*00*{'':10}*ZZ*{BUYER:15}*ZZ*{SELLER:15}*{now:%y%m%d}*{now:%H%M}*U*00401*{control:09d}*0*P*>"
    lines = [head, f"GS*{kind}*{BUYER}*{SELLER}*{now:%Y%m%d}*{now:%H%M%S}*{control}*X*004010"]
    for number, (code, body) in enumerate(sets, 1):
        lines += [f"ST*{code}*{number:04d}", *body, f"SE*{len(body) + 2}*{number:04d}"]
    lines += [f"GE*{len(sets)}*{control}", f"IEA*1*{control:09d}"]
    return "".join(f"{line}~\n" for line in lines).encode()


def plain(text: object, limit: int = 80) -> str:
    """Text that an element can carry."""
    return "".join(" " if char in "*~>^\n\r\t" else char for char in str(text or ""))[:limit].strip()


def ordered(order: Order) -> list[str]:
    """The body of an 850 of this order."""
    totals = order.totals
    body = [f"BEG*00*SA*{plain(order.number, 22)}**{order.trigger_at:%Y%m%d}", f"CUR*BY*{order.currency}"]
    if order.contacts.email or order.contacts.phone:
        ways = (("TE", order.contacts.phone), ("EM", order.contacts.email))
        said = "*".join(f"{kind}*{plain(way)}" for kind, way in ways if way)
        body.append(f"PER*BD*{plain(order.customer.name, 60)}*{said}")
    for kind, code, amount in (
        ("A", "C310", totals.discount),
        ("C", "D240", totals.shipping),
        ("C", "ZZZZ", totals.fees),
    ):
        if amount:
            body.append(f"SAC*{kind}*{code}***{_cents(amount)}")
    body.append(f"ITD*14***********{plain(order.payment.terms or 'Net 30')}")
    if order.delivery_window:
        window = order.delivery_window
        body += [_day("064", window.start), _day("063", window.end)]
    if order.instructions:
        body += ["N9*L1*1", *(f"MSG*{plain(part, 264)}" for part in order.instructions.split("\n") if part.strip())]
    if totals.tax:
        body.append(f"TXI*ST*{totals.tax:f}")
    body.append(f"N1*BY*{plain(order.customer.name or 'Sandbox buyer', 60)}*92*{plain(order.customer.id or 'none')}")
    body += _place("ST", order.delivery_address) + _place("BT", order.billing_address)
    for line in order.lines:
        body += _line(line)
    return [*body, f"CTT*{len(order.lines)}", f"AMT*TT*{totals.total:f}"]


def changed(before: Order, after: Order, sequence: int) -> list[str]:
    """The body of an 860 that makes the one of the other, line by line."""
    old, new = ({line.line_id: line for line in order.lines} for order in (before, after))
    lines = [f"POC*{plain(own, 20)}*DI" for own in old if own not in new]
    for own, line in new.items():
        if own not in old:
            lines += [f"POC*{plain(own, 20)}*AI*{line.quantity:f}**EA*{line.unit_price:f}*PE*VN*{plain(line.sku, 48)}"]
        elif (line.quantity, line.unit_price, line.sku) != (old[own].quantity, old[own].unit_price, old[own].sku):
            lines += [f"POC*{plain(own, 20)}*RZ*{line.quantity:f}**EA*{line.unit_price:f}*PE*VN*{plain(line.sku, 48)}"]
    begin = f"BCH*04*SA*{plain(after.number, 22)}**{sequence}*{after.trigger_at:%Y%m%d}"
    taxes = [f"TXI*ST*{after.totals.tax:f}"] if after.totals.tax else []
    return [begin, *taxes, *lines, f"CTT*{len(lines)}", f"AMT*TT*{after.totals.total:f}"]


def cancelled(order: Order) -> list[str]:
    """The body of an 860 that takes the order back."""
    return [f"BCH*01*SA*{plain(order.number, 22)}***{order.trigger_at:%Y%m%d}", "NTE*GEN*No longer needed"]


def _line(line: Line) -> list[str]:
    head = f"PO1*{plain(line.line_id, 20)}*{line.quantity:f}*EA*{line.unit_price:f}*PE*VN*{plain(line.sku, 48)}"
    body = [head]
    if line.description:
        body.append(f"PID*F****{plain(line.description)}")
    if line.instructions:
        body += ["N9*L1*1", *(f"MSG*{plain(part, 264)}" for part in line.instructions.split("\n") if part.strip())]
    return body


def _place(role: str, address: Address | None) -> list[str]:
    if address is None:
        return []
    name = plain(address.company or address.name or "Sandbox buyer", 60)
    where = (
        f"N4*{plain(address.city, 30)}*{plain(address.region, 2)}*{plain(address.postal_code, 15)}*{address.country}"
    )
    streets = f"N3*{plain(address.street, 55)}*{plain(address.street2, 55)}"
    return [
        f"N1*{role}*{name}",
        *([f"N2*{plain(address.name, 60)}"] if address.company and address.name else []),
        streets,
        where,
    ]


def _day(qualifier: str, at: datetime) -> str:
    utc = at.astimezone(UTC)
    return f"DTM*{qualifier}*{utc:%Y%m%d}*{utc:%H%M}"


def _cents(amount: Decimal) -> str:
    return str(int((amount * 100).to_integral_value()))


class Wrong(Exception):
    """What keeps an interchange from being taken."""


class Read:
    """An interchange from the seller, taken apart by what its ISA says. Raises Wrong."""

    def __init__(self, text: str) -> None:
        if len(text) < 107 or not text.startswith("ISA"):
            raise Wrong("it does not begin with an ISA of 106 characters")
        element, terminator = text[3], text[105]
        self.segments = [line.strip("\r\n").split(element) for line in text.split(terminator) if line.strip()]
        isa = self.segments[0]
        if [len(part) for part in isa[1:]] != list(WIDTHS):
            raise Wrong("an element of ISA has not its width")
        if (isa[6].strip(), isa[8].strip()) != (SELLER, BUYER):
            raise Wrong("it is not from our seller, or not for us")
        self.control = isa[13]
        self._check_envelope()

    def _check_envelope(self) -> None:
        first = self._only("GS"), self._only("ST"), self._only("SE"), self._only("GE"), self._only("IEA")
        gs, st, se, ge, iea = first
        inner = self.segments[self.segments.index(st) : self.segments.index(se) + 1]
        if int(se[1]) != len(inner) or se[2] != st[2]:
            raise Wrong("SE does not fit its ST")
        if ge[1:] != ["1", gs[6]] or iea[1:] != ["1", self.control]:
            raise Wrong("GE or IEA does not fit")
        if any(segment[-1] == "" for segment in inner):
            raise Wrong("a segment ends in an empty element")
        self.code, self.group, self.body = st[1], gs[6], inner

    def _only(self, tag: str) -> list[str]:
        found = self.all(tag)
        if len(found) != 1:
            raise Wrong(f"it has {len(found)} {tag}")
        return found[0]

    def all(self, *tags: str) -> list[list[str]]:
        return [segment for segment in self.segments if segment[0] in tags]

    @property
    def number(self) -> str:
        """The purchase order that an 855 or an 865 is about."""
        found = self.all("BAK", "BCA")
        if len(found) != 1:
            raise Wrong("it has no BAK or BCA")
        return found[0][3]

    @property
    def sequence(self) -> int:
        """Which change of the order an 865 is about; 0: an 855 is about the order as it was placed."""
        (begin,) = self.all("BAK", "BCA")
        return int(begin[5] or 0) if begin[0] == "BCA" else 0

    def check_answer(self, lines: Iterable[Line]) -> None:
        """Every line answered once, in quantities that come to what was ordered."""
        asked = {line.line_id: line.quantity for line in lines}
        answered: dict[str, Decimal] = {}
        current = ""
        for segment in self.body:
            if segment[0] in ("PO1", "POC"):
                current = segment[1]
                if current in answered:
                    raise Wrong(f"line {current} is answered twice")
                answered[current] = Decimal(0)
            elif segment[0] == "ACK":
                answered[current] += Decimal(segment[2])
        if answered != asked:
            raise Wrong("the quantities answered for are not those ordered")
        if int(self.all("CTT")[0][1]) != len(asked):
            raise Wrong("CTT does not fit")
