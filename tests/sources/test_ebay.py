"""eBay: notifications and their signature, orders as they are fetched and looked up."""

import asyncio
import base64
import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from openapi_core import OpenAPI
from pydantic import JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import DIGITAL, PaymentStatus, TaxBasis
from orderack.errors import BadSignature, InvalidInput, Misconfigured, Refused, Unavailable
from orderack.ports import Connection, Delivery, Hint, RawRequest, Skipped, Snapshot, Source, Standing
from orderack.sources._ebay_signature import KEPT, MOST_KEYS
from orderack.sources.ebay import KEYS, ORDERS, Ebay, EbaySettings
from tests.conformance.openapi import described_as
from tests.conformance.peer import Answer, CutOff, Peer, Received, json_answer, running_peer
from tests.conformance.source import NOW, SPECS, Sample, SampleConformance, SourceConformance, given, quickly, st
from tests.payloads import payload
from tests.sources.test_amazon import ODD, mutated, paths_of

CONNECTION = Connection(store="shop", system="ebay", source="shop", country="US")
ORDER = json.loads(payload("ebay/order.json"))
TOLD = payload("ebay/order_confirmation.json")
VECTORS = json.loads(payload("ebay/signature_test_vectors.json"))
SECRETS = ("cert-id-of-tests", "v^1.1#refresh-of-tests", "verification_token_of_tests_of_40_letters")
TOKEN = json_answer(200, {"access_token": "v^1.1#token", "token_type": "Application Access Token", "expires_in": 7200})
URL = "https://shop.example/intake/shop/ebay"
KID = "9936261a-7d7b-4621-a0f1-96ccb428af49"


@cache
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | None = None) -> str:
    """On one line, as eBay gives it."""
    found = public or key().public_key()
    return found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().replace("\n", "")


def header(signed: bytes, digest: str = "SHA1", **more: str) -> str:
    algorithm = {"SHA1": hashes.SHA1, "SHA256": hashes.SHA256}.get(digest, hashes.SHA1)()
    signature = base64.b64encode(key().sign(signed, ec.ECDSA(algorithm))).decode()
    return base64.b64encode(
        json.dumps({"alg": "ecdsa", "kid": KID, "signature": signature, "digest": digest, **more}).encode()
    ).decode()


def posted(body: bytes, signature: str) -> RawRequest:
    return RawRequest(url=URL, headers={"x-ebay-signature": signature}, body=body)


def ebay(base_url: str = "http://127.0.0.1:9", now: datetime = NOW) -> Ebay:
    settings = EbaySettings(
        _env_file=None,
        client_id="Example-orderack-PRD-1",
        client_secret=SECRETS[0],
        refresh_token=SECRETS[1],
        verification_token=SECRETS[2],
        base_url=base_url,
    )
    clock = [now]
    source = Ebay(CONNECTION, settings, "ORDERACK_SOURCE_SHOP_EBAY_", clock=lambda: clock[0])
    source.test_clock = clock
    return source


def knowing(source: Ebay) -> Ebay:
    source._keys.keep(KID, key().public_key(), NOW)
    return source


def changed(path: str, value: JsonValue) -> dict[str, JsonValue]:
    body = copy.deepcopy(ORDER)
    *way, last = path.split(".")
    at = body
    for step in way:
        at = at[int(step)] if step.isdigit() else at[step]
    at[int(last) if last.isdigit() else last] = value
    return body


def usd(value: str) -> dict[str, JsonValue]:
    return {"value": value, "currency": "USD"}


async def read(body: JsonValue) -> Snapshot | Skipped | Hint:
    source = ebay()
    (found,) = await source.read(Delivery(id="1", body=json.dumps(body)))
    await source.aclose()
    return found


async def snapshot(body: JsonValue) -> Snapshot:
    found = await read(body)
    assert isinstance(found, Snapshot)
    return found


class TestEbay(SourceConformance):
    name = "ebay"
    secrets = SECRETS
    required = ("client_id", "client_secret", "refresh_token", "verification_token")
    body = TOLD
    """With the spaces of a page, signed as it is: then one space more is another body."""

    def make(self, base_url: str = "http://127.0.0.1:9") -> Source:
        return knowing(ebay(base_url))

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return posted(body, header(body))


