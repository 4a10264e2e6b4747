"""3xx: extension modules, and whether the Python in the tag can import them."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterator

from crosswheel.formats.elf import Elf
from crosswheel.formats.symbols import is_of_python
from crosswheel.formats.wheels import Extension, Wheel
from crosswheel.model import Finding
from crosswheel.rules.promise import promises
from crosswheel.rules.rule import Rule
from crosswheel.targets import Target


class WrongSuffix(Rule):
    """An extension carries the suffix of another Python or another platform, so that no Python of the tag sees it."""

    code = "W301"
    why = "import looks for its own EXT_SUFFIX only and says ModuleNotFoundError, although the file is there."
    fix = "build with the target's sysconfig data; setuptools takes EXT_SUFFIX from there"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        expected = _wanted(wheel)
        for builds in _modules(wheel).values():
            if len(builds) == 1 and not _fits(builds[0], wheel):
                yield self.finding(member=builds[0].member, found=builds[0].suffix, expected=expected)


class BareSuffix(Rule):
    """An extension has a bare .so for a suffix, which every Python tries to import."""

    code = "W302"
    level = "note"
    why = "It works, but where it lies beside that of another Python it is loaded by the wrong one, and crashes."
    fix = "let the build backend name the file by EXT_SUFFIX"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for extension in wheel.extensions:
            if extension.suffix == ".so":
                yield self.finding(member=extension.member, found=".so", expected=_wanted(wheel))


class UnloadableStableAbi(Rule):
    """An extension of the stable ABI stands in a wheel for free-threaded CPython, which does not import it."""

    code = "W303"
    why = "A free-threaded CPython has another layout of objects and looks for no .abi3.so (PEP 703, PEP 803)."
    fix = "build without Py_LIMITED_API for free-threaded CPythons"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        # An ordinary CPython imports .abi3.so whatever the tag of the wheel says; cffi makes such wheels every day.
        if not any(tag.free_threaded for tag in wheel.pythons):
            return
        for builds in _modules(wheel).values():
            if all(build.stable_abi == "abi3" for build in builds):
                yield self.finding(member=builds[0].member, found=builds[0].suffix, expected=_wanted(wheel))


class BuiltTwice(Rule):
    """The wheel holds several builds of one extension module."""

    code = "W304"
    why = "All but one are left over from another Python or another target; which one is loaded is decided by luck."
    fix = "delete the build folder, or better: build from an unpacked sdist"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for builds in _modules(wheel).values():
            if len(builds) > 1 and not all(build.suffix in _suffixes(wheel) for build in builds):
                files = ", ".join(build.member.rpartition("/")[2] for build in builds)
                yield self.finding(member=builds[0].member, found=files, expected="one build of each module")


class NoInit(Rule):
    """An extension does not export the function that an import of it calls."""

    code = "W305"
    why = "Python says: dynamic module does not define module export function."
    fix = "name the file as its module, and do not hide PyInit_* by -fvisibility=hidden or a linker script"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for extension in wheel.extensions:
            elf = extension.elf
            if isinstance(elf, Elf) and _is_for_import(elf) and extension.hooks.isdisjoint(elf.defined):
                inits = sorted(name for name in elf.defined if name.startswith("PyInit_"))
                yield self.finding(
                    member=extension.member,
                    found=", ".join(inits) or "no PyInit_*",
                    expected=min(extension.hooks),
                )


class OutsideStableAbi(Rule):
    """An extension of a wheel for the stable ABI uses more of CPython than that."""

    code = "W306"
    why = "What is newer than the oldest Python in the tag is missing there, and what never was stable may go any day."
    fix = "build with Py_LIMITED_API set to the oldest Python in the tag, or tag the wheel for one Python"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        oldest = _oldest_stable(wheel)
        carried = {name for elf in wheel.elves.values() if isinstance(elf, Elf) for name in elf.defined}
        for extension in wheel.extensions:
            if oldest and isinstance(extension.elf, Elf) and not _has_strange_library(extension.elf, wheel):
                names = {symbol.name for symbol in extension.elf.undefined if not symbol.weak} - carried
                if found := sorted(filter(None, (_instability(name, oldest) for name in names))):
                    yield self.finding(
                        member=extension.member, found=", ".join(found), expected=f"the stable ABI of 3.{oldest}"
                    )


def _has_strange_library(elf: Elf, wheel: Wheel) -> bool:
    """Whether it needs a library that is nowhere, of which nobody knows what it has; another rule tells of that."""
    outside = set(elf.needed) - wheel.brought_along
    return any(not promise.allows_library(library) for promise in promises(wheel) for library in outside)


def _oldest_stable(wheel: Wheel) -> int:
    """The minor version of the oldest CPython that the wheel promises the stable ABI to; 0 without such a promise."""
    texts = {tag.interpreter.removeprefix("cp3") for tag in wheel.tags if tag.abi.startswith("abi3")}
    return min((int(text) for text in texts if text.isdecimal()), default=0)


def _instability(symbol: str, minor: int) -> str:
    """``PyFoo (since 3.12)``, ``_PyFoo (never)``; empty for what CPython's Misc/stable_abi.toml has by then.

    What no CPython has is for another rule.
    """
    if not (symbol.startswith(("Py", "_Py")) and is_of_python(symbol)):
        return ""
    since = _stable_symbols().get(symbol)
    return f"{symbol} (never)" if since is None else f"{symbol} (since 3.{since})" if since > minor else ""


@functools.cache
def _stable_symbols() -> dict[str, int]:
    """Every symbol of the stable ABI with the minor version of CPython 3 that first had it there."""
    from abi3info import DATAS, FUNCTIONS

    return {symbol.name: row.added.minor for table in (FUNCTIONS, DATAS) for symbol, row in table.items()}


def _is_for_import(elf: Elf) -> bool:
    """False for a library that was only named like an extension, as pycryptodome's are: nobody imports it.

    It does not use Python, or offers functions in C to somebody else. What offers nothing at all is no library: its
    linker threw away the code of which nobody would find the start.
    """
    names = (*elf.defined, *(symbol.name for symbol in elf.undefined))
    uses_python = any(name.startswith(("Py", "_Py")) for name in names) or not elf.defined
    has_init = any(name.startswith(("PyInit", "PyModExport")) for name in elf.defined)
    return uses_python and (has_init or not any(_is_of_c(name) for name in elf.defined))


def _is_of_c(symbol: str) -> bool:
    """Not one of C++, and none that linkers make."""
    return not symbol.startswith("_")


def _suffixes(wheel: Wheel) -> tuple[str, ...]:
    """What the extensions of this wheel may be called, besides a bare .so."""
    stable = {f".{abi}.so" for abi in wheel.abis if abi.startswith("abi3")}
    exact = {Target(python, arch, policy).ext_suffix for python in wheel.pythons for policy, arch in wheel.platforms}
    return tuple(sorted(exact | stable))


def _wanted(wheel: Wheel) -> str:
    return " or ".join(_suffixes(wheel)) or "no extension of one Python in a wheel for all"


def _fits(extension: Extension, wheel: Wheel) -> bool:
    # The stable ABI is the affair of a rule of its own. A wheel for Pythons or platforms unknown to us is not judged.
    unknown = not wheel.platforms or not (wheel.pythons or wheel.abis <= {"none", "abi3", "abi3t"})
    return unknown or bool(extension.stable_abi) or extension.suffix == ".so" or extension.suffix in _suffixes(wheel)


def _modules(wheel: Wheel) -> dict[str, list[Extension]]:
    """The extensions by the place where Python looks for the module."""
    modules: dict[str, list[Extension]] = defaultdict(list)
    for extension in wheel.extensions:
        modules[wheel.installed(extension.member).removesuffix(extension.suffix)].append(extension)
    return modules
