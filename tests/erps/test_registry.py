"""The folder of ERPs is the registry, and every file in it has its conformance test."""

import importlib
from pathlib import Path

import pytest

from orderack.erps import load
from tests.conformance.erp import ErpConformance

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", sorted(load()))
def test_every_erp_has_a_conformance_test_of_its_name(name: str) -> None:
    assert (HERE / f"test_{name}.py").is_file(), f"write tests/erps/test_{name}.py"
    module = importlib.import_module(f"tests.erps.test_{name}")
    own = [found for found in vars(module).values() if isinstance(found, type) and found.__module__ == module.__name__]
    assert [suite for suite in own if issubclass(suite, ErpConformance) and suite.name == name]
