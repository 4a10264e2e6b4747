"""Lets setuptools do side by side what it would do one after another: an extension's sources, and the extensions.

As many at a time as MAX_JOBS says. The commands stay the same, and so does the order of objects in a link. Whatever a
project or another package has put in the place of setuptools' own methods may count on the old order, and so keeps it.
"""

import os
from typing import Any

from .after_import import after_import

_PACKAGES = ("distutils", "setuptools")
# Python's own distutils, which ended with 3.11, and the copies in older and newer releases of setuptools.
_MODULES = [
    f"{package}.{module}"
    for package in ("distutils", "setuptools._distutils")
    for module in ("unixccompiler", "compilers.C.unix", "command.build_ext")
]


def main() -> None:
    at_a_time = os.environ.get("MAX_JOBS", "")
    if at_a_time.isdecimal() and int(at_a_time) > 1:
        after_import(_MODULES, lambda module: _teach(module, int(at_a_time)))


def _teach(module: Any, at_a_time: int) -> None:
    # Newer releases have the classes' old names, too, in modules that are not theirs.
    own = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    for each in own:
        if "_compile" in vars(each) and "compile" not in vars(each):
            _teach_compiler(each, at_a_time)
        if "_build_extensions_serial" in vars(each):
            _teach_command(each, at_a_time)


def _teach_compiler(compiler: Any, at_a_time: int) -> None:
    """Its `compile` calls `_compile` for each source: now that one only notes the call, and all are done together."""
    import functools
    import threading
    from concurrent.futures import ThreadPoolExecutor

    compile_one, compile_all = compiler._compile, compiler.compile
    noted = threading.local()  # extensions that are built side by side share a compiler
    pool = ThreadPoolExecutor(at_a_time)

    @functools.wraps(compile_one)
    def note(self: Any, *args: Any) -> None:
        calls = getattr(noted, "calls", None)
        if calls is None:
            compile_one(self, *args)
        else:
            calls.append(functools.partial(compile_one, self, *args))

    @functools.wraps(compile_all)
    def compile_together(self: Any, *args: Any, **options: Any) -> Any:
        together = all(_is_own(self, name) for name in ("compile", "_compile", "spawn"))
        noted.calls = [] if together else None
        try:
            objects = super(compiler, self).compile(*args, **options)
        finally:
            calls, noted.calls = noted.calls, None
        _do_all(calls or [], pool)
        return objects

    compile_together.__module__ = compiler.__module__
    compiler._compile, compiler.compile = note, compile_together


def _do_all(calls: "list[Any]", pool: Any) -> None:
    """Raises what the first one that failed raised, once none of them is under way any more."""
    from concurrent.futures import FIRST_EXCEPTION, wait

    running = [pool.submit(call) for call in calls]
    done = wait(running, return_when=FIRST_EXCEPTION).done
    if any(each.exception() for each in done):
        for each in running:
            each.cancel()
    wait(running)
    for each in running:
        if not each.cancelled():
            each.result()


def _teach_command(command: Any, at_a_time: int) -> None:
    one_by_one = command._build_extensions_serial

    def build_extensions(self: Any) -> None:
        if len(self.extensions) > 1 and _is_own(self, "build_extension") and _are_apart(self.extensions):
            self.parallel = at_a_time
            self._build_extensions_parallel()
        else:
            one_by_one(self)

    command._build_extensions_serial = build_extensions


def _are_apart(extensions: "list[Any]") -> bool:
    """No two write the same object file, and none is a library (setuptools') that others link with."""
    objects = [os.path.splitext(os.path.normpath(source))[0] for each in extensions for source in each.sources]
    kinds = {kind.__name__ for each in extensions for kind in type(each).__mro__}
    return len(set(objects)) == len(objects) and "Library" not in kinds


def _is_own(it: Any, name: str) -> bool:
    """Whether a method is setuptools' own wherever it is defined: in no object, subclass or patch of another's."""
    owners = [each for each in type(it).__mro__ if name in vars(each)]
    return name not in vars(it) and all(
        each.__module__.partition(".")[0] in _PACKAGES and vars(each)[name].__module__ == each.__module__
        for each in owners
    )
