"""The generic HTTP ERP against the ERPs' conformance suite and its own OpenAPI description."""

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import pytest
from openapi_core import OpenAPI
from pydantic import JsonValue

from orderack import erps
from orderack.clients import standard_webhooks
from orderack.clients.wire import scrub
from orderack.domain.order import OrderRef
from orderack.erps import http as http_erp
from orderack.erps.http import HttpErp, HttpErpSettings, Submission, Submitted
from orderack.errors import BadSignature, Refused
from orderack.ports import RawRequest
from tests.conformance.erp import LINES, NOW, REF, ErpConformance, an_order
from tests.conformance.openapi import described_as
from tests.conformance.peer import Answer, Received, json_answer
from tests.payloads import payload

API_KEY = "test-only-0123456789"
KEY = b"0123456789abcdef01234567"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OLD_KEY = b"an-older-secret-of-24-by"
RECEIPT: dict[str, JsonValue] = json.loads(payload("erp/receipt.json"))
DESCRIPTION = OpenAPI.from_file_path(str(Path(http_erp.__file__).with_name("http.openapi.yaml")))
REASON = "ada@example.com is over her credit limit"


def without(field: str) -> bytes:
    return json.dumps({name: value for name, value in RECEIPT.items() if name != field}).encode()


def changed(**fields: object) -> bytes:
    return json.dumps(RECEIPT | fields).encode()


def line(**fields: object) -> bytes:
    return changed(lines=[{"line_id": "1", "verdict": "partial", **fields}])


