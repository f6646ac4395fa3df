"""Amazon: other ways to write the same, and spoiled fields."""

from collections.abc import Sequence
from decimal import Decimal

import pytest
from pydantic import JsonValue

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus
from orderack.errors import InvalidInput
from orderack.ports import Snapshot, Standing
from tests.conformance.source import given, quickly, st
from tests.sources.amazon_bodies import ODD, ORDER, changed, mutated, paths_of, read, snapshot


async def test_an_address_of_brazil_is_put_together_and_a_business_is_billed_by_its_registered_name() -> None:
    apart = {"streetName": "Rua Exemplo", "streetNumber": "12", "complement": "ap 3", "neighborhood": "Centro"}
    body = changed("recipient.deliveryAddress", {"extendedFields": apart, "city": "Recife", "countryCode": "BR"})
    registered = {"entityType": "BUYER", "legalName": "Example SA", "taxRegistrationNumber": "00.000.000/0001-00"}
    body["tax"] = {
        "taxRegistrations": [
            {"entityType": "MERCHANT", "taxRegistrationNumber": "1"},
            registered | {"taxRegistrationAddress": {"addressLine1": "1 Office Way", "countryCode": "BR"}},
        ]
    }
    order = (await snapshot(body)).order
    assert order.delivery_address is not None
    assert order.billing_address is not None
    assert (order.delivery_address.street, order.delivery_address.street2) == ("Rua Exemplo, 12", "ap 3, Centro")
    assert (order.billing_address.company, order.billing_address.street) == ("Example SA", "1 Office Way")
    assert ("amazon_buyer_tax", "00.000.000/0001-00") in {(one.system, one.id) for one in order.external_ids}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("orderItems.0.orderItemId", 90071992547409931),
        ("orderItems.0.quantityOrdered", "2"),
        ("proceeds.grandTotal.amount", 58.40),
        ("recipient.deliveryAddress.postalCode", 150),
        ("programs", None),
        ("programs", {}),
        ("orderAliases", ""),
        ("salesChannel", None),
        ("recipient.deliveryAddress.name", "مريم 示例 🎁"),
        ("recipient.deliveryAddress.countryCode", "XX"),
        ("orderItems.0.product.sellerSku", 4711),
    ],
)
async def test_another_way_to_write_the_same_is_the_same_money(path: str, value: JsonValue) -> None:
    order = (await snapshot(changed(path, value))).order
    assert add_up(order) == order.totals.total == Decimal("58.40")
    assert order.lines[0].line_id == "90071992547409931"


async def test_two_hundred_items_and_yen_without_decimals_add_up() -> None:
    item = {
        "quantityOrdered": 3,
        "product": {"sellerSku": "A"},
        "proceeds": {"breakdowns": [{"type": "ITEM", "subtotal": {"amount": "1000.00", "currencyCode": "JPY"}}]},
    }
    body = changed("orderItems", [item | {"orderItemId": str(n)} for n in range(200)])
    body["proceeds"] = {"grandTotal": {"amount": "200000.00", "currencyCode": "JPY"}}
    order = (await snapshot(body)).order
    assert add_up(order) == order.totals.total == 200_000


async def test_an_order_of_the_old_version_is_refused_by_that_name() -> None:
    old = {"AmazonOrderId": "902-1845936-5435065", "OrderStatus": "Unshipped", "PurchaseDate": "2026-11-21T08:30:00Z"}
    with pytest.raises(InvalidInput, match="Orders API v0"):
        await read(old)


@pytest.mark.parametrize(
    ("method", "status", "terms"),
    [
        ("CashOnDelivery", PaymentStatus.PENDING, "cash on delivery"),
        ("Invoice", PaymentStatus.PENDING, "by invoice through Amazon"),
        ("Pix", PaymentStatus.CONFIRMED, "prepaid by Pix"),
        (None, PaymentStatus.CONFIRMED, "prepaid by Amazon"),
    ],
)
async def test_how_it_is_paid_says_whether_it_is(method: str | None, status: PaymentStatus, terms: str) -> None:
    payment = (await snapshot(changed("payment.paymentExecutions.0.paymentMethod", method))).order.payment
    assert (payment.status, payment.terms) == (status, terms)


async def test_an_order_that_is_fetched_in_a_store_is_a_pickup_there() -> None:
    order = (await snapshot(changed("programs", ["IN_STORE_PICK_UP"]))).order
    assert order.delivery_address is None
    assert order.pickup is not None
    assert order.pickup.location == "Ada Example, 1 Analytical Way, Oslo"


async def test_without_the_restricted_roles_an_order_has_no_buyer_and_is_still_one() -> None:
    body = {name: value for name, value in ORDER.items() if name not in ("buyer", "recipient")}
    order = (await snapshot(body)).order
    assert (order.contacts.email, order.delivery_address, order.customer.name) == (None, None, None)
    assert order.customer.id is not None


@quickly
@given(path=st.sampled_from(list(paths_of(ORDER))), value=st.sampled_from(ODD))
async def test_an_order_with_any_field_spoiled_is_an_order_or_refused_and_its_total_is_amazons(
    path: Sequence[str | int], value: JsonValue
) -> None:
    body = mutated(ORDER, path, value)
    try:
        found = await read(body)
    except InvalidInput:
        return
    if isinstance(found, Snapshot) and found.standing is Standing.OPEN:
        said = body["proceeds"]["grandTotal"]["amount"]
        assert found.order.totals.total == Decimal(str(said))
