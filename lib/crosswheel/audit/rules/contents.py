"""7xx: what the wheels of a release install, held against the packages in its sdist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath

from packaging.utils import InvalidSdistFilename, parse_sdist_filename

from crosswheel.audit.rules.wheelhouse import Entry, SetRule, Wheelhouse
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
    found = (path for package in sorted(packages) for path in _package_files(package, names, installed))
    return sorted(path for path in found if path not in installed and _is_used(path))


def _package_files(package: str, names: frozenset[str], installed: frozenset[str]) -> Iterator[str]:
    """The sdist's files of the package: of all folders that are called so, those in the one that was installed."""
    roots: Counter[str] = Counter()
    paths: dict[str, list[str]] = {}
    for name in names:
        before, found, rest = f"/{name}".partition(f"/{package}/")
        if found:
            path = f"{package}/{rest}"
            roots[before] += path in installed
            paths.setdefault(before, []).append(path)
    best = max(sorted(roots), key=roots.__getitem__, default="")
    if roots[best]:
        yield from paths[best]


def _is_used(path: str) -> bool:
    pure = PurePosixPath(path)
    hidden = any(part.startswith(".") for part in pure.parts)
    built = pure.suffix.lower() in _SOURCES or pure.name in _BUILD_FILES
    return not (hidden or built or path.endswith("/") or _LEFT_OUT_ON_PURPOSE.intersection(pure.parts))
