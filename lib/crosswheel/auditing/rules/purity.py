"""6xx: pure wheels with binaries, and platform wheels without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from crosswheel.auditing.rules.machine import DEVICES
from crosswheel.auditing.rules.platforms import is_linux
from crosswheel.auditing.rules.rule import Rule, Worded
from crosswheel.formats.elf import BadElf
from crosswheel.formats.uncompiled import NOT_COMPILED, NOT_RUN, NOT_THERE, Uncompiled
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target


class NothingCompiled(Rule):
    """A platform wheel contains no binary: its extension is optional and was not compiled."""

    code = "W601"
    why = "The build succeeds, and users silently get slow Python code, such as PyYAML without libyaml."
    fix = "find the missing library or compiler in the build log; if the package is pure, tag the wheel any"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if nothing_compiled(wheel) and not _is_for_compilers(wheel):
            yield self.finding(found="no ELF file", expected=f"at least one for {wheel.tag}")


def nothing_compiled(wheel: Wheel) -> bool:
    """Whether the wheel is for Linux only and contains no ELF file."""
    # Binaries of other systems are no ELF files; another rule reports such wheels.
    return all(is_linux(tag.platform) for tag in wheel.tags) and not wheel.elves and not wheel.unreadable


class NotCompiled(Worded):
    """The wheel lacks a declared extension: its compilation failed, and the build continued without it."""

    # No check here: only the build knows, and reports it.
    code = NOT_COMPILED
    level = "warning"
    why = "The build succeeds, and users of this platform get a slower package, or one that lacks a feature."
    fix = "find the cause in the build log; another engine may have the compiler or the library"


class NotRun(Worded):
    """The build started a program that it had compiled, which does not run on this machine, and continued without."""

    # No check here: only the build knows, and reports it.
    code = NOT_RUN
    level = "warning"
    why = "The program may have chosen what the wheel contains; a build on the target would have had its answer."
    fix = "crosswheel pull --unpacked, for the image with which such programs run here; or --engine accelerated"


class NotThere(Worded):
    """The build asked for a header or library that this machine has and the target lacks, and continued without."""

    # No check here: only the build knows, and reports it.
    code = NOT_THERE
    level = "warning"
    why = "A build on this machine finds it: the wheel for this architecture may lack a feature that others have."
    fix = "crosswheel pull --unpacked, or sysroot.ARCH = FOLDER in [tool.crosswheel], with libraries of the target"


def not_compiled(extension: Uncompiled) -> Finding:
    """The finding for an extension that a wheel lacks, with the advice that fits."""
    rule = {NOT_RUN: NotRun, NOT_THERE: NotThere}.get(extension.rule, NotCompiled)()
    finding = rule.finding(member=extension.name, found=extension.reason)
    return replace(finding, fix=extension.hint or finding.fix)


class BinaryInPureWheel(Rule):
    """A wheel for any platform contains a binary."""

    code = "W602"
    why = "pip installs the wheel on machines that cannot run the binary."
    fix = "give the wheel a platform tag: declare the extensions in the build backend's configuration"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if any(tag.platform == "any" for tag in wheel.tags):
            # The package's code can choose among libraries for several systems; import cannot choose extensions.
            chosen = any(_system(member) for member in wheel.members)
            extensions = {extension.member for extension in wheel.extensions}
            for member in sorted(extensions) if chosen else _run_here(wheel):
                yield self.finding(member=member, found="an ELF file", expected="no binaries in an any wheel")


class NothingInside(Rule):
    """The wheel installs nothing: it contains only metadata, and requires no other project."""

    code = "W603"
    level = "warning"
    why = "The installation succeeds and every import fails: the build backend did not find the packages."
    fix = "configure the location of the packages (such as src/) in the build backend; check with `unzip -l`"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        inside = any(not member.startswith(f"{wheel.dist_info}/") for member in wheel.members)
        # Wheels that only require other projects are common.
        if wheel.is_pure and not inside and not wheel.metadata.get_all("Requires-Dist") and not wheel.entry_points:
            yield self.finding(found="metadata only", expected="at least one file to install")


class OtherSystemsBinary(Rule):
    """The wheel contains a binary for Windows or macOS, but its tag is for another system."""

    code = "W604"
    level = "note"
    why = "The binary cannot be loaded where the wheel is installed; launchers that a tool copies are an exception."
    fix = "exclude it for other systems in the build backend's configuration"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member in wheel.members:
            system = _system(member)
            if system and not any(tag.platform.startswith(system) for tag in wheel.tags):
                yield self.finding(member=member, found=f"a binary for {system}", expected=f"none in {wheel.tag}")


class RequirementNotForTarget(Worded):
    """A build requirement has no wheel for the target: headers and libraries for linkers were this machine's."""

    # No check here: only the build knows, and reports it.
    code = "W606"
    level = "note"
    why = "Headers that differ between architectures are this machine's; linking with its libraries fails."
    fix = "build with --engine emulated or accelerated, which installs or builds the requirement for the target"


def _is_for_compilers(wheel: Wheel) -> bool:
    """Whether the wheel contains headers and static libraries for compilers, and no extension on purpose."""
    return wheel.abis == {"none"} and any(member.endswith((".h", ".hpp", ".a")) for member in wheel.members)


def _run_here(wheel: Wheel) -> Iterator[str]:
    """The binaries that run on this processor: no objects for a linker, no programs for a graphics card."""
    for member, elf in wheel.elves.items():
        if isinstance(elf, BadElf) or not (elf.is_object or elf.machine in DEVICES):
            yield member


_BINARIES = {"win": (".pyd", ".dll", ".exe"), "macosx": (".dylib",)}


def _system(member: str) -> str:
    """The system of a file by its suffix, as in platform tags: ``win``, ``macosx``; empty for all other files."""
    return next((system for system, suffixes in _BINARIES.items() if member.lower().endswith(suffixes)), "")
