"""SQLite without a thread's hop for each call that can't wait.

aiosqlite hands every call to its connection's own thread and back, which costs several times what a statement of ours
costs. Once a transaction holds the write lock nothing in it waits for anybody, so its statements are made on the spot.
What may wait stays in the thread: taking the lock, the commit (the disk), and reads outside of it, which may be long.
"""

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import aiosqlite

TAKES_LOCK = "BEGIN IMMEDIATE"
INSTANT = frozenset({"cursor", "rollback"})
"""Calls that never wait, with the lock or without."""

R = TypeVar("R")


def open_prompt(database: str, **options: object) -> aiosqlite.Connection:
    """A connection for SQLAlchemy's `async_creator_fn`. Its two threads never use it at the same time."""

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(database, **options | {"check_same_thread": False})  # type: ignore[call-overload,no-any-return]

    connection = _Prompt(connect, iter_chunk_size=64)
    connection._thread.daemon = True  # as SQLAlchemy sets it: nobody waits for it at the interpreter's end
    return connection


class _Prompt(aiosqlite.Connection):
    """Whoever uses it awaits each call before the next, as SQLAlchemy's sessions do."""

    _holds_lock = False

    async def _execute(self, fn: Callable[..., R], *args: object, **kwargs: object) -> R:
        name = getattr(fn, "__name__", "")
        if name in ("commit", "rollback"):
            self._holds_lock = False
        closes_cursor = name == "close" and isinstance(getattr(fn, "__self__", None), sqlite3.Cursor)
        if self._holds_lock or closes_cursor or name in INSTANT:
            return fn(*args, **kwargs)
        found: R = await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        if name == "execute" and args[0] == TAKES_LOCK:
            self._holds_lock = True
        return found
