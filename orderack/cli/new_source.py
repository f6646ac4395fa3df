"""The files that a new source begins with. They run as they are; what is the vendor's own is put in by hand."""

import keyword
import re
from importlib import resources
from pathlib import Path

from orderack.cli.exits import bad
from orderack.sources import load

_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
FILES = {
    "source.py.txt": "orderack/sources/{name}.py",
    "test_source.py.txt": "tests/sources/test_{name}.py",
    "source.md.txt": "docs/sources/{name}.md",
}


def scaffold(name: str, into: Path) -> list[Path]:
    """Write them below `into`, all or none. Raises InvalidInput for a name that will not do, or is taken."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name.endswith("_"):
        raise bad("NAME", "is no name for a source", "use 2 to 40 small letters, digits and _, such as shopware")
    if name in load():
        raise bad("NAME", "is a source already", "choose another; `orderack sources` lists them")
    if not (into / "orderack" / "sources").is_dir():
        raise bad("--into", "is no checkout of orderack", "name the folder that holds orderack/sources")
    targets = {template: into / path.format(name=name) for template, path in FILES.items()}
    for target in targets.values():
        if target.exists():
            raise bad("NAME", f"has a file already: {target}", "remove it first, or choose another name")
    for template, target in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_filled(template, name), encoding="utf-8")
    return list(targets.values())


def _filled(template: str, name: str) -> str:
    words = [word for word in name.split("_") if word]
    text = (resources.files("orderack.cli") / "templates" / template).read_text(encoding="utf-8")
    return (
        text.replace("@Class@", "".join(word.capitalize() for word in words))
        .replace("@Name@", " ".join(word.capitalize() for word in words))
        .replace("@NAME@", name.upper())
        .replace("@name@", name)
    )
