"""Reading policy.yaml: one file in, a Policy out, or everything that is wrong with it and where."""

import hashlib
import logging
from collections.abc import Hashable, Sequence
from pathlib import Path

import yaml
from pydantic import ValidationError

from orderack.domain.problem import Problem
from orderack.domain.unknown_fields import unknown_fields
from orderack.domain.validation import path_of, problems_of
from orderack.errors import Misconfigured
from orderack.policy.expression import ExpressionError, compile_expression
from orderack.policy.model import Policy, PolicyFile
from orderack.policy.yaml_loader import LOADER

FILE = "policy.yaml"
MAX_BYTES = 1024 * 1024
MAX_DEPTH = 20

_OPENS = (
    yaml.BlockMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.FlowSequenceStartToken,
)
_CLOSES = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)

_log = logging.getLogger(__name__)


class PolicyInvalid(Misconfigured):
    """The policy cannot be used. `problems` name the place in the file, what is wrong and the remedy."""

    def __init__(self, file: Path, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"{file}: {p.field}: {p.problem} ({p.remedy})" for p in problems))
        self.file = file
        self.problems = tuple(problems)


def load_policy(directory: Path) -> Policy:
    """The policy in `directory`. Raises PolicyInvalid (a Misconfigured) with every problem found.

    What loads has the right shape and rules that compile; whether it makes sense is `lint`'s question.
    """
    return load_policy_file(directory / FILE)


def load_policy_file(file: Path) -> Policy:
    """The same of a file by any name: a policy that is not in force, or is no longer."""
    content = _read(file)
    document, lines = _parse(file, content)
    problems = list(unknown_fields(PolicyFile, document))
    policy = None
    try:
        found = PolicyFile.model_validate(document)
        policy = Policy(**dict(found), version=hashlib.sha256(content).hexdigest()[:12])
        problems += _uncompilable(policy)
    except ValidationError as error:
        problems += problems_of(error)
    if policy is None or problems:
        raise PolicyInvalid(file, [_placed(problem, lines) for problem in problems])
    return policy


class CurrentPolicy:
    """The policy as the file says it now: an edit is picked up by the next order.

    An edit that does not load is logged once and the last good policy stays; the first load raises instead.
    """

    def __init__(self, directory: Path, divisor: float = 1.0) -> None:
        self._directory = directory
        self._divisor = divisor
        self._seen = self._stamp()
        self._policy = load_policy(directory).scaled(divisor)

    def __call__(self) -> Policy:
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._policy = load_policy(self._directory).scaled(self._divisor)
            except PolicyInvalid as error:
                _log.error("policy not taken over, %s stays: %s", self._policy.version, error)
        return self._policy

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = (self._directory / FILE).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size


def _read(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        problem = Problem(field="file", problem=f"cannot be read: {reason}", remedy="check ORDERACK_POLICY_DIR")
        raise PolicyInvalid(file, [problem]) from None
    if len(content) > MAX_BYTES:
        problem = Problem(field="file", problem=f"is larger than {MAX_BYTES} bytes", remedy="keep the matrix small")
        raise PolicyInvalid(file, [problem])
    return content


def _parse(file: Path, content: bytes) -> tuple[object, dict[str, int]]:
    """The document, and the line on which each of its paths begins."""
    try:
        _refuse_tricks(file, content)
        root = yaml.compose(content, Loader=LOADER)
        lines, repeats = dict[str, int](), list[Problem]()
        if root is not None:
            _index(root, (), lines, repeats)
        document: object = yaml.load(content, Loader=LOADER)  # noqa: S506  # a safe loader
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}" if error.problem_mark else "file"
        problem = Problem(field=where, problem=f"is not valid YAML: {error.problem}", remedy="check the indentation")
        raise PolicyInvalid(file, [problem]) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        problem = Problem(field="file", problem="is not valid YAML", remedy="save it as plain UTF-8 text")
        raise PolicyInvalid(file, [problem]) from None
    if repeats:
        raise PolicyInvalid(file, [_placed(problem, lines) for problem in repeats])
    if not isinstance(document, dict):
        problem = Problem(field="file", problem="is not a policy", remedy="begin with `stores:`; see policy/README.md")
        raise PolicyInvalid(file, [problem])
    return document, lines


def _refuse_tricks(file: Path, content: bytes) -> None:
    """What lets a small file cost a lot. People read a matrix more easily written out, anyway."""
    depth = 0
    for token in yaml.scan(content, Loader=LOADER):
        depth += isinstance(token, _OPENS) - isinstance(token, _CLOSES)
        if depth > MAX_DEPTH or isinstance(token, yaml.AliasToken):
            alias = isinstance(token, yaml.AliasToken)
            raise PolicyInvalid(
                file,
                [
                    Problem(
                        field=f"line {token.start_mark.line + 1}",
                        problem="is a YAML alias" if alias else f"is nested more than {MAX_DEPTH} levels deep",
                        remedy="write the value out" if alias else "see policy/README.md for the shape",
                    )
                ],
            )


def _index(node: yaml.Node, path: tuple[int | str, ...], lines: dict[str, int], repeats: list[Problem]) -> None:
    lines[path_of(path)] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            _index(item, (*path, position), lines, repeats)
    elif isinstance(node, yaml.MappingNode):
        seen = set[Hashable]()
        for key, value in node.value:
            here = (*path, str(key.value))
            if str(key.value) in seen:
                repeats.append(Problem(field=path_of(here), problem="stands twice", remedy="keep one of the two"))
            seen.add(str(key.value))
            _index(value, here, lines, repeats)
            lines[path_of(here)] = key.start_mark.line + 1


def _placed(problem: Problem, lines: dict[str, int]) -> Problem:
    """The problem with its line; a missing field has that of what it is missing in."""
    path = problem.field
    while path and path not in lines:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    line = lines.get(path)
    return problem.model_copy(update={"field": f"{problem.field} (line {line})"}) if line else problem


def _uncompilable(policy: Policy) -> list[Problem]:
    problems = []
    for index, rule in enumerate(policy.rules):
        try:
            compile_expression(rule.when)
        except ExpressionError as error:
            remedy = 'write a CEL condition such as order.source == "web" && order.total > 3000'
            problems.append(Problem(field=f"rules[{index}].when", problem=str(error), remedy=remedy))
    return problems
