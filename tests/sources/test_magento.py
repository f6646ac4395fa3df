"""Magento: three ways in, one order out in the currency that was paid; answered once by a comment nobody is mailed."""

import base64
import copy
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jsonschema import Draft4Validator
from pydantic import JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus, TaxBasis
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.embedded.sandbox import signatures
from orderack.errors import BadSignature, InDoubt, InvalidInput, Misconfigured, Unavailable
from orderack.ports import Connection, Delivery, Hint, RawRequest, Skipped, Snapshot, SourceAnswer, Standing
from orderack.sources._loose import payable
from orderack.sources._magento_order import snapshot_of
from orderack.sources._magento_wire import Ordered
from orderack.sources._storefront_note import note_of
from orderack.sources.magento import Magento, MagentoSettings
from tests.conformance.peer import Answer, CutOff, Peer, json_answer, running_peer
from tests.conformance.source import NOW, SPECS, Sample, SampleConformance, SourceConformance, given, quickly
from tests.sources.mutations import mutated

HERE = Path(__file__).resolve().parents[1] / "payloads" / "magento"
BODY = (HERE / "order.json").read_bytes()
ORDER: dict[str, JsonValue] = json.loads(BODY)
KEY = "whsec_" + base64.b64encode(b"k" * 24).decode()
TOKEN = "token-of-the-integration"
CLIENT = "client-of-ours"


def connection(**fields: str) -> Connection:
    return Connection(
        store="shop", system="magento", source="shop", country="SA", time_zone="Asia/Riyadh", fields=fields
    )


def magento(base_url: str = "http://127.0.0.1:9", now: datetime = NOW, **settings: object) -> Magento:
    given_ = {"base_url": base_url, "access_token": TOKEN, "webhook_secret": KEY, "event_client_id": CLIENT}
    made = MagentoSettings(_env_file=None, **({"event_keys_url": base_url} | given_ | settings))
    return Magento(connection(), made, "ORDERACK_SOURCE_SHOP_MAGENTO_", clock=lambda: now)


def by_module(body: bytes, at: datetime = NOW) -> RawRequest:
    headers = signatures.standard_webhooks(KEY, "msg_1", int(at.timestamp()), body)
    return RawRequest(url="https://shop.example/intake/shop/magento", headers=headers, body=body)


def like(parts: Mapping[str, object] | None = None, **order: object) -> dict[str, JsonValue]:
    """The order of the payloads with other fields, and other extension attributes."""
    body = copy.deepcopy(ORDER) | order
    if parts:
        body["extension_attributes"] |= parts  # type: ignore[operator]
    return body  # type: ignore[return-value]


def snapshot(body: JsonValue, **fields: str) -> Snapshot:
    return snapshot_of(Ordered.model_validate_json(json.dumps(body)), connection(**fields))


class TestMagento(SourceConformance):
    name = "magento"
    secrets = (KEY, TOKEN)
    required = ("base_url", "access_token")
    body = BODY

    def make(self, base_url: str = "http://127.0.0.1:9") -> Magento:
        return magento(base_url)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return by_module(body, at)


class TestSamples(SampleConformance):
    """What is an order among the samples, wherever it stands in its file."""

    folder = "magento"

    def source(self) -> Magento:
        return magento()

    def samples(self, path: Path) -> Sequence[Sample] | str:
        try:
            found = list(_orders(json.loads(path.read_text())))
        except ValueError:
            return "no JSON"
        if not found:
            return "no order: a cart, an invoice, stock, or a request to the shop"
        return [self._sample(f"{path.name}:{one['increment_id']}", one) for one in found]

    def _sample(self, name: str, one: Mapping[str, JsonValue]) -> Sample:
        return Sample(name, Delivery(id="1", body=json.dumps(one)), Decimal(str(one["grand_total"])))

    def own(self) -> Sequence[Sample]:
        return (self._sample("our own payload", ORDER),)


def _orders(body: JsonValue):
    if isinstance(body, dict):
        # an invoice and a credit memo have a number and a total too, but no item that was ordered
        if {"increment_id", "grand_total", "items"} <= body.keys() and any(
            isinstance(item, dict) and "qty_ordered" in item for item in body["items"] or []
        ):
            yield body
        else:
            for value in body.values():
                yield from _orders(value)
    elif isinstance(body, list):
        for value in body:
            yield from _orders(value)


