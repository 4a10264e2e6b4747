"""Fetches the source: from a folder, an sdist file or a project on the index to one sdist with its sha256."""

from __future__ import annotations

import configparser
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from crosswheel.engines.backend import make_distribution
from crosswheel.engines.workspace import plain_workspace
from crosswheel.errors import BuildFailed, SourceError, UnknownPackage, UsageError
from crosswheel.formats.build_logs import HERE, end_of, explain
from crosswheel.formats.sdists import as_epoch, member_names, read_sdist, seal
from crosswheel.formats.signs import needs_of_folder
from crosswheel.model.job import Interpreter, Listener, Need, Note, Sdist, chore
from crosswheel.model.pyproject import declared_name, read_settings, read_toml
from crosswheel.model.targets import PythonTag
from crosswheel.system.addresses import redact
from crosswheel.system.git import last_commit
from crosswheel.system.hashes import is_sound
from crosswheel.system.local_host import LocalHost
from crosswheel.system.locks import mark_used
from crosswheel.system.memo import answers_in
from crosswheel.system.process import log_tail
from crosswheel.system.scratch import temporary_folder
from crosswheel.toolchains.cargo_cache import cargos_of
from crosswheel.toolchains.startup import hide_folder, install_startup

if TYPE_CHECKING:
    from packaging.version import Version
    from pypi_simple import DistributionPackage

_SDIST_ENDINGS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip")
_BUILD_FILES = ("pyproject.toml", "setup.py", "setup.cfg")


def fetch(
    source: str,
    host: LocalHost,
    folder: Path,
    listener: Listener,
    *,
    timeout: float = 3600,
    output: Path | None = None,
    constraints: Sequence[str] = (),
) -> Sdist:
    """The sdist of a source: built from a folder into `folder`, used unchanged, or downloaded and verified by hash.

    `output` is the wheelhouse, which may be in the source's folder and must not become a part of the sdist.
    `constraints` limit the build requirements of the sdist, which may contain what they generate.

    Its epoch is the caller's SOURCE_DATE_EPOCH, or the time of its content.
    """
    said = epoch_of(host.environ)
    sdist = _fetch(source, host, folder, listener, _Making(timeout, output, constraints))
    return sdist if said is None else replace(sdist, epoch=said)


@dataclass(frozen=True)
class _Making:
    """How the sdist of a folder is built; see `fetch`."""

    timeout: float
    output: Path | None
    constraints: Sequence[str]


def _fetch(source: str, host: LocalHost, folder: Path, listener: Listener, making: _Making) -> Sdist:
    path = Path(source)
    if named := folder_of(source):
        project = named.resolve()
        _check_project(project)
        with chore(f"making the sdist of {project.name}", listener):
            return _from_folder(project, host, folder, making)
    if is_sdist(source):
        _check_file(path)
        return _read(path.resolve(), host)
    return _as_asked(source, _read(_from_index(source, host, listener), host))


def is_sdist(source: str) -> bool:
    """Whether a source names an sdist file."""
    return source.endswith(_SDIST_ENDINGS)


def is_public(source: str) -> bool:
    """Whether a source is a name on an index."""
    return not is_sdist(source) and not folder_of(source)


def folder_of(source: str) -> Path | None:
    """The folder that a source names. NAME==VERSION names none: a folder of that name is ./NAME==VERSION."""
    pinned = "==" in source and "/" not in source
    return Path(source) if not pinned and Path(source).is_dir() else None


def _as_asked(source: str, sdist: Sdist) -> Sdist:
    """Check a downloaded sdist: raises SourceError if its metadata does not match the request."""
    from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
    from packaging.version import InvalidVersion, Version

    name, version = _parse_name(source)
    with suppress(InvalidSdistFilename):  # with an obsolete suffix
        version = version or parse_sdist_filename(sdist.path.name)[1]
    try:
        same = version in {None, Version(sdist.version)}
    except InvalidVersion:
        same = False
    if not same or canonicalize_name(sdist.name) != canonicalize_name(name):
        told = f"the metadata of {sdist.path.name} is of {sdist.name} {sdist.version}"
        raise SourceError(
            f"{name} {version or ''} was requested, but {told}",
            hint=f"rm {sdist.path}, and ask the operator of the index",
        )
    return sdist


