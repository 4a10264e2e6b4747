"""Makes on an engine what the containers of one image get: native programs, clang's configuration, and caches."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING

from crosswheel.accelerating.additions import Additions
from crosswheel.containers.archives import archive_of
from crosswheel.containers.container import running, unstarted
from crosswheel.containers.docker_containers import DockerContainers
from crosswheel.containers.docker_host import DockerHost, engine_errors
from crosswheel.containers.emulation import Running, ensure_probe_image
from crosswheel.containers.images import Image
from crosswheel.containers.ownership import KIND
from crosswheel.containers.project_caches import CACHE, OBJECTS, PACKAGES, UV_ENVIRON, cache_volume, ensure_cache
from crosswheel.errors import EngineUnavailable, MissingTool
from crosswheel.model.job import Listener, chore
from crosswheel.system.local_host import LocalHost
from crosswheel.system.locks import mark_volume
from crosswheel.system.memo import answers_in
from crosswheel.toolchains import ccache
from crosswheel.toolchains.clang import ask_gcc, clang_configuration, known_gcc
from crosswheel.toolchains.gcc import Gcc
from crosswheel.toolchains.toolbox import (
    CCACHE_BIN,
    CLANG_BIN,
    CLANG_CONFIGURATION,
    FORTRAN_BIN,
    MOUNT,
    Toolbox,
    ensure_toolbox,
    volume_name,
)

if TYPE_CHECKING:
    from docker.models.containers import Container as DockerContainer

_TIMEOUT = 600  # seconds for the questions to an image's gcc
_PIP = CACHE / "pip"
_LOG = CACHE / "log"
COMPILES, COMMANDS = _LOG / "compiles", _LOG / "commands"
"""Files with a line per counter that ccache increments, and per command that the driver starts."""

_COMPLETE = "complete"
_LARGEST = 16 * 1024 * 1024  # bytes of a log
_SHARED, _WRITABLE = 0o1777, 0o666  # tests may run as another user than the build


@dataclass(frozen=True)
class Equipment:
    """The additions for one image, and the volume with its log; `compilers` says whether its gcc is replaced."""

    additions: Additions
    cache: str
    compilers: bool


@dataclass(frozen=True)
class Place:
    """An engine and this machine, on the way to equip images; `project` names the caches."""

    docker: DockerHost
    host: LocalHost
    project: str
    listener: Listener
    labels: Mapping[str, str]

    @property
    def containers(self) -> DockerContainers:
        return DockerContainers(self.docker)


def equip(image: Image, runs: Running, place: Place) -> Equipment:
    """Make what is missing. Raises MissingTool, EngineUnavailable, ContainerLost."""
    holder = _tiny_image(place.docker)
    toolbox = ensure_toolbox(place.containers, holder, place.host, place.listener, compilers=True)
    gcc = _gcc(image, runs, toolbox, place)
    configuration = clang_configuration(gcc, image.arch, debug_info=True) if gcc else ""
    if gcc:
        _ensure_configuration(_configuration_volume(image, toolbox), configuration, holder, place)
    cache = ensure_cache(place.containers, place.project, image, place.host.cache).volume
    _begin_log(cache, holder, place.docker)
    return _equipment(image, runs, toolbox, cache, configuration, place, fortran=bool(gcc and gcc.fortran))


def expected(image: Image, runs: Running, place: Place) -> Equipment:
    """What `equip` would give for an image with a gcc, without making anything."""
    toolbox = Toolbox(volume_name(place.containers, compilers=True))
    gcc = known_gcc(image.content, place.host.cache)
    configuration = clang_configuration(gcc, image.arch, debug_info=True) if gcc else "unknown"
    cache = cache_volume(place.project, image)
    return _equipment(image, runs, toolbox, cache, configuration, place, fortran=bool(gcc and gcc.fortran))


def log_lines(cache: str, place: Place) -> tuple[list[str], list[str]]:
    """The lines of `COMPILES` and `COMMANDS` in a cache volume; empty if it has none."""
    doing = "reading the log of compilers"
    with engine_errors(doing), unstarted(place.docker, _tiny_image(place.docker), {cache: str(CACHE)}) as holder:
        return _lines(holder, COMPILES), _lines(holder, COMMANDS)


def _equipment(
    image: Image, runs: Running, toolbox: Toolbox, cache: str, configuration: str, place: Place, *, fortran: bool
) -> Equipment:
    volumes = {**toolbox.volumes, cache: str(CACHE)}
    path, environ = [str(MOUNT / "bin")], {**runs.environ, **UV_ENVIRON, "UV_LINK_MODE": "copy", "PIP_CACHE_DIR": _PIP}
    if configuration:
        volumes[_configuration_volume(image, toolbox)] = str(CLANG_CONFIGURATION.parent)
        path = [*([str(FORTRAN_BIN)] if fortran else []), str(CLANG_BIN), str(CCACHE_BIN), *path]
        identity = ccache.known_as(f"{toolbox.volume} {configuration}")
        environ |= {**ccache.environ(Path(COMPILES)), **identity, "CCACHE_UMASK": "000"}
        environ["CROSSWHEEL_COMMANDS"] = COMMANDS
    texts = {name: str(value) for name, value in environ.items()}
    additions = Additions(volumes, tuple(path), texts, frozenset({cache}), place.labels)
    return Equipment(additions, cache, compilers=bool(configuration))


def _gcc(image: Image, runs: Running, toolbox: Toolbox, place: Place) -> Gcc | None:
    """The image's gcc, asked in a container; None if it has none."""
    answers = answers_in(place.host.cache)
    if gcc := known_gcc(image.content, place.host.cache):
        return gcc
    if answers.recall("no-gcc", image.content):
        return None
    starting = running(
        place.docker,
        image,
        place.host.processes,
        timeout=_TIMEOUT,
        environ=runs.environ,
        volumes=toolbox.volumes,
        emulated=not runs.natively,
    )
    with chore("asking the compiler of the image, once", place.listener), starting as container:
        try:
            return ask_gcc(container, place.host.cache, time.monotonic() + _TIMEOUT)
        except MissingTool:
            answers.keep(True, "no-gcc", image.content)
            return None


