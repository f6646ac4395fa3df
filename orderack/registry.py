"""The folder is the registry: every file in a room of adapters ends in its typed registration.

A file whose name starts with `_` is skipped; any other file without a registration is an error, found when the
room is loaded. Which settings an adapter needs is read from its settings class, so the CLI, the documentation and
`orderack policy check` say the same as the code.
"""

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar, get_args

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from orderack.errors import Misconfigured
from orderack.ports import Channel, Erp

A = TypeVar("A")


def settings_config(env_prefix: str) -> SettingsConfigDict:
    """How every adapter's settings are read: environment and `.env`; empty means unset; errors never show values."""
    return SettingsConfigDict(
        env_prefix=env_prefix, env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True
    )


@dataclass(frozen=True)
class Variable:
    """One environment variable of an adapter."""

    name: str
    description: str
    required: bool
    secret: bool


@dataclass(frozen=True)
class Spec(Generic[A]):
    """An adapter's registration."""

    description: str
    obtain: str
    """Where a person gets the settings."""
    settings: type[BaseSettings]
    make: Callable[[], A]
    """Reads the settings and builds the adapter. Raises pydantic's ValidationError when they do not suffice."""

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The environment variables, in the order of the settings class."""
        return tuple(
            Variable(
                name=self.variable(field),
                description=info.description or "",
                required=info.is_required(),
                secret=_secret(info.annotation),
            )
            for field, info in self.settings.model_fields.items()
        )

    def variable(self, field: str) -> str:
        """The environment variable of one settings field."""
        return f"{self.settings.model_config.get('env_prefix', '')}{field}".upper()


def _secret(annotation: object) -> bool:
    """Whether a setting of this type is one, however it is wrapped (optional, checked)."""
    return annotation is SecretStr or any(_secret(part) for part in get_args(annotation))


@dataclass(frozen=True)
class ChannelSpec(Spec[Channel]):
    """A channel's registration; its name and traits are known whether it is configured or not."""

    adapter: type[Channel]
    webhook: str = ""
    """What to register at the vendor so that it posts its events to `/webhooks/<name>`, in words; empty: nothing."""
    traps: tuple[str, ...] = ()
    """What its users trip over, one sentence each (docs/channels.md)."""


@dataclass(frozen=True)
class ErpSpec(Spec[Erp]):
    """An ERP's registration."""


S = TypeVar("S", ChannelSpec, ErpSpec)


@dataclass(frozen=True)
class Built(Generic[A]):
    """What could be built, and what the rest lacks."""

    ready: Mapping[str, A]
    not_configured: Mapping[str, tuple[str, ...]]
    """Adapter's name → one sentence per setting that is missing or not valid. Never a setting's value."""

    def __getitem__(self, name: str) -> A:
        """The adapter of this name. Raises Misconfigured, saying what it lacks."""
        if name in self.ready:
            return self.ready[name]
        lacks = self.not_configured.get(name, ("no file of that name is registered",))
        raise Misconfigured(f"{name} is not configured: {'; '.join(lacks)}")


def load(paths: Iterable[str], package: str, attribute: str, kind: type[S]) -> Mapping[str, S]:
    """Every registration in a room, by file name. Raises Misconfigured for a file that has none."""
    specs: dict[str, S] = {}
    for found in sorted(pkgutil.iter_modules(paths), key=lambda module: module.name):
        if found.name.startswith("_"):
            continue
        spec = getattr(importlib.import_module(f"{package}.{found.name}"), attribute, None)
        if not isinstance(spec, kind):
            raise Misconfigured(f"{package}.{found.name} has no `{attribute}: {kind.__name__}` at its end")
        specs[found.name] = spec
    return specs


def build(specs: Mapping[str, Spec[A]], names: Collection[str] | None = None) -> Built[A]:
    """Build the named adapters, or all. Never raises for settings: what they lack is in `not_configured`."""
    ready: dict[str, A] = {}
    lacking: dict[str, tuple[str, ...]] = {}
    for name, spec in specs.items():
        if names is not None and name not in names:
            continue
        try:
            ready[name] = spec.make()
        except SettingsError as error:  # a value that should be JSON and is not; the text names the field only
            lacking[name] = (str(error),)
        except ValidationError as error:
            lacking[name] = tuple(_lack(spec, item["loc"], item["type"], item["msg"]) for item in error.errors())
    return Built(ready=ready, not_configured=lacking)


def _lack(spec: Spec[A], loc: tuple[int | str, ...], kind: str, message: str) -> str:
    if not loc:
        return message.removeprefix("Value error, ")
    variable = spec.variable(str(loc[0]))
    return f"{variable} is missing" if kind == "missing" else f"{variable}: {message.removeprefix('Value error, ')}"
