"""`/intake/{store}/edi_x12`: an interchange is recorded, told, and acknowledged in the very response."""

from datetime import UTC, datetime

import httpx
import pytest

from orderack.embedded.sandbox.signatures import standard_webhooks
from orderack.intake.memory import recall
from orderack.sources.edi_x12 import EdiX12, EdiX12Settings
from tests.edi import interchanges as edi
from tests.gateway.conftest import Gateway
from tests.sources.edi_partner import SECRET, connection, said

URL = "/intake/demo/edi_x12"


@pytest.fixture
def source(gateway: Gateway) -> EdiX12:
    settings = EdiX12Settings.model_validate({"inbound_secret": SECRET})
    made = EdiX12(connection().model_copy(update={"store": "demo"}), settings, "", gateway.clock)
    gateway.parts.sources["demo/edi_x12"] = made  # type: ignore[index]
    recall(gateway.parts.sources, gateway.ledger, gateway.clock)
    return made


async def post(gateway: Gateway, body: bytes) -> httpx.Response:
    headers = standard_webhooks(SECRET, "msg_1", int(datetime.now(UTC).timestamp()), body)
    return await gateway.http.post(URL, content=body, headers=headers)


async def test_an_850_is_answered_with_its_997_at_once_and_twice_is_once(gateway: Gateway, source: EdiX12) -> None:
    answers = [await post(gateway, edi.one(edi.order())) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].headers["content-type"].startswith("application/edi-x12")
    assert answers[0].text == answers[1].text
    assert said(answers[0].text, "AK9") == [["AK9", "A", "1", "1", "1"]]
    assert [order.number for order in gateway.orders.submitted] == ["PO-4711"]
    assert await gateway.inbox() == []


async def test_what_is_refused_is_answered_so_and_kept_for_a_person(gateway: Gateway, source: EdiX12) -> None:
    await post(gateway, edi.one(edi.order()))
    other = await post(gateway, edi.one(edi.order(tail=["CTT*3"])))
    assert other.status_code == 422
    assert said(other.text, "TA1")[0][4:] == ["R", "025"]
    unreadable = await post(gateway, b"no interchange")
    assert (unreadable.status_code, unreadable.text[:15]) == (422, "ISA (segment 1)")
    refused = await gateway.ledger.refused("demo/edi_x12")
    assert len(refused) == 2
    assert len(gateway.orders.submitted) == 1


async def test_twenty_megabytes_are_refused_in_words(gateway: Gateway, source: EdiX12) -> None:
    answer = await post(gateway, edi.one(edi.order()) * 20_000)
    assert answer.status_code == 413
    assert "4096 KiB" in answer.text
    assert await gateway.inbox() == []


async def test_a_stranger_gets_no_acknowledgement(gateway: Gateway, source: EdiX12) -> None:
    answer = await gateway.http.post(URL, content=edi.one(edi.order()))
    assert answer.status_code == 401
    assert await gateway.inbox() == []
