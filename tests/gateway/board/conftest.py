"""The board as the gateway serves it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.gateway.board.board_world import World, a_world
from tests.gateway.conftest import Gateway


@pytest_asyncio.fixture
async def desk(gateway: Gateway) -> AsyncIterator[World]:
    made = a_world(gateway)
    yield made
    await made.board.feed.aclose()
