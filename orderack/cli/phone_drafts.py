"""Orders of the phone desk that nobody answered for: kept as `orderack submit` reads them."""

import hashlib
import os
import re
from pathlib import Path

from orderack.cli.exits import bad
from orderack.domain.order import Order
from orderack.settings import Settings


def draft_of(order: Order) -> Path:
    """Where it is kept. A number may hold anything; a file's name does not."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", f"{order.store}-{order.number}")[:60]
    digest = hashlib.sha256(str(order.ref).encode()).hexdigest()[:8]
    return Settings().home / "phone" / f"{plain}-{digest}.json"


def keep(order: Order) -> Path:
    """Write it for the owner's eyes only; the time of the call stays in it. Raises InvalidInput where it cannot be."""
    file = draft_of(order)
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(handle, "w") as out:
            out.write(order.model_dump_json(indent=2, exclude_none=True))
    except OSError as error:
        raise bad(str(file), f"cannot be written: {error.strerror}", "write the order down") from None
    return file


def forget(order: Order) -> None:
    """It was answered for."""
    draft_of(order).unlink(missing_ok=True)
