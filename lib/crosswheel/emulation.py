"""Whether a Docker host really runs programs of an architecture, natively or emulated: one is run there.

What a host says of itself proves nothing. The kernel that counts may be that of a virtual machine, an emulator may be
registered and not reach into containers, and one that is reached may break. The program is a hundred bytes of machine
code that end with the exit code 42; its image is made here, so that nothing is pulled.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import secrets
import struct
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from elftools.elf.enums import ENUM_E_MACHINE

from crosswheel.docker_host import DockerHost, engine_errors
from crosswheel.elf import MAGIC
from crosswheel.errors import CannotRun
from crosswheel.process import describe_returncode
from crosswheel.targets import Architecture, load_table

if TYPE_CHECKING:
    from docker.models.containers import Container

LABEL = "io.crosswheel.run"
CPU = "QEMU_CPU"

_EXIT_CODE = 42
_NAME = "exit-42"
_PATIENCE = 30  # seconds for one program of three instructions; a loaded host starts a container in five
_ADDRESS = 0x40_0000
_PAGE = 0x1_0000  # the largest that kernels of these architectures have

# QEMU ends with an error when it is asked for a processor of this name; whoever is not QEMU never reads it.
_NO_SUCH_CPU = "crosswheel-asks-who-reads-this"
# The first of these that an emulator knows. QEMU's own choice computes each pointer's signature as Armv8.3 would, and
# makes Python take twice as long; what turns that off has another name from version to version.
_CPUS: Mapping[str, tuple[str, ...]] = {"aarch64": ("max,pauth=off", "cortex-a57")}


@dataclass(frozen=True)
class Running:
    """How a Docker host runs programs of `arch`.

    `natively` means that no QEMU is between. `cpu` is what QEMU_CPU should be in its containers, "" for nothing.
    """

    arch: Architecture
    natively: bool
    cpu: str = ""

    @property
    def environ(self) -> dict[str, str]:
        """What containers of the architecture need, for programs to run in them as fast as they can."""
        return {CPU: self.cpu} if self.cpu else {}


@functools.cache
def probe(host: DockerHost, arch: Architecture) -> Running:
    """Run a program of `arch` there, and find out what runs it; half a second for each question, asked once.

    Raises CannotRun, EngineUnavailable.
    """
    with _image(host, arch) as name:
        for cpu in (_NO_SUCH_CPU, *_CPUS.get(arch.name, ()), ""):
            ending = _run(host, arch, name, {CPU: cpu} if cpu else {})
            if ending.succeeded:
                natively = cpu == _NO_SUCH_CPU
                return Running(arch, natively=natively, cpu="" if natively else cpu)
            if ending.never_began:
                break
    raise CannotRun(
        f"the Docker host at {host.address} does not run programs for {arch}: {ending.reason}",
        hint=f"crosswheel register --arch {arch}, or nox -s register -- --arch {arch}",
    )


def program(arch: Architecture) -> bytes:
    """A static ELF executable that ends with the exit code 42; a header, one segment, and the table's instructions."""
    row = load_table("targets.toml")["arch"][arch.name]
    wide = arch.bits == 64  # noqa: PLR2004
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
    """An image that holds the program and nothing else, as the file that `docker load` takes."""
    layer = _tar({_NAME: program(arch)})
    system, architecture, *variant = arch.oci.split("/")
    configuration = {
        "os": system,
        "architecture": architecture,
        **({"variant": variant[0]} if variant else {}),
        "config": {"Entrypoint": [f"/{_NAME}"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    return _tar(
        {
            "manifest.json": json.dumps(manifest).encode(),
            "config.json": json.dumps(configuration).encode(),
            "layer.tar": layer,
        }
    )


def _tar(files: Mapping[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as opened:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            opened.addfile(member, io.BytesIO(content))
    return archive.getvalue()


@dataclass(frozen=True)
class _Ending:
    """How the program ended, with what was printed; no exit code where the engine could not start it at all."""

    exit_code: int | None
    output: str

    @property
    def succeeded(self) -> bool:
        return self.exit_code == _EXIT_CODE

    @property
    def never_began(self) -> bool:
        """Whether the kernel found nothing that runs it, so that no other question would have another answer."""
        return "exec format error" in self.output or "no such file or directory" in self.output

    @property
    def reason(self) -> str:
        if "exec format error" in self.output:
            return "exec format error: no emulator is registered in its kernel"
        if "no such file or directory" in self.output:
            return "an emulator is registered in its kernel, but not for containers (without the flag F)"
        if self.exit_code is None:
            return self.output or f"a program of three instructions did not end within {_PATIENCE} s"
        said = f": {self.output}" if self.output else ""
        return f"a program that ends with {_EXIT_CODE} ended with {describe_returncode(self.exit_code)}{said}"


@contextmanager
def _image(host: DockerHost, arch: Architecture) -> Iterator[str]:
    """Load it for as long as the block lasts, under a name that no other run has."""
    from docker.errors import DockerException

    name = f"crosswheel/{_NAME}:{arch}-{secrets.token_hex(4)}"
    with engine_errors(f"asking the Docker host at {host.address} whether it runs {arch}"):
        host.client.images.load(image_archive(arch, name))
        try:
            yield name
        finally:
            with contextlib.suppress(DockerException, OSError):
                host.client.images.remove(name, force=True)


def _run(host: DockerHost, arch: Architecture, image: str, environ: Mapping[str, str]) -> _Ending:
    from docker.errors import APIError

    container = host.client.containers.create(
        image, platform=arch.oci, environment=dict(environ), labels={LABEL: _NAME}, network_mode="none"
    )
    try:
        try:
            container.start()
        except APIError as error:
            return _Ending(None, _one_line(error.explanation or str(error)))
        return _Ending(_exit_code(container), _one_line(container.logs().decode(errors="replace")))
    finally:
        with contextlib.suppress(APIError):
            container.remove(force=True)


def _exit_code(container: Container) -> int | None:
    """An emulator that hangs must not hold everything up."""
    from requests.exceptions import ConnectionError as Broken
    from requests.exceptions import Timeout

    try:
        return int(container.wait(timeout=_PATIENCE)["StatusCode"])
    except (Broken, Timeout):
        return None


def _one_line(text: str) -> str:
    return " ".join(text.split())
