"""What every source's orders need on their way to ours: text, money, places, the fields that a shop made up itself."""

import hashlib
import html
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from zoneinfo import ZoneInfo

import phonenumbers
from babel import Locale
from pydantic import ValidationError

from orderack.clients.wire import not_an_event
from orderack.domain.intake import parse_order
from orderack.domain.order import Address, DeliveryWindow, Doubt, Line, Order
from orderack.domain.problem import Problem
from orderack.domain.validation import problems_of
from orderack.domain.value import Value
from orderack.errors import InvalidInput

FOUR = Decimal("0.0001")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
_BREAKS = re.compile("[\r\n\t\v\f\x85\u2028\u2029]+")
_TAGS = re.compile(r"<[^<>]*>")


def line_of(text: object, limit: int = 2_000) -> str | None:
    """One line of clean text, cut at `limit` characters; None where nothing is left."""
    plain = _CONTROL.sub("", _BREAKS.sub(" ", "" if text is None else str(text))).strip()[:limit].strip()
    return plain or None


def prose_of(*texts: object, limit: int = 2_000) -> str | None:
    """Clean text with its line breaks, the parts one below the other; None where nothing is left."""
    parts = [_CONTROL.sub("", str(text).replace("\r\n", "\n").replace("\r", "\n")).strip() for text in texts if text]
    return "\n".join(part for part in parts if part)[:limit].strip() or None


def doubts_of_length(*texts: object) -> tuple[Doubt, ...]:
    """A person's to see, where `prose_of` these is cut short: what is cut may be an allergy."""
    longest = 2_000
    if len(prose_of(*texts, limit=1_000_000) or "") <= longest:
        return ()
    why = f"What was written is longer than {longest} characters, and this is the beginning: read the rest in the shop."
    return (Doubt(field="instructions", why=why, confidence=Decimal("0.5")),)


def without_markup(text: str) -> str:
    """What a person would read of a little HTML."""
    return html.unescape(_TAGS.sub(" ", text))


def name_of(text: object) -> str | None:
    """An id or a short name: at most 200 characters on one line."""
    return line_of(text, 200)


def amount(value: object, field: str) -> Decimal:
    """Money as the vendor writes it, text or number, to four decimals. Raises InvalidInput naming the field."""
    try:
        exact = Decimal(str(value).strip())
        if not exact.is_finite() or abs(exact) >= 10**14:
            raise InvalidOperation
    except InvalidOperation:
        raise not_an_event(field, "is not an amount", "see what the shop sent") from None
    return exact.quantize(FOUR, ROUND_HALF_UP)


def priced(line: Line, cost: Decimal) -> Line:
    """The line at this cost in all, before discounts: a unit price that multiplies to it, or the cost beside it."""
    each = (cost / line.quantity).quantize(FOUR, ROUND_HALF_UP)
    exact = each * line.quantity == cost
    return line.model_copy(update={"unit_price": each, "subtotal": None if exact else cost.quantize(FOUR)})


def sku_of(sku: object, *otherwise: tuple[str, object]) -> str:
    """The item's number; where it has none, the first of these ids that it has, with what kind of id it is."""
    if found := name_of(sku):
        return found
    kinds = (f"{kind}:{found}" for kind, value in otherwise if (found := name_of(value)))
    return next(kinds, "unnumbered")[:200]


LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pt")
"""In which countries are called by their names; where two differ about a name, the first one counts."""

UNKNOWN = "ZZ"
"""The code of ISO 3166 for a country that is none we know: it is in doubt, and never taken for the shop's own."""


def country_of(text: object, otherwise: str | None) -> str | None:
    """The ISO 3166-1 alpha-2 code of a code of two or three letters, or of the country's name in one of LANGUAGES.

    None for what is no country; `otherwise` where nothing is said.
    """
    found = (line_of(text) or "").casefold()
    return _COUNTRIES.get(found) if found else otherwise


_TWO = re.compile("[A-Z]{2}")


def _names_of_countries() -> Mapping[str, str]:
    codes = [str(code) for code in Locale("en").territories if _TWO.fullmatch(str(code)) and code != UNKNOWN]
    called = {language: Locale(language).territories for language in reversed(LANGUAGES)}
    names = {str(words[code]).casefold(): code for words in called.values() for code in codes if code in words}
    names |= {alpha3.casefold(): alpha2 for alpha2, alpha3 in _ALPHA3} | {code.casefold(): code for code in codes}
    return names | {"uk": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "united states of america": "US"}


