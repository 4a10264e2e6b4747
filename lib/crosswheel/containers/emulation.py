"""Whether a Docker host runs programs of an architecture, natively or emulated: a test program is run there.

A host's description of itself is no proof: the kernel may be a virtual machine's, a registered emulator may be
invisible in containers, and a visible one may be broken. The program is a hundred bytes of machine code with the exit
code 42; its image is made here, so nothing is pulled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from crosswheel.containers.archives import archive_of
from crosswheel.containers.creation import create
from crosswheel.containers.docker_host import DockerHost, engine_errors, known_fault
from crosswheel.containers.ownership import KIND
from crosswheel.errors import CannotRun
from crosswheel.formats.elf import MAGIC
from crosswheel.model.targets import Architecture, load_table
from crosswheel.system.process import describe_returncode

if TYPE_CHECKING:
    from docker.models.containers import Container

CPU = "QEMU_CPU"

_EXIT_CODE = 42
_NAME = "exit-42"
_PATIENCE = 30  # seconds for a program of three instructions; a loaded host needs five to start a container
_ADDRESS = 0x40_0000
_PAGE = 0x1_0000  # the largest page size of these architectures' kernels

# QEMU fails for a processor of this name; anything else ignores the variable.
_NO_SUCH_CPU = "crosswheel-asks-who-reads-this"
# The kernel's errors without an entry for the program, and with an emulator that the container cannot see.
_NO_FORMAT, _NO_FILE = "exec format error", "no such file or directory"
# The first value that an emulator accepts is used. QEMU's default emulates pointer authentication of Armv8.3, which
# makes Python take twice as long; the option that turns it off differs between versions.
_CPUS: Mapping[str, tuple[str, ...]] = {"aarch64": ("max,pauth=off", "cortex-a57")}


@dataclass(frozen=True)
class Running:
    """The way in which a Docker host runs programs of `arch`.

    `natively`: without QEMU. `cpu` is the best value of QEMU_CPU in its containers, "" for none.
    """

    arch: Architecture
    natively: bool
    cpu: str = ""

    @property
    def how(self) -> str:
        """In words: ``natively``, or ``under QEMU``, with the fastest processor if it is known."""
        if self.natively:
            return "natively"
        return f"under QEMU, fastest with {CPU}={self.cpu}" if self.cpu else "under QEMU"

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables with which containers of the architecture run fastest."""
        return {CPU: self.cpu} if self.cpu else {}


@dataclass(frozen=True)
class Ending:
    """The exit code and output of a container's only program; no exit code if it did not end by itself."""

    exit_code: int | None
    output: str


def probe(host: DockerHost, arch: Architecture) -> Running:
    """Run a program of `arch` on the host, and find out how it runs; half a second per question.

    Nothing is remembered: anybody may register an emulator meanwhile.

    Raises CannotRun, or EngineUnavailable if the engine cannot start any container.
    """
    with _asking(host, arch) as name:

        def ask(cpu: str) -> Ending:
            return run_once(host, name, arch, _PATIENCE, environment={CPU: cpu} if cpu else {})

        answer = best_way(arch, ask)
    if isinstance(answer, Running):
        return answer
    raise CannotRun(
        f"the Docker host at {host.address} does not run programs for {arch}: {answer}",
        hint=f"crosswheel register --arch {arch}",
    )


def best_way(arch: Architecture, ask: Callable[[str], Ending]) -> Running | str:
    """How a test program runs fastest, or why it does not run; `ask` runs it with a value of QEMU_CPU."""
    cpus = (_NO_SUCH_CPU, *_CPUS.get(arch.name, ()), "")
    with ThreadPoolExecutor(max_workers=2) as pool:
        # One of the first two answers nearly always suffices, so both questions are asked at the same time.
        first = pool.map(ask, cpus[:2])
        for cpu, ending in zip(cpus, chain(first, map(ask, cpus[2:])), strict=True):
            if ending.exit_code == _EXIT_CODE:
                natively = cpu == _NO_SUCH_CPU
                return Running(arch, natively=natively, cpu="" if natively else cpu)
            if _never_began(ending):
                break
    return _reason(ending)


def ensure_init(host: DockerHost) -> None:
    """Raise EngineUnavailable if the engine lacks the init process (--init) that builds use."""
    if arch := host.arch:
        with _asking(host, arch) as name:
            run_once(host, name, arch, _PATIENCE, init=True)


def survey(host: DockerHost, archs: Iterable[Architecture]) -> dict[Architecture, Running | CannotRun]:
    """Run `probe` for each architecture in parallel. Raises EngineUnavailable."""

    def found(arch: Architecture) -> Running | CannotRun:
        try:
            return probe(host, arch)
        except CannotRun as error:
            return error

    archs = tuple(archs)
    with ThreadPoolExecutor(max_workers=4) as pool:
        return dict(zip(archs, pool.map(found, archs), strict=True))


