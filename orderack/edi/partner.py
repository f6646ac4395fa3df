"""A trading partner's profile, as the policy has it under `stores.<store>.connections.edi_x12.partners.<name>`."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, ValidationError

from orderack.domain.order import Address, Name, Text
from orderack.domain.response import Outcome
from orderack.domain.value import Value
from orderack.edi.envelope import Party
from orderack.edi.syntax import Delimiters

Code = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,4}$")]
Id = Annotated[str, StringConstraints(min_length=1, max_length=15, pattern=r"^[ -~]+$", strip_whitespace=True)]

STATUS: Mapping[Outcome, str] = {
    Outcome.ACCEPT: "IA",
    Outcome.QUANTITY: "IQ",
    Outcome.PRICE: "IP",
    Outcome.DATE: "DR",
    Outcome.SUBSTITUTE: "IS",
    Outcome.BACKORDER: "IB",
    Outcome.REJECT: "IR",
    Outcome.HOLD: "IH",
}
"""ACK01 (element 668) of each outcome, unless the partner's profile says otherwise."""

ITEM_CODES = ("VN", "VP", "SK", "VC", "UP", "UK", "EN", "UI", "MG", "BP", "IN", "PI", "CB")
"""Qualifiers of item numbers (element 235), the first that a line has being its sku."""

UNITS: Mapping[str, str] = {
    "EA": "",
    "PC": "",
    "PCE": "",
    "UN": "",
    "CA": "case",
    "CS": "case",
    "CT": "carton",
    "BX": "box",
    "PK": "pack",
    "PR": "pair",
    "DZ": "dozen",
    "ST": "set",
    "PL": "pallet",
    "RL": "roll",
    "LB": "pound",
    "KG": "kilogram",
    "FT": "foot",
    "MR": "metre",
    "GA": "gallon",
    "LT": "litre",
}
"""PO103 (element 355) → what `Line.unit` says; empty: pieces. A code that is not here is said as it is."""


class Usage(StrEnum):
    PRODUCTION = "P"
    TEST = "T"


class QuantityChange(StrEnum):
    """What POC03 is where a quantity is raised (QI) or lowered (QD)."""

    TOTAL = "total"
    """The quantity ordered from now on, as the standard has it."""
    DIFFERENCE = "difference"


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not a time zone such as America/Chicago")
    return name


def _outbound(text: str) -> str:
    if text != DIRECTORY and not text.startswith("https://"):
        raise ValueError(f"neither an https address nor `{DIRECTORY}`")
    return text


DIRECTORY = "directory"


class Identity(Value):
    """One side's ids: of the interchange (ISA05/06) and, where they differ, of the group (GS02)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    qualifier: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{2}$")] = "ZZ"
    id: Id
    group: Id | None = None

    @property
    def party(self) -> Party:
        return Party(self.qualifier, self.id)

    @property
    def group_id(self) -> str:
        return self.group or self.id


class PartnerProfile(Value):
    """What was agreed with one partner. Secrets are settings, never here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    theirs: Identity
    ours: Identity
    versions: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^00[3-8]0[0-9]{2}$")], ...], Field(min_length=1)
    ]
    """Versions that they write, as GS08 begins. We write the first."""
    usage: Usage = Usage.PRODUCTION
    """ISA15 of what we send. What they send as a test (T) is acknowledged, and is no order."""
    delimiters: Delimiters = Delimiters()
    name: Text = ""
    customer: Name | None = None
    """The customer's id in our systems; without it, the id that the buyer's N1 has, or the partner's name here."""
    email: Name | None = None
    phone: Name | None = None
    terms: Text = "as agreed with the trading partner"
    """Where an order names no terms (ITD)."""
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = "USD"
    """Where an order names none (CUR)."""
    time_zone: Annotated[str, AfterValidator(_zone)] | None = None
    """Of their dates and times; None: the store's."""
    item_codes: Annotated[tuple[Code, ...], Field(min_length=1)] = ITEM_CODES
    units: Mapping[Code, Text] = {}
    """Over ours: their unit's code → what it is called with us."""
    line_status: Mapping[Outcome, Code] = {}
    """Over ours: outcome → ACK01."""
    date_qualifier: Annotated[str, StringConstraints(pattern=r"^\d{3}$")] = "068"
    """ACK04: 068 is the scheduled ship date, 067 the scheduled delivery."""
    locations: Mapping[Name, Address] = {}
    """Their code of a place (N104) → its address: some send the code alone."""
    functional_ack: bool = False
    """Send the 997 to the partner by `outbound` as well; the gateway that posts to us has it in the response anyway."""
    answer_within_hours: Annotated[int, Field(gt=0, le=24 * 14)] | None = None
    """How long they wait for the 855 before it costs."""
    quantity_changes: QuantityChange = QuantityChange.TOTAL
    hash_total: bool = True
    """CTT02 is the sum of the quantities and is held against them."""
    control_numbers_from: Annotated[int, Field(gt=0, le=900_000_000)] = 1
    """The lowest control number (ISA13, GS06) of what goes out from now on: lower ones were used elsewhere."""
    outbound: Annotated[str, AfterValidator(_outbound)] | None = None
    """Where what we send goes: an https address, or `directory`. None: to the connection's own `OUTBOUND_URL`."""

    @property
    def version(self) -> str:
        return self.versions[0]

    def status(self, outcome: Outcome) -> str:
        return self.line_status.get(outcome) or STATUS[outcome]

    def unit(self, code: str) -> str | None:
        """What the quantity counts; None: pieces."""
        return self.units.get(code, UNITS.get(code, code)) or None

    @property
    def answer_within(self) -> timedelta | None:
        return timedelta(hours=self.answer_within_hours) if self.answer_within_hours else None


LONGEST_NAME = 60


def read_profiles(raw: Mapping[str, Mapping[str, object]]) -> Mapping[str, PartnerProfile]:
    """Each partner by our name for it. Raises ValueError, saying every key that is wrong (`partners.acme.ours.id`)."""
    found: dict[str, PartnerProfile] = {}
    problems: list[str] = []
    for name, profile in raw.items():
        if len(name) > LONGEST_NAME or "/" in name:
            problems.append(f"partners.{name}: a name of at most {LONGEST_NAME} characters without a slash")
        try:
            found[name] = PartnerProfile.model_validate(dict(profile))
        except ValidationError as error:
            for one in error.errors(include_url=False, include_input=False, include_context=False):
                path = ".".join(str(part) for part in ("partners", name, *one["loc"]))
                problems.append(f"{path}: {one['msg'].removeprefix('Value error, ')}")
    pairs: dict[tuple[Party, Party], str] = {}
    for name, partner in found.items():
        twin = pairs.setdefault((partner.theirs.party, partner.ours.party), name)
        if twin != name:
            problems.append(f"partners.{name}: has the ids of {twin}")
    if problems:
        raise ValueError("; ".join(problems))
    return found
