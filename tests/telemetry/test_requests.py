"""The gateway's own figures: by route and never by address, by whom a bad signature claims to be from."""

import asyncio
from datetime import timedelta

from orderack.errors import Unavailable
from orderack.gateway.background import Job, running
from tests.gateway.conftest import Gateway, database, gateway
from tests.telemetry.since import Since

__all__ = ["database", "gateway"]


async def test_a_request_is_told_by_its_route_and_its_status(gateway: Gateway) -> None:
    since = Since()
    for path in ("/orders/demo/A-SECRET-NUMBER", "/o/a-token-that-is-nobodys", "/no/such/place", "/healthz"):
        await gateway.http.get(path)
    await gateway.http.request("BREW", "/healthz")
    gained = {key for key, value in since.gained().items() if key[0] == "orderack_http_request_seconds_count"}
    said = {(labels["method"], labels["route"], labels["status"]) for labels in map(dict, (key[1] for key in gained))}
    assert said == {
        ("GET", "/orders/{store}/{number:path}", "401"),
        ("GET", "/o/{token}", "404"),
        ("GET", "none", "404"),
        ("GET", "/healthz", "200"),
        ("other", "/healthz", "405"),
    }


async def test_a_bad_signature_is_told_by_whom_it_claims_to_be_from_and_strangers_are_not(gateway: Gateway) -> None:
    since = Since()
    for path in ("/webhooks/email", "/receipts/sandbox", "/webhooks/no-such-channel", "/receipts/nobody"):
        await gateway.http.post(path, content=b"{}", headers={"x-signature": "forged"})
    assert since.of("orderack_signature_failures_total", source="webhooks/email") == 1
    assert since.of("orderack_signature_failures_total", source="receipts/sandbox") == 1
    assert since.of("orderack_signature_failures_total") == 2


async def test_a_background_jobs_rounds_are_told_by_their_end() -> None:
    since, rounds = Since(), iter((None, Unavailable("away"), ZeroDivisionError()))

    async def work() -> int:
        error = next(rounds, None)
        if error:
            raise error
        return 0

    async with running([Job("a job", timedelta(milliseconds=5), work)]):
        async with asyncio.timeout(60):
            while since.of("orderack_background_jobs_total", job_name="a job") < 3:  # noqa: ASYNC110 - a counter rings no bell
                await asyncio.sleep(0.01)
    for outcome in ("done", "waits", "failed"):
        assert since.of("orderack_background_jobs_total", job_name="a job", outcome=outcome) >= 1
