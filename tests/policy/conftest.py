"""A small policy, orders and channels for the policy's tests."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import Grade
from orderack.domain.intake import parse_order
from orderack.domain.order import Order
from orderack.policy.load import load_policy
from orderack.policy.model import ChannelFacts, Policy

Document = dict[str, Any]

DOCUMENT: Document = {
    "languages": ["en"],
    "stores": {
        "demo": {
            "profile": {"display_name": "Demo", "time_zone": "Europe/Berlin", "country": "DE"},
            "erp": {"name": "sandbox", "mode": "push"},
            "team": "operations",
            "calendar": {"country": "DE", "region": "BE", "cut_off": "15:00", "lead_days": 2, "capacity_per_day": 100},
            "thresholds": {"high_value": {"EUR": 5000}},
        }
    },
    "sources": {
        "web": {
            "trigger": "submitted",
            "required_fields": ["contact"],
            "channels": [["mail", "sms"]],
            "fallback": ["page"],
            "gate": "ack_gated",
        },
        "edi": {"trigger": "accepted", "channels": [["page"]], "fallback": ["mail"], "gate": "adaptive"},
    },
    "teams": {"operations": {"rota": ["lead", "deputy"], "reviewers": ["desk"]}, "sales": {"rota": ["seller"]}},
    "rules": [
        {
            "name": "big_web",
            "why": "Big web orders.",
            "when": 'order.source == "web" && order.total > 3000',
            "then": {"route": "review", "internal": [["chat"]]},
        },
        {
            "name": "enterprise",
            "when": 'order.customer.relation == "enterprise"',
            "then": {"gate": "erp_gated", "channels": [["mail", "sms"], ["page"]], "team": "sales"},
        },
    ],
    "default": {"then": {}},
}

CHANNELS: Mapping[str, ChannelFacts] = {
    "mail": ChannelFacts(buyer=True, ceiling=Grade.E3P, address="email"),
    "sms": ChannelFacts(buyer=True, ceiling=Grade.E2, address="phone"),
    "page": ChannelFacts(buyer=True, ceiling=Grade.E5, address="page"),
    "plain": ChannelFacts(buyer=True, ceiling=Grade.E1, address="email"),
    "chat": ChannelFacts(buyer=False, ceiling=Grade.E5, address="chat:chat"),
}

WORDINGS = frozenset(("en", kind.value) for kind in Kind)

ORDER: Document = {
    "store": "demo",
    "number": "A-1",
    "source": "web",
    "trigger_at": "2026-11-12T10:00:00+01:00",
    "customer": {"id": "C-1"},
    "contacts": {"email": "ada@example.com", "phone": "+15005550006"},
    "lines": [{"line_id": "1", "sku": "TENT", "quantity": 1, "unit_price": "100"}],
    "delivery_address": {"street": "Road 1", "city": "Berlin", "postal_code": "10115", "country": "DE"},
    "payment": {"status": "confirmed", "terms": "prepaid"},
    "currency": "EUR",
    "totals": {"total": "100"},
}


def order(**changes: object) -> Order:
    """The sample order with some top-level fields changed."""
    parsed = parse_order({**ORDER, **changes})
    assert isinstance(parsed, Order), parsed
    return parsed


def worth(total: int, **changes: object) -> Order:
    """The sample order at another price."""
    line = {**ORDER["lines"][0], "unit_price": total}
    return order(lines=[line], totals={"total": total}, **changes)


@pytest.fixture
def write_policy(tmp_path: Path) -> Callable[[Callable[[Document], object]], Path]:
    """Write the sample policy, edited by a function, and return its folder."""

    def write(edit: Callable[[Document], object] = lambda _: None) -> Path:
        document = copy.deepcopy(DOCUMENT)
        edit(document)
        (tmp_path / "policy.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        return tmp_path

    return write


@pytest.fixture
def load(write_policy: Callable[[Callable[[Document], object]], Path]) -> Callable[..., Policy]:
    """Load the sample policy, edited by a function."""
    return lambda edit=lambda _: None: load_policy(write_policy(edit))