# ---------------------------------------------------------------------------------------------------- the order


def test_nothing_of_an_order_is_lost():
    found = snapshot(ORDER, **{"option 7": "design"})
    order = found.order
    assert (found.external_id, found.standing) == ("361", Standing.OPEN)
    assert found.at == datetime(2026, 11, 21, 9, 25, 2, tzinfo=UTC)
    assert order.trigger_at == datetime(2026, 11, 21, 9, 20, 11, tzinfo=UTC)
    assert (order.number, order.currency, order.customer.id, order.customer.name) == (
        "000000361",
        "SAR",
        "41",
        "آدا مثال",
    )
    assert (order.contacts.email, order.contacts.phone) == ("ada@example.com", "+15005550006")
    tee, part_a, part_b = order.lines
    assert (tee.sku, tee.quantity, tee.unit_price, tee.discount) == ("TEE-RED-M", 2, Decimal("37.5"), Decimal("7.5"))
    assert tee.design == "Für Ada"
    assert (part_a.sku, part_a.description, part_a.amount) == ("PART-A", "Part A (in Kit)", Decimal(45))
    assert part_b.codes[0].model_dump() == {"system": "magento_line", "id": "505"}
    assert order.totals.model_dump() == {
        "discount": Decimal("15.00"),
        "tax": Decimal("24.75"),
        "shipping": Decimal("30.00"),
        "fees": Decimal("15.00"),
        "tax_basis": TaxBasis.ADDED,
        "total": Decimal("204.75"),
    }
    assert add_up(order) == order.totals.total
    assert (order.delivery_address.company, order.delivery_address.city) == ("Example Ltd", "Jeddah")
    assert (order.billing_address.street2, order.billing_address.city) == ("Floor 2, Door 3", "الرياض")
    assert order.instructions == "Please ring twice\nLeave it with the neighbour"
    assert (order.payment.status, order.payment.terms) == (PaymentStatus.PENDING, "to be paid by Cash On Delivery")
    assert {(one.system, one.id) for one in order.external_ids} == {("magento", "361"), ("coupon", "TEA")}


def test_an_option_without_a_name_is_an_instruction():
    assert snapshot(ORDER).order.lines[0].instructions == "option 7: Für Ada"


@pytest.mark.parametrize(
    ("body", "fees", "credit"),
    [
        (like(grand_total=189.75, base_grand_total=50.6), "0", "0"),
        (like({"custom_fees": [{"custom_fee_amount": 15}]}), "15", "0"),
        (like({"gw_price": "5"}), "15", "0"),
        (like({"gift_cards_amount": 20, "base_gift_cards_amount": 5.33}, grand_total=169.75, base_grand_total=45.27),
         "0", "20"),
        (like({"customer_balance_amount": 9.75}, grand_total=180, base_grand_total=48), "0", "9.75"),
        (like(grand_total=182.25, base_grand_total=48.6), "0", "7.5"),
        (like(base_grand_total=65.6), "15", "0"),
    ],
)  # fmt: skip
def test_surcharges_gift_cards_and_points_re_add(body, fees, credit):
    order = snapshot(body).order
    assert (order.totals.fees, order.totals.credit) == (Decimal(fees), Decimal(credit))
    assert add_up(order) == order.totals.total == Decimal(str(body["grand_total"]))


@pytest.mark.parametrize(
    "changed",
    [{"grand_total": 999}, {"base_grand_total": 50.6}, {"subtotal": 90}, {"shipping_amount": 3}, {"tax_amount": None}],
)
def test_a_remainder_that_nothing_bears_out_is_left_for_a_person(changed):
    order = snapshot(like(**changed)).order
    assert order.totals.total == Decimal(str(changed.get("grand_total", "204.75")))
    assert add_up(order) != order.totals.total


def test_prices_with_tax_in_them_re_add_after_a_discount():
    rows = [{"item_id": 1, "sku": "A", "qty_ordered": 1, "row_total": 100, "row_total_incl_tax": 119}]
    body = like(
        items=rows,
        subtotal=100,
        discount_amount=-11.9,
        discount_tax_compensation_amount=1.9,
        shipping_amount=0,
        tax_amount=17.1,
        grand_total=107.1,
    )
    order = snapshot(body).order
    assert (order.totals.discount, order.totals.tax) == (Decimal("10.00"), Decimal("17.10"))
    assert add_up(order) == Decimal("107.10")


