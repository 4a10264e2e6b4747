"""2xx: what the headers of the ELF files say."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crosswheel.audit.rules.platforms import is_linux
from crosswheel.audit.rules.rule import Rule
from crosswheel.formats.elf import BadElf, Elf
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

# Programs for a graphics card or for the kernel's own virtual machine: data, as far as the processor is concerned.
DEVICES = {"EM_AMDGPU", "EM_CUDA", "EM_BPF"}

_LINUX_ABIS = {"ELFOSABI_SYSV", "ELFOSABI_LINUX"}

_EABI = 5
_RISCV_FLOAT = ("soft", "single", "double", "quad")

# Only on x86 does the mark of a file follow from what its maker demanded, and not from the sum of all its code.
_MARKS_ARE_BINDING = {"EM_X86_64", "EM_386"}


# A build for one kind of processor beside others, as its file or folder says: whoever loads it has asked.
_VARIANT = re.compile(
    r"avx|sse[234\d]|neon|sve|lse|dotprod|haswell|skylake|zen\d|armv[89]|x86[-_]64[-_]v\d|hwcaps|native|simd",
    re.IGNORECASE,
)
_ASKING_PROJECTS = ("py-cpuinfo", "cpufeature", "archspec")


class BrokenElf(Rule):
    """A binary cannot be read as an ELF file."""

    code = "W201"
    why = "The dynamic loader refuses it too, at import."
    fix = "build the wheel again; a stripping or patching tool may have damaged the file, or the disk was full"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in wheel.elves.items():
            if isinstance(elf, BadElf) and not _for_other_systems(wheel):
                yield self.finding(member=member, found=str(elf), expected="an ELF file")


class WrongMachine(Rule):
    """A binary is not made for the architecture in the tag."""

    code = "W202"
    why = (
        "auditwheel ignores such a file and lets the wheel pass; the import fails on every machine it is installed on."
    )
    fix = "compile it for the target: look for prebuilt binaries in the sdist and for a build that ignores CC"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for arch in wheel.architectures:
            expected = _described(arch.machine, arch.bits, arch.byteorder)
            for member, elf in wheel.elves.items():
                if isinstance(elf, BadElf) or elf.machine in DEVICES or elf.is_object:
                    continue
                if (found := _described(elf.machine, elf.bits, elf.byteorder)) != expected:
                    yield self.finding(member=member, found=found, expected=expected)


class WrongAbi(Rule):
    """A binary follows another calling convention, or is made for another system."""

    code = "W203"
    why = "The loader refuses it, or arguments end up in other registers than its callers put them in."
    fix = "compile for the ABI in the tag: -mfloat-abi=hard on armv7l, -mabi=elfv2 on ppc64le, -mabi=lp64d on riscv64"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in judged(wheel):
            if elf.os_abi not in _LINUX_ABIS:
                yield self.finding(member=member, found=elf.os_abi, expected="ELFOSABI_SYSV or ELFOSABI_LINUX")
            if strange := _strange_convention(elf):
                yield self.finding(member=member, found=strange[0], expected=strange[1])


class NewerProcessor(Rule):
    """A binary needs instructions that not every processor of the architecture has."""

    code = "W207"
    why = "It ends with an illegal instruction on the others; where glibc sees the mark, the import fails."
    fix = "compile without -march=native and the like, or ask the processor at run time before such code is called"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in judged(wheel):
            if elf.instructions and elf.machine in _MARKS_ARE_BINDING:
                yield self.finding(member=member, found=", ".join(sorted(elf.instructions)), expected="the baseline")


class PerhapsNewerProcessor(Rule):
    """A binary has instructions that not every processor of the architecture has."""

    code = "W208"
    level = "warning"
    why = (
        "Where the code asks the processor first, all is well; where it does not, it ends with an illegal instruction."
    )
    fix = "look at the flags of the build (-march, -mcpu); switch this rule off if the choice is made at run time"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        chosen = _may_choose(wheel)
        for member, elf in judged(wheel):
            marked = elf.instructions if elf.machine not in _MARKS_ARE_BINDING else frozenset()
            variant = bool(_VARIANT.search(wheel.installed(member)))
            used = elf.code.throughout if chosen else elf.code.throughout | elf.code.beyond
            if found := marked | (frozenset() if variant else used):
                yield self.finding(member=member, found=", ".join(sorted(found)), expected="the baseline")


class CodeUnread(Rule):
    """Whether a binary needs a newer processor was not looked at."""

    code = "W209"
    level = "note"
    why = "Its bytes look like instructions that the first processors of the architecture lack, and nothing tells more."
    fix = "install the disassembler, and audit the wheel again: pip install 'crosswheel[instructions]'"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in judged(wheel):
            if elf.code.unread and not _may_choose(wheel) and not _VARIANT.search(wheel.installed(member)):
                found = f"what looks like {', '.join(sorted(elf.code.unread))}, and no capstone"
                yield self.finding(member=member, found=found, expected="a look at its instructions")


def judged(wheel: Wheel) -> Iterator[tuple[str, Elf]]:
    """Binaries for an architecture in the tag; of any other, that it is another is all there is to say.

    Object files are left out: whatever they lack, such as PT_GNU_STACK, the linker adds.
    """
    machines = {arch.machine for arch in wheel.architectures}
    for member, elf in wheel.elves.items():
        if isinstance(elf, Elf) and elf.machine in machines and not elf.is_object:
            yield member, elf


def _may_choose(wheel: Wheel) -> bool:
    """Whether anything in the wheel may ask the processor: one binary may do so for the others, or a requirement."""
    required = (str(line).strip().lower() for line in wheel.metadata.get_all("Requires-Dist", []))
    by_python = any(line.startswith(_ASKING_PROJECTS) for line in required)
    return by_python or any(isinstance(elf, Elf) and elf.code.asks for elf in wheel.elves.values())


def _strange_convention(elf: Elf) -> tuple[str, str] | None:
    """What e_flags say of the calling convention, and what they should, where that is something else."""
    if elf.machine == "EM_ARM":
        version, soft_float = elf.flags >> 24, elf.flags & 0x200
        return (f"EABI {version}", "EABI 5") if version != _EABI else ("soft float", "hard") if soft_float else None
    if elf.machine == "EM_PPC64":
        return ("ELF ABI 1", "ELF ABI 2") if elf.flags & 3 == 1 else None
    if elf.machine == "EM_RISCV":
        kind = _RISCV_FLOAT[(elf.flags & 6) >> 1]
        return (f"{kind} float", "double float") if kind != "double" else None
    return None


def _for_other_systems(wheel: Wheel) -> bool:
    """Extensions for macOS are called like ours, and are no ELF files."""
    return not any(is_linux(tag.platform) or tag.platform == "any" for tag in wheel.tags)


def _described(machine: str, bits: int, byteorder: str) -> str:
    return f"{machine}, {bits} bit, {byteorder} endian"
