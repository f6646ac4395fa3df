"""Help, examples and completion."""

import inspect
import shlex

import pytest
import typer

from orderack.cli.main import app, run
from tests.cli.conftest import Terminal

GROUP = typer.main.get_command(app)


SERVERS = ("sandbox", "up", "demo", "codec-server", "gateway", "worker")


def commands(group: object = GROUP) -> list[tuple[str, ...]]:
    """Every command with its groups."""
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        found += [(name, *rest) for rest in commands(command)] if hasattr(command, "commands") else [(name,)]
    return found


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_the_help_of_every_command_shows_an_example_of_itself(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*command, "--help"]) == 0
    out = inspect.cleandoc(capsys.readouterr().out)
    example = " ".join(out.split("Example: ", 1)[1].split())
    assert " ".join(("orderack", *command)) in example


@pytest.mark.parametrize("name", [c for c in commands() if c[0] not in SERVERS], ids=" ".join)
def test_every_operator_command_prints_json_where_asked(
    name: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    run([*name, "--help"])
    assert "--json" in capsys.readouterr().out


def test_the_operators_commands_are_all_there() -> None:
    wanted = "submit status timeline receipt review change cancel claim find queue watch accept settle answer"
    assert {*shlex.split(wanted), "temporal", "policy"} <= set(GROUP.commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("group", [[], ["review"], ["temporal"]], ids=["orderack", "review", "temporal"])
def test_a_group_without_a_command_shows_its_commands(group: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(group) == 2
    err = capsys.readouterr().err
    assert err.startswith("Usage: orderack")
    assert "Commands:" in err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
async def test_completion_is_printed_for_a_shell(shell: str, bare: Terminal) -> None:
    ended = await bare("--show-completion", shell)
    assert (ended.code, ended.err) == (0, "")
    assert "_ORDERACK_COMPLETE" in ended.out


async def test_the_shell_is_told_which_commands_begin_so(bare: Terminal) -> None:
    ended = await bare(_ORDERACK_COMPLETE="complete_bash", COMP_WORDS="orderack ti", COMP_CWORD="1")
    assert ended.out.split() == ["timeline"]
