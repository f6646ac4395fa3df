"""Orders as JSON of somebody's own making: by a mapping in the policy, or in our own shape."""

import copy
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orderack import sources
from orderack.domain.completeness import missing_fields
from orderack.domain.money import add_up
from orderack.domain.order import Order, PaymentStatus
from orderack.embedded.sandbox import signatures
from orderack.errors import BadSignature, InvalidInput
from orderack.ports import Connection, Delivery, RawRequest, Skipped, Snapshot, Standing
from orderack.sources.form import Form, FormSettings
from tests.conformance.source import NOW, SourceConformance, anything, quickly

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEY = "key-of-the-portal"
MAPPING = {
    "orderNo": "number",
    "created": "placed_at",
    "changed": "updated_at",
    "state": "status",
    "cur": "currency",
    "sums.total": "total",
    "sums.vat": "tax",
    "buyer.no": "customer.id",
    "buyer.fullName": "customer.name",
    "buyer.mail": "email",
    "buyer.phones[0]": "phone",
    "buyer.address.line1": "address.street",
    "buyer.address.town": "address.city",
    "buyer.address.zip": "address.postal_code",
    "buyer.address.country": "address.country",
    "pay.terms": "payment.terms",
    "pay.state": "payment.status",
    "pay.by": "payment.method",
    "remark": "instructions",
    "basket.items": "lines",
    "basket.items.code": "lines.sku",
    "basket.items.name": "lines.description",
    "basket.items.count": "lines.quantity",
    "basket.items.each": "lines.price",
    "basket.items.sum": "lines.amount",
}
POSTED: dict[str, Any] = {
    "orderNo": 9007199254740993,
    "created": "2026-11-21T10:00:00+01:00",
    "changed": "2026-11-21T10:05:00+01:00",
    "state": "open",
    "cur": "eur",
    "sums": {"total": "54.60", "vat": 4.6},
    "buyer": {
        "no": "K-100",
        "fullName": "Ada Example",
        "mail": "ada@example.com",
        "phones": ["+49 30 1234567"],
        "address": {"line1": "Hauptstr. 5", "town": "Berlin", "zip": "10115", "country": "DE"},
    },
    "pay": {"terms": "net 30", "state": "open"},
    "remark": "ring twice",
    "basket": {
        "items": [
            {"code": "AB-100", "name": "Blue lamp", "count": 10, "each": 3.5},
            {"code": "", "name": "Screws", "count": "3", "sum": "15.00"},
        ]
    },
}
BODY = json.dumps(POSTED).encode()
CONNECTION = Connection(
    store="shop", system="form", source="portal", country="DE", time_zone="Europe/Berlin", fields=MAPPING
)


def form(connection: Connection = CONNECTION, **settings: str) -> Form:
    return Form(connection, FormSettings.model_validate(settings or {"secret": SECRET}), clock=lambda: NOW)


def request(body: bytes, **headers: str) -> RawRequest:
    return RawRequest(url="https://o.example/intake/shop/form", headers=headers, body=body)


async def read(posted: Mapping[str, object], connection: Connection = CONNECTION) -> Snapshot:
    delivery = Delivery(id="1", body=json.dumps(posted), sent_at=NOW)
    (reading,) = await form(connection).read(delivery)
    assert isinstance(reading, Snapshot)
    return reading


def changed(**paths: object) -> dict[str, Any]:
    made = copy.deepcopy(POSTED)
    for path, value in paths.items():
        *steps, last = path.split("__")
        inner = made
        for step in steps:
            inner = inner[step]
        inner[last] = value
    return made


class TestForm(SourceConformance):
    name: ClassVar[str] = "form"
    secrets: ClassVar[Sequence[str]] = (SECRET,)
    required: ClassVar[Sequence[str]] = ()
    body: ClassVar[bytes] = BODY

    def make(self, base_url: str = "") -> Form:
        return form()

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return request(body, **signatures.standard_webhooks(SECRET, "msg_1", int(at.timestamp()), body))

    def test_the_name_is_the_files_and_the_registration_says_what_is_needed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One of two settings is needed, which no field's own says."""
        with pytest.raises(ValidationError, match="SECRET"):
            FormSettings()
        spec = sources.load()["form"]
        assert spec.adapter is Form
        assert spec.traps
        assert spec.webhook
        assert all(one.description for one in spec.variables)


