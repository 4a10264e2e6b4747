"""binfmt_misc: the entries by which this machine's kernel runs foreign programs under an emulator.

The kernel's entries apply to all containers and are lost at a reboot. See the kernel's
Documentation/admin-guide/binfmt-misc.rst.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from crosswheel.containers import registrar
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.emulation import program
from crosswheel.model.targets import Architecture, load_table
from crosswheel.system.process import Processes, run_undisturbed

FOLDER = Path("/proc/sys/fs/binfmt_misc")

# F: the kernel opens the emulator at registration, so it works in containers, which lack the file. C: set-uid programs
# keep their rights. Not P, which passes the original argv[0]: older QEMUs treat it as an argument.
FLAGS = "CF"

# The bytes that the kernel compares: the first 20 of an ELF file, which end with e_type and e_machine (elf(5)).
_LENGTH = 20
_OS_ABI, _TYPE = 7, 16


@dataclass(frozen=True)
class Handler:
    """An entry of binfmt_misc: `interpreter` runs programs whose bytes at `offset` equal `magic` under `mask`."""

    name: str
    enabled: bool
    interpreter: str
    flags: str
    offset: int = 0
    magic: bytes = b""
    mask: bytes = b""

    @property
    def line(self) -> str:
        """The line that creates this entry when written to ``register``."""
        magic, mask = (_escaped(each) for each in (self.magic, self.mask))
        return f":{self.name}:M:{self.offset}:{magic}:{mask}:{self.interpreter}:{self.flags}"

    def takes(self, data: bytes) -> bool:
        """Whether the entry applies to a program that begins with these bytes."""
        there = data[self.offset :][: len(self.magic)]
        pairs = zip(there, self.magic, self.mask, strict=False)
        return bool(self.magic) and len(there) == len(self.magic) and all((a ^ b) & m == 0 for a, b, m in pairs)


@dataclass(frozen=True)
class Complaint:
    """A problem of an entry; a `fatal` one prevents programs in containers from running."""

    text: str
    fatal: bool = False


def parse_handler(name: str, text: str) -> Handler | None:
    """Parse an entry as the kernel prints it; None for one that matches file name extensions."""
    first, *lines = text.splitlines() or [""]
    values = {key.removesuffix(":"): value.strip() for key, _, value in (line.partition(" ") for line in lines)}
    if "magic" not in values:
        return None
    magic = bytes.fromhex(values["magic"])
    return Handler(
        name=name,
        enabled=first == "enabled",
        interpreter=values.get("interpreter", ""),
        flags=values.get("flags", ""),
        offset=int(values.get("offset", "0")),
        magic=magic,
        mask=bytes.fromhex(values["mask"]) if "mask" in values else b"\xff" * len(magic),
    )


def handlers(folder: Path = FOLDER) -> tuple[Handler, ...]:
    """All registered entries; empty if binfmt_misc is not mounted."""
    found = (parse_handler(path.name, path.read_text("utf-8", "replace")) for path in _entries(folder))
    return tuple(handler for handler in found if handler)


def handler_for(arch: Architecture, folder: Path = FOLDER) -> Handler | None:
    """The entry for programs of `arch`, an enabled one if possible."""
    data = program(arch)
    taking = [handler for handler in handlers(folder) if handler.takes(data)]
    return min(taking, key=lambda handler: not handler.enabled, default=None)


def new_handler(arch: Architecture, emulator: Path) -> Handler:
    """A new entry that runs programs of `arch` with `emulator`, for any OS ABI, position-independent or not."""
    mask = bytearray(b"\xff" * _LENGTH)
    mask[_OS_ABI] = 0
    # ET_EXEC is 2 and ET_DYN 3: all but the last bit of a two-byte number.
    mask[_TYPE if arch.byteorder == "little" else _TYPE + 1] = 0xFE
    name = emulator_name(arch).removesuffix("-static")
    return Handler(name, True, str(emulator), FLAGS, 0, program(arch)[:_LENGTH], bytes(mask))


def register(handlers: Iterable[Handler], processes: Processes, folder: Path = FOLDER) -> None:
    """Register all the entries or none, replacing namesakes; needs root. Raises CommandFailed, OSError."""
    if not (folder / "register").exists():
        processes.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(folder)], env=os.environ)
    lines = (handler.line for handler in handlers)
    run_undisturbed([sys.executable, "-I", "-S", registrar.__file__, str(folder), *lines])


def emulator_name(arch: Architecture) -> str:
    """The name of a static QEMU for `arch`, as distributions call it."""
    return f"qemu-{load_table('targets.toml')['arch'][arch.name]['qemu']}-static"


def find_emulator(arch: Architecture, environ: Mapping[str, str]) -> Path | None:
    """The path of this machine's static QEMU for `arch` (containers lack libraries for others); None if missing."""
    return _find_program(emulator_name(arch), environ)


def find_any_emulator(arch: Architecture, environ: Mapping[str, str]) -> Path | None:
    """The path of this machine's QEMU for `arch`, for programs outside of containers; None if missing."""
    return find_emulator(arch, environ) or _find_program(emulator_name(arch).removesuffix("-static"), environ)


def _find_program(name: str, environ: Mapping[str, str]) -> Path | None:
    found = shutil.which(name, path=os.pathsep.join([environ.get("PATH", os.defpath), "/usr/bin"]))
    return Path(found).resolve() if found else None


def complaints(handler: Handler, folder: Path = FOLDER) -> Iterator[Complaint]:
    """The problems of an entry of this machine's kernel."""
    if not handler.enabled:
        yield Complaint(f"{handler.name} is registered but disabled", fatal=True)
    if "F" not in handler.flags:
        yield Complaint(
            f"{handler.name} is registered without the F flag, so containers cannot see {handler.interpreter}",
            fatal=True,
        )
    elif not Path(handler.interpreter).exists():
        # Made by tonistiigi/binfmt and similar images; harmless until a reboot.
        yield Complaint(f"{handler.interpreter} of {handler.name} came from an image: only the kernel still holds it")
    elif _is_newer(Path(handler.interpreter), folder / handler.name):
        yield Complaint(
            f"{handler.interpreter} was replaced after {handler.name} was registered: the old version still runs"
        )
    if "C" not in handler.flags:
        yield Complaint(f"{handler.name} is registered without the C flag: sudo and similar programs do not work")


def shares_kernel(host: DockerHost) -> bool:
    """Whether the Docker host uses this machine's kernel, and so its entries: no virtual machine in between."""
    return host.is_local and host.kernel == os.uname().release


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.name not in {"register", "status"})
    except OSError:
        return []


def _is_newer(interpreter: Path, entry: Path) -> bool:
    """Whether the interpreter file is newer than the entry, for which the kernel opened the old file."""
    try:
        return interpreter.stat().st_ctime > entry.stat().st_ctime
    except OSError:
        return False


def _escaped(data: bytes) -> str:
    return "".join(rf"\x{byte:02x}" for byte in data)
