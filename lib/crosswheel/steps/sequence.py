"""Named steps in a fixed order: an immutable tuple into which a project puts steps of its own.

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
    """What a step says of itself.

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
    """Decorate a step that needs something or has another name than its function. Plain functions are steps, too."""

    def decorate(function: _Function) -> _Function:
        setattr(function, _TRAITS, Traits[Any](name, frozenset(needs), quiet, instead))
        return function

    return decorate


def traits_of(function: Callable[[_Value], _Value]) -> Traits[_Value]:
    """What the step says of itself; of a plain function only its name is known."""
    traits: Traits[_Value] = getattr(function, _TRAITS, Traits())
    return traits


def name_of(function: Callable[[_Value], _Value]) -> str:
    """The step's name in events, in report.json and in `Steps.after`: that of its function or class by default."""
    return traits_of(function).name or getattr(function, "__name__", "") or type(function).__name__


def identity_of(function: Callable[[_Value], _Value]) -> list[str]:
    """What tells one step from another in a key: its qualified name, its source and the values that it is bound to.

    An object that is no plain function is told by its `repr`, which should show its settings.
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
        return function.__code__.co_code.hex()  # typed at a prompt


class Steps(tuple[Callable[[_Value], _Value], ...]):
    """Steps in the order in which they run. Its methods give new tuples; each name occurs once."""

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
        """With `added` behind the step of that name. Raises UsageError if there is none."""
        at = self._at(name) + 1
        return Steps((*self[:at], *added, *self[at:]))

    def before(self, name: str, *added: Callable[[_Value], _Value]) -> Steps[_Value]:
        """With `added` in front of the step of that name. Raises UsageError if there is none."""
        at = self._at(name)
        return Steps((*self[:at], *added, *self[at:]))

    def without(self, *names: str) -> Steps[_Value]:
        """All but the steps of these names. Raises UsageError for a name that no step has."""
        gone = {self._at(name) for name in names}
        return Steps(function for at, function in enumerate(self) if at not in gone)

    def until(self, name: str) -> Steps[_Value]:
        """The steps in front of the one of that name; all of them if there is none."""
        return Steps(self[: self.names.index(name)] if name in self.names else self)

    def _at(self, name: str) -> int:
        if name in self.names:
            return self.names.index(name)
        raise UsageError(
            f"there is no step {name!r}{did_you_mean(name, self.names)}", hint=f"the steps are {', '.join(self.names)}"
        )

    def __repr__(self) -> str:
        return f"Steps({', '.join(self.names)})"
