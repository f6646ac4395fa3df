"""Sample values of every documented word, to try a rule's condition on before an order does."""

from collections.abc import Iterator, Mapping

from orderack.policy.model import Policy
from orderack.policy.variables import DOCUMENTED, Kind, Known, Variable

_SAMPLES: Mapping[Kind, tuple[Known, Known]] = {
    Kind.TEXT: ("", "sample"),
    Kind.NUMBER: (0.0, 12_345.67),
    Kind.YES_NO: (False, True),
    Kind.NAMES: ([], ["sample"]),
}


def sample_values(policy: Policy) -> Iterator[Mapping[str, Known]]:
    """A bare order, a full one, and one for each value of each closed list.

    CEL's `&&` and `||` stop early, so a mistake behind `order.source == "edi" &&` shows only for such an order.
    """
    closed = {word: variable.values for word, variable in DOCUMENTED.items() if variable.values}
    closed |= {"order.source": tuple(policy.sources), "order.store": tuple(policy.stores)}
    for full in (0, 1):
        base = {word: _SAMPLES[variable.kind][full] for word, variable in DOCUMENTED.items()}
        yield base
        for word, values in closed.items():
            for value in values:
                yield {**base, word: _as(DOCUMENTED[word], value)}


def _as(variable: Variable, value: str) -> Known:
    return [value] if variable.kind is Kind.NAMES else str(value)