def test_a_bundle_with_a_price_of_its_own_is_a_line_and_its_parts_cost_nothing():
    body = like()
    for item in body["items"][3:]:
        item |= {"row_total": 0, "row_total_incl_tax": 0, "price": 0}
    order = snapshot(body).order
    assert [(line.sku, line.amount) for line in order.lines[1:]] == [
        ("KIT-A-B", Decimal(75)),
        ("PART-A", 0),
        ("PART-B", 0),
    ]
    assert add_up(order) == order.totals.total


def test_what_was_cancelled_or_refunded_is_no_longer_ordered():
    body = like(total_refunded=54.75, tax_refunded=6.75, shipping_refunded=0)
    body["items"][3]["qty_refunded"] = 3
    order = snapshot(body).order
    assert [line.sku for line in order.lines] == ["TEE-RED-M", "PART-B"]
    assert order.totals.total == Decimal("150.00")
    assert order.totals.tax == Decimal("18.00")
    assert add_up(order) == order.totals.total


@pytest.mark.parametrize(
    ("changed", "standing", "payment"),
    [
        ({}, Standing.OPEN, PaymentStatus.PENDING),
        ({"state": "pending_payment"}, Standing.NOT_YET, PaymentStatus.PENDING),
        ({"state": "payment_review"}, Standing.OPEN, PaymentStatus.FLAGGED),
        ({"state": "holded", "total_paid": 204.75}, Standing.OPEN, PaymentStatus.FLAGGED),
        ({"state": "processing", "status": "fraud"}, Standing.OPEN, PaymentStatus.FLAGGED),
        ({"state": "processing", "total_paid": 204.75}, Standing.OPEN, PaymentStatus.CONFIRMED),
        ({"state": "processing", "total_paid": 204.74}, Standing.OPEN, PaymentStatus.PENDING),
        ({"state": "complete", "total_paid": 204.75}, Standing.OPEN, PaymentStatus.CONFIRMED),
        ({"state": "canceled"}, Standing.CANCELLED, PaymentStatus.PENDING),
        ({"state": "closed", "total_paid": 204.75, "total_refunded": 204.75}, Standing.CANCELLED,
         PaymentStatus.CONFIRMED),
        ({"state": "new", "status": "custom_of_the_shop"}, Standing.OPEN, PaymentStatus.PENDING),
    ],
)  # fmt: skip
def test_every_state_has_its_meaning(changed, standing, payment):
    found = snapshot(like(**changed))
    assert (found.standing, found.order.payment.status) == (standing, payment)
    assert bool(found.reason) == (standing is Standing.CANCELLED)
    assert add_up(found.order) == found.order.totals.total == Decimal("204.75")


@pytest.mark.parametrize(
    ("payment", "terms"),
    [
        ({"method": "checkmo"}, "to be paid by check or money order"),
        ({"method": "purchaseorder", "po_number": "PO-9"}, "on account by purchase order"),
        ({"method": "braintree"}, "to be paid by braintree"),
        (None, None),
    ],
)
def test_terms_are_named_by_the_method(payment, terms):
    order = snapshot(like({"payment_additional_info": []}, payment=payment)).order
    assert order.payment.terms == terms
    assert order.purchase_order == ((payment or {}).get("po_number"))


def test_an_order_of_nothing_owes_nothing():
    rows = [{"item_id": 1, "sku": "A", "qty_ordered": 1, "row_total": 0}]
    zeros = dict.fromkeys(("subtotal", "discount_amount", "shipping_amount", "tax_amount", "grand_total"), 0)
    order = snapshot(like(items=rows, payment={"method": "free"}, **zeros)).order
    assert (order.payment.status, order.payment.terms) == (PaymentStatus.CONFIRMED, "nothing to pay")
    assert order.totals.total == 0


