"""What an operator can filter orders by: the one typed list. Never the buyer's data (they are stored in clear).

Given at start (free); upserted by the workflow only off the happy path (an Action each time).
Frozen: add, never rename. Six of the ten Keyword attributes that a SQL visibility store allows.
"""

from collections.abc import Mapping

from temporalio.common import SearchAttributeIndexedValueType, SearchAttributeKey

ORDER = SearchAttributeKey.for_keyword("OrderackOrder")
STORE = SearchAttributeKey.for_keyword("OrderackStore")
STAGE = SearchAttributeKey.for_keyword("OrderackStage")
CUSTOMER = SearchAttributeKey.for_keyword("OrderackCustomer")
"""The shop's own id of the customer: an id, never a name or an address."""
OWNER = SearchAttributeKey.for_keyword("OrderackOwner")
EVIDENCE = SearchAttributeKey.for_keyword("OrderackEvidence")
"""The best grade of the current confirmation, else of the last message: as of the last write, so it may lag."""
ESCALATED = SearchAttributeKey.for_bool("OrderackEscalated")
NEXT_DUE = SearchAttributeKey.for_datetime("OrderackNextDue")

KEYWORDS = (ORDER, STORE, STAGE, CUSTOMER, OWNER, EVIDENCE)

NAMES: Mapping[str, SearchAttributeIndexedValueType] = {
    key.name: key.indexed_value_type for key in (*KEYWORDS, ESCALATED, NEXT_DUE)
}
"""Every name and its type, as a server registers it."""

SHADOW = "shadow"
"""The value of `STAGE` for a shadow order that needs nobody; before its other values stands `shadow_`."""
OPEN = "open"
"""The value of `STAGE` while the order needs nobody: an upsert per step would be a billed Action per step."""
