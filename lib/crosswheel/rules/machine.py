"""2xx: what the headers of the ELF files say."""

from __future__ import annotations

from collections.abc import Iterator

from crosswheel.elf import BadElf
from crosswheel.model import Finding
from crosswheel.rules.rule import Rule
from crosswheel.targets import Target
from crosswheel.wheels import Wheel

# Programs for a graphics card or for the kernel's own virtual machine: data, as far as the processor is concerned.
_DEVICES = {"EM_AMDGPU", "EM_CUDA", "EM_BPF"}


class BrokenElf(Rule):
    """A binary cannot be read as an ELF file."""

    code = "W201"
    why = "The dynamic loader refuses it too, at import."
    fix = "build the wheel again; a stripping or patching tool may have damaged the file, or the disk was full"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in wheel.elves.items():
            if isinstance(elf, BadElf):
                yield self.finding(member=member, found=str(elf), expected="an ELF file")


class WrongMachine(Rule):
    """A binary is not made for the architecture in the tag."""

    code = "W202"
    why = (
        "auditwheel ignores such a file and lets the wheel pass; the import fails on every machine it is installed on."
    )
    fix = "compile it for the target: look for prebuilt binaries in the sdist and for a build that ignores CC"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for arch in {arch.name: arch for _, arch in wheel.platforms}.values():
            expected = _described(arch.machine, arch.bits, arch.byteorder)
            for member, elf in wheel.elves.items():
                if isinstance(elf, BadElf) or elf.machine in _DEVICES:
                    continue
                if (found := _described(elf.machine, elf.bits, elf.byteorder)) != expected:
                    yield self.finding(member=member, found=found, expected=expected)


def _described(machine: str, bits: int, byteorder: str) -> str:
    return f"{machine}, {bits} bit, {byteorder} endian"
