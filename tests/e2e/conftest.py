"""What every installation under test is given."""

from collections.abc import Iterator

import pytest

from orderack.embedded import stack


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """Several installations that start at once on two busy processors need more than the minute of `orderack up`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack, "READY_WITHIN", 240.0)
        yield
