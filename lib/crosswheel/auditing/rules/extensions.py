"""3xx: extension modules: whether the Pythons in the tag can import them."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterator

from crosswheel.auditing.rules.promise import promises
from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.elf import Elf
from crosswheel.formats.extensions import Extension
from crosswheel.formats.symbols import is_of_python
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import PythonTag, Target, python_tags

_FIRST_FREE_THREADED = 13
_FIRST_WITH_ABI3T = 15
# What states that a module does not need the GIL, or may do so: multi-phase initialisation has slots.
_LEAVES_THE_GIL_OFF = {
    "PyUnstable_Module_SetGIL",
    "PyModuleDef_Init",
    "PyModule_FromDefAndSpec2",
    "PyModule_FromSlotsAndSpec",
}
_SHOWN = 3  # functions shown, of the hundreds that an extension may use


class WrongSuffix(Rule):
    """An extension has the suffix of another Python or platform, so no Python in the tag finds it."""

    code = "W301"
    why = "import searches for its own EXT_SUFFIX only and raises ModuleNotFoundError, although the file exists."
    fix = "build with the target's sysconfig data; setuptools takes EXT_SUFFIX from there"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        expected = _wanted(wheel)
        for builds in _modules(wheel).values():
            if len(builds) == 1 and not _fits(builds[0], wheel):
                yield self.finding(member=builds[0].member, found=builds[0].suffix, expected=expected)


class BareSuffix(Rule):
    """An extension has the plain suffix .so, which every Python tries to import."""

    code = "W302"
    level = "note"
    why = "It works alone; beside a build for another Python, the wrong Python may load it and crash."
    fix = "let the build backend name the file by EXT_SUFFIX"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for extension in wheel.extensions:
            if extension.suffix == ".so":
                yield self.finding(member=extension.member, found=".so", expected=_wanted(wheel))


class UnloadableStableAbi(Rule):
    """An extension for the stable ABI is in a wheel for free-threaded CPython, which does not import it."""

    code = "W303"
    why = "Free-threaded CPython has a different object layout and does not search for .abi3.so (PEP 703, PEP 803)."
    fix = (
        "for 3.15 and later, build .abi3t.so with Py_LIMITED_API and Py_TARGET_ABI3T, and tag it cp315-abi3.abi3t; "
        "for 3.13t and 3.14t, build without Py_LIMITED_API"
    )

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        # An ordinary CPython imports .abi3.so whatever the wheel's tag says; wheels of cffi are like this.
        if "abi3t" not in wheel.abis and not any(tag.free_threaded for tag in wheel.pythons):
            return
        for builds in _modules(wheel).values():
            if all(build.stable_abi == "abi3" for build in builds):
                yield self.finding(member=builds[0].member, found=builds[0].suffix, expected=_wanted(wheel))


class StableAbiUnused(Rule):
    """Every extension is for the stable ABI, but the tag allows only one Python to install the wheel."""

    code = "W309"
    level = "note"
    why = "The next Python needs its own wheel, although it could use this one."
    fix = (
        "tag the wheel for the stable ABI: py_limited_api under [bdist_wheel] of setuptools, wheel.py-api, abi3 of PyO3"
    )

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        """Wheels for free-threaded CPython, which does not import .abi3.so, are left to another rule."""
        stable = wheel.extensions and all(extension.stable_abi for extension in wheel.extensions)
        of_one_python = wheel.abis <= {str(python) for python in wheel.pythons if not python.free_threaded}
        if stable and of_one_python:
            yield self.finding(
                member=wheel.extensions[0].member,
                found=f"{wheel.extensions[0].suffix} in a wheel for {wheel.tag}",
                expected="a tag such as cp311-abi3 or cp315-abi3.abi3t",
            )


class BuiltTwice(Rule):
    """The wheel contains several builds of one extension module."""

    code = "W304"
    why = "All but one are left over from another Python or target, and the wrong one may be loaded."
    fix = "build from an unpacked sdist, or delete the build folder first"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        expected = {*_suffixes(wheel), *(_suffixes_since_315(wheel) if wheel.is_abi3 else ())}
        for builds in _modules(wheel).values():
            if len(builds) > 1 and not all(build.suffix in expected for build in builds):
                files = ", ".join(build.member.rpartition("/")[2] for build in builds)
                yield self.finding(member=builds[0].member, found=files, expected="one build of each module")


class NoInit(Rule):
    """An extension does not export its init function, which import calls."""

    code = "W305"
    why = "import fails: dynamic module does not define module export function."
    fix = "name the file after its module, and do not hide PyInit_* with -fvisibility=hidden or a linker script"

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


class AbiUnnamed(Rule):
    """An extension uses CPython's ABI, but the ABI tag `none` allows Pythons with another ABI to install it."""

    code = "W307"
    why = "pip installs the wheel for a Python with a different object layout: the import fails or crashes."
    fix = "tag the wheel with the ABI it was built for (cp314-cp314), or build it for the stable ABI (cp311-abi3)"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        strangers = list(dict.fromkeys(_with_another_abi(wheel)))
        carried = _carried(wheel)
        for builds in _modules(wheel).values():
            first = builds[0]
            if not strangers or not _fits(first, wheel) or any(_serves_free_threaded(build) for build in builds):
                continue
            if isinstance(first.elf, Elf) and (used := sorted(_used_of_python(first.elf, carried))):
                yield self.finding(
                    member=first.member,
                    found=f"{', '.join(used[:_SHOWN])}, for {' and '.join(strangers)} too",
                    expected="a tag with the ABI of one Python, or the stable ABI",
                )


