"""Records the declared extensions that a build does not compile, with the reason, as one line of JSON each.

setuptools ignores errors of optional extensions; many setup.py files catch errors themselves, or remove the extension
from the list. The wheel does not show what is missing; only the build command knows.
"""

import functools
import json
import os
from contextlib import contextmanager, suppress
from typing import Any

from .after_import import after_import

# The standard library's distutils up to 3.11, the copy in setuptools, and extensions in Rust.
_MODULES = [
    "distutils.command.build_ext",
    "setuptools._distutils.command.build_ext",
    "setuptools_rust.command",
    "setuptools_rust.build",
]


def main(path: str) -> None:
    after_import(_MODULES, lambda module: _teach(module, path))


def _teach(module: Any, path: str) -> None:
    for each in list(vars(module).values()):
        if isinstance(each, type) and each.__module__ == module.__name__:
            for name, teach in _METHODS.items():
                method = vars(each).get(name)
                if method and not getattr(method, "__isabstractmethod__", False):
                    setattr(each, name, teach(method, path))


def _note_failure(method: Any, path: str) -> Any:
    """Patch the method that compiles one extension: its exceptions are recorded, even if they are caught later."""

    @functools.wraps(method)
    def build(self: Any, extension: Any, *more: Any, **options: Any) -> Any:  # releases of setuptools-rust differ
        setattr(extension, _TRIED, True)
        try:
            return method(self, extension, *more, **options)
        except Exception as error:
            _write(path, self, extension, str(error))
            raise

    return build


def _note_filtered(method: Any, path: str) -> Any:
    """Patch the context manager that suppresses errors of optional extensions, for projects that compile themselves."""

    @functools.wraps(method)
    @contextmanager
    def filter_errors(self: Any, extension: Any) -> Any:
        with method(self, extension):
            try:
                yield
            except Exception as error:
                _write(path, self, extension, str(error))
                raise

    return filter_errors


def _note_left_out(method: Any, path: str) -> Any:
    """Patch the whole command: record extensions removed from its list, or skipped without a Rust compiler."""

    @functools.wraps(method)
    def run(self: Any) -> None:
        declared = list(self.extensions or ())
        method(self)
        # By name, because Cython replaces the objects.
        kept = {extension.name for extension in self.extensions or ()}
        if not hasattr(self, "get_ext_fullname"):
            kept = {extension.name for extension in declared if getattr(extension, _TRIED, False)}
        for extension in declared:
            if extension.name not in kept and "*" not in extension.name:
                _write(path, self, extension, "")

    return run


_TRIED = "_crosswheel_tried"
_METHODS = {
    "run": _note_left_out,
    "build_extension": _note_failure,
    "_filter_build_errors": _note_filtered,
    "run_for_extension": _note_failure,  # setuptools-rust
}


def _write(path: str, command: Any, extension: Any, why: str) -> None:
    full_name = getattr(command, "get_ext_fullname", str)
    row = {"name": full_name(extension.name), "why": why}
    # Extensions are compiled in parallel, also in other processes: one appending write per record.
    with suppress(OSError):  # outside of a build the folder does not exist
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            os.write(file, (json.dumps(row) + "\n").encode())
        finally:
            os.close(file)
