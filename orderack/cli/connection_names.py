"""Connections as they are named on the command line: `store/system`."""

from collections.abc import Sequence

from orderack.bootstrap import connections
from orderack.cli.exits import bad
from orderack.policy.model import Policy
from orderack.ports import Connection


def named(names: Sequence[str] | None, policy: Policy) -> list[Connection]:
    """These connections of the policy, or all. Raises InvalidInput for a name that is none."""
    every = {str(connection): connection for connection in connections(policy)}
    for name in names or ():
        if name not in every:
            known = f"there are {', '.join(every)}" if every else "the policy has none"
            raise bad("STORE/SYSTEM", f"names no connection of the policy: {name[:100]}", known)
    return [every[name] for name in (names or every)]
