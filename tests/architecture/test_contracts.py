"""What is declared is what is implemented, and names that enter history are frozen."""

import importlib
import inspect
import pkgutil
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple, get_type_hints

from temporalio import activity

import activities
from orderack.contracts import names, search_attributes
from orderack.contracts.activities import DECLARATIONS

FROZEN = {
    "WORKFLOW": "OrderAcknowledgement",
    "ORDERS_QUEUE": "orders",
    "MESSAGING_QUEUE": "messaging",
    "ERP_QUEUE": "erp",
    "SIGNAL_ERP_RECEIPT": "erp_receipt",
    "SIGNAL_EVIDENCE": "evidence",
    "SIGNAL_PAYMENT_CHANGED": "payment_changed",
    "UPDATE_SUBMIT": "submit",
    "UPDATE_CHANGE": "change",
    "UPDATE_CANCEL": "cancel",
    "UPDATE_DECIDE_REVIEW": "decide_review",
    "UPDATE_CLAIM": "claim",
    "UPDATE_ACCEPT_HANDOFF": "accept_handoff",
    "UPDATE_SETTLE_SEND": "settle_send",
    "QUERY_STATUS": "status",
    "QUERY_TIMELINE": "timeline",
    "ASSESS": "assess",
    "SUBMIT_TO_ERP": "submit_to_erp",
    "CANCEL_IN_ERP": "cancel_in_erp",
    "ACKNOWLEDGE": "acknowledge",
    "HAND_OFF": "hand_off",
    "RECORD": "record",
}
"""Running orders and callers in other languages use these: add to the list, never change a line."""


class Shape(NamedTuple):
    """What an activity looks like from outside."""

    name: str | None
    takes: tuple[object, ...]
    gives: object


def shape(function: object) -> Shape | None:
    """The shape of an activity's definition; None for anything else."""
    definition = activity._Definition.from_callable(function) if callable(function) else None
    if definition is None:
        return None
    hints = get_type_hints(function)
    gives = hints.pop("return")
    return Shape(definition.name, tuple(hints.values()), gives)


def implemented() -> Iterator[Shape]:
    """Every activity that a class in `activities/` defines."""
    for module in pkgutil.iter_modules(activities.__path__, "activities."):
        for _, made in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if made.__module__ == module.name:
                yield from (found for _, method in inspect.getmembers(made) if (found := shape(method)))


def test_activities_implement_exactly_what_is_declared() -> None:
    declared = Counter(shape(function) for function in DECLARATIONS)
    assert None not in declared
    assert Counter(implemented()) == declared


def test_frozen_names_stay_and_no_two_are_the_same() -> None:
    held = {name: value for name, value in vars(names).items() if name.isupper()}
    assert {name: held.get(name) for name in FROZEN} == FROZEN
    kinds: dict[str, list[str]] = {}
    for name, value in held.items():
        kinds.setdefault(name.split("_")[0] if name.startswith(("SIGNAL_", "UPDATE_", "QUERY_")) else "", []).append(
            value
        )
    for kind, values in kinds.items():
        assert len(values) == len(set(values)), kind


def test_search_attributes_fit_a_sql_visibility_store() -> None:
    assert len(search_attributes.KEYWORDS) <= 10
    assert all(name.startswith("Orderack") for name in search_attributes.NAMES)
