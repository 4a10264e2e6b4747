"""Starts a program over under the target's Python if it imports an extension module that was built for the target.

Builds import what they have just compiled to write stubs or documentation. Such a program is a process of its own, so
it can begin again under emulation. The hooks of a build backend cannot: they would compile everything again.
"""

import importlib.machinery
import os
import sys
from typing import Any

from .elf_machine import machine_of

_HOOKS = ("_in_process.py", "hooks.py", "setup.py")


def main(python: str, suffix: str) -> None:
    """`python` starts the target's interpreter; `suffix` is what its extension modules end with."""
    words = _words()
    if os.environ.get("CROSSWHEEL_TARGET") and words and os.path.basename(words[0]) not in (*_HOOKS, "-"):
        start = _Start(python, words)
        sys.meta_path.append(_Finder(start, suffix))
        _teach_loader(start)


def _words() -> "list[str]":
    """The arguments of this interpreter: sys.argv is not set yet, and 3.9 has no sys.orig_argv."""
    with open("/proc/self/cmdline", encoding="utf-8", errors="surrogateescape") as file:
        return file.read().split("\0")[1:-1]


class _Start:
    def __init__(self, python: str, words: "list[str]") -> None:
        self.python, self.words = python, words

    def over(self) -> None:
        packages = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        paths = [packages, os.environ.get("PYTHONPATH", "")]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONNOUSERSITE": "1"}
        del environ["CROSSWHEEL_TARGET"]
        sys.stdout.flush()
        sys.stderr.flush()
        os.execve(self.python, [self.python, *self.words], environ)


class _Finder:
    """The last import hook (PEP 451): this interpreter does not look for modules with the target's suffix."""

    def __init__(self, start: _Start, suffix: str) -> None:
        self.start, self.suffix = start, suffix

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002 - as it is called
        file = name.rpartition(".")[2] + self.suffix
        if any(os.path.isfile(os.path.join(folder, file)) for folder in (sys.path if path is None else path)):
            self.start.over()


def _teach_loader(start: _Start) -> None:
    """Modules of the stable ABI, and those without a tag, have the same name on every machine."""
    loader: Any = importlib.machinery.ExtensionFileLoader
    create = loader.create_module

    def create_module(self: Any, spec: Any) -> Any:
        if machine_of(spec.origin) not in (machine_of("/proc/self/exe"), None):
            start.over()
        return create(self, spec)

    loader.create_module = create_module
