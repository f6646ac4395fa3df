"""The figures and label matchers that a PromQL expression names. Enough of the language for our own expressions."""

import re
from collections.abc import Iterator

WORDS = frozenset(
    {
        *("sum", "min", "max", "avg", "count", "topk", "by", "without", "on", "ignoring", "group_left", "group_right"),
        *("and", "or", "unless", "offset", "bool", "rate", "increase", "histogram_quantile", "absent", "abs", "vector"),
        *("label_values", "le"),
    }
)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_GROUPS = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_MATCHERS = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*\{([^}]*)\}")
_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)")
_SPAN = re.compile(r"\[[^\]]*\]")
_NAME = re.compile(r"(?<![\w$.:])[a-zA-Z_:][a-zA-Z0-9_:]*")


def names_in(expression: str) -> frozenset[str]:
    """The figures."""
    bare = _SPAN.sub("", _GROUPS.sub("", re.sub(r"\{[^}]*\}", "", _QUOTED.sub("", expression))))
    return frozenset(_NAME.findall(bare)) - WORDS


def matchers_in(expression: str) -> Iterator[tuple[str, str]]:
    """Each figure with each label that it is picked by."""
    for name, inside in _MATCHERS.findall(_QUOTED.sub('""', expression)):
        for label in _LABEL.findall(inside):
            yield name, label


def grouped_by(expression: str) -> frozenset[str]:
    """The labels that it groups by."""
    return frozenset(label.strip() for inside in _GROUPS.findall(expression) for label in inside.split(",")) - {""}
