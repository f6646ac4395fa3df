"""Fields that a model does not have: named before they are silently ignored, with the field probably meant."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel

from orderack.domain.problem import Problem

_LONGEST_KEY = 60


def unknown_fields(model: type[BaseModel], raw: object, path: str = "") -> Iterator[Problem]:
    """Every key in `raw`, at any depth, that `model` has no field for."""
    if not isinstance(raw, Mapping):
        return
    for key, value in raw.items():
        here = join(path, str(key))
        field = model.model_fields.get(str(key))
        if field is None:
            yield Problem(field=here, problem="is not a field we know", remedy=_meant(str(key), model))
        else:
            yield from _inside(field.annotation, value, here)


def join(path: str, key: str) -> str:
    """`lines[2]` and `quantity` make `lines[2].quantity`; a key that is no plain word is not repeated."""
    word = key if key.replace("-", "_").isidentifier() and len(key) <= _LONGEST_KEY else "(a key that is no plain word)"
    return f"{path}.{word}" if path else word


def closest(word: str, known: Sequence[str]) -> str | None:
    """The known word that was probably meant."""
    return next(iter(difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)), None)


def _inside(annotation: object, raw: object, path: str) -> Iterator[Problem]:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _inside(args[0], raw, path)
    elif origin in (Union, UnionType):
        for choice in args:
            yield from _inside(choice, raw, path)
    elif origin is tuple and isinstance(raw, list | tuple):
        for index, item in enumerate(raw):
            yield from _inside(args[0], item, f"{path}[{index}]")
    elif isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(raw, Mapping):
        for key, value in raw.items():
            yield from _inside(args[1], value, join(path, str(key)))
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from unknown_fields(annotation, raw, path)


def _meant(key: str, model: type[BaseModel]) -> str:
    known = sorted(model.model_fields)
    guess = closest(key, known)
    return f"did you mean `{guess}`?" if guess else f"remove it; the fields here are {', '.join(known)}"
