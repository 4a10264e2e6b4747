"""6xx: pure wheels that are not, and platform wheels that are."""

from __future__ import annotations

from collections.abc import Iterator

from crosswheel.audit.rules.machine import DEVICES
from crosswheel.audit.rules.platforms import is_linux
from crosswheel.audit.rules.rule import Rule, Worded
from crosswheel.formats.elf import BadElf
from crosswheel.formats.uncompiled import NOT_COMPILED
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target


class NothingCompiled(Rule):
    """A wheel for one platform holds no binary: its extension is optional and was not compiled."""

    code = "W601"
    why = (
        "The build does not fail, and users get slow Python code without a word, as with PyYAML built without libyaml."
    )
    fix = "read the build log for the library or compiler that was missed; if the package is pure, tag the wheel any"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if nothing_compiled(wheel) and not _is_for_compilers(wheel):
            yield self.finding(found="no ELF file", expected=f"at least one for {wheel.tag}")


def nothing_compiled(wheel: Wheel) -> bool:
    """Whether it is for Linux alone, and holds nothing that is."""
    # Binaries of other systems are no ELF files, and other rules say that such a wheel cannot be judged.
    return all(is_linux(tag.platform) for tag in wheel.tags) and not wheel.elves and not wheel.unreadable


class NotCompiled(Worded):
    """The wheel lacks an extension that the project declares: its build failed, and the rest went on without it."""

    # Nothing to check in a wheel alone: whoever built it knows.
    code = NOT_COMPILED
    level = "warning"
    why = "The build does not fail, and users of this platform get a slower package, or one without a feature."
    fix = "read in the build log why it failed; another engine may have the compiler or the library"


class BinaryInPureWheel(Rule):
    """A wheel for any platform holds a binary for one."""

    code = "W602"
    why = "pip installs it on machines that cannot run it."
    fix = "give the wheel a platform tag: the build backend has to know that there are extensions"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        if any(tag.platform == "any" for tag in wheel.tags):
            # Who brings libraries for several systems has code that chooses among them; import cannot choose.
            chosen = any(_system(member) for member in wheel.members)
            extensions = {extension.member for extension in wheel.extensions}
            for member in sorted(extensions) if chosen else _run_here(wheel):
                yield self.finding(member=member, found="an ELF file", expected="no binaries in an any wheel")


class NothingInside(Rule):
    """The wheel installs nothing: it holds no file beside its metadata, and requires no other project."""

    code = "W603"
    level = "warning"
    why = "The installation succeeds, and every import fails: the build backend did not find the packages."
    fix = "tell the build backend where the packages are, such as in src/, and look into the wheel with `unzip -l`"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        inside = any(not member.startswith(f"{wheel.dist_info}/") for member in wheel.members)
        # A wheel that does nothing but require others is an old custom.
        if wheel.is_pure and not inside and not wheel.metadata.get_all("Requires-Dist") and not wheel.entry_points:
            yield self.finding(found="metadata alone", expected="at least one file to install")


class OtherSystemsBinary(Rule):
    """A binary for Windows or macOS lies in a wheel that is not for that system."""

    code = "W604"
    level = "note"
    why = "Nobody can load it where the wheel is installed; launchers that a tool hands out are the exception."
    fix = "leave it out in the build backend's configuration for other systems"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member in wheel.members:
            system = _system(member)
            if system and not any(tag.platform.startswith(system) for tag in wheel.tags):
                yield self.finding(member=member, found=f"a binary for {system}", expected=f"none in {wheel.tag}")


def _is_for_compilers(wheel: Wheel) -> bool:
    """Whether it is meant to hold no extension, but what others are compiled with: headers, static libraries."""
    return wheel.abis == {"none"} and any(member.endswith((".h", ".hpp", ".a")) for member in wheel.members)


def _run_here(wheel: Wheel) -> Iterator[str]:
    """Binaries but those that are data on this processor: objects for a linker, programs for a graphics card."""
    for member, elf in wheel.elves.items():
        if isinstance(elf, BadElf) or not (elf.is_object or elf.machine in DEVICES):
            yield member


_BINARIES = {"win": (".pyd", ".dll", ".exe"), "macosx": (".dylib",)}


def _system(member: str) -> str:
    """The system other than Linux that a file is for, by its name and as platform tags begin; empty for all else."""
    return next((system for system, suffixes in _BINARIES.items() if member.lower().endswith(suffixes)), "")
