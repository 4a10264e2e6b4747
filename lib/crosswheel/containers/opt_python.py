"""The CPythons of an image: pypa's images have a link per interpreter (PEP 425 tags) in /opt/python."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from crosswheel.containers.container import unstarted
from crosswheel.containers.docker_host import DockerHost, engine_errors
from crosswheel.containers.images import Image
from crosswheel.errors import ContainerLost, UsageError
from crosswheel.model.job import Interpreter
from crosswheel.model.targets import PythonTag, parse_python

_FOLDER = "/opt/python"


def find_pythons(docker: DockerHost, image: Image) -> Mapping[PythonTag, Interpreter]:
    """Every CPython of the image; empty without that folder. Nothing is run, because the image may be emulated.

    Paths are those in the image. Raises EngineUnavailable, ContainerLost.
    """
    from docker.errors import NotFound

    with engine_errors(f"looking into {image.reference}", ContainerLost), unstarted(docker, image) as holder:
        try:
            stream, _ = holder.get_archive(_FOLDER)
            archive = b"".join(stream)
        except NotFound:
            return MappingProxyType({})
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
            found = [_interpreter(PurePosixPath(member.name).name, member.linkname) for member in opened]
    except tarfile.TarError as error:
        text = f"{_FOLDER} of {image.reference} was read only in part"
        raise ContainerLost(text, hint="the same command again; was the Docker Engine restarted?") from error
    return _by_tag(found)


def read_pythons(root: Path) -> Mapping[PythonTag, Interpreter]:
    """Like `find_pythons`, of an unpacked image, with the paths behind the links.

    Links of an unpacked image are relative, and uv joins a relative link to the path by which it came.
    """
    try:
        links = [path for path in (root / _FOLDER.lstrip("/")).iterdir() if path.is_symlink()]
    except OSError:
        links = []
    found = (_interpreter(link.name, str(link.readlink())) for link in links)
    return _by_tag(each and replace(each, path=_behind(each.path, root)) for each in found)


def _behind(path: Path, root: Path) -> Path:
    """The path in the root with the links in its folders followed; unchanged if these lead out."""
    real, inside = (root / path.parent.relative_to("/")).resolve(), root.resolve()
    return Path("/", real.relative_to(inside), path.name) if real.is_relative_to(inside) else path


def _by_tag(found: Iterable[Interpreter | None]) -> Mapping[PythonTag, Interpreter]:
    return MappingProxyType({each.tag: each for each in sorted(filter(None, found), key=lambda each: each.tag)})


def _interpreter(name: str, link: str) -> Interpreter | None:
    """``cp313-cp313t`` -> cp313t; the version comes from the name of the linked folder, if it contains one."""
    match = re.fullmatch(r"cp3\d+-(cp3\d+t?)", name)
    if not match:
        return None
    try:
        tag = parse_python(match[1])
    except UsageError:
        return None  # newer than the known CPythons
    version = re.search(rf"{re.escape(tag.version)}\.\d+\w*", link)
    return Interpreter(tag, version[0] if version else tag.version, Path(_FOLDER, name, "bin/python"))
