"""Which documented words an expression uses, and what it compares them with: read from its text.

The CEL engine tells only root names (`order`), so the paths are read here: enough of CEL's grammar to tell words,
literals, calls and macro variables apart. What the reader lets through, probing with sample orders still catches.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from orderack.domain.unknown_fields import closest
from orderack.domain.value import Value
from orderack.policy.variables import DOCUMENTED, Kind, Variable

FUNCTIONS = frozenset({"size", "startsWith", "endsWith", "contains", "matches", "has"})
MACROS = frozenset({"exists", "exists_one", "all", "filter", "map"})
_KEYWORDS = frozenset({"true", "false", "null", "in"})

_TOKEN = re.compile(
    r"""\s+ | //[^\n]*
      | (?P<text>[rRbB]?(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
      | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?u?)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<sign>==|!=|<=|>=|&&|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)


class Token(Value):
    kind: str
    text: str


class Finding(Value):
    """What is wrong in an expression, and the remedy."""

    problem: str
    remedy: str


def tokens(text: str) -> tuple[Token, ...]:
    """Words joined to dotted paths; a call keeps its name apart from the path it is called on."""
    plain = [Token(kind=found.lastgroup, text=found[0]) for found in _TOKEN.finditer(text) if found.lastgroup]
    joined: list[Token] = []
    for index, token in enumerate(plain):
        called = index + 1 < len(plain) and plain[index + 1].text == "("
        if token.kind != "word":
            joined.append(token)
        elif called:
            joined.append(Token(kind="call", text=token.text))
        elif len(joined) > 1 and joined[-1].text == "." and joined[-2].kind == "word":
            path = f"{joined[-2].text}.{token.text}"
            joined[-2:] = [Token(kind="word", text=path)]
        else:
            joined.append(token)
    return tuple(joined)


@lru_cache(maxsize=1_000)
def words(text: str) -> tuple[str, ...]:
    """The documented words an expression uses, each once."""
    return tuple(dict.fromkeys(token.text for token in tokens(text) if token.text in DOCUMENTED))


def findings(text: str, values: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """Undefined words and functions, nested macros, and comparisons that can never hold.

    `values`: closed lists that only the policy knows, e.g. its sources for `order.source`.
    """
    stream = tokens(text)
    yield from _undefined(stream)
    yield from _nested(stream)
    yield from _compared(stream, values)


def _undefined(stream: Sequence[Token]) -> Iterator[Finding]:
    bound = {stream[i + 2].text for i, token in enumerate(stream[:-2]) if token.text in MACROS}
    for index, token in enumerate(stream):
        if token.kind == "call" and token.text not in FUNCTIONS | MACROS:
            allowed = ", ".join(sorted(FUNCTIONS | MACROS))
            yield Finding(problem=f"calls `{token.text}`, which is not defined", remedy=f"use one of {allowed}")
        known = token.text in DOCUMENTED or token.text in _KEYWORDS or token.text in bound
        if token.kind == "word" and not known:
            yield Finding(problem=f"names `{token.text}`, which is not defined", remedy=_meant(token.text))
        elif token.text in DOCUMENTED and index + 1 < len(stream) and stream[index + 1].text == "[":
            yield Finding(problem=f"indexes `{token.text}`", remedy="write whole words, such as order.source")


def _meant(word: str) -> str:
    guess = closest(word, sorted(DOCUMENTED)) or closest(f"order.{word}", sorted(DOCUMENTED))
    return f"did you mean `{guess}`?" if guess else f"use one of {', '.join(sorted(DOCUMENTED))}"


def _nested(stream: Sequence[Token]) -> Iterator[Finding]:
    depth, open_macros = 0, list[int]()
    for token in stream:
        if token.kind == "call" and token.text in MACROS:
            if open_macros:
                yield Finding(problem=f"nests `{token.text}` inside another macro", remedy="split it into two rules")
                return
            open_macros.append(depth)
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == ")" and open_macros and depth == open_macros[-1]:
            open_macros.pop()


def _compared(stream: Sequence[Token], values: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    for index, token in enumerate(stream[1:-1], start=1):
        before, after = stream[index - 1], stream[index + 1]
        if token.text in ("==", "!="):
            for word, literal in ((before, after), (after, before)):
                yield from _literal(word.text, (literal,), values)
        elif token.text == "in" and after.text == "[":
            end = next((i for i in range(index, len(stream)) if stream[i].text == "]"), len(stream))
            yield from _literal(before.text, stream[index + 2 : end], values)
        elif token.text == "in":
            yield from _member(before, after.text, values)


def _literal(path: str, literals: Sequence[Token], values: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    variable = DOCUMENTED.get(path)
    if variable is None:
        return
    for literal in literals:
        kind = {"text": Kind.TEXT, "number": Kind.NUMBER}.get(literal.kind)
        if literal.text in ("true", "false"):
            kind = Kind.YES_NO
        if kind is not None and kind is not variable.kind:
            problem = f"compares `{path}`, which is {variable.kind.value}, with {kind.value}"
            yield Finding(problem=problem, remedy=f"compare it with {variable.kind.value}")
        elif kind is Kind.TEXT:
            yield from _known(path, literal, variable, values)


def _member(item: Token, path: str, values: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    variable = DOCUMENTED.get(path)
    if variable is not None and variable.kind is not Kind.NAMES:
        yield Finding(problem=f"looks inside `{path}`, which is {variable.kind.value}", remedy="use == instead")
    elif variable is not None and item.kind == "text":
        yield from _known(path, item, variable, values)


def _known(path: str, literal: Token, variable: Variable, values: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    known = sorted(values.get(path, variable.values))
    word = literal.text.lstrip("rRbB")[1:-1]
    if known and word not in known:
        guess = closest(word, known)
        remedy = f'did you mean "{guess}"?' if guess else f"use one of {', '.join(known)}"
        yield Finding(problem=f'compares `{path}` with "{word}", which it never is', remedy=remedy)
