"""docs/channels.md is what the registry says."""

import pytest

from orderack.channels import load
from orderack.cli.channel_page import page
from orderack.cli.main import run
from tests.cli.conftest import ROOT


def test_the_page_of_channels_is_the_one_that_the_registry_writes() -> None:
    written = (ROOT / "docs" / "channels.md").read_text()
    assert written == page(load()), "a channel has changed: run `orderack channels --markdown > docs/channels.md`"


def test_the_command_prints_that_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["channels", "--markdown"]) == 0
    assert capsys.readouterr().out == page(load())


@pytest.mark.parametrize("name", sorted(load()))
def test_every_channel_has_its_section_with_every_setting_and_every_trap(name: str) -> None:
    spec = load()[name]
    section = page(load()).partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert spec.description.partition("<")[0] in section
    for variable in spec.variables:
        (row,) = [line for line in section.splitlines() if line.startswith(f"| `{variable.name}` |")]
        assert row.split("|")[2:4] == [f" {'yes' if yes else 'no'} " for yes in (variable.required, variable.secret)]
    assert section.count("\n- ") >= len(spec.traps)
    assert (f"/webhooks/{name}`" in section) == bool(spec.webhook)


def test_the_page_is_linked_from_where_people_look() -> None:
    for where in ("README.md", "cli.md"):
        assert "(channels.md)" in (ROOT / "docs" / where).read_text()
