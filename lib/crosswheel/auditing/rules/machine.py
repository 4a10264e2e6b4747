"""2xx: the headers of the ELF files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from crosswheel.auditing.rules.platforms import is_linux
from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.elf import BadElf, Elf
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

# Programs for a graphics card or for the kernel's virtual machine: data for the processor.
DEVICES = {"EM_AMDGPU", "EM_CUDA", "EM_BPF"}

_LINUX_ABIS = {"ELFOSABI_SYSV", "ELFOSABI_LINUX"}

# PT_INTERP of programs: glibc's sysdeps/*/shlib-versions, musl's configure.
_LOADERS = {
    ("glibc", "EM_X86_64", 64): "/lib64/ld-linux-x86-64.so.2",
    ("glibc", "EM_386", 32): "/lib/ld-linux.so.2",
    ("glibc", "EM_AARCH64", 64): "/lib/ld-linux-aarch64.so.1",
    ("glibc", "EM_ARM", 32): "/lib/ld-linux-armhf.so.3",
    ("glibc", "EM_PPC64", 64): "/lib64/ld64.so.2",
    ("glibc", "EM_S390", 64): "/lib/ld64.so.1",
    ("glibc", "EM_RISCV", 64): "/lib/ld-linux-riscv64-lp64d.so.1",
    ("musl", "EM_X86_64", 64): "/lib/ld-musl-x86_64.so.1",
    ("musl", "EM_386", 32): "/lib/ld-musl-i386.so.1",
    ("musl", "EM_AARCH64", 64): "/lib/ld-musl-aarch64.so.1",
    ("musl", "EM_ARM", 32): "/lib/ld-musl-armhf.so.1",
    ("musl", "EM_PPC64", 64): "/lib/ld-musl-powerpc64le.so.1",
    ("musl", "EM_S390", 64): "/lib/ld-musl-s390x.so.1",
    ("musl", "EM_RISCV", 64): "/lib/ld-musl-riscv64.so.1",
}
_FOLDERS_OF_LOADERS = {"/lib", "/lib64", "/usr/lib", "/usr/lib64"}

_EABI = 5
_RISCV_FLOAT = ("soft", "single", "double", "quad")

# Only on x86 does a file's mark state what its author required; elsewhere it is the union of all its code.
_MARKS_ARE_BINDING = {"EM_X86_64", "EM_386"}


# The name of a file or folder says that it is for one kind of processor: its loader has checked the processor.
_VARIANT = re.compile(
    r"avx|sse[234\d]|neon|sve|lse|dotprod|haswell|skylake|zen\d|armv[89]|x86[-_]64[-_]v\d|hwcaps|native|simd",
    re.IGNORECASE,
)
_ASKING_PROJECTS = ("py-cpuinfo", "cpufeature", "archspec")


class BrokenElf(Rule):
    """A binary cannot be read as an ELF file."""

    code = "W201"
    why = "The dynamic loader refuses it too, at import."
    fix = "build the wheel again; a stripping or patching tool or a full disk may have damaged the file"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in wheel.elves.items():
            if isinstance(elf, BadElf) and not _for_other_systems(wheel):
                yield self.finding(member=member, found=str(elf), expected="an ELF file")


class WrongMachine(Rule):
    """A binary is for another architecture than the tag."""

    code = "W202"
    why = "The import fails on every machine. auditwheel ignores such a file and accepts the wheel."
    fix = "compile it for the target: look for prebuilt binaries in the sdist, and for a build script that ignores CC"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for arch in wheel.architectures:
            expected = _described(arch.machine, arch.bits, arch.byteorder)
            for member, elf in wheel.elves.items():
                if isinstance(elf, BadElf) or elf.machine in DEVICES or elf.is_object:
                    continue
                if (found := _described(elf.machine, elf.bits, elf.byteorder)) != expected:
                    yield self.finding(member=member, found=found, expected=expected)


class WrongAbi(Rule):
    """A binary has a different calling convention, or is for another operating system."""

    code = "W203"
    why = "The loader refuses it, or functions read their arguments from the wrong registers."
    fix = "compile for the ABI in the tag: -mfloat-abi=hard on armv7l, -mabi=elfv2 on ppc64le, -mabi=lp64d on riscv64"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in judged(wheel):
            if elf.os_abi not in _LINUX_ABIS:
                yield self.finding(member=member, found=elf.os_abi, expected="ELFOSABI_SYSV or ELFOSABI_LINUX")
            if strange := _strange_convention(elf):
                yield self.finding(member=member, found=strange[0], expected=strange[1])


class NewerProcessor(Rule):
    """A binary needs instructions that some processors of the architecture lack."""

    code = "W207"
    why = "On those processors it crashes with an illegal instruction, or glibc refuses to load it."
    fix = "compile without -march=native and similar flags, or check the processor at run time before calling such code"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in judged(wheel):
            if elf.instructions and elf.machine in _MARKS_ARE_BINDING:
                yield self.finding(member=member, found=", ".join(sorted(elf.instructions)), expected="the baseline")


class PerhapsNewerProcessor(Rule):
    """A binary contains instructions that some processors of the architecture lack."""

    code = "W208"
    level = "warning"
    why = "If the code does not check the processor first, it crashes there with an illegal instruction."
    fix = "check the compiler flags of the build (-march, -mcpu); switch this rule off if the code checks at run time"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        chosen = _may_choose(wheel)
        for member, elf in judged(wheel):
            marked = elf.instructions if elf.machine not in _MARKS_ARE_BINDING else frozenset()
            variant = bool(_VARIANT.search(wheel.installed(member)))
            used = elf.code.throughout if chosen else elf.code.throughout | elf.code.beyond
            if found := marked | (frozenset() if variant else used):
                yield self.finding(member=member, found=", ".join(sorted(found)), expected="the baseline")


class CodeUnread(Rule):
    """Whether a binary needs a newer processor was not checked."""

    code = "W209"
    level = "note"
    why = "Its bytes look like instructions that old processors lack; only a disassembler can tell."
    fix = "install the disassembler and audit the wheel again: pip install 'crosswheel[instructions]'"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in judged(wheel):
            if elf.code.unread and not _may_choose(wheel) and not _VARIANT.search(wheel.installed(member)):
                found = f"bytes like {', '.join(sorted(elf.code.unread))}, but capstone is not installed"
                yield self.finding(member=member, found=found, expected="a check of its instructions")


class OtherLoader(Rule):
    """A program names a dynamic loader that systems of the tag do not have."""

    code = "W211"
    why = "The kernel cannot start the program: no such file or directory."
    fix = "link it with the loader of the tag's C library, as the image of that policy does; or link it statically"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for policy, arch in wheel.platforms:
            loader = _LOADERS.get((policy.libc, arch.machine, arch.bits), "")
            for member, elf in judged(wheel):
                named = elf.interpreter if elf.is_program and elf.machine == arch.machine else ""
                folder, _, file = named.rpartition("/")
                if loader and named and (file != loader.rpartition("/")[2] or folder not in _FOLDERS_OF_LOADERS):
                    yield self.finding(member=member, found=named, expected=loader)


def judged(wheel: Wheel) -> Iterator[tuple[str, Elf]]:
    """The binaries for an architecture in the tag; others only get the finding that they are for another one.

    Object files are left out: the linker adds what they lack, such as PT_GNU_STACK.
    """
    machines = {arch.machine for arch in wheel.architectures}
    for member, elf in wheel.elves.items():
        if isinstance(elf, Elf) and elf.machine in machines and not elf.is_object:
            yield member, elf


def _may_choose(wheel: Wheel) -> bool:
    """Whether any code may check the processor: one binary of the wheel, or a requirement, may do so for all."""
    required = (str(line).strip().lower() for line in wheel.metadata.get_all("Requires-Dist", []))
    by_python = any(line.startswith(_ASKING_PROJECTS) for line in required)
    return by_python or any(isinstance(elf, Elf) and elf.code.asks for elf in wheel.elves.values())


def _strange_convention(elf: Elf) -> tuple[str, str] | None:
    """The calling convention in e_flags and the expected one, if they differ."""
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
    """Whether no tag is for Linux: extensions for macOS have the same names, but are no ELF files."""
    return not any(is_linux(tag.platform) or tag.platform == "any" for tag in wheel.tags)


def _described(machine: str, bits: int, byteorder: str) -> str:
    return f"{machine}, {bits} bit, {byteorder} endian"
