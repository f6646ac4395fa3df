"""`python -m tests.bench.rig.bare_gateway FILE PORT SECRET`: the least that a safe gateway does, on the same libraries.

FastAPI behind uvicorn; the Standard Webhooks signature is checked, one row is committed (SQLite, WAL, synchronous
FULL), and that is all.
"""

import asyncio
import hmac
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from fastapi import FastAPI, HTTPException, Request

from orderack.embedded.sandbox import signatures
from tests.bench.rig.plain import Rows
from tests.bench.rig.worker import listening


def app(rows: Rows, secret: str) -> FastAPI:
    made = FastAPI()

    @made.post("/receipts", status_code=202)
    async def receipts(request: Request) -> dict[str, str]:
        body = await request.body()
        message_id, at = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
        expected = signatures.standard_webhooks(secret, message_id, at, body)["webhook-signature"]
        if not hmac.compare_digest(expected, request.headers["webhook-signature"]):
            raise HTTPException(401)
        await rows.write(message_id, "receipt", body.decode())
        return {"outcome": "recorded"}

    return made


async def serve(file: Path, port: int, secret: str) -> None:
    async with AsyncExitStack() as stack:
        rows = await stack.enter_async_context(Rows.opened(file))
        await stack.enter_async_context(listening(app(rows, secret), port))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