def _check_file(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise SourceError(f"{path} is not a file but a folder, a pipe, a socket or a device", hint=f"ls -ld {path}")
    if not path.exists():
        raise SourceError(
            f"there is no file {redact(str(path))}", hint="ls; or give NAME==VERSION, to download it from the index"
        )


def _read(path: Path, host: LocalHost) -> Sdist:
    return read_sdist(path, answers_in(host.cache))


def requires_python_of(source: str, host: LocalHost) -> str:
    """The requires-python of a source, if known without a build; otherwise empty."""
    if project := folder_of(source):
        return _static_requires_python(project)
    path = Path(source)
    if is_sdist(source) and path.exists():
        _check_file(path)
        return _read(path, host).requires_python
    if kept := _kept(source, host):
        return _read(kept, host).requires_python
    return _choose(source, host).requires_python or ""


def needs_of(source: str, host: LocalHost) -> tuple[Need, ...]:
    """The needs of a source, if known without a build or a download; otherwise empty."""
    if project := folder_of(source):
        return needs_of_folder(project)
    path = Path(source)
    if source.endswith(_SDIST_ENDINGS) and path.exists():
        return _read(path, host).needs
    kept = None if source.endswith(_SDIST_ENDINGS) else _kept(source, host)
    return _read(kept, host).needs if kept else ()


def name_of(source: str) -> str:
    """The normalised project name of a source, if known without a build; otherwise empty."""
    from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename

    if project := folder_of(source):
        return declared_name(project)
    if not is_sdist(source):
        return canonicalize_name(source.partition("==")[0].strip())
    try:
        return parse_sdist_filename(Path(source).name)[0]
    except InvalidSdistFilename:
        return ""


def _static_requires_python(folder: Path) -> str:
    """`requires-python` of pyproject.toml, or `python_requires` of setup.cfg."""
    _check_project(folder)
    pyproject, setup_cfg = folder / "pyproject.toml", folder / "setup.cfg"
    if pyproject.is_file():
        table = read_toml(pyproject).get("project", {})
        if not isinstance(table, dict):
            raise SourceError(f"{pyproject}: [project] must be a table, not {table!r}", hint="correct pyproject.toml")
        if "requires-python" in table:
            return str(table["requires-python"])
    if setup_cfg.is_file():
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read_string(read_settings(setup_cfg))
        except (configparser.Error, UnicodeDecodeError) as error:
            raise SourceError(f"{setup_cfg} cannot be read: {error}", hint="correct setup.cfg") from error
        return parser.get("options", "python_requires", fallback="")
    return ""


def _check_project(folder: Path) -> None:
    if not any((folder / name).is_file() for name in ("pyproject.toml", "setup.py")):
        raise SourceError(
            f"{folder} is not a Python project: it has neither pyproject.toml nor setup.py",
            hint="give a project's folder, an sdist file, or NAME==VERSION",
        )


def epoch_of(environ: Mapping[str, str]) -> int | None:
    """SOURCE_DATE_EPOCH, which wins over the content's time; None if it is not set."""
    text = environ.get("SOURCE_DATE_EPOCH", "")
    try:
        return as_epoch(int(text)) if text else None
    except ValueError:
        raise UsageError(
            f"SOURCE_DATE_EPOCH must be a whole number of seconds, not {text!r}", hint="date +%s"
        ) from None


def _from_folder(project: Path, host: LocalHost, folder: Path, making: _Making) -> Sdist:
    """Build the sdist of a folder, dated to the last commit, or to the newest file in it."""
    epoch = epoch_of(host.environ) or last_commit(project, host.processes, host.environ)
    began = time.time()
    first = epoch or _newest((project / name for name in _BUILD_FILES), began)
    path = _build_sdist(project, host.dated(as_epoch(first)), folder, making)
    if epoch is None:
        inside = (PurePosixPath(name).parts[1:] for name in member_names(path))
        # Files that backends write beside the sources are as old as the last sdist.
        kept = (parts for parts in inside if not any(part.endswith((".egg-info", "PKG-INFO")) for part in parts))
        epoch = _newest((project.joinpath(*parts) for parts in kept), began) or first
    # Backends date members to the files of a checkout, which are as old as the clone, or to now.
    seal(path, as_epoch(epoch))
    return replace(read_sdist(path), epoch=as_epoch(epoch))


def _newest(paths: Iterable[Path], before: float) -> int:
    """The time of the newest file that is older than `before`; 0 if there is none."""
    times = (path.stat().st_mtime for path in paths if path.is_file())
    return int(max((moment for moment in times if moment < before), default=0))


def _build_sdist(project: Path, host: LocalHost, folder: Path, making: _Making) -> Path:
    here = Interpreter(PythonTag(sys.version_info[1]), sys.version.split()[0], Path(sys.executable))
    log = folder / "sdist.log"
    with temporary_folder() as temporary:
        cargo = _cargo_of(project, host, Path(temporary))
        workspace = plain_workspace(host, here, Path(temporary, "sdist"), log, making.timeout, cargo)
        if making.output and making.output.resolve().parent == project:
            (packages,) = workspace.python.parent.parent.glob("lib/python*/site-packages")
            install_startup(packages, hide_folder(making.output.name))
        try:
            return make_distribution("sdist", project, workspace, folder, constraints=making.constraints)
        except BuildFailed as error:
            # The log is removed with `folder`, because no job exists yet to keep it.
            last, found = "\n".join(log_tail(log, 15)), explain(end_of(log), HERE)
            raise SourceError(
                f"the sdist of {project.name} could not be built:{f' {found.means}' if found else ''}\n{last}",
                hint=(found and found.hint) or f"python -m build --sdist {project}",
                cause=found.kind if found else "",
            ) from error


def _cargo_of(project: Path, host: LocalHost, temporary: Path) -> Path | None:
    """The Cargo cache of a project with crates, of which its sdist asks Cargo; kept if its name is known."""
    if not any(need.name == "rust" for need in needs_of_folder(project)):
        return None
    name = declared_name(project)
    return cargos_of(host.cache) / name if name else temporary / "cargo"


def _from_index(source: str, host: LocalHost, listener: Listener) -> Path:
    """The sdist of NAME or NAME==VERSION: of the newest final release that has one; a pinned version may be cached."""
    kept = _kept(source, host)
    if kept:
        mark_used(kept.parent)
        return kept
    chosen = _choose(source, host)
    if chosen.is_yanked:
        reason = f": {chosen.yanked_reason}" if chosen.yanked_reason else ""
        listener(Note(f"{chosen.filename} is yanked on the index{reason}"))
    return host.index.fetch(chosen)


def _kept(source: str, host: LocalHost) -> Path | None:
    """The cached file of a pinned source; offline, the newest cached file of any version."""
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
    return next((path for _, path in sorted(found, reverse=True) if is_sound(path)), None)


def _choose(source: str, host: LocalHost) -> DistributionPackage:
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    name, wanted = _parse_name(source)
    candidates: list[tuple[Version, bool, DistributionPackage]] = []
    versions = set()
    passed_over = []
    for package in host.index.files_of(name):
        if canonicalize_name(package.project or "") != canonicalize_name(name):
            continue
        try:
            version = Version(package.version or "")
        except InvalidVersion:
            continue
        if wanted is None and (version.is_prerelease or package.is_yanked):
            passed_over.append(version)
            continue
        if wanted in {None, version}:
            versions.add(version)
            if package.package_type == "sdist":
                candidates.append((version, package.filename.endswith(".tar.gz"), package))
    if passed_over and not versions:
        raise SourceError(
            f"every release of {name} is yanked or a pre-release, which is only used if its version is given",
            hint=f"{name}=={max(passed_over)}",
        )
    if not versions:
        raise UnknownPackage(f"the index has no release {source}", hint=f"pip index versions {name}")
    best = max(candidates, key=lambda candidate: candidate[:2], default=None)
    if best and best[0] == max(versions):
        return best[2]
    # Otherwise an older release would be built silently and mistaken for the newest.
    raise SourceError(
        f"the index has wheels of {name} {max(versions)}, but no sdist to build from",
        hint=f"{name}=={best[0]}, which has one" if best else "clone its repository and give the folder",
    )


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
        f"{redact(source)!r} is neither a folder, nor an sdist file, nor NAME or NAME==VERSION",
        hint="crosswheel wheels --source kiwisolver==1.4.9",
    )
