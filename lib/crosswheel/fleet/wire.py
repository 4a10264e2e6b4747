"""Frozen values as plain data and back: only texts, numbers, lists and tables travel between machines."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from crosswheel.model.targets import PythonTag, Target, parse_python, parse_target

_Value = TypeVar("_Value")

# Values that their own text stands for.
_BY_TEXT: Mapping[Any, Callable[[str], Any]] = {Target: parse_target, PythonTag: parse_python, Path: Path}


def plain(value: Any) -> Any:
    """The value as JSON can hold it; a dataclass becomes a table of its fields."""
    if type(value) in _BY_TEXT or isinstance(value, Path):
        return str(value)
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list, frozenset)):
        return [plain(item) for item in value]
    return value


def read(kind: type[_Value], data: Any) -> _Value:
    """The value of a type from its plain data; unknown fields are left out. Raises ValueError for any other shape."""
    try:
        return _read(kind, data)  # type: ignore[no-any-return]
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"no {kind.__name__}: {error}") from error


def _read(kind: Any, data: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _BY_TEXT:
        return _BY_TEXT[kind](data)
    if origin in {Union, types.UnionType}:
        (other,) = (one for one in arguments if one is not types.NoneType)
        return None if data is None else _read(other, data)
    if origin is tuple:
        return tuple(_read(arguments[0], item) for item in data)
    if is_dataclass(kind):
        known: Any = kind
        if not isinstance(data, Mapping):
            raise TypeError(f"{data!r} is no table")
        hints = _hints(known)
        return known(**{name: _read(hint, data[name]) for name, hint in hints.items() if name in data})
    return _as_it_is(kind, origin, data)


def _as_it_is(kind: Any, origin: Any, data: Any) -> Any:
    """A text, a number, or one of the texts of a Literal."""
    if kind is float and isinstance(data, int):
        return float(data)
    if not (data in get_args(kind) if origin is Literal else isinstance(data, kind)):
        raise TypeError(f"{data!r} is no {kind}")
    return data


@functools.cache
def _hints(kind: Any) -> Mapping[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind) if field.init}
