"""The pages' worked examples: what they tell people to copy is run here as it stands there."""

import asyncio
import json
import os
import re
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus
from orderack.policy.model import ConnectionPolicy
from orderack.ports import Connection, Hint, RawRequest, Reading, Snapshot, Source
from orderack.sources import load
from tests.conformance.peer import json_answer, running_peer

DOCS = Path(__file__).resolve().parents[2] / "docs" / "sources"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SETTINGS = {
    "form": {"SECRET": SECRET},
    "ai_phone": {"SECRET": SECRET},
    "hubspot_deal": {"CLIENT_SECRET": SECRET, "TOKEN": "pat-eu1"},
    "salesforce_deal": {
        "WEBHOOK_SECRET": SECRET,
        "BASE_URL": "https://x.my.salesforce.com",
        "CLIENT_ID": "id",
        "CLIENT_SECRET": "secret",
    },
    "zoho_deal": {"WEBHOOK_SECRET": SECRET, "CLIENT_ID": "id", "CLIENT_SECRET": "secret", "REFRESH_TOKEN": "token"},
}
HINTS = {
    "hubspot_deal": "9007199254740993",
    "salesforce_deal": "006Hu00001AbCdEIAV",
    "zoho_deal": "4150868000000700001",
}


def blocks(system: str, language: str) -> list[str]:
    """The code in this language, in the page's order."""
    page = (DOCS / f"{system}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def connection(system: str, block: int = 0) -> Connection:
    """As the page's policy has it."""
    row = yaml.safe_load(blocks(system, "yaml")[block])["connections"][system]
    said = ConnectionPolicy.model_validate(row)
    return Connection(
        store="shop",
        system=system,
        source=said.source,
        country="DE",
        time_zone="Europe/Berlin",
        fields=said.fields,
        sure_from=said.sure_from,
    )


def built(system: str, monkeypatch: pytest.MonkeyPatch, block: int = 0) -> Source:
    for name, value in SETTINGS[system].items():
        monkeypatch.setenv(f"P_{name}", value)
    return load()[system].make(connection(system, block), "P_")


async def run_as_it_stands(*command: str, stdin: str = "") -> None:
    environment = {**os.environ, "SECRET": SECRET}
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    assert json.loads(said.decode().strip().splitlines()[-1]) == {"deliveries": 1}


async def posted(system: str, tmp_path: Path, block: int = 0) -> RawRequest:
    """What the page's script posts of the page's JSON."""
    body, script = tmp_path / "body.json", tmp_path / "post_signed.py"
    body.write_text(blocks(system, "json")[block], encoding="utf-8")
    script.write_text(blocks(system, "python")[0], encoding="utf-8")
    async with running_peer() as peer:
        peer.will(json_answer(200, {"deliveries": 1}))
        url = f"{peer.url}/intake/shop/{system}"
        await run_as_it_stands(sys.executable, str(script), str(body), url)
        (request,) = peer.received
    return RawRequest(url=url, headers=dict(request.headers), body=request.body)


async def taken(source: Source, request: RawRequest) -> Reading:
    """Verified and read."""
    await source.verify(request)
    (delivery,) = source.deliveries(request)
    (reading,) = await source.read(delivery)
    await source.aclose()
    return reading


async def test_the_portal_of_the_page_becomes_an_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reading = await taken(built("form", monkeypatch), await posted("form", tmp_path))
    assert isinstance(reading, Snapshot)
    order = reading.order
    assert (order.number, order.source, order.customer.name) == ("10023", "portal", "Ada Example")
    assert order.totals.total == add_up(order) == Decimal("58.61")
    assert [(line.quantity, line.design) for line in order.lines] == [(10, "For Bob"), (Decimal("0.5"), None)]
    assert order.trigger_at == datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    assert order.delivery_window is not None


async def test_the_till_of_the_page_becomes_an_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    reading = await taken(built("form", monkeypatch, 1), await posted("form", tmp_path, 1))
    assert isinstance(reading, Snapshot)
    order = reading.order
    assert (order.number, order.source, order.payment.terms) == ("T2-42", "pos", "prepaid by cash")
    assert order.payment.status is PaymentStatus.CONFIRMED
    assert order.totals.total == add_up(order) == Decimal("25.50")
    assert order.totals.discount == Decimal("1.50")


async def test_the_call_of_the_page_becomes_an_order_with_one_doubt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reading = await taken(built("ai_phone", monkeypatch), await posted("ai_phone", tmp_path))
    assert isinstance(reading, Snapshot)
    assert [doubt.field for doubt in reading.order.doubts] == ["lines[0].quantity"]
    assert reading.order.totals.total == add_up(reading.order) == 35


@pytest.mark.parametrize("system", ["hubspot_deal", "salesforce_deal"])
async def test_the_event_of_the_page_is_believed_and_names_a_deal(
    system: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reading = await taken(built(system, monkeypatch), await posted(system, tmp_path))
    assert reading == Hint(external_id=HINTS[system])


async def test_zohos_webhook_of_the_page_is_believed_and_names_a_deal(monkeypatch: pytest.MonkeyPatch) -> None:
    command = next(one for one in blocks("zoho_deal", "sh") if "X-Orderack-Secret" in one)
    assert '-H "X-Orderack-Secret: $SECRET"' in command
    body = blocks("zoho_deal", "json")[0].encode()
    request = RawRequest(
        url="https://o.example/intake/shop/zoho_deal", headers={"x-orderack-secret": SECRET}, body=body
    )
    assert await taken(built("zoho_deal", monkeypatch), request) == Hint(external_id=HINTS["zoho_deal"])


@pytest.mark.parametrize("system", sorted(SETTINGS))
def test_every_setting_of_the_page_is_one_and_every_one_is_on_the_page(system: str) -> None:
    page = (DOCS / f"{system}.md").read_text(encoding="utf-8")
    rows = [row for row in page.splitlines() if re.match(r"\| `[A-Z_]+`", row)]
    named: set[Any] = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])}
    known = {one.name.removeprefix("P_") for one in load()[system].variables_of("P_")}
    assert named <= known, named - known
    assert known - named <= {"BASE_URL", "API_VERSION"}, known - named
