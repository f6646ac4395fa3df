"""`python -m tests.invariants.record`: a short real run, kept in `recorded/` for the checker's own tests.

One order for each thing that a check looks at: straight through and handed in twice, late with a holding message and
an update, changed, called off, booked before it came, in doubt, in review, and its buyer opted out.
"""

import asyncio
import json
import re
import shutil
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx

from orderack.contracts.journal import Event, Stage
from orderack.contracts.updates import ChangeRequest
from orderack.domain.acknowledgement import Kind
from orderack.embedded.demo.driver import Driver, told
from orderack.embedded.demo.orders import an_order, with_quantity
from orderack.embedded.stack import Ports, running
from orderack.temporal.connect import connect
from orderack.temporal.ending import end
from orderack.temporal.orders import Orders
from tests.invariants.folder import export
from tests.invariants.logs import Account, Answered

RECORDED = Path(__file__).parent / "recorded"
FAST = {"ORDERACK_POLICY_DIVISOR": "240", "ORDERACK_SEND_LEASE_SECONDS": "2"}
"""Fifteen minutes are 3.75 s, two hours thirty."""

STRAIGHT, LATE, CHANGED, CANCELLED, EARLY, DOUBT, REVIEW, SILENT = (f"I-{n}" for n in range(1, 9))


async def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home, exported = Path(scratch) / "home", Path(scratch) / "run"
        async with httpx.AsyncClient(timeout=30) as http, running(home, Ports(0, 0, 0, 0, 0), extra=FAST) as stack:
            client = await connect(env=stack.environment)
            driver = Driver(stack, Orders(client), http)
            answers = await tell(driver)
            quiet = datetime.now(UTC)
            await asyncio.sleep(3)
            account = Account(fault="none", exported_at=datetime.now(UTC), quiet_since=quiet, answers=answers)
            url = f"sqlite+aiosqlite:///{home / 'ledger.db'}"
            await export(exported, account, client, stack.sandbox_url, url)
        keep(exported)


async def tell(driver: Driver) -> tuple[Answered, ...]:
    """Live the stories side by side."""
    orders = {name: an_order(name, place) for place, name in enumerate((STRAIGHT, LATE, CHANGED, CANCELLED), start=1)}
    orders |= {name: an_order(name, place) for place, name in enumerate((EARLY, DOUBT, REVIEW, SILENT), start=5)}
    orders[REVIEW] = an_order(REVIEW, 7, price="4000.00")
    for name in (LATE, CANCELLED):
        await driver.fault("erp", "fail", name, times=None)
    for vendor in ("sendgrid", "twilio"):
        await driver.fault(vendor, "refuse", DOUBT, times=None)
    await driver.fault("smtp", "cut_off_after_accept", DOUBT)
    await driver.fault("sendgrid", "refuse", SILENT, times=None)
    await driver.erp_books(orders[EARLY])
    answers = []
    for order in (*orders.values(), orders[STRAIGHT]):
        await driver.hand_in(order)
        answers.append(Answered(ref=order.ref, status=202, at=datetime.now(UTC)))
    await driver.confirmed(orders[STRAIGHT].ref)
    await driver.confirmed(orders[CHANGED].ref)
    changed = with_quantity(orders[CHANGED], 3)
    await driver.orders.change(changed.ref, ChangeRequest(id="change-1", order=changed))
    await driver.confirmed(changed.ref, revision=2)
    await driver.until(orders[CANCELLED].ref, lambda s: bool(told(s)), "tell its buyer something")
    await driver.cancel(orders[CANCELLED].ref, "ordered twice")
    await driver.confirmed(orders[SILENT].ref)
    await driver.replies(orders[SILENT].ref, "STOP")
    await driver.remembered(orders[SILENT].ref, "twilio_sms")
    await driver.until(orders[LATE].ref, lambda s: any(m.kind is Kind.UPDATE for m in told(s)), "tell how it stands")
    await driver.erp_books(orders[LATE])
    for name in (LATE, EARLY):
        await driver.confirmed(orders[name].ref)
    await driver.seen(orders[DOUBT].ref, Event.SEND_UNKNOWN)
    await driver.until(orders[REVIEW].ref, lambda s: s.stage is Stage.REVIEW, "go to a person")
    return tuple(answers)


def keep(exported: Path) -> None:
    """As text, without the names of the machine that it was made on."""
    shutil.rmtree(RECORDED, ignore_errors=True)
    (RECORDED / "histories").mkdir(parents=True)
    for name in ("account.json", "providers.json"):
        (RECORDED / name).write_bytes((exported / name).read_bytes())
    for history in sorted((exported / "histories").iterdir()):
        text = json.dumps(json.loads(history.read_text()), sort_keys=True)
        text = re.sub(r'"identity": "[^"]*"', '"identity": "worker"', text)
        text = re.sub(r'"stackTrace": "(?:[^"\\\\]|\\\\.)*"', '"stackTrace": ""', text)
        (RECORDED / "histories" / history.name).write_text(text + "\n")
    with closing(sqlite3.connect(exported / "ledger.db")) as ledger:
        (RECORDED / "ledger.sql").write_text("\n".join(ledger.iterdump()) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
    end(0)
