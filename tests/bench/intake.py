"""How many requests a second the gateway takes: signature or key checked, row committed, workflow started or told.

The real gateway process, in a namespace whose worker does nothing, beside a bare FastAPI route that checks the same
signature and commits one row. The load is a client of a few lines, so that it is not what is measured.
"""

import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import yaml
from rich.console import Console

from orderack.embedded.sandbox import signatures
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.embedded.sandbox.state import SandboxState
from orderack.embedded.sandbox.vendors.woocommerce import WooCommerce
from orderack.embedded.stack import HOST, Stack
from orderack.registry import prefix_of
from orderack.settings import Settings
from tests.bench.figures import Line, Result, figure, quantile, ratio, words
from tests.bench.measure import free_port
from tests.bench.processes import started
from tests.bench.rig.lanes import ORDER, worker
from tests.bench.rig.stage import embedded, order_of
from tests.bench.rig.volley import Shot, Volley, fire
from tests.workflows.orders import a_receipt

SECONDS, QUICK_SECONDS = 2.5, 1.0
CONNECTIONS, QUICK_CONNECTIONS = (1, 16, 64), (8,)

Shots = Callable[[], Iterator[Shot]]


@dataclass(frozen=True)
class Door:
    """One way in."""

    name: str
    port: int
    shots: Iterator[Shot]
    accepted: int


async def bench(quick: bool, progress: Console) -> Result:
    found: dict[tuple[str, int], Volley] = {}
    async with embedded() as stack, doors(stack) as all_doors:
        for door in all_doors:
            await fire(door.port, door.shots, 2, 0.5)
        for connections in QUICK_CONNECTIONS if quick else CONNECTIONS:
            for door in all_doors:
                volley = await fire(door.port, door.shots, connections, QUICK_SECONDS if quick else SECONDS)
                found[door.name, connections] = volley
                progress.print(f"  {door.name}, {connections} connections: {volley.per_second:.0f}/s")
    return Result(
        bench="intake",
        title="requests a second through the gateway",
        lines=tuple(lines(found, all_doors)),
        notes=NOTES,
    )


@asynccontextmanager
async def doors(stack: Stack) -> AsyncIterator[Sequence[Door]]:
    """A gateway whose orders go to a worker that does nothing, and the bare route."""
    folder, port, bare = stack.home.folder / "intake", free_port(), free_port()
    folder.mkdir()
    shop = WooCommerce(SandboxState())
    environment = stack.environment | {
        "TEMPORAL_NAMESPACE": "order",
        "ORDERACK_HOME": str(folder),
        "ORDERACK_POLICY_DIR": str(with_a_shop(folder / "policy")),
        **{
            f"{prefix_of('SOURCE', 'demo', 'woocommerce')}{name}".upper(): value
            for name, value in shop.connection(stack.sandbox_url).items()
        },
    }
    secret = stack.vendors["ORDERACK_ERP_SANDBOX_WEBHOOK_SECRET"]
    log = stack.home.log("intake")
    async with (
        worker(stack, ORDER, "order"),
        started("orderack.gateway", ("--host", HOST, "--port", str(port)), environment, log, listens(port)),
        started("tests.bench.rig.bare_gateway", (str(folder / "bare.db"), str(bare), secret), environment, log),
    ):
        yield (
            Door(BARE, bare, receipts(secret, "/receipts"), 202),
            Door("the ERP's receipt, Standard Webhooks", port, receipts(secret, "/receipts/sandbox"), 202),
            Door("a shop's order, WooCommerce's HMAC", port, shop_orders(shop), 200),
            Door("an order by API key, with the workflow's answer", port, orders(stack.secrets.api_key), 202),
        )


def with_a_shop(folder: Path) -> Path:
    """The policy, and in it the demo store's WooCommerce shop."""
    shutil.copytree(Settings().policy_dir, folder)
    file = folder / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["stores"]["demo"]["connections"] = {"woocommerce": {"source": "shop"}}
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return folder


def listens(port: int) -> Callable[[str], bool]:
    """Whether something takes connections there."""

    def asked(written: str) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex((HOST, port)) == 0

    return asked


def receipts(secret: str, path: str) -> Iterator[Shot]:
    """Each of another order, which has not come yet: the receipt starts its workflow, and waits for it there."""
    for place in count():
        order = order_of("RECEIPT", place)
        body = a_receipt(order, datetime.now(UTC), id=f"R-{place}").model_dump_json().encode()
        headers = signatures.standard_webhooks(secret, f"msg-{path}-{place}", int(time.time()), body)
        yield Shot(path, headers, body)


def shop_orders(shop: WooCommerce) -> Iterator[Shot]:
    """Orders as the shop's webhook tells of them."""
    for place in count():
        (webhook, *_) = shop.shop(ShopDeed.PLACE, order_of("SHOP", place))
        yield Shot("/intake/demo/woocommerce", webhook.signed(""), webhook.body)


def orders(api_key: str) -> Iterator[Shot]:
    for place in count():
        body = order_of("KEY", place).model_dump_json().encode()
        yield Shot("/intake/demo", {"Authorization": f"Bearer {api_key}"}, body)


BARE = "bare FastAPI: signature, one committed row"


def lines(found: dict[tuple[str, int], Volley], all_doors: Sequence[Door]) -> Iterator[Line]:
    """Each door at each number of connections, and how much of the bare route's rate it reaches."""
    for door in all_doors:
        for connections in sorted({number for _, number in found}):
            volley = found[door.name, connections]
            p50, p99 = (1000 * quantile(volley.seconds, share) for share in (0.5, 0.99))
            said = f"{volley.per_second:.0f}/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms{_odd(volley, door.accepted)}"
            yield words(f"{door.name}, {connections} at once", said)
    most = max(number for _, number in found)
    for door in all_doors[1:]:
        share = ratio([found[door.name, most].per_second], [found[BARE, most].per_second])
        yield figure(f"{door.name} / bare, {most} at once", share.value, digits=2)


def _odd(volley: Volley, accepted: int) -> str:
    others = {status: number for status, number in volley.statuses.items() if status != accepted}
    return "".join(f", {number} answered {status}" for status, number in others.items())


NOTES = (
    "Gateway, Temporal server, worker and load share this machine's cores. The gateway is one process; it holds no "
    "state, so that more of them on PostgreSQL take more.",
    "By API key the caller waits for the workflow's own answer (update-with-start); a shop's webhook is answered once "
    "it is recorded and told, or after 2 s.",
)
