"""What an order came from, part by part: the mail and its files, or the body that a system posted."""

import re
import unicodedata
from pathlib import PurePosixPath

from pydantic import AwareDatetime

from orderack.domain.order import Name, Text
from orderack.domain.value import Value
from orderack.ports import Delivery, InboxEvent
from orderack.sources._mail import CUT, TOPIC, original_of
from orderack.sources._mail_parts import take_apart

_LONGEST = 80
_ENDING = 12
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)


class Part(Value):
    """One piece of it. `name` is the sender's word, and no path of ours."""

    number: int
    name: Text
    kind: Name
    """What the sender says that it is."""
    file: Name
    """The name under which it is saved: nobody else's, and harmless anywhere."""
    data: bytes


class Original(Value):
    """One delivery."""

    id: int
    connection: Name
    delivery: Name
    received_at: AwareDatetime
    parts: tuple[Part, ...]
    left_out: tuple[Text, ...] = ()
    """What of a mail was not taken apart; all that was kept is in its first part."""


def original(row: InboxEvent) -> Original:
    """The delivery in this row of the inbox. Raises InvalidInput where it is not what was kept."""
    delivery = Delivery.model_validate_json(row.body)
    found, left_out = (
        _mail(delivery) if delivery.topic in (TOPIC, CUT) else ([("body", "", delivery.body.encode())], ())
    )
    parts = tuple(
        Part(
            number=number,
            name=name[:200],
            kind=kind[:100] or "text/plain",
            file=f"{row.id}-{number:02d}-{safe_name(name)}",
            data=data,
        )
        for number, (name, kind, data) in enumerate(found, 1)
    )
    return Original(
        id=row.id,
        connection=row.source.removeprefix("sources/"),
        delivery=delivery.id,
        received_at=row.received_at,
        parts=parts,
        left_out=left_out,
    )


def _mail(delivery: Delivery) -> tuple[list[tuple[str, str, bytes]], tuple[str, ...]]:
    raw = original_of(delivery)
    mail = take_apart(raw)
    cut = ("what is beyond its beginning was not kept",) if delivery.topic == CUT else ()
    texts = (("text.txt", "text/plain", mail.text), ("html.txt", "text/html", mail.html))
    return [
        ("mail.eml", "message/rfc822", raw),
        *((name, kind, words.encode("utf-8", "replace")) for name, kind, words in texts if words.strip()),
        *((one.name or "attachment", one.kind, one.data) for one in mail.attachments),
    ], (*cut, *mail.left_out)


def safe_name(name: str) -> str:
    """A file's name without folders, marks that steer a shell or a terminal, and names that a system keeps for itself.

    A mail's HTML is saved as text, so that no browser opens it and tells its sender.
    """
    last = PurePosixPath(unicodedata.normalize("NFKC", name).replace("\\", "/")).name
    kept = re.sub(r"[^\w.-]+", "_", last).strip("._-")
    stem, dot, ending = kept.rpartition(".")
    if dot and len(ending) <= _ENDING:
        kept = f"{stem[: _LONGEST - _ENDING].rstrip('.')}.{ending}"
    kept = kept[:_LONGEST]
    if re.search(r"\.(?:x?html?|svg|mht(?:ml)?)$", kept, re.IGNORECASE):
        kept = f"{kept}.txt"
    return f"_{kept}" if _RESERVED.match(kept) else kept or "part"
