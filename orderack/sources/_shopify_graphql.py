"""An order as the Admin API of today gives it, asked for under the names that its webhooks use (GraphQL's aliases)."""

import json
from typing import Annotated

from pydantic import BeforeValidator, JsonValue, TypeAdapter

from orderack.clients.shopify import Admin
from orderack.clients.wire import Moment, read
from orderack.errors import Unavailable
from orderack.sources._loose import Said
from orderack.sources._shopify_order import Buyer, Line, Number, Pair, Read, Shipping, ShopOrder, id_of

LINES = 50
"""Lines asked for at once, to stay well below the 1,000 points that one query may cost."""
MOST_PAGES = 100

_MONEY = "{ shop_money: shopMoney { ...Money } presentment_money: presentmentMoney { ...Money } }"
_PLACE = """{
  first_name: firstName last_name: lastName name company address1 address2 city province
  province_code: provinceCode zip country country_code: countryCodeV2 phone
}"""
ORDER = f"""
query TheOrder($id: ID!, $lines: Int!, $after: String) {{
  order(id: $id) {{
    id: legacyResourceId name
    created_at: createdAt processed_at: processedAt updated_at: updatedAt
    cancelled_at: cancelledAt cancel_reason: cancelReason test
    currency: currencyCode presentment_currency: presentmentCurrencyCode
    financial_status: displayFinancialStatus payment_gateway_names: paymentGatewayNames
    payment_terms: paymentTerms {{ payment_terms_name: paymentTermsName }}
    taxes_included: taxesIncluded duties_included: dutiesIncluded
    total_price_set: totalPriceSet {_MONEY}
    total_tax_set: totalTaxSet {_MONEY}
    total_discounts_set: totalDiscountsSet {_MONEY}
    total_tip_received_set: totalTipReceivedSet {_MONEY}
    original_total_duties_set: originalTotalDutiesSet {_MONEY}
    original_total_additional_fees_set: originalTotalAdditionalFeesSet {_MONEY}
    current_total_price_set: currentTotalPriceSet {_MONEY}
    current_total_tax_set: currentTotalTaxSet {_MONEY}
    current_total_discounts_set: currentTotalDiscountsSet {_MONEY}
    current_total_duties_set: currentTotalDutiesSet {_MONEY}
    current_total_additional_fees_set: currentTotalAdditionalFeesSet {_MONEY}
    current_shipping_price_set: currentShippingPriceSet {_MONEY}
    buyer: customer {{
      id: legacyResourceId first_name: firstName last_name: lastName
      mail: defaultEmailAddress {{ text: emailAddress }} telephone: defaultPhoneNumber {{ text: phoneNumber }}
    }}
    email phone customer_locale: customerLocale
    shipping_address: shippingAddress {_PLACE}
    billing_address: billingAddress {_PLACE}
    note note_attributes: customAttributes {{ name: key value }}
    po_number: poNumber confirmation_number: confirmationNumber source_name: sourceName
    till: retailLocation {{ id: legacyResourceId }}
    ways: shippingLines(first: 20) {{ nodes {{
      title code delivery_category: deliveryCategory is_removed: isRemoved
      price_set: originalPriceSet {_MONEY}
      discounted_price_set: discountedPriceSet {_MONEY}
    }} }}
    page: lineItems(first: $lines, after: $after) {{
      pageInfo {{ hasNextPage endCursor }}
      nodes {{
        id name title sku quantity current_quantity: currentQuantity requires_shipping: requiresShipping
        price_set: originalUnitPriceSet {_MONEY}
        variant {{ id: legacyResourceId }} product {{ id: legacyResourceId }}
        properties: customAttributes {{ name: key value }}
        discount_allocations: discountAllocations {{ amount_set: allocatedAmountSet {_MONEY} }}
      }}
    }}
  }}
}}
fragment Money on MoneyV2 {{ amount currency_code: currencyCode }}
"""
CHANGED = """
query Changed($since: String!, $first: Int!, $after: String) {
  orders(first: $first, after: $after, query: $since, sortKey: UPDATED_AT) {
    nodes { id: legacyResourceId updated_at: updatedAt }
    pageInfo { hasNextPage endCursor }
  }
}
"""


class _Ref(Read):
    id: Annotated[Number, BeforeValidator(id_of)]


class _Text(Read):
    text: Said = None


class _Buyer(Buyer):
    mail: _Text | None = None
    telephone: _Text | None = None


class _Line(Line):
    variant: _Ref | None = None
    product: _Ref | None = None


class _More(Read):
    hasNextPage: bool
    endCursor: str | None = None


class _Lines(Read):
    nodes: tuple[_Line, ...]
    pageInfo: _More


class _Ways(Read):
    nodes: tuple[Shipping, ...]


class _Order(ShopOrder):
    line_items: tuple[Line, ...] = ()
    note_attributes: tuple[Pair, ...] = ()
    buyer: _Buyer | None = None
    till: _Ref | None = None
    ways: _Ways
    page: _Lines


class _Found(Read):
    order: dict[str, JsonValue] | None = None


_ORDER = TypeAdapter(_Order)


class Changed(Read):
    """An order, and when it last changed."""

    id: Annotated[Number, BeforeValidator(id_of)]
    updated_at: Moment


class _Changes(Read):
    nodes: tuple[Changed, ...]
    pageInfo: _More


class _Feed(Read):
    orders: _Changes


async def order_of(admin: Admin, gid: str) -> ShopOrder | None:
    """The order with all of its lines; None: the shop has none of that id. Raises Unavailable, Misconfigured, Refused,
    and InvalidInput where it cannot be read.

    An order that changes while its pages are read is no order: it is asked for again.
    """
    lines: list[Line] = []
    after: str | None = None
    first: _Order | None = None
    for _ in range(MOST_PAGES):
        found = (await admin.ask(ORDER, {"id": gid, "lines": LINES, "after": after}, _Found)).order
        if found is None:
            return None
        order = read(_ORDER, json.dumps(found).encode())
        first = first or order
        if order.updated_at != first.updated_at:
            break
        lines += [_plain(line) for line in order.page.nodes]
        after = order.page.pageInfo.endCursor
        if not order.page.pageInfo.hasNextPage:
            return _whole(order, lines)
    raise Unavailable("the order changed while Shopify told it")


def _plain(line: _Line) -> Line:
    numbers = {
        "variant_id": line.variant.id if line.variant else None,
        "product_id": line.product.id if line.product else None,
    }
    return line.model_copy(update=numbers)


def _whole(order: _Order, lines: list[Line]) -> ShopOrder:
    buyer = order.buyer
    if buyer is not None:
        reached = {
            "email": buyer.mail.text if buyer.mail else None,
            "phone": buyer.telephone.text if buyer.telephone else None,
        }
        buyer = buyer.model_copy(update=reached)
    return order.model_copy(
        update={
            "line_items": tuple(lines),
            "shipping_lines": order.ways.nodes,
            "customer": buyer,
            "location_id": order.till.id if order.till else None,
        }
    )


async def changed_since(
    admin: Admin, since: str, after: str | None, first: int
) -> tuple[tuple[Changed, ...], str | None]:
    """Orders that changed since then (ISO 8601), the earliest first, and the cursor behind them if there are more."""
    asked: dict[str, JsonValue] = {"since": f"updated_at:>='{since}'", "first": first, "after": after}
    orders = (await admin.ask(CHANGED, asked, _Feed)).orders
    return orders.nodes, orders.pageInfo.endCursor if orders.pageInfo.hasNextPage else None