class TestSamples(SampleConformance):
    folder = "ebay"

    def source(self) -> Source:
        return ebay()

    def samples(self, path: Path) -> Sequence[Sample] | str:
        body = json.loads(path.read_bytes())
        orders = body.get("orders", [body])
        found = [one for one in orders if "lineItems" in one]
        if not found:
            return "a notification, or a signature's test: what it is about has to be fetched"
        return [
            Sample(
                f"{path.name} {one['orderId']}",
                Delivery(id=one["orderId"], body=json.dumps(one)),
                Decimal(one["pricingSummary"]["total"]["value"]),
            )
            for one in found
        ]


# -- the signature --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fate"),
    [("VALID", None), ("INVALID", BadSignature), ("SIGNATURE_MISMATCH", BadSignature), ("ERROR", Unavailable)],
)
async def test_ebays_own_vectors_hold_or_fail_as_ebay_says(name: str, fate: type[Exception] | None) -> None:
    vector = VECTORS[name]
    body = json.dumps(vector["message"], separators=(",", ":")).encode()
    async with running_peer() as peer:
        answer = json_answer(200, vector["response"]) if vector["response"] else Answer(500, b"")
        peer.will(TOKEN, answer)
        source = ebay(peer.url)
        if fate is None:
            await source.verify(posted(body, vector["signature"]))
            spaced = json.dumps(vector["message"], indent=2).encode()
            await source.verify(posted(spaced, vector["signature"]))
            assert len(peer.received) == 2, "the key is kept"
        else:
            with pytest.raises(fate):
                await source.verify(posted(body, vector["signature"]))
        await source.aclose()
        kid = json.loads(base64.b64decode(vector["signature"]))["kid"]
        assert peer.received[1].target == f"{KEYS}/{kid}"
        assert peer.received[1].headers["authorization"] == "Bearer v^1.1#token"
        form = parse_qs(peer.received[0].body.decode())
        assert form == {
            "grant_type": ["client_credentials"],
            "scope": ["https://api.ebay.com/oauth/api_scope"],
        }


@pytest.mark.parametrize("digest", ["SHA1", "SHA256"])
async def test_the_digest_is_the_one_that_is_named_and_the_bytes_may_be_those_that_came_or_json_anew(
    digest: str,
) -> None:
    compact = json.dumps(json.loads(TOLD), ensure_ascii=False, separators=(",", ":")).encode()
    unicode = '{"title":"緑茶 – é","n":1}'.encode()
    source = knowing(ebay())
    await source.verify(posted(TOLD, header(TOLD, digest)))
    await source.verify(posted(TOLD, header(compact, digest)))
    await source.verify(posted(json.dumps(json.loads(unicode)).encode(), header(unicode, digest)))
    other = "SHA256" if digest == "SHA1" else "SHA1"
    lying = json.loads(base64.b64decode(header(TOLD, digest))) | {"digest": other}
    with pytest.raises(BadSignature):
        await source.verify(posted(TOLD, base64.b64encode(json.dumps(lying).encode()).decode()))
    await source.aclose()


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "no base64!",
        base64.b64encode(b"no json").decode(),
        base64.b64encode(b"{}").decode(),
        header(TOLD, digest="MD5"),
        header(TOLD, alg="none"),
        header(TOLD, kid="../../secrets"),
        header(TOLD, kid="http://evil.example/key"),
        header(TOLD, signature="not base64"),
        header(TOLD, signature=""),
        header(TOLD[:-1]),
    ],
)
async def test_a_signature_that_is_none_is_not_believed_and_asks_nobody(signature: str) -> None:
    source = knowing(ebay())
    with pytest.raises(BadSignature):
        await source.verify(posted(TOLD, signature))
    await source.aclose()


@pytest.mark.parametrize("answer", [json_answer(404, {"errors": [{"errorId": 195001}]}), json_answer(400, {})])
async def test_a_key_that_ebay_does_not_have_is_asked_for_once(answer: Answer) -> None:
    async with running_peer() as peer:
        peer.will(TOKEN, answer)
        source = ebay(peer.url)
        for _ in range(3):
            with pytest.raises(BadSignature):
                await source.verify(posted(TOLD, header(TOLD)))
        assert len(peer.received) == 2
        await source.aclose()


