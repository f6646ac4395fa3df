"""An adapter's settings one by one: there, missing or wrong. Never a value."""

import os
from enum import StrEnum

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import SettingsError

from orderack.domain.order import Name
from orderack.domain.value import Value
from orderack.registry import Registration


class Given(StrEnum):
    """How one setting stands."""

    PRESENT = "present"
    MISSING = "missing"
    NOT_VALID = "not valid"
    LEFT_OUT = "left out"
    """It may be: its default holds."""


class SettingState(Value):
    """One variable of an adapter."""

    variable: Name
    state: Given
    required: bool
    secret: bool
    problem: str = ""


class SettingsState(Value):
    """All of an adapter's variables, and what is wrong with them together."""

    settings: tuple[SettingState, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether the adapter can be built from them."""
        wrong = {Given.MISSING, Given.NOT_VALID}
        return not self.problems and not any(setting.state in wrong for setting in self.settings)

    @property
    def word(self) -> str:
        """`ready`, `missing settings` (and nothing worse) or `not valid`."""
        if self.ready:
            return "ready"
        missing = any(setting.state is Given.MISSING for setting in self.settings)
        wrong = any(setting.state is Given.NOT_VALID for setting in self.settings)
        return "missing settings" if missing and not wrong else "not valid"

    @property
    def touched(self) -> bool:
        """Whether somebody has begun to set it up: one of its variables is set."""
        return any(setting.state in (Given.PRESENT, Given.NOT_VALID) for setting in self.settings)


def settings_state(spec: Registration, prefix: str | None = None) -> SettingsState:
    """Read the settings from the environment and `.env`, as the adapter itself does; under this prefix, or its own."""
    prefix = str(spec.settings.model_config.get("env_prefix", "")) if prefix is None else prefix
    wrong, problems = _problems(spec, prefix)
    set_ = {name.upper() for name, value in (dotenv_values(".env") | dict(os.environ)).items() if value}
    states = []
    for variable in spec.variables_of(prefix):
        kind, problem = wrong.get(variable.name, ("", ""))
        if kind == "missing":
            state = Given.MISSING
        elif kind:
            state = Given.NOT_VALID
        else:
            state = Given.PRESENT if variable.name in set_ else Given.LEFT_OUT
        states.append(
            SettingState(
                variable=variable.name,
                state=state,
                required=variable.required,
                secret=variable.secret,
                problem=problem,
            )
        )
    return SettingsState(settings=tuple(states), problems=problems)


def _problems(spec: Registration, prefix: str) -> tuple[dict[str, tuple[str, str]], tuple[str, ...]]:
    """By variable: the kind of problem and its sentence; and the problems of no single one."""
    try:
        spec.settings(_env_prefix=prefix)
    except SettingsError as error:  # a value that should be JSON and is not; the text names the field only
        named = [f"{prefix}{field}".upper() for field in spec.settings.model_fields if f'"{field}"' in str(error)]
        return dict.fromkeys(named, ("json", "not JSON")), () if named else (str(error),)
    except ValidationError as error:
        by_variable: dict[str, tuple[str, str]] = {}
        together = []
        for item in error.errors(include_input=False, include_context=False, include_url=False):
            words = item["msg"].removeprefix("Value error, ")
            if item["loc"]:
                by_variable.setdefault(f"{prefix}{item['loc'][0]}".upper(), (item["type"], words))
            else:
                together.append(words)
        return by_variable, tuple(together)
    return {}, ()
