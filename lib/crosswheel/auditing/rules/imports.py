"""1xx and 5xx: import names and entry points in the metadata, and type information for type checkers."""

from __future__ import annotations

import configparser
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.wheels import Wheel, entry_points, parents
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

_REFERENCE = re.compile(r"([\w.]+)\s*(?::\s*([\w.]+))?\s*(?:\[.*\])?")
# Code that may define names which do not appear in the module's text.
_DYNAMIC = re.compile(
    r"import[ \t(]{0,9}\*|__getattr__|__dict__|\b(?:globals|locals|vars|setattr|exec|eval)\s*\(|sys\.modules"
)
_EXTENSIBLE = re.compile(r"__path__|extend_path|declare_namespace|sys\.modules|\b(?:exec|eval)\s*\(")
_SHOWN = 5
# Honest wheels stay far below: a module is read for each entry point, and a name has as many parents as dots.
_MOST, _LONGEST, _LARGEST = 200, 200, 1 << 18
_MOST_NAMES = 1000


class EntryPointAbsent(Rule):
    """An entry point refers to a module or attribute that the wheel lacks."""

    code = "W120"
    level = "warning"
    why = "The script or plug-in is installed, and fails when used: ModuleNotFoundError or ImportError."
    fix = "correct the reference under [project.scripts] or [project.entry-points], or add the module to the wheel"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        member = f"{wheel.dist_info}/entry_points.txt"
        try:
            found = list(entry_points(wheel))
        except configparser.Error:  # reported by another rule
            return
        for group, name, reference in found[:_MOST]:
            match = _REFERENCE.fullmatch(reference) if len(reference) <= _LONGEST else None
            if match and (lacking := _lacking(wheel, match[1], (match[2] or "").partition(".")[0])):
                yield self.finding(member=member, found=f"{name} = {reference} in [{group}]", expected=lacking)


class ImportNameAbsent(Rule):
    """METADATA states an import name that the wheel lacks, or the same one as a name and as a namespace."""

    code = "W121"
    level = "warning"
    why = "Tools use these names to find the project of a module, and installers to detect clashes (PEP 794)."
    fix = "correct import-names and import-namespaces under [project]"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        member = f"{wheel.dist_info}/METADATA"
        stated = _stated(wheel)
        if stated is None:
            return
        for name in sorted(stated.names - wheel.modules.keys() - wheel.packages):
            yield self.finding(member=member, found=f"Import-Name: {name}", expected="a module or package in the wheel")
        for name in sorted(stated.namespaces - wheel.modules.keys() - wheel.packages):
            yield self.finding(member=member, found=f"Import-Namespace: {name}", expected="a package in the wheel")
        for name in sorted(stated.names & stated.namespaces):
            expected = "one of Import-Name and Import-Namespace"
            yield self.finding(member=member, found=f"{name} in both", expected=expected)


class ImportNameUnstated(Rule):
    """METADATA states import names, but the wheel has further ones."""

    code = "W122"
    level = "note"
    why = "Tools that use these names miss the others, and their clashes with other projects (PEP 794)."
    fix = "list them in import-names, with `; private` after internal ones; or exclude them from the wheel"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        stated = _stated(wheel)
        if stated is None:
            return
        known = stated.names | stated.namespaces
        within = {parent for name in known for parent in parents(name)}
        shortest = (name for name in wheel.modules if wheel.modules.keys().isdisjoint(parents(name)))
        others = sorted(
            name
            for name in shortest
            if name not in known | within and not any(parent in stated.names for parent in parents(name))
        )
        if others:
            found = _some(others)
            yield self.finding(
                member=f"{wheel.dist_info}/METADATA", found=found, expected=_some(sorted(known)) or "none"
            )


