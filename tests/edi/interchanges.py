"""Interchanges as trading partners send them, of invented companies and people; written by other code than ours."""

from collections.abc import Sequence

OURS, THEIRS = ("ZZ", "FJORDLIGHT"), ("01", "123456789")

HEADING = (
    "BEG*00*SA*PO-4711**20261120*CT-9",
    "CUR*BY*USD",
    "REF*DP*042*Household",
    "PER*BD*Ada Example*TE*+15005550006*EM*ada@example.com",
    "ITD*01*3*2**10**30",
    "DTM*064*20261201",
    "DTM*063*20261205",
    "TD5**2*UPSN",
    "N9*L1**HANDLING",
    "MSG*Please call before delivery",
    "N1*BY*Example Stores*92*0001",
    "N1*ST*Example Stores No 12*92*0012",
    "N2*Ada Example",
    "N3*1 Example Street*Dock 4",
    "N4*Springfield*IL*62701*US",
    "N1*BT*Example Stores Accounts",
    "N3*2 Example Street",
    "N4*Springfield*IL*62702*US",
)
LINES = (
    "PO1*1*10*EA*12.5**VN*LAMP-1*UP*012345678905*BP*B-77",
    "PID*F****Desk lamp, brass",
    "N9*L1**NOTE",
    "MSG*Gift wrap",
    "PO1*2*4*CA*100*PE*VN*BULB-9*BP*B-78",
    "PID*F****Bulbs, case of twelve",
    "SAC*A*C310***1000*******06",
    "PO1*3*250*EA*3.2*HP*VN*SCREW-5",
)
CHARGES = ("SAC*C*D240***2599**********Freight", "TXI*ST*41.06")
"""Freight 25.99; tax 41.06."""


def transaction(code: str, segments: Sequence[str], control: str = "0001", count: int | None = None) -> list[str]:
    """ST … SE."""
    return [f"ST*{code}*{control}", *segments, f"SE*{count or len(segments) + 2}*{control}"]


def order(
    heading: Sequence[str] = HEADING,
    lines: Sequence[str] = LINES,
    tail: Sequence[str] | None = None,
    control: str = "0001",
) -> list[str]:
    """An 850. Freight and tax belong to the heading."""
    count = sum(line.startswith("PO1*") for line in lines)
    end = [f"CTT*{count}", "AMT*TT*590.05"] if tail is None else tail
    return transaction("850", [*heading[:5], *CHARGES, *heading[5:], *lines, *end], control)


def change(lines: Sequence[str], heading: Sequence[str] = (), sequence: str = "1", purpose: str = "04") -> list[str]:
    """An 860 about the order above."""
    begin = f"BCH*{purpose}*SA*PO-4711**{sequence}*20261120"
    return transaction("860", [begin, *heading, *lines, f"CTT*{len(lines)}"])


def group(sets: Sequence[Sequence[str]], kind: str = "PO", control: str = "17", clock: str = "0930") -> list[str]:
    """GS … GE."""
    head = f"GS*{kind}*123456789*FJORDLIGHT*20261121*{clock}*{control}*X*004010"
    return [head, *(segment for one in sets for segment in one), f"GE*{len(sets)}*{control}"]


def interchange(
    groups: Sequence[Sequence[str]],
    control: str = "000000905",
    usage: str = "P",
    wants_ta1: str = "0",
    delimiters: Sequence[str] = ("*", ">", "~"),
) -> bytes:
    """ISA … IEA."""
    element, component, terminator = delimiters
    parties = [THEIRS[0], THEIRS[1].ljust(15), OURS[0], OURS[1].ljust(15)]
    end = ["261121", "0930", "U", "00401", control, wants_ta1, usage]
    isa = "*".join(["ISA", "00", " " * 10, "00", " " * 10, *parties, *end])
    lines = [f"{isa}*{component}", *(segment for one in groups for segment in one), f"IEA*{len(groups)}*{control}"]
    return "".join(f"{line.replace('*', element)}{terminator}\n" for line in lines).encode()


def one(segments: Sequence[str], kind: str = "PO", control: str = "000000905", clock: str = "0930") -> bytes:
    """An interchange with one set."""
    return interchange([group([segments], kind, clock=clock)], control)


def rich() -> bytes:
    """An interchange of two groups with a segment of every kind that is read, and of some that are not."""
    heading = (*HEADING, "FOB*PB", "SAC*N*C040", "DTM*002****RD8*20261201-20261202", "N1*Z7*Counter*92*1", "PER*OC*Ada")
    of_last = ("SDQ*EA*92*1*100*2*150", "TXI*ST*1", "DTM*010*20261128", "N1*ST*Shop*92*9", "PO4*12*1*EA", "MSG*Hello")
    changes = ["POC*1*QI*12**EA", "POC*2*DI", "POC**AI*1**EA*5**VN*NEW", "POC*3*PC***EA*9*HP*VN*SCREW-5"]
    bought = group([order(heading, (*LINES, *of_last), ("CTT*3*264",))])
    return interchange([bought, group([change(changes, CHARGES[1:])], "PC", "19")], "000000907", wants_ta1="1")


def parsed(text: str) -> list[list[str]]:
    """An interchange of ours, taken apart without our reader: by what its ISA says."""
    element, terminator = text[3], text[105]
    return [line.strip("\r\n").split(element) for line in text.split(terminator) if line.strip()]