def test_a_guest_a_virtual_order_and_a_pickup():
    guest = snapshot(like(customer_is_guest=1, customer_id=None, customer_firstname=None, customer_lastname=None))
    assert guest.order.customer.id.startswith("guest-")
    assert guest.order.customer.name == "آدا مثال"
    virtual = snapshot(like({"shipping_assignments": []}, is_virtual=1)).order
    assert (virtual.order_type, virtual.delivery_address) == ("digital", None)
    pickup = snapshot(like({"pickup_location_code": "jeddah-1"})).order
    assert pickup.pickup.location == "Example Ltd, Bea Example, 2 Example Way, Jeddah"
    assert pickup.delivery_address is None
    bare = snapshot(like({"pickup_location_code": "jeddah-1", "shipping_assignments": None})).order
    assert bare.pickup.location == "jeddah-1"


def test_php_writes_an_empty_object_as_a_list():
    order = snapshot(like(extension_attributes=[], billing_address=[], payment=[], status_histories=None)).order
    assert (order.delivery_address, order.billing_address, order.payment.terms) == (None, None, None)


def test_our_own_comment_is_never_an_instruction():
    before = snapshot(ORDER).order
    ours = {"comment": note_of(told()), "created_at": "2026-11-21 09:20:12", "is_visible_on_front": 1}
    body = like(status_histories=[*ORDER["status_histories"], ours])
    assert snapshot(body).order.content_hash == before.content_hash


def test_gift_messages_are_instructions():
    message = {"sender": "Ada", "recipient": "Bea", "message": "Happy birthday"}
    order = snapshot(like({"gift_message": message})).order
    assert order.instructions.endswith("gift message to Bea from Ada: Happy birthday")


@pytest.mark.parametrize("field", ["entity_id", "created_at", "grand_total", "order_currency_code"])
async def test_what_an_order_cannot_be_without_is_named(field):
    source, body = magento(), like()
    del body[field]
    with pytest.raises(InvalidInput) as caught:
        await source.read(Delivery(id="1", body=json.dumps(body)))
    assert {problem.field for problem in caught.value.problems} & {field, "currency"}
    await source.aclose()


@given(body=mutated(ORDER))
@quickly
async def test_a_body_with_one_thing_wrong_is_an_order_or_a_named_refusal(body):
    source = magento()
    try:
        (found,) = await source.read(Delivery(id="1", body=json.dumps(body)))
    except InvalidInput:
        return
    finally:
        await source.aclose()
    said = Decimal(str(body["grand_total"]).strip())
    assert isinstance(found, Snapshot)
    assert found.order.totals.total == payable(said, found.order.currency)


# --------------------------------------------------------------------------------------------- Adobe's events


