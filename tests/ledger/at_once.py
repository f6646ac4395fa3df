"""Processes that do the same at once: they are forked from one that has imported what they need."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from subprocess import PIPE

ROOT = Path(__file__).parents[2]

_FORKS = """
import asyncio, os, sys, traceback
{program}

def child(number):
    process = os.fork()
    if process:
        return process
    try:
        asyncio.run(main(number, *sys.argv[2:]))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

ended = [os.waitpid(process, 0)[1] for process in [child(number) for number in range(int(sys.argv[1]))]]
print(*ended)
"""


async def at_once(count: int, program: str, *words: str) -> tuple[Sequence[int], str]:
    """How so many processes ended that ran the program's `main(number, *words)`, and what they complained of."""
    command = [sys.executable, "-c", _FORKS.format(program=program), str(count), *words]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, cwd=ROOT)
    ended, errors = await process.communicate()
    return [int(code) for code in ended.split()], errors.decode()
