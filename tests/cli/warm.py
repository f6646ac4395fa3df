"""The commands without their start: a process that has everything imported forks one for each command.

A command's imports take some two seconds, and these tests run hundreds. Each is still a process of its own, with its
own arguments, environment, folder and streams, and ends as a process does. `python -I -S warm.py SOCKET ARGUMENT…`
stands for it: it hands over its streams, passes signals on, and ends as the command ends.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time

WITHIN = "WARM_WITHIN"
"""In a command's environment: after how many seconds it takes it that no worker answers."""


def ask(path: str, arguments: list[str]) -> int:
    """Have a command run on this process's own streams; its exit code."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.connect(path)
        wanted = json.dumps({"arguments": arguments, "environment": dict(os.environ), "folder": os.getcwd()}).encode()
        socket.send_fds(door, [len(wanted).to_bytes(4, "big")], [0, 1, 2])
        door.sendall(wanted)
        pid = int.from_bytes(door.recv(4), "big")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda got, _: os.kill(pid, got))
        code = int.from_bytes(door.recv(4), "big", signed=True)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def serve(path: str) -> None:
    """Import it all, then take one command after the other until this process is ended."""
    importlib.import_module("orderack.cli.main")
    importlib.import_module("orderack.bootstrap")

    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.bind(path)
        door.listen(64)
        print("warm", flush=True)
        while True:
            caller, _ = door.accept()
            if os.fork() == 0:
                door.close()
                _attend(caller)
            caller.close()


def _attend(caller: socket.socket) -> None:
    """One command: a child runs it, this process says what became of it, and ends it when nobody listens any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(caller, 4, 3)
    wanted = json.loads(_exactly(caller, int.from_bytes(size, "big")))
    child = os.fork()
    if child == 0:
        caller.close()
        _become(wanted, streams)
    for stream in streams:
        os.close(stream)
    caller.sendall(child.to_bytes(4, "big"))
    watch = os.pidfd_open(child)
    ready, _, _ = select.select([watch, caller.fileno()], [], [])
    if watch not in ready:  # who asked was killed
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    caller.sendall(code.to_bytes(4, "big", signed=True))
    os._exit(0)


def _exactly(caller: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += caller.recv(size - len(found))
    return found


def _become(wanted: dict[str, object], streams: list[int]) -> None:
    """The command itself, as the console script starts it."""
    from orderack.cli.main import main

    for ours, stream in enumerate(streams):
        os.dup2(stream, ours)
        os.close(stream)
    arguments, environment, folder = wanted["arguments"], wanted["environment"], wanted["folder"]
    assert isinstance(arguments, list)
    assert isinstance(environment, dict)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(str(folder))
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdin, sys.stdout = open(0, encoding="utf-8"), open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115
    if soon := environment.get(WITHIN):
        from datetime import timedelta

        from orderack.temporal.orders import Orders

        Orders.__init__.__defaults__ = (timedelta(seconds=float(soon)),)
    sys.argv = ["orderack", *map(str, arguments)]
    main()
    os._exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(ask(sys.argv[1], sys.argv[2:]))