async def test_of_many_strange_keys_at_once_no_more_are_asked_for_than_one_by_one() -> None:
    async with running_peer() as peer:
        source = ebay(peer.url)
        peer.will(TOKEN, json_answer(404, {}))
        posts = [posted(TOLD, header(TOLD, kid=f"none-{number}")) for number in range(3 * MOST_KEYS)]
        fates = await asyncio.gather(*(source.verify(post) for post in posts), return_exceptions=True)
        await source.aclose()
    assert {type(fate) for fate in fates} == {BadSignature, Unavailable}
    assert len(peer.received) == 1 + MOST_KEYS


async def test_of_many_keys_that_are_none_no_more_are_asked_for_but_a_good_one_is_renewed() -> None:
    async with running_peer() as peer:
        source = knowing(ebay(peer.url))
        peer.will(TOKEN, json_answer(404, {}))
        for number in range(MOST_KEYS):
            with pytest.raises(BadSignature):
                await source.verify(posted(TOLD, header(TOLD, kid=f"none-{number}")))
        with pytest.raises(Unavailable):
            await source.verify(posted(TOLD, header(TOLD, kid="one-more")))
        assert len(peer.received) == 1 + MOST_KEYS
        source.test_clock[0] = NOW + KEPT - timedelta(seconds=1)
        await source.verify(posted(TOLD, header(TOLD)))
        assert len(peer.received) == 1 + MOST_KEYS
        source.test_clock[0] = NOW + KEPT + timedelta(seconds=1)
        peer.will(json_answer(200, {"key": pem(), "algorithm": "ECDSA", "digest": "SHA1"}))
        await source.verify(posted(TOLD, header(TOLD)))
        assert peer.received[-1].target == f"{KEYS}/{KID}"
        await source.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        CutOff(),
        json_answer(500, {}),
        json_answer(429, {}),
        json_answer(200, {"key": "-----BEGIN PUBLIC KEY-----AAAA-----END PUBLIC KEY-----"}),
        json_answer(200, {"key": "none"}),
        json_answer(200, {"key": pem(rsa.generate_private_key(65537, 2048).public_key())}),
        Answer(200, b"<html>"),
    ],
)
async def test_while_the_key_cannot_be_had_nothing_is_lost(answer: Answer | CutOff) -> None:
    async with running_peer() as peer:
        peer.will(TOKEN, answer)
        source = ebay(peer.url)
        with pytest.raises(Unavailable):
            await source.verify(posted(TOLD, header(TOLD)))
        await source.aclose()


async def test_the_challenge_is_answered_with_the_hash_of_code_token_and_address() -> None:
    source = ebay()
    greeting = await source.greet(
        RawRequest(method="GET", url=f"{URL}?challenge_code=71745723-d031-455c-bfa5-f90d11b4f20a", headers={}, body=b"")
    )
    assert greeting is not None
    expected = hashlib.sha256(f"71745723-d031-455c-bfa5-f90d11b4f20a{SECRETS[2]}{URL}".encode()).hexdigest()
    assert json.loads(greeting.body) == {"challengeResponse": expected}
    assert greeting.media_type == "application/json"
    assert await source.greet(RawRequest(method="GET", url=URL, headers={}, body=b"")) is None
    assert await source.greet(posted(TOLD, header(TOLD))) is None
    await source.aclose()


async def test_a_notification_is_a_hint_by_its_own_id() -> None:
    source = ebay()
    (delivery,) = source.deliveries(posted(TOLD, header(TOLD)))
    again = json.loads(TOLD)
    again["notification"]["publishAttemptCount"] = 2
    (second,) = source.deliveries(posted(json.dumps(again).encode(), ""))
    assert delivery.id == second.id == json.loads(TOLD)["notification"]["notificationId"]
    assert await source.read(delivery) == [Hint(external_id="12-34567-89012")]
    await source.aclose()


async def test_a_notification_of_another_topic_is_skipped() -> None:
    source = ebay()
    body = json.dumps(VECTORS["VALID"]["message"]).encode()
    (delivery,) = source.deliveries(posted(body, ""))
    (found,) = await source.read(delivery)
    assert isinstance(found, Skipped)
    await source.aclose()


# -- the order ------------------------------------------------------------------------------------------------------