def _alpha3() -> Iterable[tuple[str, str]]:
    words = _ALPHA3_WORDS.split()
    return tuple((word[:2], word[2:]) for word in words)


_ALPHA3_WORDS = """
ADAND AEARE AFAFG AGATG AIAIA ALALB AMARM AOAGO AQATA ARARG ASASM ATAUT AUAUS AWABW AXALA AZAZE BABIH BBBRB BDBGD BEBEL
BFBFA BGBGR BHBHR BIBDI BJBEN BLBLM BMBMU BNBRN BOBOL BQBES BRBRA BSBHS BTBTN BVBVT BWBWA BYBLR BZBLZ CACAN CCCCK CDCOD
CFCAF CGCOG CHCHE CICIV CKCOK CLCHL CMCMR CNCHN COCOL CRCRI CUCUB CVCPV CWCUW CXCXR CYCYP CZCZE DEDEU DJDJI DKDNK DMDMA
DODOM DZDZA ECECU EEEST EGEGY EHESH ERERI ESESP ETETH FIFIN FJFJI FKFLK FMFSM FOFRO FRFRA GAGAB GBGBR GDGRD GEGEO GFGUF
GGGGY GHGHA GIGIB GLGRL GMGMB GNGIN GPGLP GQGNQ GRGRC GSSGS GTGTM GUGUM GWGNB GYGUY HKHKG HMHMD HNHND HRHRV HTHTI HUHUN
IDIDN IEIRL ILISR IMIMN ININD IOIOT IQIRQ IRIRN ISISL ITITA JEJEY JMJAM JOJOR JPJPN KEKEN KGKGZ KHKHM KIKIR KMCOM KNKNA
KPPRK KRKOR KWKWT KYCYM KZKAZ LALAO LBLBN LCLCA LILIE LKLKA LRLBR LSLSO LTLTU LULUX LVLVA LYLBY MAMAR MCMCO MDMDA MEMNE
MFMAF MGMDG MHMHL MKMKD MLMLI MMMMR MNMNG MOMAC MPMNP MQMTQ MRMRT MSMSR MTMLT MUMUS MVMDV MWMWI MXMEX MYMYS MZMOZ NANAM
NCNCL NENER NFNFK NGNGA NINIC NLNLD NONOR NPNPL NRNRU NUNIU NZNZL OMOMN PAPAN PEPER PFPYF PGPNG PHPHL PKPAK PLPOL PMSPM
PNPCN PRPRI PSPSE PTPRT PWPLW PYPRY QAQAT REREU ROROU RSSRB RURUS RWRWA SASAU SBSLB SCSYC SDSDN SESWE SGSGP SHSHN SISVN
SJSJM SKSVK SLSLE SMSMR SNSEN SOSOM SRSUR SSSSD STSTP SVSLV SXSXM SYSYR SZSWZ TCTCA TDTCD TFATF TGTGO THTHA TJTJK TKTKL
TLTLS TMTKM TNTUN TOTON TRTUR TTTTO TVTUV TWTWN TZTZA UAUKR UGUGA UMUMI USUSA UYURY UZUZB VAVAT VCVCT VEVEN VGVGB VIVIR
VNVNM VUVUT WFWLF WSWSM YEYEM YTMYT ZAZAF ZMZMB ZWZWE
"""
_ALPHA3 = _alpha3()
_COUNTRIES = _names_of_countries()


def language_of(text: object, otherwise: str) -> str:
    """A language tag such as `fr` or `pt-BR` of whatever the shop calls it (`fr_FR`, `pt-br`)."""
    found = re.fullmatch(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z0-9]{2,8}))?", line_of(text) or "")
    if found is None:
        return otherwise
    language, region = found.group(1).lower(), found.group(2)
    return language if region is None else f"{language}-{region.upper() if len(region) == 2 else region}"


def phone_of(text: object, country: str | None) -> str | None:
    """The number in E.164 where it is one in that country; else as it was written."""
    written = line_of(text, 32)
    if written is None:
        return None
    try:
        number = phonenumbers.parse(written, country)
    except phonenumbers.NumberParseException:
        return written
    possible = phonenumbers.is_possible_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if possible else written


def email_of(text: object) -> str | None:
    """An address as it was written; None for what cannot be one."""
    written = line_of(text, 254)
    return written if written and "@" in written.strip("@") else None


