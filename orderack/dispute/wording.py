"""What a pack tells people, written once more from its own chain: a sentence that was altered alone is found by this.

The verifier inside a pack cannot do it, for it has none of this program's words; so it holds for packs of this version.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from orderack.dispute import verifier
from orderack.dispute.pack import Files, members
from orderack.domain.order import OrderRef
from orderack.ledger.record import ChainRow, OrderRecord


def reworded(files: Files) -> list[str]:
    """The files that are not what this program writes of the pack's chain. Raises ValueError where it cannot tell."""
    manifest, chain = (json.loads(files[name]) for name in (verifier.MANIFEST, verifier.CHAIN))
    if "zone" not in manifest:
        raise ValueError("it was written before packs named their time zone")
    at = datetime.fromisoformat(manifest["exported_at"])
    raw = {one["position"]: one["raw"] for one in json.loads(files[verifier.EVIDENCE])["facts"]}
    record = OrderRecord(
        ref=OrderRef.model_validate(chain["order"]),
        received_at=at,
        length=chain["length"],
        head=chain["head"],
        rows=tuple(_row(row, files, raw) for row in chain["rows"]),
        breaks=(),
    )
    ours = members(record, ZoneInfo(manifest["zone"]), at)
    return sorted(name for name in ours.keys() | files.keys() if ours.get(name) != files.get(name))


def _row(row: dict[str, object], files: Files, raw: Mapping[int, str | None]) -> ChainRow:
    name = row.pop("file")
    content = files[str(name)].decode() if name is not None else None
    found = ChainRow.model_validate(row)
    return found.model_copy(update={"content": raw.get(found.position, content)})
