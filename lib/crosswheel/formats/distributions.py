"""The files of one release: sdist and wheels, recognised by their names, each with its sha256."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    NormalizedName,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import Version

from crosswheel.errors import CheckFailed, NothingToDo, UsageError
from crosswheel.formats.wheels import variant_refused
from crosswheel.system.hashes import sha256_of


@dataclass(frozen=True)
class Distribution:
    """A file for an index; `size` in bytes, `name` and `version` from the file name."""

    path: Path
    name: NormalizedName
    version: Version
    kind: Literal["sdist", "wheel"]
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        return self.path.name


def read_distributions(paths: Iterable[Path]) -> tuple[Distribution, ...]:
    """The given files, and the wheels and sdists in the given folders; wheels first, each kind sorted by name.

    Raises NothingToDo if there are none; UsageError for a missing path; CheckFailed for a file that is neither wheel
    nor sdist by its name, for two files of one name, and for several projects or versions.
    """
    named = tuple(paths)
    # A single missing folder means that there are no files; beside others it may be a typing error.
    absent = [path for path in named if not path.exists()]
    if missing := [path for path in absent if len(named) > 1 or path.name.endswith((".whl", ".gz", ".zip"))]:
        raise UsageError([f"there is no file {path}" for path in missing], hint=f"ls {missing[0].parent}")
    files = files_in(path for path in named if path.exists())
    if not files:
        folders = ", ".join(map(str, named))
        raise NothingToDo(f"no wheel and no sdist found in {folders}", hint="crosswheel wheels, to build them")
    _refuse_twins(files)
    read = sorted(map(read_distribution, files), key=lambda file: (file.kind != "wheel", file.filename))
    _refuse_mixture(read)
    return tuple(read)


def read_distribution(path: Path) -> Distribution:
    """Read one file. Raises CheckFailed if it is no file, or neither wheel nor sdist by its name."""
    if not path.is_file():
        raise CheckFailed(f"{path} is not a file", hint=f"ls -ld {path}")
    try:
        if path.suffix == ".whl":
            name, version, *_ = parse_wheel_filename(path.name)
            return Distribution(path, name, version, "wheel", path.stat().st_size, sha256_of(path))
        name, version = parse_sdist_filename(path.name)
        return Distribution(path, name, version, "sdist", path.stat().st_size, sha256_of(path))
    except (InvalidWheelFilename, InvalidSdistFilename) as error:
        reason = variant_refused(path.name) or str(error)
        raise CheckFailed(
            f"no index accepts a file of this name: {reason}", hint=f"keep {path.name} out of the release"
        ) from error


def files_in(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The given files, each once, and the wheels and sdists of given folders."""
    once: dict[Path, Path] = {}
    for path in paths:
        for file in _inside(path) if is_folder(path) else [path]:
            once.setdefault(file.parent.resolve() / file.name, file)
    return tuple(once.values())


def is_folder(path: Path) -> bool:
    """Whether the path is a folder of files; not an unpacked wheel, which the audit reports."""
    return path.is_dir() and path.suffix != ".whl"


def is_sdist(path: Path) -> bool:
    """Whether the name is an sdist's; a folder may contain other archives."""
    try:
        parse_sdist_filename(path.name)
    except InvalidSdistFilename:
        return False
    return path.name.endswith(".tar.gz")


def _inside(folder: Path) -> list[Path]:
    return [*sorted(folder.glob("*.whl")), *sorted(filter(is_sdist, folder.glob("*.tar.gz")))]


def _refuse_twins(files: Iterable[Path]) -> None:
    seen: dict[str, Path] = {}
    for path in files:
        other = seen.setdefault(path.name, path)
        if other is not path:
            raise CheckFailed(f"{other} and {path} have the same name", hint=f"sha256sum {other} {path}; name one")


def _refuse_mixture(files: Iterable[Distribution]) -> None:
    releases: dict[str, str] = {}
    for file in files:
        releases.setdefault(f"{file.name} {file.version}", file.filename)
    if len(releases) > 1:
        told = "; ".join(f"{release} ({filename})" for release, filename in sorted(releases.items()))
        raise CheckFailed(
            f"a release is one version of one project, but these files belong to {len(releases)}: {told}",
            hint="delete the leftovers of other runs, or name the files of one release",
        )
