"""The sums between an order's lines and its total, as a message and the buyer's page show them."""

from orderack.domain.order import Order, TaxBasis
from orderack.messages.formats import Formats
from orderack.messages.labels import Labels
from orderack.messages.view import Row


def totals_rows(order: Order, labels: Labels, formats: Formats) -> tuple[Row, ...]:
    """What was taken off and what was added; shipping and tax in any case. With the lines they make the total."""
    totals = order.totals
    tax = labels.tax_included if totals.tax_basis is TaxBasis.INCLUDED else labels.tax
    rows = [(labels.discount, totals.discount, "−")] if totals.discount else []
    rows += [(labels.shipping, totals.shipping, ""), (tax, totals.tax, "")]
    rows += [(labels.fees, totals.fees, "")] if totals.fees else []
    rows += [(labels.credit, totals.credit, "−")] if totals.credit else []
    return tuple(Row(label, sign + formats.rounded(amount, order.currency)) for label, amount, sign in rows)
