"""`python -m orderack.embedded.sandbox PORT SMTP_PORT CALLBACK [STORE/SYSTEM …]`: the look-alikes as a process.

Its first line on standard output is the environment of our adapters, and of these connections, as JSON.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Sequence

from orderack.embedded.sandbox import Sandbox


async def serve(port: int, smtp_port: int, callback: str, connections: Sequence[str]) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Sandbox.start(port=port, smtp_port=smtp_port, callback_base=callback) as sandbox:
        sys.stdout.write(json.dumps({**sandbox.environment(), **sandbox.connections(connections)}) + "\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]))
