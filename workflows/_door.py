"""What comes in from outside, decoded inside the workflow: what can't be read is kept, never dropped or looped on."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from orderack.domain.problem import Problem

T = TypeVar("T", bound=BaseModel)

REMEDY = "see docs/temporal-contract.md for the JSON object this message takes"


def decode(raw: RawValue, model: type[T]) -> T | tuple[Problem, ...]:
    """The model, or what is wrong with the payload; the payload's own text is never repeated."""
    try:
        value = workflow.payload_converter().from_payload(raw.payload, model)
    except ValidationError as error:
        return tuple(
            Problem(field=".".join(str(part) for part in e["loc"]) or "(whole)", problem=e["msg"], remedy=REMEDY)
            for e in error.errors(include_input=False, include_url=False)[:10]
        )
    except Exception:
        return (Problem(field="(whole)", problem="is not JSON that can be read", remedy=REMEDY),)
    if not isinstance(value, model):
        return (Problem(field="(whole)", problem="is not a JSON object of the right kind", remedy=REMEDY),)
    return value


def decode_or_refuse(raw: RawValue, model: type[T]) -> T:
    """For updates: the caller is there to hear what is wrong."""
    value = decode(raw, model)
    if isinstance(value, tuple):
        raise ApplicationError(words(value), type="InvalidInput", non_retryable=True)
    return value


def words(problems: tuple[Problem, ...]) -> str:
    return "; ".join(f"{p.field}: {p.problem} ({p.remedy})" for p in problems)[:1_500]
