"""The folder is the registry: every file in a room of adapters ends in its typed registration.

A file whose name starts with `_` is skipped; any other file without a registration is an error, found when the
room is loaded. Which settings an adapter needs is read from its settings class, so the CLI, the documentation and
`orderack policy check` say the same as the code.
"""

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar, get_args

from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from orderack.errors import Misconfigured
from orderack.policy.lint_connections import settings_words
from orderack.ports import Channel, Connection, Erp, Source
from orderack.ports.helpdesk import Helpdesk

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
class Registration:
    """What every adapter says of itself."""

    description: str
    obtain: str
    """Where a person gets the settings."""
    settings: type[BaseSettings]

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The environment variables, in the order of the settings class."""
        return self.variables_of(str(self.settings.model_config.get("env_prefix", "")))

    def variable(self, field: str) -> str:
        """The environment variable of one settings field."""
        return f"{self.settings.model_config.get('env_prefix', '')}{field}".upper()

    def variables_of(self, prefix: str) -> tuple[Variable, ...]:
        """The same where the settings have this prefix."""
        return tuple(
            Variable(
                name=f"{prefix}{field}".upper(),
                description=info.description or "",
                required=info.is_required(),
                secret=_secret(info.annotation),
            )
            for field, info in self.settings.model_fields.items()
        )


@dataclass(frozen=True)
class Spec(Registration, Generic[A]):
    """An adapter's registration, where there is one of it."""

    make: Callable[[], A]
    """Reads the settings and builds the adapter. Raises pydantic's ValidationError when they do not suffice."""


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
class ErpSpec(Registration):
    """An ERP system's registration. A store's ERP is one installation of it, by the name that the policy gives it."""

    make: Callable[[str, str], Erp]
    """The installation's name, and the prefix of its settings → the adapter. Raises pydantic's ValidationError."""
    once: str = ""
    """How it comes that an order is booked once, in words (docs/erps.md)."""
    receipts: str = ""
    """How its receipts reach us: what it pushes, with which script or setting of its own, and what we ask for."""
    traps: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceSpec(Registration):
    """A source's registration. A connection is one store's account at it."""

    adapter: type[Source]
    make: Callable[[Connection, str], Source]
    """The connection, and the prefix of its settings → the adapter. Raises pydantic's ValidationError."""
    trigger: str
    """What starts the clock, in words: "the order is paid" (docs/sources.md)."""
    webhook: str = ""
    """What to register there so that it posts to `/intake/<store>/<name>`, in words; empty: it posts nothing."""
    traps: tuple[str, ...] = ()


@dataclass(frozen=True)
class HelpdeskSpec(Spec[Helpdesk]):
    """A helpdesk's registration: where tickets are read from."""


S = TypeVar("S", ChannelSpec, ErpSpec, SourceSpec, HelpdeskSpec)


def prefix_of(kind: str, *names: str) -> str:
    """The environment prefix of an instance: `ORDERACK_ERP_NETSUITE_EU_`, `ORDERACK_SOURCE_DEMO_SHOPIFY_`."""
    return f"ORDERACK_{kind}_{settings_words(*names)}_"


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
    made = _Made[A]()
    for name, spec in specs.items():
        if names is None or name in names:
            made.add(name, spec.make, str(spec.settings.model_config.get("env_prefix", "")))
    return made.built


def build_erps(specs: Mapping[str, ErpSpec], installed: Mapping[str, str]) -> Built[Erp]:
    """Each installation by its name. `installed`: name → system."""
    made = _Made[Erp]()
    prefixes = {name: prefix_of("ERP", name) for name in installed}
    shared = _shared({name: (specs.get(system), prefixes[name]) for name, system in installed.items()})
    for name, system in installed.items():
        prefix = prefixes[name]
        if name in shared:
            made.lacking[name] = (shared[name],)
        elif (spec := specs.get(system)) is None:
            made.lacking[name] = (f"there is no ERP system {system}; there are {', '.join(specs)}",)
        else:
            made.add(name, partial(spec.make, name, prefix), prefix)
    return made.built


def build_sources(specs: Mapping[str, SourceSpec], connections: Iterable[Connection]) -> Built[Source]:
    """Each connection by `store/system`."""
    made = _Made[Source]()
    every = [(one, prefix_of("SOURCE", one.store, one.system)) for one in connections]
    shared = _shared({str(one): (specs.get(one.system), prefix) for one, prefix in every})
    for connection, prefix in every:
        if str(connection) in shared:
            made.lacking[str(connection)] = (shared[str(connection)],)
        elif (spec := specs.get(connection.system)) is None:
            made.lacking[str(connection)] = (f"there is no source {connection.system}; there are {', '.join(specs)}",)
        else:
            made.add(str(connection), partial(spec.make, connection, prefix), prefix)
    return made.built


def _shared(every: Mapping[str, tuple[Registration | None, str]]) -> Mapping[str, str]:
    """Those that would read a variable of another's, and why: whose secret it holds, nobody can tell."""
    owners: dict[str, list[str]] = {}
    for name, (spec, prefix) in every.items():
        for variable in spec.variables_of(prefix) if spec else ():
            owners.setdefault(variable.name, []).append(name)
    return {
        name: f"{variable} would be a setting of {' and of '.join(names)}: give one of them another name"
        for variable, names in owners.items()
        if len(names) > 1
        for name in names
    }


class _Made(Generic[A]):
    """Adapters being built; what one lacks keeps none of the others from it."""

    def __init__(self) -> None:
        self.ready: dict[str, A] = {}
        self.lacking: dict[str, tuple[str, ...]] = {}

    def add(self, name: str, make: Callable[[], A], prefix: str) -> None:
        try:
            self.ready[name] = make()
        except SettingsError as error:  # a value that should be JSON and is not; the text names the field only
            self.lacking[name] = (str(error),)
        except ValidationError as error:
            self.lacking[name] = tuple(_lack(prefix, item["loc"], item["type"], item["msg"]) for item in error.errors())

    @property
    def built(self) -> Built[A]:
        return Built(ready=self.ready, not_configured=self.lacking)


def _lack(prefix: str, loc: tuple[int | str, ...], kind: str, message: str) -> str:
    if not loc:
        return message.removeprefix("Value error, ")
    variable = f"{prefix}{loc[0]}".upper()
    return f"{variable} is missing" if kind == "missing" else f"{variable}: {message.removeprefix('Value error, ')}"