class PythonUnknown(Rule):
    """The wheel has an extension for a Python whose ABI the audit does not know; it was not checked for that Python."""

    code = "W308"
    level = "note"
    why = "Whether that Python finds the extension by its suffix, and has the functions it uses, was not checked."
    fix = "import the package with that Python before the release; the rules know CPython 3.9 and later"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if wheel.extensions and (unknown := sorted(set(_unknown_pythons(wheel)))):
            known = python_tags()
            yield self.finding(found=", ".join(unknown), expected=f"{known[0]} to {max(known, key=_age)}")


class GilTurnedOn(Rule):
    """An extension turns the GIL on when free-threaded CPython imports it."""

    code = "W310"
    level = "warning"
    why = "From this import on, threads of the whole program run one at a time, and CPython prints a RuntimeWarning."
    fix = (
        "if it is safe without the GIL: PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED) after PyModule_Create; "
        "py::mod_gil_not_used() of pybind11"
    )

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        """Only single-phase initialisation is judged: whether an array of slots has Py_mod_gil cannot be told."""
        for extension in wheel.extensions:
            if isinstance(extension.elf, Elf) and _serves_free_threaded(extension):
                # A library of the wheel may do for it what it does not do itself.
                libraries = (wheel.named_elves[name] for name in extension.elf.needed if name in wheel.named_elves)
                used = {symbol.name for elf in (extension.elf, *libraries) for symbol in elf.undefined}
                slots = any(name.startswith("PyModExport") for name in extension.elf.defined)
                if "PyModule_Create2" in used and used.isdisjoint(_LEAVES_THE_GIL_OFF) and not slots:
                    yield self.finding(
                        member=extension.member,
                        found="PyModule_Create without PyUnstable_Module_SetGIL",
                        expected="a module that states how it uses the GIL",
                    )


class OutsideStableAbi(Rule):
    """An extension of a wheel for the stable ABI uses functions outside of the stable ABI."""

    code = "W306"
    why = "The oldest Python in the tag lacks newer functions, and unstable functions may disappear in any release."
    fix = "build with Py_LIMITED_API set to the oldest Python in the tag, or tag the wheel for one Python"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        oldest = _oldest_stable(wheel)
        carried = _carried(wheel)
        for extension in wheel.extensions:
            if oldest and isinstance(extension.elf, Elf) and not _has_strange_library(extension.elf, wheel):
                names = {symbol.name for symbol in extension.elf.undefined if not symbol.weak} - carried
                if found := sorted(filter(None, (_instability(name, oldest) for name in names))):
                    yield self.finding(
                        member=extension.member, found=", ".join(found), expected=f"the stable ABI of 3.{oldest}"
                    )


def _carried(wheel: Wheel) -> frozenset[str]:
    return frozenset(name for elf in wheel.elves.values() if isinstance(elf, Elf) for name in elf.defined)


def _with_another_abi(wheel: Wheel) -> Iterator[str]:
    """The Pythons that a tag without an ABI admits, although their ABI is not the usual CPython's.

    CPython up to 3.12 had one ABI: cp312-none means the same as cp312-cp312.
    """
    for tag in sorted(wheel.tags, key=str):
        match = re.fullmatch(r"(cp|py)3(\d*)", tag.interpreter)
        if tag.abi != "none" or not match:
            continue
        if match[1] == "py":
            yield f"every Python that accepts {tag.interpreter}-none"
        elif (minor := int(match[2] or 0)) >= _FIRST_FREE_THREADED:
            yield f"free-threaded 3.{minor}"


def _serves_free_threaded(extension: Extension) -> bool:
    return extension.stable_abi == "abi3t" or bool(re.match(r"\.cpython-3\d+t-", extension.suffix))


def _used_of_python(elf: Elf, carried: frozenset[str]) -> Iterator[str]:
    """The symbols of CPython that an importable extension uses; empty for a library that other binaries load."""
    if _is_for_import(elf) and any(name.startswith(("PyInit", "PyModExport")) for name in elf.defined):
        names = (symbol.name for symbol in elf.undefined if not symbol.weak and symbol.name not in carried)
        yield from (name for name in names if name.startswith(("Py", "_Py")) and is_of_python(name))


def _unknown_pythons(wheel: Wheel) -> Iterator[str]:
    """Unknown interpreters and ABIs in the tags; the stable ABI is known for every Python."""
    for tag in wheel.tags:
        name = tag.interpreter if tag.abi == "none" else tag.abi
        if not tag.abi.startswith("abi3") and not re.fullmatch(r"(?:py|cp)[23]?", name) and name not in _known_abis():
            yield name


