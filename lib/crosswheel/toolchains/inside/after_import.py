"""Calls a function after the import of a module; costs almost nothing if it is never imported."""

import sys
from collections.abc import Callable, Iterable
from typing import Any


def after_import(names: "Iterable[str]", action: "Callable[[Any], None]") -> None:
    """Call `action` with each module of these names, right after its code has run."""
    sys.meta_path.insert(0, _Finder(set(names), action))


class _Finder:
    """An import hook (PEP 451): delegates to the other finders, and adds the action."""

    def __init__(self, names: "set[str]", action: "Callable[[Any], None]") -> None:
        self.names, self.action = names, action

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:  # noqa: ARG002 - as it is called
        if name not in self.names:
            return None
        from importlib.util import find_spec

        self.names.discard(name)
        spec = find_spec(name)
        loader: Any = spec.loader if spec else None
        if loader:
            execute = loader.exec_module

            def execute_then_act(module: Any) -> None:
                execute(module)
                self.action(module)

            loader.exec_module = execute_then_act
        return spec
