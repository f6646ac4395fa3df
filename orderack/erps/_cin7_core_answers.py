"""What Cin7 Core's refusals say: a list of problems, or one (commerce.md §13)."""

import json
import re

import httpx
from pydantic import BaseModel, Field, TypeAdapter

from orderack.erps._cin7_words import Text

UNREADABLE = re.compile(r"pars|deserializ|convert|unexpected character|json|object reference|input string", re.I)
"""What a 500 says that means our body."""


class Problem(BaseModel):
    code: int | str | None = Field(default=None, alias="ErrorCode")
    text: Text = Field(default="", alias="Exception")


_PROBLEMS: TypeAdapter[tuple[Problem, ...]] = TypeAdapter(tuple[Problem, ...])


def said(response: httpx.Response) -> tuple[str, str]:
    """Its words and its code: a list of problems, or one."""
    try:
        content = json.loads(response.content)
        problems = _PROBLEMS.validate_python(content if isinstance(content, list) else [content])
    except (ValueError, RecursionError):
        problems = ()
    codes = [str(problem.code) for problem in problems if problem.code]
    return "; ".join(problem.text for problem in problems), next(iter(codes), str(response.status_code))
