"""Connecting, registering search attributes, and ending a short-lived process."""

import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from orderack.contracts.search_attributes import NAMES
from orderack.domain.order import OrderRef
from orderack.errors import Misconfigured, Unavailable
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from orderack.temporal.search_attributes import missing, register
from tests.temporal.server import BARE, FRESH, Temporal


def nobody() -> str:
    """An address where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


async def test_a_server_that_is_not_there_is_said_with_its_address_and_the_remedy_in_bounded_time() -> None:
    address = nobody()
    begun = time.monotonic()
    with pytest.raises(Unavailable, match=rf"{address}.*orderack up.*TEMPORAL_ADDRESS"):
        await connect(env={"TEMPORAL_ADDRESS": address}, wait=timedelta(seconds=2))
    assert time.monotonic() - begun < 4


async def test_a_lazy_client_starts_without_the_server_and_says_so_at_the_first_call() -> None:
    client = await connect(env={"TEMPORAL_ADDRESS": nobody()}, lazy=True)
    with pytest.raises(Unavailable):
        await Orders(client, within=timedelta(seconds=1)).status(OrderRef(store="demo", number="1"))


async def test_a_profile_from_temporal_toml_is_used(temporal: Temporal, tmp_path: Path) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text(f'[profile.shop]\naddress = "{temporal.address}"\nnamespace = "{BARE}"\n')
    client = await connect("shop", env={"TEMPORAL_CONFIG_FILE": str(file)})
    assert client.namespace == BARE


async def test_a_profile_that_does_not_exist_is_named(tmp_path: Path) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text("[profile.shop]\n")
    with pytest.raises(Misconfigured, match="nosuch"):
        await connect("nosuch", env={"TEMPORAL_CONFIG_FILE": str(file)})


async def test_registering_search_attributes_adds_what_is_missing_and_twice_adds_nothing(temporal: Temporal) -> None:
    client = await temporal.client(FRESH)
    assert list(await missing(client)) == sorted(NAMES)
    assert list(await register(client)) == sorted(NAMES)
    assert list(await missing(client)) == []
    assert list(await register(client)) == []


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_that_used_a_client_ends_with_its_own_code_and_all_its_output(code: int, temporal: Temporal) -> None:
    program = (
        "import asyncio, sys\n"
        "from orderack.temporal.connect import connect\n"
        "from orderack.temporal.ending import end\n"
        f"asyncio.run(connect(env={{'TEMPORAL_ADDRESS': '{temporal.address}'}}))\n"
        "print('out', end='')\n"
        "print('err', end='', file=sys.stderr)\n"
        f"end({code})\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "out", "err")