async def test_an_order_keeps_everything_that_ebay_says_of_it() -> None:
    found = await snapshot(ORDER)
    order = found.order
    assert (found.external_id, order.number, found.standing) == ("12-34567-89012", "12-34567-89012", Standing.OPEN)
    assert (order.trigger_at, found.at) == (
        datetime(2026, 11, 21, 8, 30, tzinfo=UTC),
        datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
    )
    assert (order.customer.id, order.customer.name) == ("ada_example", "Ada Example")
    assert (order.contacts.email, order.contacts.phone) == ("ada@example.com", "+15005550006")
    assert (order.payment.status, order.payment.terms) == (PaymentStatus.CONFIRMED, "prepaid by EBAY")
    tea, cup = order.lines
    assert (tea.quantity, tea.amount, tea.subtotal, tea.discount) == (3, 40, 40, 5)
    assert (tea.description, tea.model, tea.sku) == ("Green tea – 緑茶", "size: large", "TEA-1")
    assert (cup.sku, cup.unit_price) == ("ebay:110500000002", 20)
    assert {(code.system, code.id) for code in tea.codes} == {
        ("ebay_line", "90071992547409931"),
        ("ebay_item", "110500000001"),
        ("ebay_variation", "410000000001"),
    }
    totals = order.totals
    assert (totals.discount, totals.shipping, totals.fees, totals.tax) == (
        Decimal("5.5"),
        5,
        Decimal("1.5"),
        Decimal("4.25"),
    )
    assert totals.total == add_up(order) == Decimal("65.25")
    assert order.instructions == "Ring twice"
    assert order.delivery_window is not None
    assert order.billing_address is not None
    assert {one.system for one in order.external_ids} == {
        "ebay",
        "ebay_legacy_order",
        "ebay_sales_record",
        "ebay_seller",
        "ebay_ship_method",
    }


@pytest.mark.parametrize(
    ("status", "shipped", "standing", "payment"),
    [
        ("PAID", "NOT_STARTED", Standing.OPEN, PaymentStatus.CONFIRMED),
        ("PARTIALLY_REFUNDED", "NOT_STARTED", Standing.OPEN, PaymentStatus.CONFIRMED),
        ("FULLY_REFUNDED", "NOT_STARTED", Standing.CANCELLED, PaymentStatus.CONFIRMED),
        ("FULLY_REFUNDED", "FULFILLED", Standing.OPEN, PaymentStatus.CONFIRMED),
        ("PENDING", "NOT_STARTED", Standing.NOT_YET, PaymentStatus.PENDING),
        ("FAILED", "NOT_STARTED", Standing.NOT_YET, PaymentStatus.PENDING),
        ("SOMETHING_NEW", "NOT_STARTED", Standing.OPEN, PaymentStatus.FLAGGED),
    ],
)
async def test_every_payment_status_is_a_standing(
    status: str, shipped: str, standing: Standing, payment: PaymentStatus
) -> None:
    found = await snapshot(changed("orderPaymentStatus", status) | {"orderFulfillmentStatus": shipped})
    assert (found.standing, found.order.payment.status) == (standing, payment)


async def test_a_cancelled_order_says_why_and_one_that_is_asked_for_is_a_persons_to_read() -> None:
    asked: JsonValue = [{"cancelReason": "ORDER_MISTAKE", "cancelInitiator": "Buyer"}]
    gone = await snapshot(changed("cancelStatus", {"cancelState": "CANCELED", "cancelRequests": asked}))
    assert (gone.standing, gone.reason) == (Standing.CANCELLED, "ORDER_MISTAKE")
    bare = await snapshot(changed("cancelStatus", {"cancelState": "CANCELED"}))
    assert bare.reason == "cancelled at eBay"
    wish = await snapshot(changed("cancelStatus", {"cancelState": "IN_PROGRESS", "cancelRequests": asked}))
    assert wish.standing is Standing.OPEN
    assert wish.order.instructions == "Ring twice\nthe buyer asks to cancel: ORDER_MISTAKE"


async def test_a_refund_is_said_for_it_changes_no_price() -> None:
    refund: JsonValue = [{"amount": usd("5.0"), "refundStatus": "REFUNDED"}]
    order = (await snapshot(changed("paymentSummary.refunds", refund))).order
    assert order.instructions == "Ring twice\neBay refunded 5.0 USD"
    assert order.totals.total == Decimal("65.25")


