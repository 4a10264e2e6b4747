"""3xx: extension modules, and whether the Python in the tag can import them."""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Iterator

from crosswheel.audit.rules.promise import promises
from crosswheel.audit.rules.rule import Rule
from crosswheel.formats.elf import Elf
from crosswheel.formats.symbols import is_of_python
from crosswheel.formats.wheels import Extension, Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import PythonTag, Target, python_tags

_FIRST_FREE_THREADED = 13
_FIRST_WITH_ABI3T = 15
_SHOWN = 3  # functions, of the hundreds that an extension may use


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
    fix = (
        "from 3.15 on, build with Py_LIMITED_API and Py_TARGET_ABI3T, as .abi3t.so in a wheel tagged cp315-abi3.abi3t; "
        "for 3.13t and 3.14t, build without Py_LIMITED_API"
    )

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        # An ordinary CPython imports .abi3.so whatever the tag of the wheel says; cffi makes such wheels every day.
        if "abi3t" not in wheel.abis and not any(tag.free_threaded for tag in wheel.pythons):
            return
        for builds in _modules(wheel).values():
            if all(build.stable_abi == "abi3" for build in builds):
                yield self.finding(member=builds[0].member, found=builds[0].suffix, expected=_wanted(wheel))


class StableAbiUnused(Rule):
    """Every extension is of the stable ABI, and the tag lets one Python alone install the wheel."""

    code = "W309"
    level = "note"
    why = "The next Python needs a wheel of its own, although this one would serve it as well."
    fix = (
        "tag the wheel for the stable ABI: py_limited_api under [bdist_wheel] of setuptools, wheel.py-api, abi3 of PyO3"
    )

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        """Of a free-threaded CPython, which does not even import an .abi3.so, another rule tells."""
        stable = wheel.extensions and all(extension.stable_abi for extension in wheel.extensions)
        of_one_python = wheel.abis <= {str(python) for python in wheel.pythons if not python.free_threaded}
        if stable and of_one_python:
            yield self.finding(
                member=wheel.extensions[0].member,
                found=f"{wheel.extensions[0].suffix} in a wheel for {wheel.tag}",
                expected="a tag such as cp311-abi3 or cp315-abi3.abi3t",
            )


class BuiltTwice(Rule):
    """The wheel holds several builds of one extension module."""

    code = "W304"
    why = "All but one are left over from another Python or another target; which one is loaded is decided by luck."
    fix = "delete the build folder, or better: build from an unpacked sdist"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        expected = {*_suffixes(wheel), *(_suffixes_since_315(wheel) if wheel.is_abi3 else ())}
        for builds in _modules(wheel).values():
            if len(builds) > 1 and not all(build.suffix in expected for build in builds):
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


class AbiUnnamed(Rule):
    """An extension uses CPython's ABI, and the ABI tag `none` lets Pythons with another ABI install it."""

    code = "W307"
    why = "pip takes the wheel for a Python whose objects are laid out in another way: the import fails, or crashes it."
    fix = "tag the wheel with the ABI that it was built for (cp314-cp314), or build it for the stable ABI (cp311-abi3)"

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
    """The wheel has an extension for a Python whose ABI is not known here, and is not judged for it."""

    code = "W308"
    level = "note"
    why = (
        "Whether that Python finds the extension by its suffix, and has the functions that it uses, was not looked at."
    )
    fix = "import the package with that Python, before users do; the rules know CPython from 3.9 on"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if wheel.extensions and (unknown := sorted(set(_unknown_pythons(wheel)))):
            known = python_tags()
            yield self.finding(found=", ".join(unknown), expected=f"{known[0]} to {max(known, key=_age)}")


class OutsideStableAbi(Rule):
    """An extension of a wheel for the stable ABI uses more of CPython than that."""

    code = "W306"
    why = "What is newer than the oldest Python in the tag is missing there, and what never was stable may go any day."
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
    """The Pythons that install the wheel by a tag without an ABI, and have another one than the usual CPython.

    Up to 3.12 a CPython had one ABI: cp312-none is as good as cp312-cp312.
    """
    for tag in sorted(wheel.tags, key=str):
        match = re.fullmatch(r"(cp|py)3(\d*)", tag.interpreter)
        if tag.abi != "none" or not match:
            continue
        if match[1] == "py":
            yield f"every Python that takes {tag.interpreter}-none"
        elif (minor := int(match[2] or 0)) >= _FIRST_FREE_THREADED:
            yield f"free-threaded 3.{minor}"


def _serves_free_threaded(extension: Extension) -> bool:
    return extension.stable_abi == "abi3t" or bool(re.match(r"\.cpython-3\d+t-", extension.suffix))


def _used_of_python(elf: Elf, carried: frozenset[str]) -> Iterator[str]:
    """What an extension that can be imported uses of CPython; of a library that others load, nothing."""
    if _is_for_import(elf) and any(name.startswith(("PyInit", "PyModExport")) for name in elf.defined):
        names = (symbol.name for symbol in elf.undefined if not symbol.weak and symbol.name not in carried)
        yield from (name for name in names if name.startswith(("Py", "_Py")) and is_of_python(name))


def _unknown_pythons(wheel: Wheel) -> Iterator[str]:
    """Interpreters and ABIs in the tags of which nothing is known here; the stable ABI is known whatever the Python."""
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
    # A tag without an ABI is for the free-threaded build, too.
    twins = {PythonTag(python.minor, free_threaded=True) for python in wheel.pythons if "none" in wheel.abis}
    pythons = wheel.pythons | (twins & set(python_tags()))
    exact = {Target(python, arch, policy).ext_suffix for python in pythons for policy, arch in wheel.platforms}
    return tuple(sorted(exact | stable))


def _wanted(wheel: Wheel) -> str:
    return " or ".join(_suffixes(wheel)) or "no extension of one Python in a wheel for all"


def _fits(extension: Extension, wheel: Wheel) -> bool:
    # Where .abi3.so is not enough, a rule of its own says so. Pythons or platforms unknown to us are not judged.
    unknown = not wheel.platforms or not (wheel.pythons or wheel.abis <= {"none", "abi3", "abi3t"})
    if unknown or extension.suffix in {".so", ".abi3.so"} or extension.suffix in _suffixes(wheel):
        return True
    return extension.suffix in _suffixes_since_315(wheel)


def _suffixes_since_315(wheel: Wheel) -> frozenset[str]:
    """The further suffixes of the stable ABI, where every Python that the wheel is for looks for them (PEP 803)."""
    stable = _oldest_stable(wheel)
    oldest = min([*(python.minor for python in wheel.pythons), *([stable] if stable else [])], default=0)
    if oldest < _FIRST_WITH_ABI3T:
        return frozenset()
    triples = {Target(PythonTag(oldest), arch, policy).multiarch for policy, arch in wheel.platforms}
    named = {f".{abi}-{triple}.so" for abi in ("abi3", "abi3t") for triple in triples}
    return frozenset({".abi3t.so", *named})


def _modules(wheel: Wheel) -> dict[str, list[Extension]]:
    """The extensions by the place where Python looks for the module."""
    modules: dict[str, list[Extension]] = defaultdict(list)
    for extension in wheel.extensions:
        modules[wheel.installed(extension.member).removesuffix(extension.suffix)].append(extension)
    return modules
