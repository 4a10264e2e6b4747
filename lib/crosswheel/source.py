"""From what the caller names (a folder, an sdist file, a project on the index) to one sdist with its sha256."""

from __future__ import annotations

import configparser
import lzma
import re
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.parser import HeaderParser
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from crosswheel.backend import make_distribution
from crosswheel.config import read_toml
from crosswheel.errors import BuildFailed, SourceError, UsageError
from crosswheel.hosts import LocalHost
from crosswheel.index import sha256_of
from crosswheel.model import Interpreter, Listener, Sdist, chore
from crosswheel.process import log_tail
from crosswheel.targets import PythonTag
from crosswheel.workspace import plain_workspace

if TYPE_CHECKING:
    from packaging.version import Version
    from pypi_simple import DistributionPackage

_SDIST_ENDINGS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
_CXX = (".cc", ".cpp", ".cxx", ".c++", ".C", ".hpp", ".hh", ".mm")
_COMPILED = (*_CXX, ".c", ".pyx", ".f", ".f90", ".rs", ".s", ".S", ".asm", ".cu", ".go", ".zig", ".i")


def fetch(source: str, host: LocalHost, folder: Path, listener: Listener, *, timeout: float = 3600) -> Sdist:
    """The sdist of a source: built from a folder into `folder`, taken as it is, or downloaded and checked by hash."""
    path = Path(source)
    if path.is_dir():
        project = path.resolve()
        _check_project(project)
        with chore(f"making the sdist of {project.name}", listener):
            return read_sdist(_build_sdist(project, host, folder, timeout))
    if source.endswith(_SDIST_ENDINGS):
        if not path.is_file():
            raise SourceError(f"there is no file {source}", hint="ls, or give NAME==VERSION to take it from the index")
        return read_sdist(path.resolve())
    return read_sdist(_from_index(source, host))


def read_sdist(path: Path) -> Sdist:
    """What an sdist says of itself in PKG-INFO (PEP 643), or in its file name (PEP 625) where it has none."""
    from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename

    info = _read_pkg_info(path)
    name, version = info.get("Name", ""), info.get("Version", "")
    if not name or not version:
        try:
            parsed, parsed_version = parse_sdist_filename(path.name)
            name, version = name or parsed, version or str(parsed_version)
        except InvalidSdistFilename:
            raise SourceError(
                f"{path.name} is no sdist: it has no PKG-INFO, and its name is not NAME-VERSION.tar.gz",
                hint="python -m build --sdist, in the project's folder",
            ) from None
    return Sdist(path, canonicalize_name(name), version, sha256_of(path), info.get("Requires-Python", ""))


def looks_compiled(sdist: Sdist) -> bool:
    """Whether an sdist holds anything that a compiler reads. A guess: what decides is the wheel that comes out."""
    return any(name.endswith(_COMPILED) for name in member_names(sdist.path))


def looks_cxx(sdist: Sdist) -> bool:
    """Whether an sdist holds C++, or Cython that may become C++."""
    return any(name.endswith(_CXX) for name in member_names(sdist.path))


def mentions_stable_abi(sdist: Sdist) -> bool:
    """Whether the build files speak of the limited API (PEP 384): its wheels serve later Pythons too."""
    names = ("setup.py", "setup.cfg", "pyproject.toml", "meson.build", "CMakeLists.txt")
    wanted = [name for name in member_names(sdist.path) if name.count("/") == 1 and name.endswith(names)]
    return any(re.search(r"limited[-_]api|abi3|py-api|SABI", text) for text in _read_members(sdist.path, wanted))


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack an sdist and give its one top folder; members that would land outside are refused beforehand."""
    names = member_names(archive)
    tops = {PurePosixPath(name).parts[0] for name in names if PurePosixPath(name).parts}
    for name in names:
        if name.startswith("/") or ".." in PurePosixPath(name).parts:
            raise SourceError(
                f"{archive.name} has a member outside its own folder: {name!r}",
                hint="do not build it; tell its authors",
            )
    if len(tops) != 1:
        raise SourceError(
            f"{archive.name} should hold one folder, and holds {len(tops)}",
            hint="python -m build --sdist, in the project's folder",
        )
    folder.mkdir(parents=True)
    with _readable(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(folder)  # noqa: S202 - ZipFile drops what leads outside itself
        else:
            with tarfile.open(archive) as tarred:
                _extract_tar(tarred, folder, archive.name)
    return folder / tops.pop()


def member_names(archive: Path) -> list[str]:
    with _readable(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                return zipped.namelist()
        with tarfile.open(archive) as tarred:
            return tarred.getnames()


def requires_python_of(source: str, host: LocalHost) -> str:
    """The requires-python of a source, as far as it can be known without building anything; empty if it cannot."""
    path = Path(source)
    if path.is_dir():
        return _static_requires_python(path)
    if source.endswith(_SDIST_ENDINGS) and path.is_file():
        return _read_pkg_info(path).get("Requires-Python", "")
    if kept := _kept(source, host):
        return _read_pkg_info(kept).get("Requires-Python", "")
    return _choose(source, host).requires_python or ""


def _extract_tar(archive: tarfile.TarFile, folder: Path, name: str) -> None:
    """PEP 706's data filter: no devices, no links or names that leave the folder, no odd permissions."""
    if not hasattr(tarfile, "data_filter"):  # pragma: no cover - CPython before 3.10.12 and 3.11.4
        raise SourceError(
            f"this Python ({sys.version.split()[0]}) cannot unpack archives safely",
            hint="use CPython 3.10.12, 3.11.4 or newer",
        )
    try:
        archive.extractall(folder, filter="data")
    except tarfile.FilterError as error:
        raise SourceError(f"{name} has an unsafe member: {error}", hint="do not build it; tell its authors") from error


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's own trouble; gzip and bz2 raise OSError for damaged data too, without a number
        raise SourceError(
            f"{archive.name} cannot be read: {error}", hint="fetch or make it anew; it may be cut off"
        ) from error


