"""How a short-lived process that used a Temporal client ends.

On Python 3.11.7 up to half of such processes abort while the interpreter takes the client's threads down
(temporalio/sdk-python#300). Leaving without that teardown never did.
"""

import logging
import os
import sys
from contextlib import suppress
from typing import NoReturn


def end(code: int) -> NoReturn:
    """Write out what is buffered and leave at once with `code`. The last line of every command's main."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