@pytest.mark.parametrize(
    ("total", "taxes", "remitted", "charges", "tax", "fees"),
    [
        ("61.0", [], ["4.25"], [], 0, Decimal("1.5")),  # eBay's own tax is not in the total, as without TAX_BREAKDOWN
        ("65.25", [], ["4.25"], [], Decimal("4.25"), Decimal("1.5")),
        ("65.25", ["4.25"], ["4.25"], [], Decimal("4.25"), Decimal("1.5")),
        ("66.25", ["1.0"], ["4.25"], [], Decimal("5.25"), Decimal("1.5")),
        ("64.0", [], [], ["3.0"], 0, Decimal("4.5")),
    ],
)
async def test_what_ebay_collects_itself_is_in_the_total_or_not_as_it_adds_up(
    total: str, taxes: list[str], remitted: list[str], charges: list[str], tax: Decimal, fees: Decimal
) -> None:
    body = changed("pricingSummary.total", usd(total))
    del body["pricingSummary"]["tax"]
    line = body["lineItems"][0]
    line["taxes"] = [{"amount": usd(one)} for one in taxes]
    line["ebayCollectAndRemitTaxes"] = [{"amount": usd(one), "collectionMethod": "NET"} for one in remitted]
    line["ebayCollectedCharges"] = {"charges": [{"amount": usd(one)} for one in charges]}
    totals = (await snapshot(body)).order.totals
    assert (totals.tax, totals.fees, totals.total) == (tax, fees, Decimal(total))
    assert add_up((await snapshot(body)).order) == Decimal(total)


async def test_a_price_that_holds_the_tax_is_told_by_the_sums_and_what_fits_nothing_stays() -> None:
    included = (await snapshot(changed("pricingSummary.total", usd("61.0")))).order
    assert (included.totals.tax_basis, included.totals.tax) == (TaxBasis.INCLUDED, Decimal("4.25"))
    assert add_up(included) == 61
    odd = (await snapshot(changed("pricingSummary.total", usd("70.0")))).order
    assert odd.totals.total == 70
    assert add_up(odd) != 70


def converted(value: JsonValue) -> JsonValue:
    """As eBay gives it to a British seller: pounds, and before them the dollars that were paid."""
    if isinstance(value, dict):
        if value.keys() == {"value", "currency"}:
            pounds = str((Decimal(str(value["value"])) * Decimal("0.79")).quantize(Decimal("0.01")))
            return {
                "value": pounds,
                "currency": "GBP",
                "convertedFromValue": value["value"],
                "convertedFromCurrency": value["currency"],
            }
        return {name: converted(inner) for name, inner in value.items()}
    return [converted(inner) for inner in value] if isinstance(value, list) else value


async def test_the_order_is_in_the_currency_that_was_paid_unless_some_amount_is_not() -> None:
    body = converted(ORDER)
    order = (await snapshot(body)).order
    assert (order.currency, order.totals.total, add_up(order)) == ("USD", Decimal("65.25"), Decimal("65.25"))
    del body["pricingSummary"]["fee"]["convertedFromValue"]
    assert (await snapshot(body)).order.currency == "GBP"
    with pytest.raises(InvalidInput, match="another currency"):
        await read(changed("pricingSummary.fee", {"value": "1.5", "currency": "EUR"}))


async def test_an_order_without_phone_address_and_buyer_is_still_one() -> None:
    body = copy.deepcopy(ORDER)
    del body["buyer"]
    ship_to = body["fulfillmentStartInstructions"][0]["shippingStep"]["shipTo"]
    for name in ("primaryPhone", "email"):
        del ship_to[name]
    del ship_to["contactAddress"]["city"]
    order = (await snapshot(body)).order
    assert (order.contacts.email, order.contacts.phone) == (None, None)
    assert order.customer.id is not None
    assert order.customer.id.startswith("guest-")
    assert order.delivery_address is not None
    assert order.delivery_address.city == ""


async def test_digital_goods_pickup_and_what_ebay_ships_itself() -> None:
    start: JsonValue = {"fulfillmentInstructionsType": "DIGITAL"}
    digital = (await snapshot(changed("fulfillmentStartInstructions", [start]))).order
    assert (digital.order_type, digital.delivery_address) == (DIGITAL, None)
    start = {"fulfillmentInstructionsType": "PREPARE_FOR_PICKUP", "pickupStep": {"merchantLocationKey": "Oslo-1"}}
    pickup = (await snapshot(changed("fulfillmentStartInstructions", [start]))).order
    assert pickup.pickup is not None
    assert (pickup.pickup.location, pickup.delivery_address) == ("Oslo-1", None)
    theirs = await read(changed("fulfillmentStartInstructions", [{"fulfillmentInstructionsType": "FULFILLED_BY_EBAY"}]))
    assert isinstance(theirs, Skipped)