class TestHttpErp(ErpConformance):
    name = "http"
    secrets = (API_KEY, SECRET, SECRET.removeprefix("whsec_"), KEY.decode())
    required = ("ORDERACK_ERP_HTTP_BASE_URL", "ORDERACK_ERP_HTTP_API_KEY", "ORDERACK_ERP_HTTP_WEBHOOK_SECRET")

    queued = json_answer(201, {"document_id": "SO-100001", "status": "queued", "receipt": None})
    booked = json_answer(200, {"document_id": "SO-100001", "status": "booked", "receipt": RECEIPT})
    found = json_answer(200, RECEIPT)
    not_found = json_answer(404, {"error": "no receipt of this order"})
    cancelled = json_answer(200, {"document_id": "SO-100001", "status": "cancelled"})
    stock = json_answer(
        200,
        {
            "lines": [
                {"line_id": "1", "verdict": "available", "available": "7"},
                {"line_id": "2", "verdict": "backordered", "expected_on": "2026-12-01"},
                {"line_id": "9", "verdict": "available"},
            ]
        },
    )
    refusals = (
        json_answer(422, {"reason": REASON}),
        json_answer(409, {"reason": REASON}),
        json_answer(400, {"error": REASON}),
        json_answer(200, {"document_id": None, "status": "refused", "reason": REASON}),
    )
    ours_to_mend = (Answer(401, b""), Answer(403, b"{}"), Answer(404, b"<html>"), Answer(405), Answer(302))
    locked = tuple(json_answer(status, {}, {"Retry-After": "5"}) for status in (423, 425, 503))
    malformed: ClassVar[Mapping[bytes, str]] = {
        b"": "body",
        b"[]": "body",
        b"Analytical": "body",
        b"\xff": "body",
        b"[" * 5_000: "body",
        b'{"receipts": []}': "receipts",
        b'{"receipts": [{}]}': "receipts.0.id",
        b'{"receipts": [], "more": 1}': "more",
        without("id"): "id",
        without("document_id"): "document_id",
        without("recorded_at"): "recorded_at",
        changed(document_id=""): "document_id",
        changed(document_id=7): "document_id",
        changed(document_id="x" * 201): "document_id",
        changed(recorded_at="2026-11-21T09:30:00"): "recorded_at",
        changed(recorded_at=1795253400): "recorded_at",
        changed(revision=0): "revision",
        changed(revision=True): "revision",
        changed(revision="1"): "revision",
        changed(recordedOn="Analytical"): "recordedOn",
        changed(lines="Analytical"): "lines",
        line(verdict="Analytical"): "lines.0.verdict",
        line(quantity=0): "lines.0.quantity",
        line(quantity=-1): "lines.0.quantity",
        line(quantity=False): "lines.0.quantity",
        line(quantity="NaN"): "lines.0.quantity",
        line(quantity=1e300): "lines.0.quantity",
        line(expectedOn="2026-12-01"): "lines.0.expectedOn",
        line(expected_on="2026-13-01"): "lines.0.expected_on",
    }

    def make(self, base_url: str) -> HttpErp:
        values = {"base_url": base_url, "api_key": API_KEY, "webhook_secret": SECRET}
        return HttpErp(self.name, HttpErpSettings.model_validate(values), clock=lambda: NOW)

    def receipt(self) -> Mapping[str, object]:
        return RECEIPT

    def pushed(self, receipts: Sequence[Mapping[str, object]] | bytes, at: datetime = NOW) -> RawRequest:
        if not isinstance(receipts, bytes):
            body = receipts[0] if len(receipts) == 1 else {"receipts": receipts}
            receipts = json.dumps(body).encode()
        timestamp = str(int(at.timestamp()))
        mac = hmac.digest(KEY, b"msg-1." + timestamp.encode() + b"." + receipts, "sha256")
        headers = {
            "webhook-id": "msg-1",
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        }
        return RawRequest(url="https://acks.example.com/receipts/http", headers=headers, body=receipts)

    async def requests(self) -> Sequence[Received]:
        """One of each call, of an order whose number needs encoding."""
        ref = OrderRef(store="shop", number="A/1001")
        async with self.system(self.queued, self.not_found, self.cancelled, self.stock) as (peer, erp):
            await erp.submit(an_order(ref), 3)
            await erp.find(ref, 3)
            await erp.cancel(ref, "SO-100001", "the buyer asked")
            await erp.availability(LINES)
            return peer.received

    async def test_every_request_is_what_our_own_description_says(self) -> None:
        for request in await self.requests():
            described_as(DESCRIPTION, "https://erp.example.com", request)

    async def test_the_paths_the_key_and_the_login_are_as_documented(self) -> None:
        submitted, asked, cancelled, inquired = await self.requests()
        assert (submitted.method, submitted.target) == ("POST", "/orders")
        assert submitted.headers["idempotency-key"] == "shop/A%2F1001/3"
        assert {request.headers["authorization"] for request in (submitted, asked, cancelled, inquired)} == {
            f"Bearer {API_KEY}"
        }
        assert json.loads(submitted.body)["revision"] == 3
        assert json.loads(submitted.body)["order"]["lines"][1]["quantity"] == "5"
        assert (asked.method, asked.target) == ("GET", "/orders/shop/A%2F1001?revision=3")
        assert cancelled.target == "/orders/shop/A%2F1001/cancellation"
        assert json.loads(cancelled.body) == {"document_id": "SO-100001", "reason": "the buyer asked"}
        assert json.loads(inquired.body)["lines"][0] == {"line_id": "1", "sku": "KETTLE", "quantity": "1"}

    async def test_a_receipt_without_stock_is_none(self) -> None:
        async with self.system(json_answer(200, RECEIPT | {"lines": []})) as (_, erp):
            assert await erp.find(REF, 1) is None

    async def test_an_erp_that_leaves_out_the_revision_means_the_one_we_asked_for(self) -> None:
        nameless = {name: value for name, value in RECEIPT.items() if name != "revision"}
        async with self.system(json_answer(200, nameless)) as (_, erp):
            found = await erp.find(REF, 4)
            assert found is not None
            assert found.revision == 4
            (pushed,) = erp.receipts(self.pushed([nameless]))
            assert pushed.revision is None

    async def test_a_receipt_speaks_for_the_erp_that_signed_it_whatever_it_says(self) -> None:
        async with self.erp() as erp:
            (receipt,) = erp.receipts(self.pushed([RECEIPT | {"erp": "another"}]))
            assert receipt.erp == "http"

    async def test_a_cancellation_that_comes_too_late_is_refused(self) -> None:
        async with self.system(json_answer(409, {"reason": "already shipped"})) as (_, erp):
            with pytest.raises(Refused, match="already shipped"):
                await erp.cancel(REF, "SO-100001", "")

    async def test_one_signature_that_fits_among_several_is_enough(self) -> None:
        async with self.erp() as erp:
            request = self.pushed([RECEIPT])
            several = f"v1a,ed25519 v1,bm90IHRoaXMgb25l {request.headers['webhook-signature']}"
            erp.verify(request.model_copy(update={"headers": {**request.headers, "webhook-signature": several}}))

    async def test_two_secrets_are_live_while_rotating(self) -> None:
        both = f"{SECRET}, whsec_{base64.b64encode(OLD_KEY).decode()}"
        values = {"base_url": "http://127.0.0.1:9", "api_key": API_KEY, "webhook_secret": both}
        erp = HttpErp("http", HttpErpSettings.model_validate(values), clock=lambda: NOW)
        erp.verify(self.pushed([RECEIPT]))
        request = self.pushed([RECEIPT])
        signed = b"msg-1." + request.headers["webhook-timestamp"].encode() + b"." + request.body
        old = base64.b64encode(hmac.digest(OLD_KEY, signed, "sha256")).decode()
        erp.verify(request.model_copy(update={"headers": {**request.headers, "webhook-signature": f"v1,{old}"}}))
        await erp.aclose()


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_***", "whsec_c2hvcnQ=", "not base64 at all"])
def test_a_secret_that_is_none_is_named_and_not_shown(secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERACK_ERP_HTTP_BASE_URL", "https://erp.example.com")
    monkeypatch.setenv("ORDERACK_ERP_HTTP_API_KEY", API_KEY)
    monkeypatch.setenv("ORDERACK_ERP_HTTP_WEBHOOK_SECRET", secret)
    (lack,) = erps.build().not_configured["http"]
    assert lack.startswith("ORDERACK_ERP_HTTP_WEBHOOK_SECRET")
    assert not secret or secret not in lack


def test_the_published_signature_verifies_and_one_changed_byte_does_not() -> None:
    """The vector in the reference libraries of Standard Webhooks."""
    keys = standard_webhooks.secrets_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    then = datetime.fromtimestamp(1614265330, UTC)
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    request = RawRequest(url="https://x.example", headers=headers, body=b'{"test": 2432232314}')
    standard_webhooks.verify(request, keys, then)
    with pytest.raises(BadSignature):
        standard_webhooks.verify(request.model_copy(update={"body": b'{"test": 2432232315}'}), keys, then)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call +1 500 555-0006 now", "call <number> now"),
        ("mail ada@example.com\nnow", "mail <email> now"),
        ("line 2: 5 of 7", "line 2: 5 of 7"),
        ("a\x1b[31m\u202eb", "a[31mb"),
        ("x" * 5_000, "x" * 200),
    ],
)
def test_a_systems_sentence_loses_people_and_control_characters(text: str, shown: str) -> None:
    assert scrub(text) == shown


async def test_the_examples_in_the_documentation_are_what_the_adapter_sends_and_reads() -> None:
    page = (Path(__file__).parents[2] / "docs" / "erp-http.md").read_text()
    submission, answer, receipt = (block.partition("```")[0] for block in page.split("```json\n")[1:])
    assert Submission.model_validate_json(submission).order.number == "A-1001"
    assert Submitted.model_validate_json(answer).document_id == "SO-100001"
    suite = TestHttpErp()
    async with suite.erp() as erp:
        suite.the_receipt(erp.receipts(suite.pushed(receipt.encode()))[0])
