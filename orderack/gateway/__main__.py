"""`python -m orderack.gateway [--host H] [--port P]`: the HTTP gateway in the foreground."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta

import httpx
import uvicorn
from fastapi import FastAPI

from orderack.bootstrap import Parts, assemble
from orderack.errors import OrderAckError
from orderack.gateway.app import create_app
from orderack.gateway.board.oidc import PATIENCE
from orderack.gateway.board.parts import Board, board_of
from orderack.gateway.board.settings import BoardSettings
from orderack.gateway.figures import serve_figures
from orderack.gateway.keys import ApiKeys
from orderack.gateway.parts import GatewayParts, utc_now
from orderack.gateway.proxies import trusted
from orderack.gateway.rates import Rates
from orderack.gateway.stores import CurrentStores
from orderack.messages.page_labels import PageWording
from orderack.settings import Settings
from orderack.telemetry.process import watched
from orderack.temporal.connect import connect
from orderack.temporal.ending import end
from orderack.temporal.orders import Orders


def gateway_parts(parts: Parts, orders: Orders, http: httpx.AsyncClient | None = None) -> GatewayParts:
    """What the gateway needs of the whole. `http` asks the login provider of the board, which needs it to be there."""
    keys = ApiKeys.parse(parts.settings.api_keys.get_secret_value())
    return GatewayParts(
        ledger=parts.ledger,
        orders=orders,
        channels=parts.channels.ready,
        erps=parts.erps.ready,
        sources=parts.sources.ready,
        stores=CurrentStores(parts.policy),
        erp_of=lambda store: erp.name if (erp := parts.policy().stores[store].erp) else None,
        keys=keys,
        board=_board(parts, orders, keys, http) if http else None,
        links=parts.links,
        touch_links=parts.touch_links,
        public_url=parts.settings.public_url,
        wording=PageWording(parts.settings.policy_dir / "messages"),
        endpoints=lambda: parts.policy().endpoints,
        touch_days=parts.settings.touch_days,
        poll_every=timedelta(seconds=parts.settings.poll_seconds),
        rates=Rates(key=parts.settings.rate_per_minute),
    )


def _board(parts: Parts, orders: Orders, keys: ApiKeys, http: httpx.AsyncClient) -> Board | None:
    return board_of(
        BoardSettings(),
        secret=parts.settings.secret.get_secret_value(),
        public_url=parts.settings.public_url,
        ledger=parts.ledger,
        orders=orders,
        stores=CurrentStores(parts.policy),
        keys=keys,
        links=parts.links,
        now=utc_now,
        http=http,
    )


async def serve(host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM. Temporal may be away: requests are recorded and announced later."""
    settings = Settings()
    with watched("gateway", settings) as telemetry:
        orders = Orders(await connect(lazy=True, plugins=[telemetry]))
        async with assemble(settings) as parts, httpx.AsyncClient(timeout=PATIENCE) as http:
            serve_figures(telemetry, parts.ledger, orders, settings.home)
            app = create_app(gateway_parts(parts, orders, http))
            await server_of(app, host, port, trusted(settings.trusted_proxies)).serve()


def server_of(app: FastAPI, host: str, port: int, proxies: Sequence[str]) -> uvicorn.Server:
    """The server, which writes no addresses down (they hold tokens) and bounds a request's head (h11: 64 KiB)."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http="h11",
        access_log=False,
        log_config=None,
        log_level="warning",
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        server_header=False,
    )
    return uvicorn.Server(config)


def main() -> None:
    parser = argparse.ArgumentParser(prog="orderack.gateway", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    arguments = parser.parse_args()
    try:
        asyncio.run(serve(arguments.host, arguments.port))
    except OrderAckError as error:
        sys.stderr.write(f"gateway: {error}\n")
        end(3)
    end(0)


if __name__ == "__main__":
    main()