async def test_an_order_for_two_places_goes_to_a_person_and_a_hub_names_its_parcel() -> None:
    start = copy.deepcopy(ORDER["fulfillmentStartInstructions"][0])
    start["shippingStep"]["shipTo"]["contactAddress"]["city"] = "Oslo"
    first = copy.deepcopy(ORDER["fulfillmentStartInstructions"][0])
    first["shippingStep"]["shipToReferenceId"] = "REF-9"
    order = (await snapshot(changed("fulfillmentStartInstructions", [first, start]))).order
    assert [doubt.field for doubt in order.doubts] == ["delivery_address"]
    assert order.instructions == "Ring twice\nreference on the parcel: REF-9"
    assert (await snapshot(ORDER)).order.doubts == ()


async def test_a_part_names_the_vehicle_that_it_has_to_fit_and_a_line_what_was_refunded_of_it() -> None:
    body = changed(
        "lineItems.0.compatibilityProperties",
        [
            {"propertyName": "Make", "propertyDisplayName": "Marke", "propertyValue": "Example"},
            {"propertyName": "Year", "propertyValue": 2019},
            {"propertyName": "Trim", "propertyValue": None},
        ],
    )
    body["lineItems"][0]["refunds"] = [{"amount": {"value": "3.5", "currency": "GBP"}, "refundId": "5-1"}, {}]
    order = (await snapshot(body)).order
    assert order.lines[0].instructions == "fits Marke: Example\nfits Year: 2019\neBay refunded 3.5 GBP"
    assert order.totals.total == add_up(order) == Decimal("65.25")


async def test_a_gift_card_says_for_whom_it_is() -> None:
    gift: JsonValue = {"recipientEmail": "ada@example.com", "senderName": "Bob Example", "message": "Well done 🎁"}
    body = changed("lineItems.0.giftDetails", gift)
    body["fulfillmentStartInstructions"] = [{"fulfillmentInstructionsType": "DIGITAL"}]
    order = (await snapshot(body)).order
    assert order.order_type == DIGITAL
    assert order.lines[0].instructions == (
        "gift card to: ada@example.com\ngift card from: Bob Example\ngift message: Well done 🎁"
    )


async def test_what_ebay_sends_from_its_own_warehouse_is_nothing_for_us_however_it_says_so() -> None:
    program: JsonValue = {"fulfillmentProgram": {"fulfilledBy": "EBAY"}}
    assert isinstance(await read(ORDER | {"program": program}), Skipped)
    assert isinstance(await read(ORDER | {"program": {"ebayShipping": {"shippingLabelProvidedBy": "EBAY"}}}), Snapshot)


async def test_an_appointment_goes_before_the_days_that_ebay_reckons_with_and_a_tax_number_is_kept() -> None:
    body = copy.deepcopy(ORDER)
    body["fulfillmentStartInstructions"][0]["appointment"] = {
        "appointmentStartTime": "2026-11-27T09:00:00.000Z",
        "appointmentEndTime": "2026-11-27T10:00:00.000Z",
    }
    body["buyer"]["taxIdentifier"] = {"taxpayerId": "XMPADA80A01H501U", "taxIdentifierType": "CODICE_FISCALE"}
    order = (await snapshot(body)).order
    assert order.delivery_window is not None
    assert order.delivery_window.start == datetime(2026, 11, 27, 9, tzinfo=UTC)
    assert ("ebay_buyer_tax", "XMPADA80A01H501U") in {(one.system, one.id) for one in order.external_ids}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("lineItems.0.lineItemId", 90071992547409931),
        ("lineItems.0.legacyItemId", 110500000001),
        ("lineItems.0.quantity", "3"),
        ("lineItems.0.variationAspects", None),
        ("lineItems.0.taxes", {}),
        ("lineItems.0.sku", 4711),
        ("lineItems.0.title", "   مقلاة 鍋 🍳"),
        ("pricingSummary.total.value", 65.25),
        ("pricingSummary.total.value", "65.2500"),
        ("cancelStatus", None),
        ("cancelStatus", {"cancelState": None, "cancelRequests": None}),
        ("buyerCheckoutNotes", ""),
        ("paymentSummary", None),
        ("salesRecordReference", 17),
        ("fulfillmentStartInstructions", []),
        ("orderFulfillmentStatus", "A_WORD_OF_2031"),
    ],
)
async def test_another_way_to_write_the_same_is_the_same_money(path: str, value: JsonValue) -> None:
    order = (await snapshot(changed(path, value))).order
    assert order.totals.total == add_up(order) == Decimal("65.25")
    assert (order.lines[0].line_id, order.lines[0].quantity) == ("90071992547409931", 3)


