"""Write docs/reference.md from the signatures and docstrings of the public names."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import crosswheel
from crosswheel.commands.result import Result
from crosswheel.model.verbs import VERBS

_HEAD = """# Functions and classes

The public names of crosswheel: what they take, return and raise. [From Python](api.md) explains how they work together.
[Options](options.md) lists what `**options` can be, [exit codes](exit-codes.md) lists the errors. `nox -s docs` writes
this page from the docstrings.
"""
_ALL_RESULTS = "\nEvery result also has:\n\n"


def reference_page() -> str:
    results = [name for name in crosswheel.__all__ if _is_result(getattr(crosswheel, name))]
    others = sorted({*crosswheel.__all__} - {*VERBS, *results, "__version__"})
    return "".join(
        [
            _HEAD,
            _part("Functions", "crosswheel", VERBS),
            _part("Results", "crosswheel", results),
            _ALL_RESULTS,
            *_members(Result),
            _part("Errors and events", "crosswheel", others),
            _part("Sessions for nox", "crosswheel.sessions", ["add", "wheels"]),
            _part("Tasks for invoke", "crosswheel.tasks", ["VerbTask"]),
            _part("Steps", "crosswheel.steps"),
            _part("Own rules", "crosswheel.auditing.rules.rule", ["Rule"]),
            _part("Own engines", "crosswheel.engines", ["Engine"]),
            _part("For your tests", "crosswheel.testing"),
        ]
    )


def _is_result(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, Result)


def _part(title: str, module: str, names: Iterable[str] | None = None) -> str:
    """A section with an entry for each name; default: the module's `__all__`."""
    names = importlib.import_module(module).__all__ if names is None else names
    return f"\n## {title}\n" + "".join(_entry(module, name) for name in names)


def _entry(module: str, name: str) -> str:
    value = getattr(importlib.import_module(module), name)
    shown, text = f"{module}.{name}", inspect.getdoc(value) or ""
    if inspect.isroutine(value):
        shown += _signature(value)
    elif not inspect.isclass(value):  # a constant: what is written in the source, and the docstring below it
        shown, text = _constant(value, name)
    text = text.partition("\nOptions; they win")[0].strip()
    members = "".join(_members(value)) if inspect.isclass(value) else ""
    return "\n\n".join(filter(None, [f"\n### {name}", f"```python\n{shown}\n```", text, members.rstrip()])) + "\n"


def _constant(value: object, name: str) -> tuple[str, str]:
    for module in ("crosswheel.steps", "crosswheel.steps.sequence", "crosswheel.model.job"):
        source = inspect.getsource(importlib.import_module(module))
        found = re.search(rf'^{name}\b[^\n]*?= ([^\n]*)\n(?:"""(.*?)""")?', source, re.MULTILINE | re.DOTALL)
        if found:
            return f"{name} = {value if isinstance(value, tuple) else found[1]}", found[2] or ""
    raise LookupError(name)


def _signature(function: Callable[..., Any]) -> str:
    """As it stands in the source; the options of a verb, which `help()` lists one by one, are `**options`."""
    parameters = list(inspect.signature(function).parameters.values())
    own = [one for one in parameters if one.kind is not one.KEYWORD_ONLY or one.annotation is not one.empty]
    written = [_parameter(one) for one in own]
    kinds = [one.kind for one in own]
    if inspect.Parameter.KEYWORD_ONLY in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds:
        written.insert(kinds.index(inspect.Parameter.KEYWORD_ONLY), "*")
    if len(own) < len(parameters):
        written.append("**options")
    lines = "".join(f"    {one},\n" for one in written)
    return f"(\n{lines}) -> {function.__annotations__['return']}"


def _parameter(one: inspect.Parameter) -> str:
    star = "*" if one.kind is one.VAR_POSITIONAL else "**" if one.kind is one.VAR_KEYWORD else ""
    default = "" if one.default is one.empty else f" = {'...' if callable(one.default) else repr(one.default)}"
    return f"{star}{one.name}: {one.annotation}{default}"


def _members(kind: type) -> Iterator[str]:
    """Fields, properties and methods of a class; of a result, those that not all results have."""
    fields = {field.name: field.type for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else {}
    yield from (f"- `{name}: {shown}`\n" for name, shown in fields.items() if name[0] != "_")
    known = {*fields, *(vars(Result) if kind is not Result else ())}
    for name, member in _own_members(kind).items():
        text = " ".join((inspect.getdoc(member) or "").split())
        if name[0] == "_" or name in known:
            continue
        if isinstance(member, property):
            yield f"- `{name}: {member.fget.__annotations__['return']}` {text}".rstrip() + "\n"
        elif inspect.isfunction(member):
            words = [str(one).partition(":")[0] for one in inspect.signature(member).parameters.values()][1:]
            yield f"- `{name}({', '.join(words)})` {text}".rstrip() + "\n"


def _own_members(kind: type) -> dict[str, Any]:
    """Those of the class and of its bases in crosswheel, in the order in which they are defined."""
    ours = [base for base in reversed(kind.__mro__) if base.__module__.startswith("crosswheel.")]
    return {name: member for base in ours for name, member in vars(base).items()}


if __name__ == "__main__":
    (Path(__file__).parent / "reference.md").write_text(reference_page())
