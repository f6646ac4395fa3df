"""The pack itself: which files it holds, and the zip.

The same order exported twice gives the same bytes, but for the export's own time, which stands in manifest.json and in
timeline.html. `SOURCE_DATE_EPOCH` sets it. Members are stored, not compressed, so that no library's version shows.
"""

import io
import re
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from importlib import resources

from pydantic import BaseModel

from orderack.dispute import verifier
from orderack.dispute.case import Case, Send, Told, build, rows_with_facts
from orderack.dispute.timeline import timeline_html
from orderack.ledger.audit import plain
from orderack.ledger.record import ChainRow, OrderRecord

_EPOCH = (1980, 1, 1, 0, 0, 0)
_FIRST = ("README.txt", "timeline.html", "verify.py")

Files = dict[str, bytes]


def pack(record: OrderRecord, zone: tzinfo, exported_at: datetime) -> bytes:
    """The zip."""
    return zipped(members(record, zone, exported_at))


def members(record: OrderRecord, zone: tzinfo, exported_at: datetime) -> Files:
    """Every file of the pack by its name."""
    case = build(record)
    names = {send.position: _name(place, send) for place, send in enumerate(_sends(case), start=1)}
    files: Files = {
        "README.txt": _room("README.txt"),
        "verify.py": _room("verifier.py", ""),
        verifier.TIMELINE: timeline_html(case, names, zone, exported_at).encode(),
        verifier.CHAIN: verifier.canonical(_chain(record, names)),
        verifier.EVIDENCE: verifier.canonical({"facts": _evidence(record)}),
        verifier.MESSAGES: verifier.canonical({"messages": [_told(told, names, zone) for told in case.told]}),
        verifier.LEVELS: verifier.canonical({"service_levels": [_plain(one) for one in case.projection.deadlines]}),
        **_messages(record, names),
        **_revisions(record),
    }
    files[verifier.MANIFEST] = _manifest(record, files, zone, exported_at)
    return files


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip of these files: the readable ones first, then by name."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files, key=lambda name: (name not in _FIRST, name)):
            member = zipfile.ZipInfo(name, _EPOCH)
            member.create_system, member.external_attr = 3, 0o100644 << 16
            archive.writestr(member, files[name])
    return made.getvalue()


def _room(name: str, folder: str = "templates") -> bytes:
    return (resources.files("orderack.dispute") / folder / name).read_bytes()


def _manifest(record: OrderRecord, files: Files, zone: tzinfo, exported_at: datetime) -> bytes:
    unsealed = {
        "format": verifier.FORMAT,
        "order": {"store": record.ref.store, "number": record.ref.number},
        "exported_at": exported_at.astimezone(UTC).isoformat(timespec="seconds"),
        "zone": str(zone),
        "chain": {"length": record.length, "head": record.head},
        "files": {name: {"sha256": verifier.sha256(held), "size": len(held)} for name, held in files.items()},
    }
    return verifier.canonical({**unsealed, "seal": verifier.sha256(verifier.canonical(unsealed))})


def _chain(record: OrderRecord, names: Mapping[int, str]) -> dict[str, object]:
    def row(one: ChainRow) -> dict[str, object]:
        name = names.get(one.position) if one.content is not None else None
        if one.subject == "revision" and one.content is not None:
            name = f"revisions/{one.subject_id}/order.json"
        return {**one.model_dump(exclude={"content"}), "file": name}

    order = {"store": record.ref.store, "number": record.ref.number}
    return {"order": order, "length": record.length, "head": record.head, "rows": [row(one) for one in record.rows]}


def _evidence(record: OrderRecord) -> list[dict[str, object]]:
    found = []
    for row in rows_with_facts(record, "evidence", "graded_evidence"):
        channel, _, event_id = row.subject_id.partition("/")
        own = {"position": row.position, "channel": channel, "event_id": event_id, "raw": row.content}
        found.append({**(row.fact or {}), **own})
    return found


def _told(told: Told, names: Mapping[int, str], zone: tzinfo) -> dict[str, object]:
    marks = {name: _plain(mark) if (mark := getattr(told.proof, name)) else None for name in verifier.PROOFS}
    return {
        "kind": told.kind,
        "revision": told.revision,
        "n": told.n,
        "out_at": plain(told.out_at),
        "grade": told.grade,
        "claim": told.claim(zone),
        "assented": told.proof.assented,
        "sends": [_send(send, names) for send in told.channels],
        **marks,
    }


def _send(send: Send, names: Mapping[int, str]) -> dict[str, object]:
    shown = send.model_dump(include={"position", "channel", "state", "provider_id", "reason", "message_sha256"})
    return {**shown, "finished_at": plain(send.finished_at), "file": names[send.position] if send.message else None}


def _messages(record: OrderRecord, names: Mapping[int, str]) -> Files:
    """Each message exactly as stored, and its words apart, to be read."""
    files: Files = {}
    for send in _sends(build(record)):
        content = next(row.content for row in record.rows if row.position == send.position)
        if send.message is None or content is None:
            continue
        name = names[send.position]
        stem = name.removesuffix(".json")
        files[name] = content.encode()
        files[f"{stem}.txt"] = send.message.content.text.encode()
        if send.message.content.html is not None:
            files[f"{stem}.html"] = (verifier.GUARD + send.message.content.html).encode()
    return files


def _revisions(record: OrderRecord) -> Files:
    files: Files = {}
    for row in rows_with_facts(record, "revision"):
        fact, folder = row.fact or {}, f"revisions/{row.subject_id}"
        files[f"{folder}/assessment.json"] = str(fact["assessment"]).encode()
        files[f"{folder}/explanation.json"] = str(fact["explanation"]).encode()
        if row.content is not None:
            files[f"{folder}/order.json"] = row.content.encode()
    return files


def _sends(case: Case) -> list[Send]:
    return [send for told in case.told for send in told.channels]


def _name(place: int, send: Send) -> str:
    channel = re.sub(r"[^a-z0-9_]", "-", send.channel.lower())[:40]
    return f"messages/{place:03}-revision-{send.revision}-{send.kind}-{send.n}-{channel}.json"


def _plain(value: BaseModel) -> dict[str, object]:
    return {name: plain(held) for name, held in value}
