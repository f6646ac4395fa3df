"""The keys that seal payloads: who has one reads what Temporal stores. Never shown, and told apart by their ids."""

import base64
import binascii
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from orderack.errors import Misconfigured
from orderack.settings import Settings

PLAIN = "plain"
"""In the first place instead of a key: what is new is left plain, what was sealed before stays readable."""

LENGTH = 32
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")
_REMEDY = "`orderack codec keys new` prints one that is"


@dataclass(frozen=True)
class CodecKeys:
    """The first key seals, all of them open."""

    sealing: str | None = None
    """The id of the key that seals what is new; None: it stays plain."""
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """256 bits by id."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `id:base64` pairs, comma separated, perhaps after the word `plain`.

        Raises Misconfigured, naming the entry's place and never its content.
        """
        entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        plain = entries[:1] == [PLAIN]
        found: dict[str, bytes] = {}
        for place, entry in enumerate(entries[plain:], 1 + plain):
            name, secret = _pair(place, entry)
            if name in found:
                raise Misconfigured(f"ORDERACK_CODEC_KEYS: entry {place} bears the id of an earlier key: {name}")
            found[name] = secret
        return cls(None if plain or not found else next(iter(found)), found)

    @classmethod
    def configured(cls, env: Mapping[str, str] | None = None) -> Self:
        """The keys that `env` names, or this process's environment and its `.env`. Raises Misconfigured."""
        if env is None:
            settings = Settings()
            return cls._named(settings.codec_keys.get_secret_value(), settings.codec_key_files)
        return cls._named(env.get("ORDERACK_CODEC_KEYS", ""), env.get("ORDERACK_CODEC_KEY_FILES", ""))

    @classmethod
    def _named(cls, text: str, files: str) -> Self:
        paths = [path.strip() for path in files.split(",") if path.strip()]
        if text.strip() and paths:
            raise Misconfigured("set ORDERACK_CODEC_KEYS or ORDERACK_CODEC_KEY_FILES, not both")
        return cls.parse(text or ",".join(path if path == PLAIN else _read(path) for path in paths))


def new_key(now: datetime | None = None) -> str:
    """A fresh `id:base64`: 256 random bits under an id that tells its age."""
    made = now or datetime.now(UTC)
    secret = base64.b64encode(secrets.token_bytes(LENGTH)).decode()
    return f"{made:%Y-%m-%d}-{secrets.token_hex(2)}:{secret}"


def _pair(place: int, entry: str) -> tuple[str, bytes]:
    name, _, written = entry.partition(":")
    try:
        secret = base64.b64decode(written.strip(), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not _ID.match(name) or name == PLAIN or len(secret) != LENGTH:
        raise Misconfigured(
            f"ORDERACK_CODEC_KEYS: entry {place} is not `id:base64` with a key of 256 bits in base64; {_REMEDY}"
        )
    return name, secret


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise Misconfigured(f"ORDERACK_CODEC_KEY_FILES: {path} cannot be read: {why}") from None
