"""Whether a message may carry a pixel and tracked links at all: the store's choice, and the buyer's country's."""

from orderack.domain.order import Order
from orderack.domain.store import TouchRules

OFF = TouchRules(pixel=False, links=False)


def in_force(rules: TouchRules, order: Order) -> TouchRules:
    """The store's rules for this order: off where the buyer's country is one of `off_in`.

    The country is that of the delivery address, else of the billing address. Where a store names countries and the
    buyer's is not known, both are off.
    """
    if not rules.off_in:
        return rules
    address = order.delivery_address or order.billing_address
    country = address.country.upper() if address else None
    off = country is None or country in {named.upper() for named in rules.off_in}
    return OFF if off else rules
