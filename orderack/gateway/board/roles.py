"""Who somebody is on the board: a name, and a role in each of their stores. Nobody sees another store."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from orderack.errors import Misconfigured
from orderack.gateway.keys import Grant

EVERY_STORE = "*"
LONGEST_NAME = 200


class Role(StrEnum):
    """What somebody may do: each may do what the one before may. Frozen names."""

    VIEWER = "viewer"
    """Look."""
    REVIEWER = "reviewer"
    """Decide reviews, take things in hand, accept handoffs, answer buyers."""
    ADMIN = "admin"
    """Settle sends in doubt; of every store also pause channels."""

    @property
    def rank(self) -> int:
        return list(Role).index(self)


@dataclass(frozen=True)
class Person:
    """Somebody who is logged in. `name` stands as `by` in all that they do."""

    name: str
    roles: Mapping[str, Role]
    """By store; `*` stands for every store of the policy."""
    wall: bool = False
    """A screen that everybody passes: it sees figures and numbers of orders, and never an order's content."""

    def role(self, store: str) -> Role | None:
        """The best of what they hold there."""
        held = [self.roles[name] for name in (store, EVERY_STORE) if name in self.roles]
        return max(held, key=lambda role: role.rank, default=None)

    def stores(self, known: Iterable[str]) -> tuple[str, ...]:
        """Those of the known stores that they may see."""
        return tuple(store for store in known if self.role(store))

    def may(self, store: str, role: Role) -> bool:
        held = self.role(store)
        return held is not None and held.rank >= role.rank and not (self.wall and role is not Role.VIEWER)

    def may_everywhere(self, known: Collection[str], role: Role) -> bool:
        """What touches every store alike, such as a channel, is for those who answer for all of them."""
        return bool(known) and all(self.may(store, role) for store in known)


@dataclass(frozen=True)
class KeyRoles:
    """Which API keys open the board, by their names."""

    by_name: Mapping[str, Role]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ORDERACK_BOARD_KEYS`. Raises Misconfigured."""
        found: dict[str, Role] = {}
        for place, entry in enumerate(_entries(text), 1):
            name, _, role = entry.rpartition(":")
            if not name or role not in set(Role):
                raise Misconfigured(f"ORDERACK_BOARD_KEYS: entry {place} is not `name:role`; {_ROLES}")
            found[name] = Role(role)
        return cls(found)

    def person(self, grants: Collection[Grant]) -> Person | None:
        """Whom a key with these grants lets in; None: it opens no board."""
        roles = {grant.store: self.by_name[grant.name] for grant in grants if grant.name in self.by_name}
        names = sorted({grant.name for grant in grants if grant.name in self.by_name})
        return Person(" + ".join(names)[:LONGEST_NAME], roles) if roles else None


@dataclass(frozen=True)
class GroupRoles:
    """What a group of the login provider's may do where."""

    entries: tuple[tuple[str, Role, str], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ORDERACK_BOARD_OIDC_ROLES`. Raises Misconfigured."""
        return cls(tuple(_group_role(place, entry) for place, entry in enumerate(_entries(text), 1)))

    def of(self, groups: Collection[str]) -> Mapping[str, Role]:
        """By store, the best of what these groups hold there."""
        found: dict[str, Role] = {}
        for group, role, store in self.entries:
            if group in groups and (store not in found or role.rank > found[store].rank):
                found[store] = role
        return found


def _group_role(place: int, entry: str) -> tuple[str, Role, str]:
    group, _, right = entry.rpartition("=")
    role, _, store = right.partition("@")
    if not group or role not in set(Role) or not store:
        raise Misconfigured(f"ORDERACK_BOARD_OIDC_ROLES: entry {place} is not `group=role@store`; {_ROLES}")
    return group, Role(role), store


def _entries(text: str) -> Iterator[str]:
    return (entry.strip() for entry in text.split(",") if entry.strip())


_ROLES = f"a role is {', '.join(Role)}"