async def test_the_policys_mapping_says_where_each_field_stands() -> None:
    snapshot = await read(POSTED)
    order = snapshot.order
    assert order.number == "9007199254740993", "a number beyond 2^53 is whole"
    assert order.trigger_at == datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    assert snapshot.at == datetime(2026, 11, 21, 9, 5, tzinfo=UTC)
    assert [(line.sku, line.quantity, line.unit_price) for line in order.lines] == [
        ("AB-100", 10, Decimal("3.5")),
        ("line:2", 3, Decimal(5)),
    ]
    assert order.totals.total == Decimal("54.60") == add_up(order)
    assert order.delivery_address is not None
    assert order.delivery_address.city == "Berlin"
    assert (order.customer.id, order.contacts.email, order.contacts.phone) == (
        "K-100",
        "ada@example.com",
        "+49301234567",
    )
    assert (order.payment.terms, order.instructions, order.currency) == ("net 30", "ring twice", "EUR")
    assert order.source == "portal"


@pytest.mark.parametrize(
    ("state", "standing"),
    [("cancelled", Standing.CANCELLED), ("draft", Standing.NOT_YET), ("open", Standing.OPEN), ("", Standing.OPEN)],
)
async def test_a_cancelled_order_and_a_draft_are_told_by_their_status(state: str, standing: Standing) -> None:
    assert (await read(changed(state=state))).standing is standing


@pytest.mark.parametrize(
    ("state", "by", "terms", "status"),
    [
        ("paid", "card", "prepaid by card", PaymentStatus.CONFIRMED),
        (True, None, "prepaid by other means", PaymentStatus.CONFIRMED),
        ("fraud", None, None, PaymentStatus.FLAGGED),
        ("open", None, None, PaymentStatus.PENDING),
    ],
)
async def test_what_is_paid_is_confirmed_and_its_terms_are_how(
    state: object, by: str | None, terms: str | None, status: PaymentStatus
) -> None:
    payment = (await read(changed(pay={"state": state, "by": by}))).order.payment
    assert (payment.terms, payment.status) == (terms, status)


