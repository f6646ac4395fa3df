"""What Temporal stores in clear and lets everybody filter by never reaches a buyer."""

import pytest

from orderack.contracts import search_attributes as attributes
from orderack.domain.order import OrderRef
from orderack.temporal.orders import _attributes

REF = OrderRef(store="demo", number="A-1")


@pytest.mark.parametrize("customer", ["ada@example.com", "shop:ada@example.com", "+15005550006", " +4930 5550 100"])
def test_an_address_that_a_shop_uses_as_its_customers_id_is_left_out(customer: str) -> None:
    assert attributes.CUSTOMER not in _attributes(REF, customer)


@pytest.mark.parametrize("customer", ["C-1", "6940095564", "gid://shopify/Customer/706405506930370084", "D+4711"])
def test_an_id_is_kept(customer: str) -> None:
    assert _attributes(REF, customer)[attributes.CUSTOMER] == customer
