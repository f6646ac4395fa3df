"""The stores as the policy names them now: an edit holds for the next request."""

from collections.abc import Callable, Iterator, Mapping

from orderack.domain.store import StoreProfile
from orderack.policy.model import Policy


class CurrentStores(Mapping[str, StoreProfile]):
    """Store's id → its profile, looked up in the current policy each time."""

    def __init__(self, policy: Callable[[], Policy]) -> None:
        self._policy = policy

    def __getitem__(self, name: str) -> StoreProfile:
        return self._policy().stores[name].profile

    def __iter__(self) -> Iterator[str]:
        return iter(self._policy().stores)

    def __len__(self) -> int:
        return len(self._policy().stores)
