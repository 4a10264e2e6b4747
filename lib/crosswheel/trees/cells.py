"""A cell of the matrix: a CPython on a platform, with the tags and markers that installers use there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.tags import Tag, compatible_tags, cpython_tags

from crosswheel.model.targets import Target

if TYPE_CHECKING:
    from packaging.markers import Environment

# The oldest C libraries of machines that are common in 2026; options.toml has the same for aarch64.
_USUAL = ("manylinux_2_34", "musllinux_1_2")
# Newer than any patch release: a requirement for python_full_version is met by the newest one.
_NEWEST = 99


class Cell(Target):
    """A CPython on a machine whose C library is as old as the target's policy."""

    @cached_property
    def tags(self) -> Sequence[Tag]:
        """The tags that installers accept there, the best first (PEP 425)."""
        version, platforms = (3, self.python.minor), self.accepted_platforms
        return [
            *cpython_tags(version, [self.python.abi], platforms),
            *compatible_tags(version, self.python.interpreter, platforms),
        ]

    @cached_property
    def accepted_tags(self) -> frozenset[Tag]:
        """The same, without their order."""
        return frozenset(self.tags)

    @cached_property
    def name(self) -> str:
        """Its name: ``cp312-manylinux_2_34_aarch64``; a tree has thousands of verdicts, so it is kept."""
        return str(self)

    @property
    def newest_patch(self) -> str:
        """A version that is newer than any patch release of the Python."""
        return f"{self.python.version}.{_NEWEST}"

    @cached_property
    def environment(self) -> Environment:
        """The values of environment markers there (PEP 508), with the newest patch release of the Python."""
        version = self.newest_patch
        return {
            "implementation_name": "cpython",
            "implementation_version": version,
            "os_name": "posix",
            "platform_machine": self.arch.name,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": version,
            "python_version": self.python.version,
            "sys_platform": "linux",
        }


def usual_platforms(architectures: Iterable[str]) -> tuple[str, ...]:
    """The platforms that are judged where none is named, for other architectures: ``manylinux_2_34_riscv64``."""
    return tuple(f"{policy}_{arch}" for arch in architectures for policy in _USUAL)


def cell_of(target: Target) -> Cell:
    """The cell of a target."""
    return Cell(target.python, target.arch, target.policy)
