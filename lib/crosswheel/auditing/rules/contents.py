"""7xx: what the wheels of a release install, held against the packages in its sdist."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

from packaging.utils import InvalidSdistFilename, parse_sdist_filename

from crosswheel.auditing.rules.wheelhouse import Entry, SetRule, Wheelhouse
from crosswheel.model.job import Finding

# What builds read and programs do not.
_SOURCES = {
    *(".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".inl", ".ipp", ".tpp", ".cu", ".cuh", ".m", ".mm"),
    *(".pyx", ".pxd", ".pxi", ".tp", ".in", ".src", ".f", ".f90", ".f95", ".for", ".pyf", ".rs", ".go", ".zig", ".d"),
    *(".s", ".asm", ".swg", ".i", ".cmake", ".build", ".mk", ".am", ".ac", ".md", ".rst", ".orig", ".pyc"),
}
_BUILD_FILES = {"CMakeLists.txt", "Makefile", "Cargo.toml", "Cargo.lock", "pyproject.toml", "setup.cfg", "setup.py"}
_LEFT_OUT_ON_PURPOSE = {
    *("test", "tests", "testing", "_tests", "doc", "docs", "example", "examples", "benchmark", "benchmarks"),
    *("__pycache__", "tools", "scripts", "vendor", "third_party", "extern", "subprojects"),
}
_SHOWN = 3
_DEEPEST = 20


class FilesLeftOut(SetRule):
    """The sdist's packages have files that no wheel of the release has."""

    code = "W711"
    level = "note"
    why = "Data that the build backend was not told of are missing once a wheel is installed; in a checkout all works."
    fix = "name the data for the build backend, such as in [tool.setuptools.package-data], or leave them out of both"

    def check(self, wheelhouse: Wheelhouse) -> Iterator[Finding]:
        for wheels in wheelhouse.releases:
            for sdist, names in wheelhouse.sources.items():
                if _is_of(sdist, wheels[0]) and (missing := _missing(names, wheels)):
                    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
                    found = ", ".join(missing[:_SHOWN]) + more
                    yield self.finding(member=sdist, found=found, expected="in a wheel, too")


def _is_of(sdist: str, wheel: Entry) -> bool:
    try:
        return parse_sdist_filename(sdist) == (wheel.name, wheel.version)
    except InvalidSdistFilename:
        return False


def _missing(names: frozenset[str], wheels: tuple[Entry, ...]) -> list[str]:
    """By the paths that they would be installed under."""
    installed = frozenset[str]().union(*(wheel.files for wheel in wheels))
    packages = {folder for folder, _, file in (path.partition("/") for path in installed) if file == "__init__.py"}
    found = _package_files(names, packages, installed)
    return sorted(path for path in found if path not in installed and _is_used(path))


def _package_files(names: frozenset[str], packages: set[str], installed: frozenset[str]) -> Iterator[str]:
    """The sdist's files of each package: of all folders with its name, those in the one that was installed."""
    paths: dict[tuple[str, str], list[str]] = defaultdict(list)
    folders = {name.rpartition("/")[0] for name in names}
    folders |= {folder.rpartition("/")[0] for folder in folders}  # one that has nothing but folders
    for name in names - folders:
        parts = name.split("/") if name.count("/") < _DEEPEST else []
        for at, part in enumerate(parts[:-1]):
            if part in packages:
                paths[part, "/".join(parts[:at])].append("/".join(parts[at:]))
    counts = {place: sum(path in installed for path in found) for place, found in paths.items()}
    best: dict[str, tuple[str, str]] = {}
    for place in sorted(counts, key=lambda place: (-counts[place], place)):
        best.setdefault(place[0], place)
    for place in best.values():
        yield from paths[place] if counts[place] else ()


def _is_used(path: str) -> bool:
    pure = PurePosixPath(path)
    hidden = any(part.startswith(".") for part in pure.parts)
    built = pure.suffix.lower() in _SOURCES or pure.name in _BUILD_FILES
    return not (hidden or built or path.endswith("/") or _LEFT_OUT_ON_PURPOSE.intersection(pure.parts))