@pytest.mark.parametrize(
    ("posted", "field"),
    [
        (changed(orderNo=None), "orderNo"),
        (changed(cur="zz"), "currency"),
        (changed(created="yesterday"), "placed_at"),
        (changed(sums={"total": "1.234,50"}), "sums.total"),
        (changed(sums={"total": -1}), "totals.total"),
        (changed(basket={"items": "none"}), "basket.items"),
        (changed(basket={"items": [{"code": "A", "each": 1}]}), "lines[0].quantity"),
        (changed(basket={"items": [{"code": "A", "count": 1}]}), "lines[0].price"),
        (changed(basket={"items": [{"code": {}, "count": 1, "each": 1}]}), "code"),
        (changed(remark=["x"]), "remark"),
    ],
)
async def test_a_field_that_is_wrong_is_refused_by_its_name(posted: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await read(posted)
    assert field in {problem.field for problem in refused.value.problems}


async def test_a_total_that_is_not_sent_is_added_up() -> None:
    order = (await read(changed(sums={}))).order
    assert order.totals.total == Decimal("50.00")


TILL = {
    "store.till": "number",
    "store.receipt": "number",
    "=EUR": "currency",
    "store.name": "pickup.location",
    "closed_at": "placed_at",
    "member.mobile": "phone",
    "member.first": "customer.name",
    "member.last": "customer.name",
    "tender.kind": "payment.method",
    "=paid": "payment.status",
    "sum.gross": "total",
    "sum.vat7": "tax",
    "sum.vat19": "tax",
    "=yes": "tax_included",
    "articles": "lines",
    "articles.plu": "lines.sku",
    "articles.text": "lines.description",
    "articles.qty": "lines.quantity",
    "articles.price": "lines.price",
    "articles.paid": "lines.amount",
}
RECEIPT: dict[str, Any] = {
    "store": {"name": "Harbour shop", "till": "T2", "receipt": 42},
    "closed_at": "2026-11-21T10:20:00",
    "member": {"first": "Ada", "last": "Example", "mobile": "0170 5550006"},
    "tender": {"kind": "cash"},
    "sum": {"gross": 25.50, "vat7": "0.33", "vat19": "3.27"},
    "articles": [
        {"plu": 4711, "text": "Lamp", "qty": 1, "price": "22.00", "paid": "20.50"},
        {"plu": "0815", "text": "Tea, loose", "qty": "0.250", "price": 20, "paid": 5},
        {"plu": "9", "text": "Bag", "qty": 0, "price": 1, "paid": 0},
    ],
}


class TestTill:
    """A till's receipt: fetched in the shop, paid in cash, no e-mail, a number that each till begins anew."""

    CONNECTION = CONNECTION.model_copy(update={"fields": TILL, "source": "pos"})

    async def read(self, **changes: object) -> Snapshot:
        return await read({**RECEIPT, **changes}, self.CONNECTION)

    async def test_a_receipt_is_an_order(self) -> None:
        snapshot = await self.read()
        order = snapshot.order
        assert order.number == snapshot.external_id == "T2-42"
        assert order.trigger_at == datetime(2026, 11, 21, 9, 20, tzinfo=UTC)
        assert order.pickup is not None
        assert (order.pickup.location, order.delivery_address) == ("Harbour shop", None)
        assert (order.payment.status, order.payment.terms) == (PaymentStatus.CONFIRMED, "prepaid by cash")
        assert (order.contacts.email, order.contacts.phone) == (None, "+491705550006")
        assert order.customer.name == "Ada Example"
        assert order.customer.id is not None
        assert [(line.sku, line.quantity, line.unit_price, line.discount) for line in order.lines] == [
            ("4711", 1, 22, Decimal("1.5")),
            ("0815", Decimal("0.25"), 20, 0),
        ]
        assert (order.totals.tax, order.totals.tax_basis) == (Decimal("3.60"), "included")
        assert order.totals.total == add_up(order) == Decimal("25.50")
        assert missing_fields(order, (), ("phone",)) == ()

    async def test_who_has_only_a_phone_is_the_same_customer_again(self) -> None:
        first, again = await self.read(), await self.read(store={**RECEIPT["store"], "receipt": 43})
        stranger = await self.read(member={"mobile": "0170 5550007"})
        assert first.order.customer.id == again.order.customer.id != stranger.order.customer.id

    async def test_who_leaves_nothing_is_the_receipts_own_customer(self) -> None:
        first, other = await self.read(member=None), await self.read(member=None, store={**RECEIPT["store"], "till": 3})
        assert (first.order.contacts.phone, first.order.customer.name) == (None, None)
        assert first.order.customer.id != other.order.customer.id
        assert other.order.number == "3-42"

    async def test_a_voided_receipt_cancels(self) -> None:
        fields = {**TILL, "state": "status"}
        posted = {**RECEIPT, "state": "Voided"}
        snapshot = await read(posted, CONNECTION.model_copy(update={"fields": fields}))
        assert snapshot.standing is Standing.CANCELLED


class TestWhatALineCosts:
    @pytest.mark.parametrize(
        ("line", "amount", "discount"),
        [
            ({"each": 10, "count": 3}, 30, 0),
            ({"sum": 10, "count": 3}, 10, 0),
            ({"each": 10, "sum": 27, "count": 3}, 30, 3),
            ({"each": 10, "sum": 33, "count": 3}, 33, 0),
            ({"each": 10, "sum": 30, "off": 3, "count": 3}, 30, 3),
            ({"each": 10, "off": "-3.00", "count": 3}, 30, 3),
            ({"each": "0.00125", "count": 1000}, Decimal("1.25"), 0),
        ],
    )
    async def test_the_total_that_is_not_sent_has_each_lines_discount_in_it(
        self, line: dict[str, object], amount: Decimal, discount: Decimal
    ) -> None:
        fields = {**MAPPING, "basket.items.off": "lines.discount"}
        posted = changed(sums={}, basket={"items": [{"code": "A", **line}]})
        order = (await read(posted, CONNECTION.model_copy(update={"fields": fields}))).order
        (one,) = order.lines
        assert (one.amount, one.discount) == (amount, discount)
        assert order.totals.total == add_up(order) == amount - discount

    async def test_what_is_taken_off_the_whole_order_may_have_either_sign(self) -> None:
        fields = {**MAPPING, "sums.off": "discount", "sums.card": "credit"}
        for sign in (1, -1):
            posted = changed(sums={"off": sign * 5, "card": 10})
            order = (await read(posted, CONNECTION.model_copy(update={"fields": fields}))).order
            assert (order.totals.discount, order.totals.credit) == (5, 10)
            assert order.totals.total == add_up(order) == 35

    @pytest.mark.parametrize("quantity", [10**13, "0.00000001", 10**20, "1e-20", -1])
    async def test_what_is_out_of_all_proportion_is_refused_by_its_name(self, quantity: object) -> None:
        with pytest.raises(InvalidInput) as refused:
            await read(changed(basket={"items": [{"code": "A", "count": quantity, "each": 99}]}))
        assert all("lines[0]" in one.field or "count" in one.field for one in refused.value.problems)


@pytest.mark.parametrize(
    ("said", "window", "left"),
    [
        ({"from": "2026-12-01T09:00", "to": "2026-12-01T11:00"}, ("2026-12-01T08:00", "2026-12-01T10:00"), None),
        ({"from": "2026-12-01"}, ("2026-11-30T23:00", "2026-12-01T22:59"), None),
        ({"from": "2026-12-01T09:00"}, ("2026-12-01T08:00", "2026-12-01T09:00"), None),
        ({"to": "2026-12-01"}, None, "delivery until 2026-12-01"),
        ({}, None, None),
    ],
)
async def test_a_wanted_delivery_that_is_half_said_is_not_lost(
    said: dict[str, object], window: tuple[str, str] | None, left: str | None
) -> None:
    fields = {**MAPPING, "wish.from": "window.start", "wish.to": "window.end"}
    order = (await read({**changed(remark=None), "wish": said}, CONNECTION.model_copy(update={"fields": fields}))).order
    found = order.delivery_window
    assert (found and tuple(at.astimezone(UTC).isoformat()[:16] for at in (found.start, found.end))) == window
    assert order.instructions == left


async def test_what_is_longer_than_we_keep_goes_to_a_person() -> None:
    assert (await read(changed(remark="x" * 2_000))).order.doubts == ()
    order = (await read(changed(remark="x" * 2_000 + "no nuts"))).order
    assert [doubt.field for doubt in order.doubts] == ["instructions"]
    fields = {**MAPPING, "basket.items.diet": "lines.dietary"}
    posted = changed(basket={"items": [{"code": "A", "count": 1, "each": 1, "diet": "y" * 2_001}]})
    assert (await read(posted, CONNECTION.model_copy(update={"fields": fields}))).order.doubts


async def test_a_portals_billing_address_and_kind_of_order_are_kept() -> None:
    fields = {**MAPPING, "invoice.street": "billing.street", "invoice.town": "billing.city", "kind": "order_type"}
    posted = {**POSTED, "invoice": {"street": "Postfach 7", "town": "Bonn"}, "kind": "rush"}
    order = (await read(posted, CONNECTION.model_copy(update={"fields": fields}))).order
    assert order.billing_address is not None
    assert (order.billing_address.street, order.billing_address.country) == ("Postfach 7", "DE")
    assert order.order_type == "rush"
    assert (await read(changed(buyer={"address": {"country": "DE"}}))).order.delivery_address is None


async def test_no_time_of_theirs_is_later_than_the_posts_own() -> None:
    snapshot = await read(changed(created="2026-11-21T12:00:00+01:00", changed="2099-01-01T00:00:00Z"))
    assert snapshot.at == snapshot.order.trigger_at == NOW
    for year in ("0001", "9999"):
        with pytest.raises(InvalidInput, match="is not a time"):
            await read(changed(created=f"{year}-01-01T00:00:00+01:00"))


def test_an_order_that_stands_again_as_it_did_is_news_where_it_is_signed() -> None:
    first, again, back = (
        form().deliveries(request(BODY, **{"webhook-id": message}))[0].id for message in ("msg_1", "msg_1", "msg_2")
    )
    assert first == again != back
    by_key = [form(api_key=KEY).deliveries(request(BODY, **{"webhook-id": m}))[0].id for m in ("msg_1", "msg_2")]
    assert by_key[0] == by_key[1]


async def test_our_own_shape_needs_no_mapping_and_cannot_name_another_store(sample: Order) -> None:
    plain = CONNECTION.model_copy(update={"fields": {}})
    snapshot = await read(json.loads(sample.model_dump_json()), plain)
    assert snapshot.order.store == "shop"
    assert snapshot.order.source == "portal"
    assert snapshot.order.lines == sample.lines


async def test_names_of_our_own_work_without_a_mapping() -> None:
    plain = CONNECTION.model_copy(update={"fields": {}})
    posted = {
        "number": "1",
        "currency": "EUR",
        "email": "ada@example.com",
        "lines": [{"sku": "A-1", "quantity": 2, "price": "1.5"}],
    }
    order = (await read(posted, plain)).order
    assert order.totals.total == 3
    assert order.lines[0].sku == "A-1"


async def test_a_mapping_to_no_field_of_ours_is_refused() -> None:
    with pytest.raises(InvalidInput, match="delivery_windw"):
        await read(POSTED, CONNECTION.model_copy(update={"fields": {**MAPPING, "x": "delivery_windw"}}))


async def test_a_test_of_the_connection_is_no_order() -> None:
    (reading,) = await form().read(Delivery(id="1", body='{"test": true}'))
    assert isinstance(reading, Skipped)


async def test_a_key_stands_in_for_a_signature_where_the_policy_says_so() -> None:
    source = form(api_key=KEY)
    await source.verify(request(BODY, **{"x-api-key": KEY}))
    for headers in ({"x-api-key": "other"}, {}):
        with pytest.raises(BadSignature):
            await source.verify(request(BODY, **headers))
    with pytest.raises(BadSignature):
        await form(secret=SECRET, api_key=KEY).verify(request(BODY, **{"x-api-key": KEY}))
    for wrong in ({"api_key": "short"}, {"secret": "whsec_short"}):
        with pytest.raises(ValidationError):
            FormSettings.model_validate(wrong)


@pytest.fixture
def sample() -> Order:
    return Order.model_validate(
        {
            "store": "other",
            "number": "77",
            "source": "web",
            "trigger_at": "2026-11-21T09:00:00Z",
            "currency": "EUR",
            "lines": [{"line_id": "1", "sku": "A-1", "quantity": "2", "unit_price": "1.50"}],
            "totals": {"total": "3.00"},
        }
    )


@quickly
@given(st.sampled_from([path for path in MAPPING if "[" not in path]), anything)
async def test_whatever_stands_in_a_field_it_is_an_order_or_a_named_refusal(path: str, value: object) -> None:
    posted = copy.deepcopy(POSTED)
    *steps, last = path.split(".")
    inner: Any = posted
    for step in steps:
        inner = inner[step][0] if isinstance(inner[step], list) else inner[step]
    inner[last] = value
    try:
        (reading,) = await form().read(Delivery(id="1", body=json.dumps(posted), sent_at=NOW))
    except InvalidInput:
        return
    assert isinstance(reading, Snapshot)