def _configuration_volume(image: Image, toolbox: Toolbox) -> str:
    """The name: the content depends on the image, and on the programs that read it."""
    return f"crosswheel-clang-{sha256(f'{image.content} {toolbox.volume}'.encode()).hexdigest()[:12]}"


def _ensure_configuration(volume: str, configuration: str, holder: Image, place: Place) -> None:
    archive = archive_of({CLANG_CONFIGURATION.name: configuration.encode()}).getvalue()

    def fill(file: IO[bytes]) -> None:
        file.write(archive)

    mark_volume(volume, place.host.cache)
    place.containers.ensure_volume(volume, {KIND: "configuration"})
    place.containers.fill_volume(volume, CLANG_CONFIGURATION.parent, holder, _COMPLETE, fill)


def _begin_log(cache: str, holder: Image, docker: DockerHost) -> None:
    """Make the folders of the cache, and empty the log."""
    with engine_errors("beginning the log of compilers"), unstarted(docker, holder, {cache: str(CACHE)}) as opened:
        opened.put_archive(str(CACHE), _folders_and_logs())


def _folders_and_logs() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for folder in (OBJECTS, PACKAGES, _PIP, _LOG):
            member = tarfile.TarInfo(folder.name)
            member.type, member.mode = tarfile.DIRTYPE, _SHARED
            archive.addfile(member)
        for log in (COMPILES, COMMANDS):
            member = tarfile.TarInfo(str(log.relative_to(CACHE)))
            member.mode = _WRITABLE
            archive.addfile(member)
    return file.getvalue()


def _lines(holder: DockerContainer, path: PurePosixPath) -> list[str]:
    """The lines of a file in a container, which any build may have written."""
    from docker.errors import NotFound

    try:
        stream, about = holder.get_archive(str(path))
    except NotFound:
        return []
    if not about or about["size"] > _LARGEST:
        return []
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        member = archive.next()
        file = archive.extractfile(member) if member else None
        return file.read().decode(errors="replace").splitlines() if file else []


def _tiny_image(docker: DockerHost) -> Image:
    """An image with one program, which is fast to make a container of: volumes are filled through containers."""
    arch = docker.arch
    if arch is None:
        raise EngineUnavailable(f"the machine of the engine at {docker.address} is unknown: {docker.machine}")
    with engine_errors(f"making a small image on the engine at {docker.address}"):
        name = ensure_probe_image(docker, arch)
    return Image(id=name, reference=name, digest="", arch=arch, environ={}, entrypoint=(), size=0)
