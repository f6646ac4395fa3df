"""`python -m orderack.diagnostics.weekly AS_OF`: make and mail the report, and say how it ended as one JSON object.

It is what `apart.mailed_apart` starts. It takes the processor only while nobody else wants it.
"""

import asyncio
import os
import sys
from datetime import datetime

from orderack.diagnostics.weekly.apart import KINDS, Ended
from orderack.diagnostics.weekly.mailed_by_itself import mail_weekly
from orderack.errors import OrderAckError, Unavailable
from orderack.settings import Settings
from orderack.telemetry import logs

NICE = 10
"""Sends go first."""


def main() -> None:
    os.nice(NICE)
    settings = Settings()
    logs.configure(logs.Form(settings.log))
    try:
        ended = Ended(mailed=asyncio.run(mail_weekly(settings, datetime.fromisoformat(sys.argv[1]))))
    except OrderAckError as error:
        kind = next((known for known in KINDS if isinstance(error, known)), Unavailable)
        wait = error.retry_after if isinstance(error, Unavailable) else None
        ended = Ended(failed=str(error), kind=kind.__name__, retry_after=wait)
    sys.stdout.write(f"{ended.model_dump_json()}\n")


if __name__ == "__main__":
    main()
