"""What we are made of may be used and passed on: every locked package's licence, as its own metadata names it."""

import re
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

LOCK = Path(__file__).parents[2] / "requirements.lock"
PERMISSIVE = re.compile(r"MIT|Apache|BSD|ISC|PSF|Python Software Foundation|Unlicense")
FOREIGN = re.compile(r"GPL|AGPL|MPL|Mozilla|SSPL|Business Source|Commons Clause|Proprietary|Commercial")

LOOKED_AT = {
    "psycopg": "LGPL-3.0: used as it is, as a library of its own that anybody can replace",
    "psycopg-binary": "LGPL-3.0: the same",
    "certifi": "MPL-2.0: a list of certificates, unchanged",
    "pathspec": "MPL-2.0: a tool of the checks, not delivered",
    "hypothesis": "MPL-2.0: a tool of the tests, not delivered",
    "axe-playwright-python": "MIT in its repository, not in its metadata; its axe is MPL-2.0; a tool of the tests",
}
"""Whatever is not permissive by its own metadata, and why it may stay."""


def locked() -> list[str]:
    return re.findall(r"^([A-Za-z0-9._-]+)==", LOCK.read_text(), re.MULTILINE)


def licence(package: str) -> str | None:
    """In the package's own words; None for one that this machine does not need."""
    try:
        told = metadata(package)
    except PackageNotFoundError:
        return None
    classified = [line for line in told.get_all("Classifier") or [] if line.startswith("License")]
    return told.get("License-Expression") or " / ".join(classified) or (told.get("License") or "")[:80]


def test_every_package_is_permissive_or_has_been_looked_at() -> None:
    found = {package: licence(package) for package in locked()}
    foreign = {
        package: said
        for package, said in found.items()
        if said is not None and (FOREIGN.search(said) or not PERMISSIVE.search(said))
    }
    assert set(foreign) <= set(LOOKED_AT), foreign
    assert len([said for said in found.values() if said is not None]) > 100


def test_nothing_stands_in_the_list_that_is_not_used_any_more() -> None:
    assert set(LOOKED_AT) <= set(locked())
