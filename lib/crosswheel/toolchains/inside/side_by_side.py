"""Makes setuptools compile in parallel: the sources of an extension, and the extensions.

MAX_JOBS sets the number. The commands and the order of objects in links stay the same. If a project or a package has
replaced methods of setuptools, its builds stay sequential, because it may depend on the order.
"""

import os
from typing import Any

from .after_import import after_import

_PACKAGES = ("distutils", "setuptools")
# The standard library's distutils up to 3.11, and the copies in older and newer releases of setuptools.
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
    # Newer releases also have the classes' old names, in other modules.
    own = [each for each in vars(module).values() if isinstance(each, type) and each.__module__ == module.__name__]
    for each in own:
        if "_compile" in vars(each) and "compile" not in vars(each):
            _teach_compiler(each, at_a_time)
        if "_build_extensions_serial" in vars(each):
            _teach_command(each, at_a_time)


def _teach_compiler(compiler: Any, at_a_time: int) -> None:
    """Patch a compiler class: `_compile` only records its calls, and `compile` then runs all of them in parallel."""
    import functools
    import threading
    from concurrent.futures import ThreadPoolExecutor

    compile_one, compile_all = compiler._compile, compiler.compile
    noted = threading.local()  # extensions built in parallel share a compiler object
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
    """Run all calls in parallel; after the end of all, raise the first exception."""
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
    """Whether extensions are independent: no common object files, and no library that another one links with."""
    objects = [os.path.splitext(os.path.normpath(source))[0] for each in extensions for source in each.sources]
    kinds = {kind.__name__ for each in extensions for kind in type(each).__mro__}
    return len(set(objects)) == len(objects) and "Library" not in kinds


def _is_own(it: Any, name: str) -> bool:
    """Whether a method is setuptools' own, not replaced in an object, a subclass or by a patch."""
    owners = [each for each in type(it).__mro__ if name in vars(each)]
    return name not in vars(it) and all(
        each.__module__.partition(".")[0] in _PACKAGES and vars(each)[name].__module__ == each.__module__
        for each in owners
    )