def address_of(
    *,
    street: object,
    city: object,
    country: object,
    otherwise: str | None,
    name: object = None,
    company: object = None,
    street2: object = None,
    region: object = None,
    postal_code: object = None,
) -> Address | None:
    """An address; None where there is nothing of one. `otherwise`: the country where it names none.

    A country that nobody knows by that name stands beside the region, and its code is UNKNOWN.
    """
    written = line_of(country)
    code = country_of(country, otherwise) or (UNKNOWN if written else None)
    if code == UNKNOWN:
        region = ", ".join(filter(None, (line_of(region), written)))
    said = [line_of(part) for part in (street, street2, city, postal_code, company, name)]
    if code is None or not any(said):
        return None
    return Address(
        name=line_of(name),
        company=line_of(company),
        street=line_of(street) or "",
        street2=line_of(street2),
        city=line_of(city) or "",
        region=line_of(region),
        postal_code=line_of(postal_code),
        country=code,
    )


def guest_id(email: str | None, external_id: str) -> str:
    """A customer's id for who has no account: the same for the same e-mail address, and naming nobody."""
    who = f"email:{email.strip().casefold()}" if email else f"order:{external_id}"
    return f"guest-{hashlib.sha256(who.encode()).hexdigest()[:20]}"


class Extras(Value):
    """What a shop's own fields say."""

    instructions: tuple[str, ...] = ()
    window: DeliveryWindow | None = None
    pickup_at: datetime | None = None
    pickup_location: str | None = None
    purchase_order: str | None = None
    design: str | None = None
    dietary: str | None = None


FIELDS: Mapping[str, str] = {
    **dict.fromkeys(("delivery_window", "delivery window", "delivery time", "delivery slot", "time slot"), "window"),
    **dict.fromkeys(
        ("delivery_date", "delivery date", "delivery-date", "requested delivery date", "ship date"), "date"
    ),
    **dict.fromkeys(("pickup_time", "pickup time", "pickup date", "pickup-date"), "pickup_at"),
    **dict.fromkeys(("pickup_location", "pickup location", "pickup store"), "pickup_location"),
    **dict.fromkeys(("purchase_order", "po number", "po_number", "purchase order"), "purchase_order"),
    **dict.fromkeys(("dietary", "allergies", "allergy", "dietary needs", "diet"), "dietary"),
    **dict.fromkeys(("design", "engraving", "personalisation", "personalization", "print", "text on it"), "design"),
}
"""Names of fields as shops give them, in lower case → what they are to us. Any other is an instruction by its name."""

WORDS = frozenset(FIELDS.values()) | {"instructions", "ignore"}
"""What a connection's `fields:` in the policy may name."""


def extras_of(pairs: Iterable[tuple[object, object]], fields: Mapping[str, str], zone: str) -> Extras:
    """What these fields (name, value) say. `fields`: the shop's own names → ours; they go before FIELDS.

    A field whose name begins with an underscore is the shop's machinery and no instruction (Shopify's and WordPress's
    own custom). A date or a slot that cannot be read is kept as an instruction, so that a person sees it.
    """
    own = {name.casefold(): word for name, word in fields.items()}
    said: dict[str, str] = {}
    instructions = []
    for key, value in pairs:
        name, text = line_of(key, 100) or "", prose_of(value)
        if text is None:
            continue
        word = own.get(name.casefold()) or FIELDS.get(name.casefold().strip(": "))
        if word is None and name.startswith("_"):
            continue
        if word in (None, "instructions"):
            instructions.append(f"{name}: {text}" if name else text)
        elif word != "ignore":
            said[word or ""] = text
    window, left = _window(said, ZoneInfo(zone))
    at = moment_in(said.get("pickup_at", ""), zone)
    unread = [said["pickup_at"]] if "pickup_at" in said and at is None else []
    return Extras(
        instructions=(*instructions, *left, *unread),
        window=window,
        pickup_at=at,
        pickup_location=said.get("pickup_location"),
        purchase_order=name_of(said.get("purchase_order")),
        design=said.get("design"),
        dietary=said.get("dietary"),
    )


OF_A_LINE = frozenset({"design", "dietary"})
OF_AN_ORDER = frozenset({"window", "date", "purchase_order"})
"""What a field may be that the other of the two has no place for."""


def word_of(name: object, fields: Mapping[str, str]) -> str | None:
    """What a field of this name is to us; None for a name that says nothing."""
    text = (line_of(name, 100) or "").casefold()
    own = {known.casefold(): word for known, word in fields.items()}
    return own.get(text) or FIELDS.get(text.strip(": "))


