"""The packages that one wheel becomes: for which machines, which CPythons and which C library."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from crosswheel.conda_packages.requirements import Dependencies, dependencies, environment
from crosswheel.conda_packages.version_specs import python_spec
from crosswheel.errors import CheckFailed
from crosswheel.formats.wheels import Wheel
from crosswheel.model.targets import Architecture, Policy, PythonTag, architectures, python_tags

# The names of subdirs and the field `arch`, where they differ from wheels' names.
_SUBDIRS = {"x86_64": "64", "i686": "32"}
_ARCHES = {"i686": "x86"}
_OLDEST = 6  # CPython 3.6, for wheels that name no oldest Python


@dataclass(frozen=True)
class Variant:
    """One package of a wheel.

    `arch` is None for every machine (the subdir noarch). `python` is the only CPython that it is for; None: several, so
    the files are in the layout of `noarch: python`, and the installer puts them where the CPython has them. `label` is
    the beginning of the build string. `depends` has the pins of Python and glibc, then the requirements.
    """

    arch: Architecture | None
    python: PythonTag | None
    label: str
    depends: tuple[str, ...]
    requirements: Dependencies

    @property
    def subdir(self) -> str:
        """The folder of a channel: ``linux-aarch64``, ``linux-64``, ``linux-32``, ``noarch``."""
        return f"linux-{_SUBDIRS.get(self.arch.name, self.arch.name)}" if self.arch else "noarch"

    @property
    def machine(self) -> str:
        """The field `arch` of index.json: ``aarch64``; empty for the subdir noarch."""
        return _ARCHES.get(self.arch.name, self.arch.name) if self.arch else ""


@dataclass(frozen=True)
class _Flavour:
    """The CPythons of a pair of tags: `python` alone, or all from `first` on."""

    label: str
    python: PythonTag | None = None
    first: PythonTag | None = None
    pins: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Range:
    """CPythons in sequence that need the same; `first` and `beyond` are empty where the wheel sets no limit."""

    first: str
    beyond: str
    requirements: Dependencies


def variants(wheel: Wheel) -> tuple[Variant, ...]:
    """The packages for a wheel, at least one.

    A wheel for several CPythons whose requirements have markers that differ between them becomes a package for each
    range of CPythons; a pure wheel becomes a package for each machine if its markers differ between machines.

    Raises CheckFailed, with the reason, for a wheel that cannot be a conda package for Linux.
    """
    if reason := unsuitable(wheel):
        raise CheckFailed(reason)
    flavours = _flavours(wheel)
    if not wheel.is_pure:
        return tuple(
            variant
            for arch, policy in _platforms(wheel)
            for flavour in flavours
            for variant in _of_flavour(wheel, flavour, arch, (f"__glibc >={policy.major}.{policy.minor},<3.0.a0",))
        )
    each = {arch: _ranges_of(wheel, flavours, arch) for arch in architectures().values()}
    if len(set(each.values())) > 1:
        return tuple(one for arch in each for flavour in flavours for one in _of_flavour(wheel, flavour, arch))
    some = next(iter(each))
    alike = all(each[some] == _ranges_of(wheel, flavours, some, system) for system in ("darwin", "win32"))
    pins = () if alike else ("__linux",)
    return tuple(one for flavour in flavours for one in _of_flavour(wheel, flavour, None, pins))


def unsuitable(wheel: Wheel) -> str:
    """Why the tags are not for CPython 3 on Linux with glibc; empty if they are."""
    platforms = sorted({tag.platform for tag in wheel.tags})
    if not _flavours(wheel):
        pairs = sorted({f"{tag.interpreter}-{tag.abi}" for tag in wheel.tags})
        return f"it is for {', '.join(pairs)}, and only wheels for CPython 3 become conda packages"
    if not wheel.is_pure and not wheel.architectures:
        return f"it is for {', '.join(platforms)}, and not for Linux"
    if all(platform.startswith("musllinux") for platform in platforms):
        return f"it is for musl ({', '.join(platforms)}), and conda packages run on glibc"
    return ""


def _of_flavour(
    wheel: Wheel, flavour: _Flavour, arch: Architecture | None, pins: tuple[str, ...] = ()
) -> Iterator[Variant]:
    ranges = _ranges(wheel, flavour, arch or next(iter(architectures().values())))
    for one in ranges:
        spec = python_spec(_requires_python(wheel), one.first, one.beyond)
        label = flavour.label if len(ranges) == 1 else f"{flavour.label}from{one.first.replace('.', '')}"
        depends = (f"python {spec}".strip(), *flavour.pins, *pins, *one.requirements.depends)
        python = None if wheel.is_pure else flavour.python
        yield Variant(arch, python, label, depends, one.requirements)


def _ranges_of(
    wheel: Wheel, flavours: tuple[_Flavour, ...], arch: Architecture, system: str = "linux"
) -> tuple[tuple[_Range, ...], ...]:
    return tuple(_ranges(wheel, flavour, arch, system) for flavour in flavours)


def _ranges(wheel: Wheel, flavour: _Flavour, arch: Architecture, system: str = "linux") -> tuple[_Range, ...]:
    """The CPythons of a flavour, split where the requirements change."""
    lines = [str(line) for line in wheel.metadata.get_all("Requires-Dist", [])]

    def needs(python: PythonTag) -> Dependencies:
        return dependencies(lines, environment(python, arch.name, system))

    if only := flavour.python:
        return (_Range(only.version, f"3.{only.minor + 1}", needs(only)),)
    groups = [(list(pythons), needed) for needed, pythons in groupby(_pythons(wheel, flavour), needs)]
    firsts = [flavour.first.version if flavour.first else "", *(pythons[0].version for pythons, _ in groups[1:])]
    if len(groups) > 1 and not firsts[0]:
        firsts[0] = groups[0][0][0].version
    return tuple(
        _Range(first, beyond, needed)
        for first, beyond, (_, needed) in zip(firsts, [*firsts[1:], ""], groups, strict=True)
    )


def _pythons(wheel: Wheel, flavour: _Flavour) -> tuple[PythonTag, ...]:
    requires, first = _requires_python(wheel), flavour.first.minor if flavour.first else _OLDEST
    newest = max(tag.minor for tag in python_tags())
    known = (PythonTag(minor) for minor in range(first, newest + 1))
    found = tuple(tag for tag in known if requires.contains(f"{tag.version}.99", prereleases=True))
    if not found:
        raise CheckFailed(f"its Requires-Python, {requires}, allows no known CPython")
    return found


def _requires_python(wheel: Wheel) -> SpecifierSet:
    text = str(wheel.metadata.get("Requires-Python", ""))
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as error:
        raise CheckFailed(f"its Requires-Python is not valid: {text}") from error


# ---- tags --------------------------------------------------------------------------------------------------------


def _platforms(wheel: Wheel) -> tuple[tuple[Architecture, Policy], ...]:
    """Each architecture with the oldest glibc that its tags promise."""
    oldest: dict[Architecture, Policy] = {}
    for policy, arch in wheel.platforms:
        if policy.libc == "glibc":
            oldest.setdefault(arch, policy)
    if not oldest:
        tags = ", ".join(sorted({tag.platform for tag in wheel.tags}))
        raise CheckFailed(f"its platform tag {tags} does not say which glibc it needs", hint="crosswheel wheels")
    return tuple(oldest.items())


def _flavours(wheel: Wheel) -> tuple[_Flavour, ...]:
    """What the tags say about Python; of several tags for the stable ABI or for any Python the oldest counts."""
    pairs = sorted({(tag.interpreter, tag.abi) for tag in wheel.tags}, key=lambda pair: (_number(pair[0]), pair[1]))
    found: dict[str, _Flavour] = {}
    for interpreter, abi in pairs:
        for flavour in _flavour(interpreter, abi, wheel.abis):
            found.setdefault(flavour.label if flavour.python else "", flavour)
    return tuple(found.values())


def _flavour(interpreter: str, abi: str, abis: frozenset[str]) -> Iterator[_Flavour]:
    if any_python := re.fullmatch(r"py3(\d*)", interpreter):
        first = PythonTag(int(any_python[1])) if any_python[1] else None
        if abi == "none":
            yield _Flavour("py", first=first)
        return
    python = _cpython(interpreter if abi in {"abi3", "abi3t", "none"} else abi)
    if python is None:
        return
    if abi in {"abi3", "abi3t"}:
        # CEP 20; python-gil excludes free-threaded CPythons.
        pins = (f"cpython >={python.version}", *([] if "abi3t" in abis else ["python-gil"]))
        yield _Flavour(f"{interpreter}_abi3", first=python, pins=pins)
    elif abi == "none":
        yield _Flavour(f"py{interpreter[2:]}", python)
    else:
        pins = (f"python_abi {python.version}.* *_{python}",)
        yield _Flavour(f"py{str(python).removeprefix('cp')}", python, pins=pins)


def _cpython(tag: str) -> PythonTag | None:
    found = re.fullmatch(r"cp3(\d+)(t?)", tag)
    return PythonTag(int(found[1]), free_threaded=bool(found[2])) if found else None


def _number(interpreter: str) -> Version:
    digits = re.sub(r"\D", "", interpreter)
    return Version(f"{digits[:1] or 0}.{digits[1:] or 0}")
