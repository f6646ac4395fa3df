"""The SuiteScript that we supply, run as it is: what it posts is believed, and says what the adapter reads itself."""

import asyncio
import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright._impl._driver import compute_driver_executable
from pydantic import JsonValue

from orderack.domain.receipt import ErpReceipt
from orderack.erps.netsuite import NetsuiteErp, NetsuiteSettings
from orderack.errors import BadSignature
from orderack.ports import RawRequest
from tests.conformance.erp import REF
from tests.conformance.peer import json_answer, running_peer
from tests.erps.test_http import KEY, SECRET
from tests.erps.test_netsuite import OWN, document, line
from tests.erps.test_netsuite import TestNetsuiteErp as _Suite

HERE = Path(__file__).resolve().parents[1]
SCRIPT = HERE.parent / "docs" / "erps" / "netsuite" / "orderack_receipt.js"
HARNESS = HERE / "payloads" / "netsuite_script.js"
NAMES = {
    "quantityBackOrdered": "quantitybackordered",
    "quantityCommitted": "quantitycommitted",
    "quantityFulfilled": "quantityfulfilled",
    "isClosed": "isclosed",
    "expectedShipDate": "expectedshipdate",
}
"""Fields of the record service, and the script's own names of them."""


def in_script(one: JsonValue) -> JsonValue:
    """The same line as a script sees it. Nothing is `null` there: what is not set is empty."""
    assert isinstance(one, dict)
    item, kind = one["item"], one.get("itemType")
    assert isinstance(item, dict)
    shown: dict[str, JsonValue] = {
        "custcol_orderack_line": one.get("custcol_orderack_line", ""),
        "item": str(item["id"]),
        "item_text": item.get("refName") or str(item["id"]),
        "quantity": one.get("quantity", ""),
        "itemtype": kind["id"] if isinstance(kind, dict) else "",
    }
    return shown | {ours: one.get(theirs, "") for theirs, ours in NAMES.items()}


def order(lines: Sequence[JsonValue], status: str = "B", revision: int = 1) -> JsonValue:
    read: dict[str, JsonValue] = json.loads(document(status, revision).body)
    return {
        "id": 4711,
        "fields": {
            "orderstatus": status,
            "custbody_orderack_order": read["custbody_orderack_order"],
            "tranid": read["tranId"],
            "createddate": read["createdDate"],
            "lastmodifieddate": read["lastModifiedDate"],
        },
        "lines": [in_script(one) for one in lines],
    }


async def posted(shown: JsonValue, **more: JsonValue) -> RawRequest | None:
    """What the script posts after a save; None: nothing."""
    node, _ = compute_driver_executable()
    given = {"secret": base64.b64encode(KEY).decode(), "order": shown, "type": "edit", **more}
    process = await asyncio.create_subprocess_exec(
        str(node), str(HARNESS), str(SCRIPT), json.dumps(given), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, "a script that throws would refuse the save"
    if not out:
        return None
    said = json.loads(out)
    headers = {name.lower(): text for name, text in said["headers"].items()}
    return RawRequest(url=said["url"], headers=headers, body=said["body"].encode())


def adapter(base_url: str = "http://127.0.0.1:9", later: timedelta = timedelta(0)) -> NetsuiteErp:
    values = {"account": "1234567", **OWN, "webhook_secret": SECRET, "base_url": base_url}
    return NetsuiteErp("netsuite", NetsuiteSettings.model_validate(values), clock=lambda: datetime.now(UTC) + later)


async def asked(lines: Sequence[JsonValue]) -> ErpReceipt | None:
    """What the adapter reads of the same order."""
    async with running_peer() as peer:
        body: dict[str, JsonValue] = json.loads(document(lines=lines).body)
        peer.will(json_answer(200, body))
        erp = adapter(peer.url)
        try:
            return await erp.find(REF, 1)
        finally:
            await erp.aclose()


CHARGE: JsonValue = {"line": 3, "item": {"id": "901"}, "amount": 4.9}
LINES: Mapping[str, Sequence[JsonValue]] = {
    case: [line(1, "1", "77", 1), said, CHARGE] for case, (said, _) in _Suite.VERDICTS.items()
} | {
    "stock not looked at": [
        line(1, "1", "77", 1),
        line(2, "2", "78", 5, itemType={"id": "InvtPart"}, quantityCommitted=0, quantityBackOrdered=0),
    ],
    "a line lost": [line(1, "1", "77", 1)],
}


@pytest.mark.parametrize("case", LINES)
async def test_what_the_script_pushes_is_what_the_adapter_reads(case: str) -> None:
    request, read = await posted(order(LINES[case])), await asked(LINES[case])
    if request is None:
        assert read is None
        return
    erp = adapter()
    erp.verify(request)
    assert erp.receipts(request) == (read,)
    await erp.aclose()


async def test_its_signature_is_the_published_one_and_neither_a_change_nor_a_replay_is_believed() -> None:
    request = await posted(order(LINES["back-ordered"]))
    assert request is not None
    said = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    mac = base64.b64encode(hmac.digest(KEY, said, "sha256")).decode()
    assert request.headers["webhook-signature"] == f"v1,{mac}"
    erp = adapter()
    with pytest.raises(BadSignature):
        erp.verify(request.model_copy(update={"body": request.body.replace(b"backordered", b"available")}))
    with pytest.raises(BadSignature):
        adapter(later=timedelta(minutes=6)).verify(request)
    await erp.aclose()


async def test_it_names_the_revision_that_is_booked_and_when() -> None:
    read = json.loads(document(revision=2).body)["item"]["items"]
    request = await posted(order(read, revision=2))
    assert request is not None
    body = json.loads(request.body)
    assert (body["id"], body["revision"], body["recorded_at"]) == ("4711/2", 2, "2026-11-21T09:31:00.000Z")


async def test_nothing_is_pushed_of_what_is_not_approved_not_ours_deleted_or_cannot_be_read() -> None:
    lines = LINES["back-ordered"]
    strangers = order(lines)
    assert isinstance(strangers, dict)
    assert isinstance(strangers["fields"], dict)
    strangers["fields"]["custbody_orderack_order"] = ""
    assert await posted(order(lines, "A")) is None
    assert await posted(strangers) is None
    assert await posted(order(lines), type="delete") is None
    assert await posted(order(lines), broken=True) is None