@cache
def adobes_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def pem() -> Answer:
    return Answer(200, adobes_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def event(client: str = CLIENT, **value: object) -> bytes:
    said = {
        "id": "e-1",
        "type": "com.adobe.commerce.observer.sales_order_save_commit_after",
        "data": {"key": "k", "value": value or {"entity_id": 361, "increment_id": "000000361"}},
        "recipientclientid": client,
    }
    return json.dumps(said).encode()


def by_adobe(body: bytes, **headers: str) -> RawRequest:
    signature = base64.b64encode(adobes_key().sign(body, padding.PKCS1v15(), SHA256())).decode()
    made = {
        "x-adobe-event-id": "e-1",
        "x-adobe-digital-signature-1": "AAAA",
        "x-adobe-digital-signature-2": signature,
        "x-adobe-public-key1-path": "/prod/keys/old.pem",
        "x-adobe-public-key2-path": "/prod/keys/pub-key-1.pem",
    }
    return RawRequest(url="https://shop.example/intake/shop/magento", headers=made | headers, body=body)


async def test_an_event_is_a_hint_once_adobes_signature_holds():
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(Answer(404), pem())
        request = by_adobe(event())
        await source.verify(request)
        await source.verify(request)
        assert [one.target for one in peer.received][:2] == ["/prod/keys/old.pem", "/prod/keys/pub-key-1.pem"]
        assert [one.target for one in peer.received].count("/prod/keys/pub-key-1.pem") == 1
        (delivery,) = source.deliveries(request)
        (again,) = source.deliveries(by_adobe(event(), **{"x-adobe-retry-count": "2"}))
        assert delivery.id == again.id == "adobe:e-1"
        assert await source.read(delivery) == (Hint(external_id="361"),)
        await source.aclose()


@pytest.mark.parametrize(
    "request_",
    [
        by_adobe(event("another-client")),
        by_adobe(event()).model_copy(update={"body": event() + b" "}),
        by_adobe(event(), **{"x-adobe-public-key2-path": "https://evil.example/key.pem"}),
        by_adobe(event(), **{"x-adobe-public-key2-path": "//evil.example/key.pem"}),
        by_adobe(event(), **{"x-adobe-public-key2-path": "/prod/../key.pem"}),
        by_adobe(event(), **{"x-adobe-digital-signature-2": "not base64"}),
        by_adobe(b"{}"),
        by_adobe(b"["),
    ],
)
async def test_a_forged_event_is_none(request_):
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(pem())
        with pytest.raises(BadSignature):
            await source.verify(request_)
        await source.aclose()


async def test_a_key_that_cannot_be_fetched_now_loses_no_event():
    async with running_peer() as peer:
        source = magento(peer.url)
        for reaction in (Answer(503), CutOff()):
            peer.will(reaction)
            with pytest.raises(Unavailable):
                await source.verify(by_adobe(event()))
        await source.aclose()


async def test_a_key_is_kept_for_a_day_and_no_longer():
    async with running_peer() as peer:
        now = [NOW]
        source = Magento(
            connection(),
            MagentoSettings(
                _env_file=None, base_url=peer.url, access_token=TOKEN, event_client_id=CLIENT, event_keys_url=peer.url
            ),
            clock=lambda: now[0],
        )
        peer.will(pem())
        only = {"x-adobe-digital-signature-1": ""}
        for at, fetched in ((NOW, 1), (NOW + timedelta(hours=23), 1), (NOW + timedelta(hours=24), 2)):
            now[0] = at
            await source.verify(by_adobe(event(), **only))
            assert len(peer.received) == fetched
        await source.aclose()


@pytest.mark.parametrize("first", [Answer(503), CutOff(), Answer(404), Answer(200, b"no key")])
async def test_one_signature_that_holds_is_enough_whatever_became_of_the_other(first):
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(first, pem())
        await source.verify(by_adobe(event()))
        await source.aclose()


async def test_an_event_with_the_second_signature_alone_is_adobes():
    async with running_peer() as peer:
        source, request = magento(peer.url), by_adobe(event())
        alone = {
            name: value for name, value in request.headers.items() if "key1" not in name and "signature-1" not in name
        }
        peer.will(pem())
        await source.verify(request.model_copy(update={"headers": alone}))
        (delivery,) = source.deliveries(request.model_copy(update={"headers": alone}))
        assert delivery.id == "adobe:e-1"
        await source.aclose()


def test_keys_come_from_adobe_only():
    with pytest.raises(ValueError, match="EVENT_KEYS_URL"):
        magento(event_keys_url="https://keys.example.com")


async def test_the_challenge_is_answered_and_nothing_else_is_taken_for_one():
    source = magento()
    url = "https://shop.example/intake/shop/magento"
    tried = await source.greet(RawRequest(method="GET", url=f"{url}?challenge=8ec8d794-e0ab", headers={}, body=b""))
    assert json.loads(tried.body) == {"challenge": "8ec8d794-e0ab"}
    tried = await source.greet(RawRequest(url=url, headers={}, body=b'{"challenge": "abc"}'))
    assert json.loads(tried.body) == {"challenge": "abc"}
    for request in (
        RawRequest(method="GET", url=url, headers={}, body=b""),
        RawRequest(method="GET", url=f"{url}?challenge=<script>", headers={}, body=b""),
        by_adobe(b'{"challenge": "abc"}'),
        by_module(BODY),
    ):
        assert await source.greet(request) is None
    await source.aclose()
    deaf = magento(event_client_id=None)
    assert await deaf.greet(RawRequest(method="GET", url=f"{url}?challenge=a", headers={}, body=b"")) is None
    await deaf.aclose()


@pytest.mark.parametrize(
    ("body", "reading"),
    [
        (event(increment_id="000000361"), Hint(external_id="number:000000361")),
        (event().replace(b"sales_order_save", b"catalog_product_save"), Skipped),
        (event(status="pending"), InvalidInput),
    ],
)
async def test_what_an_event_says_is_read(body, reading):
    source = magento()
    (delivery,) = source.deliveries(by_adobe(body))
    if isinstance(reading, Hint):
        assert await source.read(delivery) == (reading,)
    elif reading is Skipped:
        assert isinstance((await source.read(delivery))[0], Skipped)
    else:
        with pytest.raises(InvalidInput, match="entity_id"):
            await source.read(delivery)
    await source.aclose()


async def test_a_module_signs_as_standard_webhooks_do():
    source = magento()
    await source.verify(by_module(BODY))
    (delivery,) = source.deliveries(by_module(BODY))
    assert (delivery.id, await source.read(delivery)) == ("module:msg_1", (snapshot(ORDER),))
    with pytest.raises(BadSignature):
        await source.verify(by_module(BODY, NOW - timedelta(minutes=6)))
    await source.aclose()
    deaf = magento(webhook_secret=None)
    with pytest.raises(BadSignature):
        await deaf.verify(by_module(BODY))
    await deaf.aclose()


# --------------------------------------------------------------------------------------------- what is asked


@cache
def description() -> dict[str, JsonValue]:
    path = SPECS / "magento" / "admin-schema-2.4.9-orders-trimmed.openapi.json"
    if not path.exists():
        pytest.skip("the vendors' descriptions are not beside this checkout")
    return json.loads(path.read_text())


def held_against_the_description(peer: Peer) -> None:
    """Path, query and body, by the Swagger 2.0 description of Magento's."""
    for request in peer.received:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        parts = urlsplit(request.target)
        path = parts.path.removeprefix("/rest").replace("/361", "/{id}")
        said = description()["paths"][path][request.method.lower()]
        names = {one["name"] for one in said["parameters"] if one["in"] == "query"}
        assert parse_qs(parts.query).keys() <= names, parts.query
        for one in (one for one in said["parameters"] if one["in"] == "body"):
            schema = one["schema"] | {"definitions": description()["definitions"]}
            Draft4Validator(schema).validate(json.loads(request.body))


async def test_an_order_is_fetched_by_its_id_or_by_its_number():
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(json_answer(200, ORDER), json_answer(200, {"items": [ORDER], "total_count": 1}))
        assert await source.fetch("361") == (snapshot(ORDER),)
        assert await source.fetch("number:000000361") == (snapshot(ORDER),)
        asked = parse_qs(urlsplit(peer.received[1].target).query)
        assert asked["searchCriteria[filterGroups][0][filters][0][value]"] == ["000000361"]
        held_against_the_description(peer)
        peer.will(Answer(404))
        assert isinstance((await source.fetch("361"))[0], Skipped)
        assert isinstance((await source.fetch("../1"))[0], Skipped)
        peer.will(json_answer(200, {"items": None, "total_count": 0}))
        assert isinstance((await source.fetch("number:1"))[0], Skipped)
        await source.aclose()


@pytest.mark.parametrize(
    ("reaction", "fate"),
    [
        (Answer(429, headers={"Retry-After": "15"}), Unavailable),
        (Answer(503), Unavailable),
        (CutOff(), Unavailable),
        (Answer(200, b"<html>It works!</html>"), Unavailable),
        (Answer(400), Unavailable),
        (Answer(401), Misconfigured),
        (Answer(403), Misconfigured),
    ],
)
async def test_what_goes_wrong_while_asking_has_its_fate(reaction, fate):
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(reaction)
        for asking in (source.fetch("361"), source.look("", NOW), source.answer(told())):
            with pytest.raises(fate) as caught:
                await asking
            assert TOKEN not in str(caught.value)
        await source.aclose()


def _row(number: int, minute: int) -> JsonValue:
    return {**ORDER, "entity_id": number, "increment_id": str(number), "updated_at": f"2026-11-21 09:{minute:02}:00"}


async def test_a_look_brings_whole_orders_by_the_time_of_change():
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(json_answer(200, {"items": [_row(1, 10), _row(2, 12)], "total_count": 2}))
        first = await source.look("", NOW)
        (found,) = await source.read(first.deliveries[1])
        assert (found.external_id, found.order.totals.total) == ("2", Decimal("204.75"))
        assert not first.more
        again = await source.look(first.cursor, NOW)
        assert [one.id for one in again.deliveries] == [one.id for one in first.deliveries]
        asked = [parse_qs(urlsplit(one.target).query) for one in peer.received]
        since = "searchCriteria[filterGroups][0][filters][0][value]"
        assert [one[since] for one in asked] == [["2026-11-21 08:28:00"], ["2026-11-21 09:10:00"]]
        assert asked[0]["searchCriteria[sortOrders][0][direction]"] == ["ASC"]
        held_against_the_description(peer)
        peer.will(json_answer(200, {"items": [_row(1, 10) | {"state": "canceled"}], "total_count": 1}))
        (changed,) = (await source.look(first.cursor, NOW)).deliveries
        assert changed.id not in {one.id for one in first.deliveries}
        await source.aclose()


async def test_pages_end_where_the_count_says_though_magento_repeats_the_last_one():
    async with running_peer() as peer:
        source = magento(peer.url)
        page = [_row(n, 20) for n in range(100)]
        last = [_row(999, 20)]
        peer.will(
            json_answer(200, {"items": page, "total_count": 101}),
            json_answer(200, {"items": page, "total_count": 101}),
            json_answer(200, {"items": last, "total_count": 101}),
        )
        seen, cursor, more = set(), "", True
        while more:
            looked = await source.look(cursor, NOW)
            seen |= {one.id for one in looked.deliveries}
            cursor, more = looked.cursor, looked.more
        assert (len(seen), len(peer.received)) == (101, 3)
        await source.aclose()


# ------------------------------------------------------------------------------------------------ what is told


def told(stage: AnswerStage = AnswerStage.CONFIRMED) -> SourceAnswer:
    order = snapshot(ORDER).order
    return SourceAnswer(
        key=AnswerKey(ref=order.ref, revision=1, stage=stage),
        order=order,
        external_id="361",
        document_id="SO-1",
        reason="out of stock" if stage is AnswerStage.REJECTED else "",
        page_url="https://shop.example/o/1",
        now=NOW,
    )


NOTHING = json_answer(200, {"items": [], "total_count": 0})


async def test_a_comment_mails_nobody_shows_nobody_and_is_looked_for_first():
    async with running_peer() as peer:
        source = magento(peer.url)
        written = {"items": [{"comment": "Hello"}, {"comment": None}, {"comment": note_of(told()) + "\n"}]}
        peer.will(NOTHING, Answer(200, b"true"), json_answer(200, written))
        first, again = await source.answer(told()), await source.answer(told())
        assert first == again
        assert first.state is AnswerState.ACCEPTED
        assert [one.method for one in peer.received] == ["GET", "POST", "GET"]
        history = json.loads(peer.received[1].body)["statusHistory"]
        assert (history["is_customer_notified"], history["is_visible_on_front"], history["parent_id"]) == (0, 0, 361)
        assert "status" not in history
        assert "SO-1" in history["comment"]
        assert "https://shop.example/o/1" in history["comment"]
        assert not any("/emails" in one.target for one in peer.received)
        held_against_the_description(peer)
        await source.aclose()


async def test_another_answer_is_another_comment():
    async with running_peer() as peer:
        source = magento(peer.url)
        there = json_answer(200, {"items": [{"comment": note_of(told(AnswerStage.RECEIVED))}]})
        peer.will(there, Answer(200, b"true"))
        await source.answer(told(AnswerStage.REJECTED))
        comment = json.loads(peer.received[1].body)["statusHistory"]["comment"]
        assert "rejected" in comment
        assert "out of stock" in comment
        await source.aclose()


@pytest.mark.parametrize(
    ("reaction", "outcome"),
    [
        (Answer(404), AnswerState.REFUSED),
        (Answer(400), AnswerState.REFUSED),
        (Answer(401), Misconfigured),
        (Answer(429, headers={"Retry-After": "1"}), Unavailable),
        (Answer(500), InDoubt),
        (CutOff(), InDoubt),
        (Answer(200, b"<html>It works!</html>"), InDoubt),
        (Answer(200, b"false"), InDoubt),
    ],
)
async def test_every_answer_to_an_answer_has_its_fate(reaction, outcome):
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(NOTHING, reaction)
        if isinstance(outcome, AnswerState):
            assert (await source.answer(told())).state is outcome
        else:
            with pytest.raises(outcome):
                await source.answer(told())
        await source.aclose()
