"""A buyer's browser before a real, running installation: one stack and one chromium for all stories."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from orderack.embedded.demo.driver import Driver
from orderack.embedded.stack import Ports, Stack, running
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from tests.browser.buyer import Buyers
from tests.browser.eyes import Eyes
from tests.browser.shop import Shop

CHROMIUM = "ORDERACK_CHROMIUM"
NO_CHROMIUM = (
    "the buyer's page is tested in chromium and there is none: on Debian or Ubuntu `apt-get install chromium`, "
    f"elsewhere name an executable, {CHROMIUM}=/path/to/chrome make test-browser"
)
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
PICTURES = Path(__file__).parents[2] / "build" / "browser"


def chromium() -> str:
    """The browser's executable. Ends the run with a sentence where there is none."""
    found = shutil.which(os.environ.get(CHROMIUM, "chromium"))
    if found is None:
        pytest.exit(NO_CHROMIUM, returncode=2)
    return found


@pytest_asyncio.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    executable = chromium()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session")
async def stack(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """After the browser: without one, nothing needs to start."""
    async with running(tmp_path_factory.mktemp("home"), Ports(0, 0, 0, 0, 0)) as stack:
        yield stack


@pytest_asyncio.fixture(scope="session")
async def shop(stack: Stack) -> AsyncIterator[Shop]:
    async with httpx.AsyncClient(timeout=30) as http:
        yield Shop(Driver(stack, Orders(await connect(env=stack.environment)), http))


@pytest_asyncio.fixture(scope="session")
async def eyes(browser: Browser) -> AsyncIterator[Eyes]:
    context = await browser.new_context(reduced_motion="reduce")
    yield Eyes(context, PICTURES)
    await context.close()


@pytest_asyncio.fixture
async def buyers(browser: Browser, stack: Stack) -> AsyncIterator[Buyers]:
    """Each leaves with a browser that never complained and never spoke to anybody but us."""
    buyers = Buyers(browser, stack.gateway_url)
    yield buyers
    await buyers.leave()
