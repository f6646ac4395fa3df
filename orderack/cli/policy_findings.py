"""Everything that is wrong with a policy, against the channels, ERPs, systems and wordings of this installation."""

from pathlib import Path

from orderack import erps
from orderack.cli.installed import installed_channels, installed_sources
from orderack.domain.problem import Problem
from orderack.gateway.endpoints import secret_problems
from orderack.messages.check import check_wordings
from orderack.messages.wording import wordings
from orderack.policy.lint import lint
from orderack.policy.lint_connections import connection_problems
from orderack.policy.load import PolicyInvalid, load_policy
from orderack.policy.model import Policy


def check_policy(directory: Path) -> tuple[Problem, ...]:
    """Every finding about the policy and the wording in a folder; of a file that does not load, why."""
    try:
        policy = load_policy(directory)
    except PolicyInvalid as error:
        return error.problems
    messages = directory / "messages"
    if not messages.is_dir():
        return (Problem(field="messages", problem="is missing", remedy=f"put the wording into {messages}"),)
    return (*findings(policy, messages), *check_wordings(messages))


def findings(policy: Policy, messages: Path) -> tuple[Problem, ...]:
    """What is wrong with a policy that loads, where its messages are worded in this folder."""
    worded = {(language, kind.value) for language, kind in wordings(messages)}
    return (
        *lint(policy, installed_channels(), worded, tuple(erps.load())),
        *connection_problems(policy, installed_sources(), tuple(erps.load())),
        *(problem for name in policy.endpoints for problem in secret_problems(name)),
    )