@functools.cache
def _known_abis() -> frozenset[str]:
    return frozenset(f"{prefix}{str(tag)[2:]}" for tag in python_tags() for prefix in ("cp", "py"))


def _age(tag: PythonTag) -> tuple[int, bool]:
    return tag.minor, not tag.free_threaded


def _has_strange_library(elf: Elf, wheel: Wheel) -> bool:
    """Whether it needs a library that cannot be found, whose symbols are unknown; another rule reports that."""
    outside = set(elf.needed) - wheel.brought_along
    return any(not promise.allows_library(library) for promise in promises(wheel) for library in outside)


def _oldest_stable(wheel: Wheel) -> int:
    """The minor version of the oldest CPython in the wheel's stable-ABI tags; 0 if there is no such tag."""
    texts = {tag.interpreter.removeprefix("cp3") for tag in wheel.tags if tag.abi.startswith("abi3")}
    return min((int(text) for text in texts if text.isdecimal()), default=0)


def _instability(symbol: str, minor: int) -> str:
    """``PyFoo (since 3.12)``, ``_PyFoo (never)``; empty if the stable ABI of CPython 3.`minor` has the symbol.

    The source is CPython's Misc/stable_abi.toml. A symbol that no CPython has is reported by another rule.
    """
    if not (symbol.startswith(("Py", "_Py")) and is_of_python(symbol)):
        return ""
    since = _stable_symbols().get(symbol)
    return f"{symbol} (never)" if since is None else f"{symbol} (since 3.{since})" if since > minor else ""


@functools.cache
def _stable_symbols() -> dict[str, int]:
    """Every symbol of the stable ABI with the minor version of CPython 3 that added it."""
    from abi3info import DATAS, FUNCTIONS

    return {symbol.name: row.added.minor for table in (FUNCTIONS, DATAS) for symbol, row in table.items()}


def _is_for_import(elf: Elf) -> bool:
    """Whether the file is an extension, not a library with an extension's name, as in pycryptodome.

    Such a library does not use Python, or exports C functions. A file that exports nothing is an extension: the linker
    has removed code that nothing refers to.
    """
    names = (*elf.defined, *(symbol.name for symbol in elf.undefined))
    uses_python = any(name.startswith(("Py", "_Py")) for name in names) or not elf.defined
    has_init = any(name.startswith(("PyInit", "PyModExport")) for name in elf.defined)
    return uses_python and (has_init or not any(_is_of_c(name) for name in elf.defined))


def _is_of_c(symbol: str) -> bool:
    """Whether the symbol is a C function: neither a C++ name nor a symbol that linkers add."""
    return not symbol.startswith("_")


def _suffixes(wheel: Wheel) -> tuple[str, ...]:
    """The suffixes that extensions of this wheel may have, besides the plain .so."""
    stable = {f".{abi}.so" for abi in wheel.abis if abi.startswith("abi3")}
    # A tag without an ABI includes the free-threaded build.
    twins = {PythonTag(python.minor, free_threaded=True) for python in wheel.pythons if "none" in wheel.abis}
    pythons = wheel.pythons | (twins & set(python_tags()))
    exact = {Target(python, arch, policy).ext_suffix for python in pythons for policy, arch in wheel.platforms}
    return tuple(sorted(exact | stable))


def _wanted(wheel: Wheel) -> str:
    return " or ".join(_suffixes(wheel)) or "no extension of one Python in a wheel for all"


def _fits(extension: Extension, wheel: Wheel) -> bool:
    # Another rule checks where .abi3.so is not enough. Wheels for unknown Pythons or platforms are not checked.
    unknown = not wheel.platforms or not (wheel.pythons or wheel.abis <= {"none", "abi3", "abi3t"})
    if unknown or extension.suffix in {".so", ".abi3.so"} or extension.suffix in _suffixes(wheel):
        return True
    return extension.suffix in _suffixes_since_315(wheel)


def _suffixes_since_315(wheel: Wheel) -> frozenset[str]:
    """The suffixes of the stable ABI since 3.15, if every Python of the wheel searches for them (PEP 803)."""
    stable = _oldest_stable(wheel)
    oldest = min([*(python.minor for python in wheel.pythons), *([stable] if stable else [])], default=0)
    if oldest < _FIRST_WITH_ABI3T:
        return frozenset()
    triples = {Target(PythonTag(oldest), arch, policy).multiarch for policy, arch in wheel.platforms}
    named = {f".{abi}-{triple}.so" for abi in ("abi3", "abi3t") for triple in triples}
    return frozenset({".abi3t.so", *named})


def _modules(wheel: Wheel) -> dict[str, list[Extension]]:
    """The extensions, grouped by the module path without suffix."""
    modules: dict[str, list[Extension]] = defaultdict(list)
    for extension in wheel.extensions:
        modules[wheel.installed(extension.member).removesuffix(extension.suffix)].append(extension)
    return modules