async def test_two_hundred_lines_and_thousandths_are_rounded_to_what_can_be_paid() -> None:
    line = {"quantity": 3, "lineItemCost": usd("10.001")}
    body = changed("lineItems", [line | {"lineItemId": str(n)} for n in range(200)])
    body["pricingSummary"] = {"total": usd("2000.2004")}
    order = (await snapshot(body)).order
    assert order.totals.total == add_up(order) == Decimal("2000.20")


async def test_a_line_of_no_pieces_is_gone() -> None:
    body = changed("lineItems.1.quantity", 0)
    order = (await snapshot(body)).order
    assert [line.sku for line in order.lines] == ["TEA-1"]
    assert add_up(order) != order.totals.total


@quickly
@given(path=st.sampled_from(list(paths_of(ORDER))), value=st.sampled_from(ODD))
async def test_an_order_with_any_field_spoiled_is_an_order_or_refused_and_its_total_is_ebays(
    path: Sequence[str | int], value: JsonValue
) -> None:
    body = mutated(ORDER, path, value)
    try:
        found = await read(body)
    except InvalidInput:
        return
    if isinstance(found, Snapshot):
        assert found.order.totals.total == Decimal(str(body["pricingSummary"]["total"]["value"]))


# -- fetching and looking -------------------------------------------------------------------------------------------


@cache
def description() -> OpenAPI | None:
    path = SPECS / "ebay" / "sell_fulfillment_v1_oas3.json"
    if not path.is_file():
        return None
    known = json.loads(path.read_bytes())
    known["paths"] = {f"/sell/fulfillment/v1{name}": way for name, way in known["paths"].items()}
    return OpenAPI.from_dict(known | {"servers": [{"url": "https://api.ebay.com"}]})


def described(request: Received) -> None:
    if (found := description()) is not None:
        described_as(found, "https://api.ebay.com", request)


async def test_an_order_is_fetched_with_its_taxes_and_one_that_is_not_there_is_skipped() -> None:
    async with running_peer() as peer:
        peer.will(TOKEN, json_answer(200, ORDER), json_answer(404, {"errors": [{"errorId": 32100}]}))
        source = ebay(peer.url)
        assert isinstance((await source.fetch("12-34567-89012"))[0], Snapshot)
        assert isinstance((await source.fetch("none"))[0], Skipped)
        await source.aclose()
    assert peer.received[1].target == f"{ORDERS}/12-34567-89012?fieldGroups=TAX_BREAKDOWN"
    login = peer.received[0]
    assert login.headers["authorization"].startswith("Basic ")
    assert parse_qs(login.body.decode()) == {"grant_type": ["refresh_token"], "refresh_token": [SECRETS[1]]}
    for one in peer.received[1:]:
        described(one)


async def looks(peer: Peer, source: Ebay, *times: datetime) -> list[tuple[list[str], bool, Mapping[str, list[str]]]]:
    found, cursor = [], ""
    for now in times:
        looked = await source.look(cursor, now)
        cursor = looked.cursor
        described(peer.received[-1])
        query = parse_qs(urlsplit(peer.received[-1].target).query)
        found.append(([one.id.partition("#")[0] for one in looked.deliveries], looked.more, query))
    return found