def extras_kept(
    pairs: Iterable[tuple[object, object]], fields: Mapping[str, str], zone: str, place_for: Collection[str]
) -> Extras:
    """As `extras_of`; what there is no place for (a line's wanted day, an order's allergies) is an instruction too."""
    own: list[tuple[object, object]] = []
    rest: list[tuple[object, object]] = []
    for pair in pairs:
        kept = word_of(pair[0], fields) in {*place_for, "instructions", "ignore", None}
        (own if kept else rest).append(pair)
    said, beside = extras_of(own, fields, zone), extras_of(rest, fields, zone)
    texts = (((line_of(name, 100) or "").strip(": "), prose_of(value)) for name, value in rest)
    instructions = (*said.instructions, *(f"{name}: {text}" for name, text in texts if text))
    found = {name: getattr(said, name) or getattr(beside, name) for name in Extras.model_fields}
    return Extras.model_validate(found | {"instructions": instructions})


FETCHED = frozenset({"pickup_at", "pickup_location"})
"""What a field may be at an order that the buyer fetches."""


def with_lines(whole: Extras, lines: Iterable[Extras]) -> Extras:
    """The order's wanted day and the buyer's number for it; where it names none, the first line's that does."""
    lines = tuple(lines)
    found = {
        "window": whole.window or next((one.window for one in lines if one.window), None),
        "purchase_order": whole.purchase_order
        or next((one.purchase_order for one in lines if one.purchase_order), None),
    }
    return whole.model_copy(update=found)


_DAY = re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})")
_CLOCK = re.compile(r"(?<![\d:])(?P<h>\d{1,2})(?::(?P<min>\d{2}))?\s*(?P<half>[ap]\.?m\.?)?(?![\d:])", re.IGNORECASE)


def day_in(text: str) -> date | None:
    """The day named year first; other orders of day and month are anybody's guess, and are not guessed."""
    found = _DAY.search(text)
    try:
        return date(int(found["y"]), int(found["m"]), int(found["d"])) if found else None
    except ValueError:
        return None


def moment_in(text: str, zone: str) -> datetime | None:
    """A moment in ISO 8601 or as `2026-11-24 15:00`, in this zone where it names none."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))


def _clocks(text: str) -> list[time]:
    found = []
    for match in _CLOCK.finditer(_DAY.sub(" ", text)):
        hour, minute, half = int(match["h"]), int(match["min"] or 0), (match["half"] or "").lower()[:1]
        if match["min"] is None and not half:
            continue
        hour = hour % 12 + (12 if half == "p" else 0) if half else hour
        if hour < 24 and minute < 60:
            found.append(time(hour, minute))
    return found


def _window(said: Mapping[str, str], zone: ZoneInfo) -> tuple[DeliveryWindow | None, list[str]]:
    """The wanted delivery, and what of it could not be read."""
    asked = [said[word] for word in ("date", "window") if word in said]
    text = " ".join(asked)
    day, clocks = day_in(text), _clocks(text)
    if day is None:
        return None, [f"delivery: {text}"] if text else []
    start = datetime.combine(day, clocks[0] if clocks else time.min, zone)
    end = datetime.combine(day, clocks[1], zone) if len(clocks) > 1 else start + timedelta(hours=1)
    if not clocks:
        end = datetime.combine(day, time(23, 59), zone)
    # in UTC: in the night when the clocks are put forward, what is later on the dial may be earlier
    if end.astimezone(UTC) <= start.astimezone(UTC):
        return None, [f"delivery: {text}"]
    return DeliveryWindow(start=start, end=end), []


NOWHERE = Doubt(
    field="delivery_address.country",
    why="The country is none that we know by that name; it stands beside the region.",
    confidence=Decimal(0),
)


def canonical(made: Mapping[str, object], origin: str) -> Order:
    """Our order of these fields. Raises InvalidInput naming each that is wrong, never a value of the buyer's.

    The same checks as at the front door (`domain.intake`), so that what is refused is refused before it is begun.
    """
    try:
        order = Order.model_validate({**made, "origin": {"system": origin}})
    except ValidationError as error:
        raise InvalidInput(list(problems_of(error))) from None
    if order.delivery_address is not None and order.delivery_address.country == UNKNOWN:
        order = order.model_copy(update={"doubts": (*order.doubts, NOWHERE)})
    checked = parse_order(order.model_dump_json())
    if isinstance(checked, tuple):
        raise InvalidInput(checked)
    return order


def refuse(field: str, problem: str, remedy: str) -> InvalidInput:
    """One named reason why this is no order that can be taken, ready to raise."""
    return InvalidInput([Problem(field=field, problem=problem, remedy=remedy)])
