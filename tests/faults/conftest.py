"""A ledger of its own for each test, and the look-alikes in this process."""

from collections.abc import AsyncIterator

import pytest_asyncio

from orderack.embedded.sandbox import Behaviour, Sandbox, SandboxState
from tests.activities.conftest import own_ledger, renderer, world

__all__ = ["own_ledger", "renderer", "world"]


@pytest_asyncio.fixture(scope="package")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox.start(state=SandboxState(behaviour=Behaviour(webhooks=False))) as running:
        yield running
