"""2xx: what the binaries want of the memory that they are loaded into."""

from __future__ import annotations

from collections.abc import Iterator

from crosswheel.audit.rules.machine import judged
from crosswheel.audit.rules.rule import Rule
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target

# The largest pages that kernels are configured with, in bytes, where that is more than the 4 KiB of all others.
_LARGEST_PAGE = {"EM_AARCH64": 0x10000, "EM_PPC64": 0x10000}

# Where a file without PT_GNU_STACK wants to run code on its stack: glibc's DEFAULT_STACK_PERMS (sysdeps/*/stackinfo.h).
_EXECUTABLE_BY_DEFAULT = {"EM_X86_64", "EM_386", "EM_ARM", "EM_S390"}


class ExecutableStack(Rule):
    """A binary wants to run code on its stack."""

    code = "W204"
    why = "Since glibc 2.41 the import fails: cannot enable executable stack. Before, it weakened the whole process."
    fix = "link with -Wl,-z,noexecstack, and give assembler files a .note.GNU-stack section"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if not any(policy.libc == "glibc" for policy, _ in wheel.platforms):
            return  # musl leaves stacks as they are
        for member, elf in judged(wheel):
            if elf.executable_stack:
                yield self.finding(member=member, found="PT_GNU_STACK with RWE", expected="RW")
            elif elf.executable_stack is None and elf.machine in _EXECUTABLE_BY_DEFAULT:
                yield self.finding(member=member, found="no PT_GNU_STACK, which means RWE", expected="RW")


class TextRelocations(Rule):
    """A binary changes its own code while it is loaded."""

    code = "W205"
    level = "warning"
    why = (
        "Systems that forbid memory to be both written and run, such as SELinux's stricter policies, refuse to load it."
    )
    fix = "compile everything with -fPIC, assembler files too; -Wl,-z,text makes the linker say which is not"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in judged(wheel):
            if elf.text_relocations:
                yield self.finding(member=member, found="DT_TEXTREL", expected="position-independent code")


class SmallPages(Rule):
    """A binary can be loaded only where memory pages are small."""

    code = "W206"
    why = "Kernels with pages of 64 KiB refuse it: ELF load command alignment not page-aligned."
    fix = "link with -Wl,-z,max-page-size=65536, and patch with patchelf 0.12 or later"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in judged(wheel):
            if 0 < elf.alignment < (page := _LARGEST_PAGE.get(elf.machine, 0)):
                yield self.finding(member=member, found=f"pages of {elf.alignment} bytes", expected=f"of {page} bytes")


class StaticTls(Rule):
    """A library wants thread-local storage that is laid out when the program starts (the model initial-exec)."""

    code = "W210"
    level = "note"
    why = (
        "glibc has a small reserve for libraries that are loaded later, as by an import: cannot allocate memory in "
        "static TLS block. musl has none and refuses."
    )
    fix = "compile with -ftls-model=global-dynamic; or import it first, or raise glibc.rtld.optional_static_tls"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in judged(wheel):
            if elf.static_tls and not elf.is_program:
                yield self.finding(
                    member=member,
                    found=f"{elf.static_tls} bytes",
                    expected="storage that is allotted when it is loaded",
                )
