"""Writes .conda archives, and reads what they say of themselves: the same package gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.conda_packages.names import EXTRA_HINT
from crosswheel.conda_packages.packages import CondaPackage, Written, description, info_files
from crosswheel.errors import CheckFailed, MissingTool

if TYPE_CHECKING:
    from conda_package_streaming.create import CondaTarFile


def write_package(package: CondaPackage, folder: Path, epoch: int) -> Path:
    """Write the package into a folder, completely or not at all, and return its path.

    All members are dated to `epoch`, in seconds since 1970. A file of the same name stays if it was made of the same
    wheel in the same way; any other is replaced. Raises MissingTool without conda-package-streaming.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / package.file_name
    if path.is_file() and _is_current(path, package, epoch):
        return path
    with tempfile.TemporaryDirectory(prefix=".", dir=folder) as work:
        with _builder(package.stem, work) as archive:
            written = [_add(archive, package, number, epoch) for number in range(len(package.contents))]
            for name, data in info_files(package, written, epoch):
                archive.addfile(_header(name, len(data), epoch), io.BytesIO(data))
        dated = _dated(Path(work, package.file_name), Path(work, "dated"), epoch)
        return dated.replace(path)


def read_info(path: Path, names: Container[str]) -> Mapping[str, bytes]:
    """The files with these names in a package's folder info/; those that it lacks are left out.

    Raises CheckFailed if the file is no package.
    """
    from conda_package_streaming.package_streaming import CondaComponent, stream_conda_component

    try:
        with path.open("rb") as stream:
            members = stream_conda_component(path.name, stream, CondaComponent.info)
            return {
                member.name: file.read()
                for archive, member in members
                if member.name in names and (file := archive.extractfile(member))
            }
    except Exception as error:  # the package may come from anywhere, and the library raises errors of many kinds
        raise CheckFailed(f"{path} cannot be read as a conda package: {error}", hint=f"rm {path}") from error


def _is_current(path: Path, package: CondaPackage, epoch: int) -> bool:
    wanted = description(package, epoch)
    try:
        return read_info(path, wanted) == wanted
    except CheckFailed:
        return False


@contextmanager
def _builder(stem: str, folder: str) -> Iterator[CondaTarFile]:
    try:
        from conda_package_streaming.create import conda_builder
    except ImportError as error:
        raise MissingTool("packages are written by conda-package-streaming", hint=EXTRA_HINT) from error
    with conda_builder(stem, folder) as archive:
        yield archive


def _add(archive: CondaTarFile, package: CondaPackage, number: int, epoch: int) -> Written:
    content = package.contents[number]
    data = content.data or (package.wheel.archive.read(content.entry) if content.entry else b"")
    archive.addfile(_header(content.path, len(data), epoch, executable=content.executable), io.BytesIO(data))
    return Written(content, len(data), hashlib.sha256(data).hexdigest())


def _header(path: str, size: int, epoch: int, *, executable: bool = False) -> tarfile.TarInfo:
    header = tarfile.TarInfo(path)
    header.size, header.mtime, header.mode = size, epoch, 0o755 if executable else 0o644
    return header


def _dated(made: Path, path: Path, epoch: int) -> Path:
    """The archive with its outer members dated, whose times are otherwise those of the writing."""
    moment = max(time.gmtime(epoch)[:6], (1980, 1, 1, 0, 0, 0))  # the first that a zip archive can name
    with zipfile.ZipFile(made) as given, zipfile.ZipFile(path, "w") as dated:
        for info in given.infolist():
            header = zipfile.ZipInfo(info.filename, moment)
            header.file_size, header.create_system, header.external_attr = info.file_size, 3, 0o100644 << 16
            with given.open(info) as source, dated.open(header, "w") as target:
                shutil.copyfileobj(source, target)
    return path
