"""Named steps in a fixed order: an immutable tuple that projects can extend with their own steps.

>>> from crosswheel import steps
>>> steps.MAKE.after("repair", sign).without("test")
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from crosswheel.errors import UsageError
from crosswheel.model.targets import did_you_mean

_Value = TypeVar("_Value")
_Function = TypeVar("_Function", bound=Callable[..., Any])

Need: TypeAlias = Literal["workspace", "journal"]
"""``workspace``: a folder or container with a compiler, which is opened before the step. ``journal``: earlier runs."""

Step: TypeAlias = Callable[[_Value], _Value]

_TRAITS = "__crosswheel_step__"


@dataclass(frozen=True)
class Traits(Generic[_Value]):
    """The properties of a step.

    `quiet` steps are neither announced nor timed. `instead` gives the value with which the fold goes on without
    running the step, or None if the step is to run.
    """

    name: str = ""
    needs: frozenset[Need] = frozenset()
    quiet: bool = False
    instead: Callable[[_Value], _Value | None] = lambda _value: None


def step(
    *,
    name: str = "",
    needs: Iterable[Need] = (),
    quiet: bool = False,
    instead: Callable[[Any], Any] = lambda _value: None,
) -> Callable[[_Function], _Function]:
    """Decorate a step that has needs or a name other than its function's. Plain functions are steps, too."""

    def decorate(function: _Function) -> _Function:
        setattr(function, _TRAITS, Traits[Any](name, frozenset(needs), quiet, instead))
        return function

    return decorate


def traits_of(function: Callable[[_Value], _Value]) -> Traits[_Value]:
    """The properties of a step; a plain function only has a name."""
    traits: Traits[_Value] = getattr(function, _TRAITS, Traits())
    return traits


def name_of(function: Callable[[_Value], _Value]) -> str:
    """The step's name in events, report.json and `Steps.after`: by default that of its function or class."""
    return traits_of(function).name or getattr(function, "__name__", "") or type(function).__name__


def identity_of(function: Callable[[_Value], _Value]) -> list[str]:
    """The identity of a step for keys: its qualified name, its source and its bound values.

    Any other object is identified by its `repr`, which should contain its settings.
    """
    if not inspect.isfunction(function):
        return [name_of(function), repr(function)]
    bound = [cell.cell_contents for cell in function.__closure__ or ()]
    bound += [function.__defaults__, function.__kwdefaults__]
    return [f"{function.__module__}.{function.__qualname__}", _source(function), repr(bound)]


def _source(function: Callable[..., Any]) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return function.__code__.co_code.hex()  # defined at an interactive prompt


class Steps(tuple[Callable[[_Value], _Value], ...]):
    """Steps in the order in which they run. Methods return new tuples; names are unique."""

    __slots__ = ()

    def __new__(cls, steps: Iterable[Callable[[_Value], _Value]] = ()) -> Steps[_Value]:
        made = super().__new__(cls, steps)
        for function in made:
            if made.names.count(name_of(function)) > 1:
                raise UsageError(
                    f"two steps have the name {name_of(function)}", hint="rename one of them: @step(name=...)"
                )
        return made

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the steps, in order."""
        return tuple(name_of(function) for function in self)

    def after(self, name: str, *added: Callable[[_Value], _Value]) -> Steps[_Value]:
        """The steps with `added` after the named step. Raises UsageError for an unknown name."""
        at = self._at(name) + 1
        return Steps((*self[:at], *added, *self[at:]))

    def before(self, name: str, *added: Callable[[_Value], _Value]) -> Steps[_Value]:
        """The steps with `added` before the named step. Raises UsageError for an unknown name."""
        at = self._at(name)
        return Steps((*self[:at], *added, *self[at:]))

    def without(self, *names: str) -> Steps[_Value]:
        """The steps without the named ones. Raises UsageError for an unknown name."""
        gone = {self._at(name) for name in names}
        return Steps(function for at, function in enumerate(self) if at not in gone)

    def fold(self, value: _Value) -> _Value:
        """Give the value to the first step, its result to the second, and so on; returns the last result."""
        for function in self:
            value = function(value)
        return value

    def until(self, name: str) -> Steps[_Value]:
        """The steps before the named step; all steps if there is none."""
        return Steps(self[: self.names.index(name)] if name in self.names else self)

    def _at(self, name: str) -> int:
        if name in self.names:
            return self.names.index(name)
        raise UsageError(
            f"there is no step {name!r}{did_you_mean(name, self.names)}", hint=f"the steps are {', '.join(self.names)}"
        )

    def __repr__(self) -> str:
        return f"Steps({', '.join(self.names)})"
