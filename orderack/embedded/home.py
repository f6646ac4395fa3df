"""The embedded run's folder: its data, its secrets (made once, readable by their owner only) and its process ids."""

import fcntl
import hashlib
import json
import os
import secrets
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL

from orderack.domain.value import Value
from orderack.errors import Misconfigured
from orderack.temporal.codec_keys import new_key

KEY_NAME = "local"


class Secrets(Value):
    """Made at the first start; the API key is shown to whoever started it and stored hashed for the gateway."""

    page: str
    api_key: str

    def grants(self, stores: Iterable[str]) -> str:
        """`ORDERACK_API_KEYS` for one key that serves these stores."""
        digest = hashlib.sha256(self.api_key.encode()).hexdigest()
        return ",".join(f"{KEY_NAME}:{store}:{digest}" for store in stores)


class Home:
    """Where one embedded installation lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def temporal_database(self) -> Path:
        return self.folder / "temporal.db"

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def set_logs_aside(self) -> None:
        """Keep the last run's logs as `.previous`, so that this run's begin empty."""
        for log in self.folder.glob("*.log"):
            log.replace(log.with_suffix(".log.previous"))

    def secrets(self) -> Secrets:
        """The installation's secrets, made on the first call."""
        file = self.folder / "secrets.json"
        with suppress(FileNotFoundError):
            return Secrets.model_validate_json(file.read_text())
        made = Secrets(page=secrets.token_urlsafe(32), api_key=secrets.token_urlsafe(24))
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as written:
            written.write(made.model_dump_json())
        return made

    @property
    def codec_keys(self) -> Path:
        """Where the key lies that seals what Temporal stores, if this installation has one."""
        return self.folder / "codec.keys"

    def make_codec_key(self) -> None:
        """Have such a key from now on: made on the first call, readable by its owner only."""
        with suppress(FileExistsError):
            descriptor = os.open(self.codec_keys, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as written:
                written.write(new_key() + "\n")

    def write_shell(self, exports: Mapping[str, str]) -> Path:
        """Write what another shell reads (`. FILE`) to work with this run; readable by its owner alone."""
        file = self.folder / "shell.env"
        lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in exports.items())
        with suppress(FileNotFoundError):
            file.unlink()
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as written:
            written.write(lines)
        return file

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder for one run; the system lets go of it however the run ends. Raises Misconfigured."""
        with (self.folder / "lock").open("a") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Misconfigured(
                    f"another run has {self.folder}: end it first, or choose another folder with --home"
                ) from None
            yield

    # -- processes ------------------------------------------------------------------------------------------------

    @property
    def _pids(self) -> Path:
        return self.folder / "processes.json"

    def remember(self, processes: dict[str, int]) -> None:
        """Note who is running, so that the next start can end what a kill -9 left behind."""
        self._pids.write_text(json.dumps(processes))

    def end_leftovers(self) -> list[str]:
        """End processes of an earlier run that still live; returns their names. A reused process id is left alone."""
        with suppress(FileNotFoundError, ValueError):
            left = json.loads(self._pids.read_text())
            return [name for name, pid in left.items() if self._is_ours(pid) and _kill(pid)]
        return []

    def _is_ours(self, pid: int) -> bool:
        """Whether the process runs from this folder: each of ours has it in its environment or command line."""
        try:
            shown = subprocess.run(  # noqa: S603  # fixed words and a number
                ["ps", "eww", "-o", "command=", "-p", str(pid)],  # noqa: S607 - found on PATH, as every system has it
                capture_output=True,
                text=True,
                check=False,
            ).stdout
        except OSError:
            return False
        return str(self.folder) in shown


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, SIGKILL)
    except ProcessLookupError:
        return False
    return True
