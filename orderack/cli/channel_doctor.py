"""What `orderack channel doctor` looks at: the settings, the vendor's own word on them, the webhook's address."""

import ipaddress
from enum import StrEnum
from urllib.parse import urlsplit

from orderack import channels
from orderack.cli.adapter_settings import SettingsState, settings_state
from orderack.domain.order import Name, Text
from orderack.domain.value import Value
from orderack.errors import InDoubt, Misconfigured, OrderAckError, Unavailable
from orderack.ports import Channel, Checks
from orderack.registry import ChannelSpec


class Word(StrEnum):
    """How the vendor took our asking."""

    WELL = "well"
    WRONG = "wrong"
    AWAY = "away"
    NOT_ASKED = "not asked"
    CANNOT_BE_ASKED = "cannot be asked"


class Webhook(Value):
    """What to register at the vendor."""

    url: Text
    register_at: str
    problem: Text = ""


class Diagnosis(Value):
    """One channel, looked at."""

    channel: Name
    settings: SettingsState
    word: Word
    said: Text = ""
    obtain: str = ""
    """Where a person gets what is missing; empty: nothing is."""
    webhook: Webhook | None = None

    @property
    def sound(self) -> bool:
        """Whether it is ready, and the vendor found nothing wrong with it."""
        return self.settings.ready and self.word is not Word.WRONG


async def diagnose(name: str, spec: ChannelSpec, public_url: str, offline: bool) -> Diagnosis:
    """Look at one channel. Nothing is sent; unless `offline`, its vendor is asked whether the settings are right."""
    settings = settings_state(spec)
    word, said = Word.NOT_ASKED, ""
    if settings.ready and not offline:
        word, said = await _asked(name)
    webhook = _webhook(name, spec, public_url) if spec.webhook else None
    obtain = "" if settings.ready else spec.obtain
    return Diagnosis(channel=name, settings=settings, word=word, said=said[:500], obtain=obtain, webhook=webhook)


async def _asked(name: str) -> tuple[Word, str]:
    try:
        channel = channels.build([name])[name]
    except Misconfigured as error:
        return Word.WRONG, str(error)
    try:
        return await _check(channel)
    finally:
        await channel.aclose()


async def _check(channel: Channel) -> tuple[Word, str]:
    if not isinstance(channel, Checks):
        return (
            Word.CANNOT_BE_ASKED,
            "there is nothing to ask without sending; `orderack channel test` shows whether it sends",
        )
    try:
        return Word.WELL, await channel.check()
    except (Unavailable, InDoubt) as error:
        return Word.AWAY, str(error)
    except OrderAckError as error:
        return Word.WRONG, str(error)


def _webhook(name: str, spec: ChannelSpec, public_url: str) -> Webhook:
    url = f"{public_url.rstrip('/')}/webhooks/{name}"
    return Webhook(url=url, register_at=spec.webhook, problem=_unreachable(public_url))


def _unreachable(url: str) -> str:
    """Why a vendor out there could not post to this address, as far as the address itself tells."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "ORDERACK_PUBLIC_URL is no address"
    if not host:
        return "ORDERACK_PUBLIC_URL is no address"
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or _private(host):
        return "ORDERACK_PUBLIC_URL is an address of this machine or network: no vendor out there reaches it"
    return "" if parts.scheme == "https" else "ORDERACK_PUBLIC_URL is not https: vendors post to nothing else"


def _private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return False
