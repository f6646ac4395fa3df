"""Fixtures that are made once for all files, and what they rest on."""

import pytest


def _of_two_minds(item: pytest.Function) -> list[str]:
    """Fixtures of the whole run that rest on one which this item's file, or folder, has of its own."""
    seen = item._fixtureinfo.name2fixturedefs
    last = {name: found[-1] for name, found in seen.items() if found}
    return [
        f"{item.path}: {name} is made where {needs} is another"
        for name, made in last.items()
        for needs in made.argnames
        if made.scope == "session" and needs != name and len(seen.get(needs, ())) > 1
        if len(last[needs].baseid) > len(made.baseid)
    ]


def test_no_test_talks_to_two_servers_depending_on_which_file_ran_before_it(request: pytest.FixtureRequest) -> None:
    """A file whose server is its own, and whose workers are its folder's, gets the workers of whichever file came
    first on this process: it passes alone, and fails in company. A full run looks at every test."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    assert sorted({found for item in items for found in _of_two_minds(item)}) == []
