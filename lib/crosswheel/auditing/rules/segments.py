"""2xx: the memory that binaries are loaded into: stack, pages, thread-local storage."""

from __future__ import annotations

from collections.abc import Iterator

from crosswheel.auditing.rules.machine import judged
from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.elf import Elf
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Libc, Policy, Target

# The largest page size of kernels in bytes, for architectures with pages of more than 4 KiB.
_LARGEST_PAGE = {"EM_AARCH64": 0x10000, "EM_PPC64": 0x10000}

_FIRST_GLIBC_WITH_RELR = 36

# Architectures where a missing PT_GNU_STACK means an executable stack: DEFAULT_STACK_PERMS in glibc's
# sysdeps/*/stackinfo.h.
_EXECUTABLE_BY_DEFAULT = {"EM_X86_64", "EM_386", "EM_ARM", "EM_S390"}


class ExecutableStack(Rule):
    """A binary requires an executable stack."""

    code = "W204"
    why = "With glibc 2.41 and later the import fails: cannot enable executable stack. Before, it weakened the process."
    fix = "link with -Wl,-z,noexecstack, and give assembler files a .note.GNU-stack section"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if not any(policy.libc == "glibc" for policy, _ in wheel.platforms):
            return  # musl ignores PT_GNU_STACK of libraries
        for member, elf in judged(wheel):
            if elf.executable_stack:
                yield self.finding(member=member, found="PT_GNU_STACK with RWE", expected="RW")
            elif elf.executable_stack is None and elf.machine in _EXECUTABLE_BY_DEFAULT:
                yield self.finding(member=member, found="no PT_GNU_STACK, which means RWE", expected="RW")


class TextRelocations(Rule):
    """A binary has text relocations: the loader changes its code while loading it."""

    code = "W205"
    level = "warning"
    why = "Systems that forbid writable and executable memory, such as strict SELinux policies, refuse to load it."
    fix = "compile everything with -fPIC, assembler files too; with -Wl,-z,text the linker names the files without it"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in judged(wheel):
            if elf.text_relocations:
                yield self.finding(member=member, found="DT_TEXTREL", expected="position-independent code")


class PackedRelocations(Rule):
    """A binary has packed relocations (DT_RELR), which glibc before 2.36 ignores."""

    code = "W212"
    why = "On older systems of the tag its pointers stay wrong, and the process crashes."
    fix = "link without -z pack-relative-relocs or lld's --pack-dyn-relocs=relr; or give the wheel a newer policy"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        """With a symbol version GLIBC_ABI_DT_RELR, old loaders refuse the file: another rule finds that."""
        for policy, member, elf in _packed(wheel, "glibc"):
            refused = any("GLIBC_ABI_DT_RELR" in versions for versions in elf.versions_needed.values())
            if policy.minor < _FIRST_GLIBC_WITH_RELR and not refused:
                yield self.finding(member=member, found="DT_RELR", expected=f"what {policy.perennial} can load")


class PackedForMusl(Rule):
    """A binary has packed relocations (DT_RELR), which musl before 1.2.4 ignores."""

    code = "W213"
    level = "note"  # the libraries of the musllinux image have them, and no policy is for musl 1.2.4 and later
    why = "On Alpine 3.17 and earlier its pointers stay wrong, and the process crashes."
    fix = "build on an older Alpine if users have such systems, or link libgcc and libstdc++ statically"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for policy, member, _ in _packed(wheel, "musl"):
            yield self.finding(member=member, found="DT_RELR", expected=f"what all of {policy.perennial} can load")


class SmallPages(Rule):
    """A binary is aligned for smaller memory pages than the architecture's kernels may have."""

    code = "W206"
    why = "Kernels with pages of 64 KiB refuse it: ELF load command alignment not page-aligned."
    fix = "link with -Wl,-z,max-page-size=65536, and patch with patchelf 0.12 or later"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in judged(wheel):
            if 0 < elf.alignment < (page := _LARGEST_PAGE.get(elf.machine, 0)):
                yield self.finding(member=member, found=f"pages of {elf.alignment} bytes", expected=f"of {page} bytes")


class StaticTls(Rule):
    """A library uses thread-local storage of the model initial-exec, which is allocated at program start."""

    code = "W210"
    level = "note"
    why = (
        "glibc reserves little space for libraries loaded later, as by import: cannot allocate memory in static TLS "
        "block. musl reserves none and refuses."
    )
    fix = "compile with -ftls-model=global-dynamic; or import it first; or raise glibc.rtld.optional_static_tls"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member, elf in judged(wheel):
            if elf.static_tls and not elf.is_program:
                yield self.finding(
                    member=member,
                    found=f"{elf.static_tls} bytes",
                    expected="storage that is allocated at load time",
                )


def _packed(wheel: Wheel, libc: Libc) -> Iterator[tuple[Policy, str, Elf]]:
    for policy, arch in wheel.platforms:
        for member, elf in judged(wheel):
            if policy.libc == libc and elf.machine == arch.machine and elf.packed_relocations:
                yield policy, member, elf
