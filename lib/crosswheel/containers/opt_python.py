"""Which CPythons an image has: the folder /opt/python of pypa's images, with a link per interpreter (PEP 425 tags)."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Mapping
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
    """Every CPython of the image; none where it has no such folder. Nothing is run: the image may be emulated.

    Paths are the image's. Raises EngineUnavailable, ContainerLost.
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
        text = f"what {image.reference} has in {_FOLDER} came out of it in part"
        raise ContainerLost(text, hint="the same command again; was the Docker Engine restarted?") from error
    return MappingProxyType({each.tag: each for each in sorted(filter(None, found), key=lambda each: each.tag)})


def _interpreter(name: str, link: str) -> Interpreter | None:
    """``cp313-cp313t`` -> cp313t; the folder it links to says its version, if its name does."""
    match = re.fullmatch(r"cp3\d+-(cp3\d+t?)", name)
    if not match:
        return None
    try:
        tag = parse_python(match[1])
    except UsageError:
        return None  # newer than we know
    version = re.search(rf"{re.escape(tag.version)}\.\d+\w*", link)
    return Interpreter(tag, version[0] if version else tag.version, Path(_FOLDER, name, "bin/python"))
