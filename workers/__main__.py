"""`python -m workers [orders] [messaging] [erp] [sources]`: run workers for these task queues, or all, until ended."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from orderack.bootstrap import Parts, assemble, report_slot, wanted_looks, wanted_sweeps
from orderack.contracts import names
from orderack.diagnostics.weekly.mail_channels import chosen, none_of
from orderack.errors import OrderAckError
from orderack.settings import Settings
from orderack.telemetry.process import watched
from orderack.temporal.connect import connect
from orderack.temporal.ending import end
from orderack.temporal.report_schedule import Slot, keep_report
from orderack.temporal.schedules import keep_schedules
from workers.process import until_told
from workers.queues import QUEUES


async def serve(queues: Sequence[str]) -> None:
    """Run until SIGINT or SIGTERM; what is in flight may end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    settings = Settings()
    async with AsyncExitStack() as stack:
        telemetry = stack.enter_context(watched("worker", settings, queues))
        client = await connect(plugins=[telemetry])
        parts = await stack.enter_async_context(assemble(settings))
        workers = {queue: QUEUES[queue](client, parts) for queue in queues}
        if names.SOURCES_QUEUE in queues:
            looks = wanted_looks(parts.policy(), parts.sources, parts.erps)
            await keep_schedules(client, looks | wanted_sweeps(settings, parts.policy(), parts.erps))
            await keep_report(client, _said(report_slot(settings), parts))
        await until_told(stop, workers, parts.settings.worker_drain_seconds, parts.settings.worker_health_file)


def _said(slot: Slot | None, parts: Parts) -> Slot | None:
    """Say at the start, and not every week, what the weekly report lacks. Its schedule is kept: it may be mended."""
    if slot is not None and chosen(parts.channels.ready) is None:
        lacks = none_of(parts.channels.not_configured)
        sys.stderr.write(f"orderack-worker: the weekly report (ORDERACK_WEEKLY_TO) cannot be mailed: {lacks}\n")
    return slot


def main() -> None:
    parser = argparse.ArgumentParser(prog="orderack-worker", description=__doc__)
    parser.add_argument("queues", nargs="*", metavar="QUEUE", help=f"{', '.join(QUEUES)}; none: all")
    queues = list(dict.fromkeys(parser.parse_args().queues)) or list(QUEUES)
    unknown = sorted(set(queues) - set(QUEUES))
    if unknown:
        parser.error(f"no such queue: {', '.join(unknown)}; there are {', '.join(QUEUES)}")
    try:
        asyncio.run(serve(queues))
    except OrderAckError as error:
        sys.stderr.write(f"orderack-worker: {error}\n")
        end(3)
    end(0)


if __name__ == "__main__":
    main()