class StubsUnmarked(Rule):
    """A package has type stubs, but no file py.typed, so type checkers do not read them."""

    code = "W517"
    level = "note"
    why = "Type checkers ignore the types of an installed package without this marker (PEP 561)."
    fix = "add an empty file py.typed beside the package's __init__.py, and to the package's data"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        marked = {folder.partition("/")[0] for folder in _marked(wheel)}
        stubs = defaultdict[str, list[str]](list)
        for member in wheel.members:
            package, slash, _ = wheel.installed(member).partition("/")
            # A single module has no place for a marker, and stub-only packages need none.
            if member.endswith(".pyi") and slash and package.isidentifier():
                stubs[package].append(member)
        for package, members in sorted(stubs.items()):
            if package not in marked:
                more = f" and {len(members) - 1} more" if len(members) > 1 else ""
                yield self.finding(member=members[0], found=f"a stub{more}", expected=f"{package}/py.typed")


class StubsAbsent(Rule):
    """A package is marked as typed, but one of its extension modules has no stub."""

    code = "W518"
    level = "note"
    why = "Type checkers cannot read binaries: for them the module is empty or missing."
    fix = "write or generate a stub, NAME.pyi beside the extension: stubgen, pybind11-stubgen, nanobind.stubgen"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        """Extensions with an underscore are internal; a stub of the package itself describes what users see."""
        there = {wheel.installed(member) for member in wheel.members}
        marked = _marked(wheel)
        lacking = []
        for extension in wheel.extensions:
            place = wheel.installed(extension.member).removesuffix(extension.suffix)
            public = not any(part.startswith("_") for part in place.split("/"))
            package = place.rpartition("/")[0]
            typed = not marked.isdisjoint(accumulate(package.split("/"), lambda folder, part: f"{folder}/{part}"))
            described = there & {f"{place}.pyi", f"{place}/__init__.pyi", f"{place}.py", f"{package}/__init__.pyi"}
            if public and typed and not described:
                lacking.append(extension.member)
        if lacking:
            more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            yield self.finding(member=lacking[0], found=f"no stub{more}", expected="a stub for each extension module")


@dataclass(frozen=True)
class _Stated:
    """The values of Import-Name and Import-Namespace."""

    names: frozenset[str]
    namespaces: frozenset[str]


def _stated(wheel: Wheel) -> _Stated | None:
    """The stated import names; None if METADATA has neither field."""
    fields = [wheel.metadata.get_all(field) for field in ("Import-Name", "Import-Namespace")]
    if fields == [None, None]:
        return None
    return _Stated(
        *(
            frozenset(str(value)[:_LONGEST].partition(";")[0].strip() for value in (field or [])[:_MOST_NAMES]) - {""}
            for field in fields
        )
    )


def _lacking(wheel: Wheel, module: str, attribute: str) -> str:
    """The module or attribute that an entry point needs and the wheel lacks; empty if none, or if unknown."""
    if module in wheel.modules:
        known = not attribute or f"{module}.{attribute}" in wheel.modules or _may_have(wheel, module, attribute)
        return "" if known else f"{attribute} in {wheel.modules[module]}"
    if module in wheel.packages:
        return ""
    own = [parent for parent in parents(module) if parent in wheel.modules]
    if own:
        # Other projects may extend the package, if its code allows that.
        source = wheel.text_of(wheel.modules[own[0]], _LARGEST) if wheel.modules[own[0]].endswith(".py") else None
        return f"a module {module}" if source is not None and not _EXTENSIBLE.search(source) else ""
    elsewhere = wheel.metadata.get_all("Requires-Dist") or module.partition(".")[0] in sys.stdlib_module_names
    return "" if elsewhere else f"a module {module}"


def _may_have(wheel: Wheel, module: str, attribute: str) -> bool:
    """Whether the module may define the name: its text contains it, is dynamic, or the module is binary."""
    member = wheel.modules[module]
    source = wheel.text_of(member, _LARGEST) if member.endswith(".py") else None
    return source is None or bool(re.search(rf"\b{attribute}\b", source) or _DYNAMIC.search(source))


def _marked(wheel: Wheel) -> set[str]:
    """The folders that contain a file py.typed."""
    places = map(wheel.installed, wheel.members)
    return {folder for folder, _, file in (place.rpartition("/") for place in places) if file == "py.typed" and folder}


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
