"""The figures: the page names them all and no others; their labels are few; the SDK has those that we build on."""

from pathlib import Path

import pytest
import temporalio.bridge

from orderack.telemetry.metrics import OTHER, Few, word_label
from tests.telemetry.pages import catalogue, documented

BOUNDED = frozenset(
    {
        *(
            "kind",
            "store",
            "clock",
            "outcome",
            "event",
            "channel",
            "erp",
            "verdict",
            "what",
            "endpoint",
            "result",
            "why",
        ),
        *("call", "activity", "source", "method", "route", "status", "job_name", "mode", "reason", "role", "queues"),
        *("version", "stage", "state", "name"),
    }
)
"""Labels whose values are words of ours, names in the policy, or capped."""


def test_the_page_has_every_figure_with_its_kind_and_labels_and_no_others() -> None:
    ours = {name: one for name, one in documented().items() if name.startswith("orderack_")}
    assert ours == dict(catalogue())


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_a_figure_bears_its_unit_and_labels_that_are_few(name: str) -> None:
    one = catalogue()[name]
    assert name.startswith("orderack_")
    assert name.endswith("_total") == (one.kind == "counter")
    assert one.kind != "histogram" or name.endswith("_seconds")
    assert one.labels <= BOUNDED  # neither an order's number nor anything of a buyer's, nor `job` and `instance`


def test_of_more_stores_than_a_hundred_the_rest_are_one() -> None:
    few = Few(3)
    assert [few(name) for name in ("a", "b", "a", "c", "d", "e", "b")] == ["a", "b", "a", "c", OTHER, OTHER, "b"]


def test_an_outcome_that_is_no_word_of_ours_becomes_no_label() -> None:
    assert word_label("refused: lines.0.sku: is missing") == "refused"
    assert word_label("ada@example.com") == word_label("A" * 50) == word_label("") == OTHER


def test_the_sdk_has_every_figure_of_its_own_that_the_page_names() -> None:
    binary = next(Path(temporalio.bridge.__file__).parent.glob("*temporal_sdk_bridge*")).read_bytes()
    named = [name for name in documented() if name.startswith("temporal_")]
    assert len(named) > 20
    for name in named:
        base = name.removeprefix("temporal_").removesuffix("_total").removesuffix("_seconds")
        assert base.encode() in binary, name
