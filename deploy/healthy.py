"""A container's health check: a worker by the file that it touches every 5 s, everything else by its `/healthz`."""

import os
import sys
import time
import urllib.request

OLDEST_SECONDS = 30
URL = "http://127.0.0.1:8090/healthz"


def healthy() -> bool:
    """Whether the process beside this one does its work."""
    if touched := os.environ.get("ORDERACK_WORKER_HEALTH_FILE"):
        return time.time() - os.stat(touched).st_mtime < OLDEST_SECONDS
    with urllib.request.urlopen(os.environ.get("HEALTH_URL", URL), timeout=4) as answer:  # noqa: S310  # a fixed scheme
        return bool(answer.status == 200)


if __name__ == "__main__":
    try:
        sys.exit(0 if healthy() else 1)
    except OSError as error:
        sys.exit(f"not healthy: {error}")