def _read_members(archive: Path, names: Iterable[str]) -> list[str]:
    """The texts of some members."""
    with _readable(archive):
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                return [zipped.read(name).decode("utf-8", "replace") for name in names]
        with tarfile.open(archive) as tarred:
            files = (tarred.extractfile(name) for name in names if tarred.getmember(name).isfile())
            return [file.read().decode("utf-8", "replace") for file in files if file]


def _read_pkg_info(archive: Path) -> dict[str, str]:
    """The headers of PKG-INFO in the top folder."""
    names = [name for name in member_names(archive) if re.fullmatch(r"(?:\./)?[^/]+/PKG-INFO", name)]
    texts = _read_members(archive, names[:1])
    return dict(HeaderParser().parsestr(texts[0] if texts else "", headersonly=True).items())


def _static_requires_python(folder: Path) -> str:
    """`requires-python` of pyproject.toml, or `python_requires` of setup.cfg."""
    _check_project(folder)
    pyproject, setup_cfg = folder / "pyproject.toml", folder / "setup.cfg"
    if pyproject.is_file():
        table = read_toml(pyproject).get("project", {})
        if not isinstance(table, dict):
            raise SourceError(
                f"{pyproject}: [project] must be a table, and is {table!r}", hint="correct pyproject.toml"
            )
        if "requires-python" in table:
            return str(table["requires-python"])
    if setup_cfg.is_file():
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(setup_cfg.read_text("utf-8"))
        except (configparser.Error, UnicodeDecodeError) as error:
            raise SourceError(f"{setup_cfg} cannot be read: {error}", hint="correct setup.cfg") from error
        return parser.get("options", "python_requires", fallback="")
    return ""


def _check_project(folder: Path) -> None:
    if not any((folder / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise SourceError(
            f"{folder} is no Python project: it has neither pyproject.toml nor setup.py",
            hint="give a project's folder, an sdist file, or NAME==VERSION",
        )


def _build_sdist(project: Path, host: LocalHost, folder: Path, timeout: float) -> Path:
    here = Interpreter(PythonTag(sys.version_info[1]), sys.version.split()[0], Path(sys.executable))
    log = folder / "sdist.log"
    with tempfile.TemporaryDirectory(prefix="crosswheel-sdist-") as temporary:
        workspace = plain_workspace(host, here, Path(temporary, "sdist"), log, timeout)
        try:
            return make_distribution("sdist", project, workspace, folder)
        except BuildFailed as error:
            # The log goes away with `folder`: there is no job yet that would keep it.
            last = "\n".join(log_tail(log, 15))
            raise SourceError(
                f"the sdist of {project.name} could not be made:\n{last}",
                hint=f"python -m build --sdist {project}",
            ) from error


def _from_index(source: str, host: LocalHost) -> Path:
    """The sdist of NAME or NAME==VERSION: the newest final release that has one; kept files serve again by version."""
    kept = _kept(source, host)
    if kept:
        return kept
    return host.index.fetch(_choose(source, host))


def _kept(source: str, host: LocalHost) -> Path | None:
    """A file fetched before that a pinned source names; offline, the newest kept file of any version will do."""
    from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename

    name, version = _parse_name(source)
    if version is None and not host.index.offline:
        return None
    found: list[tuple[Version, Path]] = []
    for path in host.index.kept("*.tar.gz"):
        try:
            its_name, its_version = parse_sdist_filename(path.name)
        except InvalidSdistFilename:
            continue
        if its_name == canonicalize_name(name) and version in {None, its_version}:
            found.append((its_version, path))
    return max(found)[1] if found else None


def _choose(source: str, host: LocalHost) -> DistributionPackage:
    from packaging.version import InvalidVersion, Version

    name, wanted = _parse_name(source)
    candidates: list[tuple[Version, bool, DistributionPackage]] = []
    versions = set()
    for package in host.index.files_of(name):
        try:
            version = Version(package.version or "")
        except InvalidVersion:
            continue
        if wanted is None and (version.is_prerelease or package.is_yanked):
            continue
        if wanted in {None, version}:
            versions.add(version)
            if package.package_type == "sdist":
                candidates.append((version, package.filename.endswith(".tar.gz"), package))
    if candidates:
        return max(candidates, key=lambda candidate: candidate[:2])[2]
    if versions:
        raise SourceError(
            f"the index has wheels of {name} {max(versions)}, but no sdist to build from",
            hint="clone its repository and give the folder, or ask for another version with NAME==VERSION",
        )
    raise SourceError(f"the index has no release {source}", hint=f"pip index versions {name}")


def _parse_name(source: str) -> tuple[str, Version | None]:
    """NAME or NAME==VERSION."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.version import InvalidVersion, Version

    try:
        requirement = Requirement(source)
        pins = [(spec.operator, spec.version) for spec in requirement.specifier]
        bare = not (requirement.url or requirement.marker)
        if bare and not pins:
            return requirement.name, None
        ((operator, text),) = pins
        if bare and operator in {"==", "==="}:
            return requirement.name, Version(text)
    except (InvalidRequirement, InvalidVersion, ValueError):
        pass
    raise UsageError(
        f"{source!r} is no folder, no sdist file and no NAME or NAME==VERSION",
        hint="crosswheel wheels --source kiwisolver==1.4.9",
    )