def program(arch: Architecture) -> bytes:
    """A static ELF executable with the exit code 42: a header, one segment, and the instructions of the table."""
    row = load_table("targets.toml")["arch"][arch.name]
    wide = arch.bits == 64  # noqa: PLR2004
    from elftools.elf.enums import ENUM_E_MACHINE

    order, word = ("<" if arch.byteorder == "little" else ">"), ("Q" if wide else "I")
    header_size, segment_size = (64, 56) if wide else (52, 32)
    begin = header_size + segment_size
    size = begin + len(code := bytes.fromhex(row["exit-42"]))
    executable, version, loaded, readable_executable = 2, 1, 1, 5
    ident = MAGIC + bytes([2 if wide else 1, 1 if arch.byteorder == "little" else 2, version]) + bytes(9)
    header = struct.pack(
        f"{order}HHI{word * 3}I6H",
        *(executable, ENUM_E_MACHINE[arch.machine], version),
        *(_ADDRESS + begin, header_size, 0),
        *(row.get("elf-flags", 0), header_size, segment_size, 1, 0, 0, 0),
    )
    place, extent = (0, _ADDRESS, _ADDRESS), (size, size)
    segment = (
        struct.pack(f"{order}II6Q", loaded, readable_executable, *place, *extent, _PAGE)
        if wide
        else struct.pack(f"{order}8I", loaded, *place, *extent, readable_executable, _PAGE)
    )
    return ident + header + segment + code


def image_archive(arch: Architecture, name: str) -> bytes:
    """An image with only the program, as a file for `docker load`."""
    layer = archive_of({_NAME: program(arch)}, 0o755).getvalue()
    system, architecture, *variant = arch.oci.split("/")
    configuration = {
        "os": system,
        "architecture": architecture,
        **({"variant": variant[0]} if variant else {}),
        "config": {"Entrypoint": [f"/{_NAME}"], "Labels": {KIND: "probe"}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    members = {"manifest.json": json.dumps(manifest).encode(), "config.json": json.dumps(configuration).encode()}
    return archive_of({**members, "layer.tar": layer}).getvalue()


def _never_began(ending: Ending) -> bool:
    """Whether the kernel could not start the program, so that further questions are useless."""
    return any(words in ending.output for words in (_NO_FORMAT, _NO_FILE))


def _reason(ending: Ending) -> str:
    output = " ".join(ending.output.split())
    if _NO_FORMAT in ending.output:
        return f"{_NO_FORMAT}: no emulator is registered in its kernel"
    if _NO_FILE in ending.output:
        return "an emulator is registered in its kernel, but not for containers (without the flag F)"
    if ending.exit_code is None:
        return output or f"a program of three instructions did not end within {_PATIENCE} s"
    said = f": {output}" if output else ""
    return f"a program that ends with {_EXIT_CODE} ended with {describe_returncode(ending.exit_code)}{said}"


@contextmanager
def _asking(host: DockerHost, arch: Architecture) -> Iterator[str]:
    with engine_errors(f"asking the Docker host at {host.address} whether it runs {arch}"):
        yield ensure_probe_image(host, arch)


def ensure_probe_image(host: DockerHost, arch: Architecture) -> str:
    """Provide the image on the host, named after its content; it stays for the next run, and is tiny.

    Raises the exceptions of docker-py.
    """
    from docker.errors import ImageNotFound

    name = f"crosswheel/{_NAME}:{arch}-{hashlib.sha256(program(arch)).hexdigest()[:12]}"
    try:
        host.client.images.get(name)
    except ImageNotFound:
        host.client.images.load(image_archive(arch, name))
    return name


def run_once(host: DockerHost, image: str, arch: Architecture, patience: float, **options: Any) -> Ending:
    """Run a container's program to its end, then remove the container; `options` are for its creation.

    It has no network. Raises ImageUnavailable for an image of another architecture, and the exceptions of docker-py for
    a missing engine or image, or an unknown option.
    """
    from docker.errors import APIError

    container = create(host, image, arch, network_mode="none", **options)
    try:
        try:
            container.start()
        except APIError as error:
            said = str(error.explanation or error).strip()
            if fault := known_fault(f"the {host.product} at {host.address} cannot start containers", said):
                raise fault from error
            return Ending(None, said)
        return Ending(_exit_code(container, patience), container.logs().decode(errors="replace").strip())
    finally:
        with contextlib.suppress(APIError):
            container.remove(force=True, v=True)


def _exit_code(container: Container, patience: float) -> int | None:
    """The exit code; None after a time limit, because an emulator may hang."""
    from requests.exceptions import ConnectionError as Broken
    from requests.exceptions import Timeout

    try:
        return int(container.wait(timeout=patience)["StatusCode"])
    except (Broken, Timeout):
        return None
