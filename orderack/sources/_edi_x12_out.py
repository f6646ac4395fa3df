"""Interchanges on their way out: posted to the partner's gateway, or dropped into a directory."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from pydantic import SecretStr

from orderack.clients import standard_webhooks
from orderack.clients.http import Clock, Http, segment
from orderack.clients.wire import scrub
from orderack.edi.partner import DIRECTORY, PartnerProfile
from orderack.errors import Misconfigured, Refused, Unavailable

MEDIA_TYPE = "application/edi-x12"


@dataclass(frozen=True)
class Ways:
    """The settings of a connection that say where interchanges go."""

    prefix: str
    url: str | None
    directory: Path | None
    secret: SecretStr | None
    own_secrets: Mapping[str, SecretStr]
    """A partner's own, by name."""


@dataclass
class Outbound:
    """One connection's way out. The same control number always carries the same bytes, so a repeat does no harm."""

    ways: Ways
    clock: Clock
    _open: dict[str, Http] = field(default_factory=dict)

    async def send(self, partner: str, profile: PartnerProfile, document: str, control: int, text: str) -> None:
        """Hand it over. Raises Unavailable to be tried again, Refused, Misconfigured."""
        way, body = self.way(partner, profile), text.encode()
        if isinstance(way, Path):
            await self._drop(partner, way, f"{control:09d}-{document}.edi", body)
        else:
            await self._post(partner, way, "" if profile.outbound else f"/{segment(partner)}", control, body)

    def way(self, partner: str, profile: PartnerProfile) -> str | Path:
        """The address or the directory. Raises Misconfigured where there is neither."""
        if profile.outbound == DIRECTORY:
            if self.ways.directory is None:
                raise Misconfigured(f"{self.ways.prefix}DROP_DIRECTORY is missing, and partners.{partner} goes there")
            return self.ways.directory / segment(partner)
        if (url := profile.outbound or self.ways.url) is None:
            hint = f"{self.ways.prefix}OUTBOUND_URL is missing, and partners.{partner} names no outbound"
            raise Misconfigured(f"there is no way to {partner}: {hint}")
        return url.rstrip("/")

    async def _post(self, partner: str, base: str, path: str, control: int, body: bytes) -> None:
        if base not in self._open:
            self._open[base] = Http("the EDI gateway", base, repeatable=True, clock=self.clock)
        http, proof = self._open[base], self._proof(partner, control, body)
        headers = {"Content-Type": MEDIA_TYPE, "Idempotency-Key": _key(control, body), **proof}
        response = await http.send("POST", path, content=body, headers=headers)
        if response.is_success or response.status_code == httpx.codes.CONFLICT:
            return  # 409: it has these very bytes already
        http.ours_to_mend(response, f"{self.ways.prefix}OUTBOUND_URL and the secrets, or partners.{partner}.outbound")
        raise Refused(f"the gateway of {partner} answered {response.status_code}: {scrub(response.text)}")

    def _proof(self, partner: str, control: int, body: bytes) -> Mapping[str, str]:
        secret = self.ways.own_secrets.get(partner) or self.ways.secret
        if secret is None:
            return {}
        text = secret.get_secret_value()
        if not text.startswith("whsec_"):
            return {"Authorization": f"Bearer {text}"}
        return standard_webhooks.sign(
            f"{partner}-{_key(control, body)}", self.clock(), body, standard_webhooks.secrets_of(text)
        )

    async def _drop(self, partner: str, folder: Path, name: str, body: bytes) -> None:
        try:
            await asyncio.to_thread(_place, folder, name, body)
        except OSError as error:
            raise Unavailable(f"the directory of {partner} cannot be written ({type(error).__name__})") from None

    async def aclose(self) -> None:
        """Close the connection pools."""
        for http in self._open.values():
            await http.aclose()


def _key(control: int, body: bytes) -> str:
    """The control number, and what stands under it: a record that was restored may give a number a second time."""
    return f"{control:09d}-{hashlib.sha256(body).hexdigest()[:16]}"


def _place(folder: Path, name: str, body: bytes) -> None:
    """Whole or not at all: whoever watches the directory never sees a half."""
    folder.mkdir(exist_ok=True)
    handle, half = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    Path(half).replace(folder / name)
