"""An order with a word of its own in every field that may be somebody's, and where those words are looked for."""

import base64
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from orderack.domain.order import (
    Address,
    ChatId,
    Contacts,
    Customer,
    DeliveryWindow,
    Doubt,
    ExternalId,
    Line,
    Order,
    Payment,
    PaymentStatus,
    Pickup,
    Totals,
)

WORD = "canaryzq"
"""In every one of them."""
PHONE = "+49305557894"
"""No letters fit into one."""
DIGITS = PHONE[1:]


def a_word(field: str) -> str:
    return f"{WORD}-{field}"


def an_address(of: str) -> Address:
    fields = ("name", "company", "street", "street2", "city", "region", "postal_code")
    return Address(country="DE", **{name: a_word(f"{of}-{name}") for name in fields})


def a_canary_order(number: str, *, fetched: bool = False) -> Order:
    """Complete, paid and bookable; delivered; or fetched by the buyer, and for a person to look at first."""
    now = datetime.now(UTC)
    line = Line(
        line_id="1",
        sku=a_word("sku"),
        model=a_word("model"),
        description=a_word("description"),
        quantity=Decimal(2),
        unit_price=Decimal("12.50"),
        instructions=a_word("line-instructions"),
        design=a_word("design"),
        dietary=a_word("dietary"),
        codes=(ExternalId(system="gtin", id=a_word("code")),),
    )
    return Order(
        store="demo",
        number=number,
        source="web",
        trigger_at=now,
        customer=Customer(id=f"C-{number}", name=a_word("customer")),
        contacts=Contacts(
            email=f"{WORD}@example.com",
            phone=PHONE,
            chats=(ChatId(platform="telegram", id=a_word("chat")),),
            e_wallet_id=a_word("wallet"),
        ),
        lines=(line,),
        delivery_address=None if fetched else an_address("delivery"),
        pickup=Pickup(location=a_word("pickup"), at=now + timedelta(days=3)) if fetched else None,
        delivery_window=DeliveryWindow(start=now + timedelta(days=2), end=now + timedelta(days=4)),
        billing_address=an_address("billing"),
        payment=Payment(status=PaymentStatus.CONFIRMED, terms=a_word("terms"), method=a_word("method")),
        currency="EUR",
        totals=Totals(total=line.amount),
        instructions=a_word("instructions"),
        external_ids=(ExternalId(system="shop", id=a_word("external")),),
        purchase_order=a_word("purchase-order"),
        doubts=(Doubt(field="lines", why=a_word("doubt"), confidence=Decimal("0.9")),) if fetched else (),
    )


def spellings(words: Iterable[str]) -> Mapping[bytes, str]:
    """Each word as it is, and in base64 at each of its three places."""
    found: dict[bytes, str] = {}
    for word in words:
        found[word.encode()] = word
        for before in range(3):
            whole = base64.b64encode(b"\0" * before + word.encode())
            found[whole[-(-before * 8 // 6) : -4]] = f"{word} in base64"
    return found


SPELLINGS = spellings((WORD, DIGITS))


def seen_in(data: bytes) -> set[str]:
    """Which of the words, in which spelling."""
    lower = data.lower()
    return {said for spelled, said in SPELLINGS.items() if spelled in (lower if said == WORD else data)}


def seen_in_files(files: Iterable[Path]) -> dict[str, set[str]]:
    found = {file.name: seen_in(file.read_bytes()) for file in files}
    return {name: words for name, words in found.items() if words}