async def test_a_look_goes_page_by_page_through_one_window_and_the_next_overlaps_it() -> None:
    later = changed("lastModifiedDate", "2026-11-21T09:10:00.000Z")
    async with running_peer() as peer:
        peer.will(
            TOKEN,
            json_answer(200, {"orders": [ORDER], "total": 2, "next": "https://api.ebay.com/…offset=1"}),
            json_answer(200, {"orders": [later], "total": 2}),
            json_answer(200, {"orders": [], "total": 0}),
        )
        source = ebay(peer.url)
        soon = NOW + timedelta(minutes=5)
        first, second, third = await looks(peer, source, NOW, NOW + timedelta(seconds=1), soon)
        await source.aclose()
    assert (first[0], first[1]) == (["12-34567-89012@2026-11-21T09:00:00.000Z"], True)
    assert (second[0], second[1]) == (["12-34567-89012@2026-11-21T09:10:00.000Z"], False)
    window = "lastmodifieddate:[2026-11-20T09:30:00.000Z..2026-11-21T09:30:00.000Z]"
    assert first[2]["filter"] == second[2]["filter"]
    assert first[2]["filter"][0] == f"{window},orderfulfillmentstatus:{{NOT_STARTED|IN_PROGRESS}}"
    assert (first[2]["offset"], second[2]["offset"], third[2]["offset"]) == (["0"], ["1"], ["0"])
    assert third[2]["filter"][0].startswith("lastmodifieddate:[2026-11-21T09:25:00.000Z..2026-11-21T09:35:00.000Z]")


async def test_a_page_that_is_gone_ends_the_look_and_the_next_begins_the_window_anew() -> None:
    async with running_peer() as peer:
        peer.will(
            TOKEN,
            json_answer(200, {"orders": [ORDER], "total": 2, "next": "https://api.ebay.com/…"}),
            json_answer(400, {"errors": [{"errorId": 30700, "message": "Invalid offset"}]}),
            json_answer(200, {"orders": [], "total": 0}),
        )
        source = ebay(peer.url)
        first, second, third = await looks(peer, source, NOW, NOW, NOW + timedelta(minutes=5))
        await source.aclose()
    assert (first[1], second[:2], third[1]) == (True, ([], False), False)
    assert third[2]["offset"] == ["0"]
    assert third[2]["filter"][0].startswith("lastmodifieddate:[2026-11-20T09:30:00.000Z..")


async def test_a_page_overlaps_the_one_before_and_a_next_page_beyond_the_total_is_not_asked_for() -> None:
    orders = [changed("orderId", f"12-{n}") for n in range(100)]
    endless = {"orders": orders, "total": 185, "next": "https://api.ebay.com/…"}
    async with running_peer() as peer:
        peer.will(TOKEN, json_answer(200, endless))
        source = ebay(peer.url)
        first, second = await looks(peer, source, NOW, NOW)
        await source.aclose()
    assert (first[1], second[1]) == (True, False)
    assert second[2]["offset"] == ["90"]


@pytest.mark.parametrize(
    ("answers", "fate"),
    [
        ([json_answer(429, {}, {"Retry-After": "7"})], Unavailable),
        ([json_answer(500, {"errors": [{"errorId": 30500, "category": "APPLICATION"}]})], Unavailable),
        ([CutOff()], Unavailable),
        ([Answer(200, b"<html>")], Unavailable),
        ([json_answer(403, {})], Misconfigured),
        ([json_answer(401, {}), TOKEN, json_answer(401, {})], Misconfigured),
        ([json_answer(400, {"errors": [{"errorId": 30700, "message": "Invalid ada@example.com"}]})], Refused),
    ],
)
async def test_every_answer_to_a_look_has_its_fate(answers: list[Answer | CutOff], fate: type[Exception]) -> None:
    async with running_peer() as peer:
        peer.will(TOKEN, *answers)
        source = ebay(peer.url)
        with pytest.raises(fate) as caught:
            await source.look("", NOW)
        await source.aclose()
    assert not any(word in str(caught.value) for word in (*SECRETS, "ada@example.com"))


class TestSettings:
    bad: ClassVar = [
        ("verification_token", "short"),
        ("base_url", "http://api.ebay.com"),
        ("client_id", "a:b"),
    ]

    @pytest.mark.parametrize(("field", "value"), bad)
    def test_settings_that_cannot_be_right_are_refused(self, field: str, value: str) -> None:
        good = {
            "client_id": "c",
            "client_secret": "s",
            "refresh_token": "r",
            "verification_token": "v" * 32,
        }
        EbaySettings(_env_file=None, **good)
        with pytest.raises(ValueError, match=field):
            EbaySettings(_env_file=None, **{**good, field: value})
