"""What became of each wheel: packages, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from crosswheel.conda_packages.packages import CondaPackage


@dataclass(frozen=True)
class Conversion:
    """A package in the channel; `size` in bytes."""

    package: CondaPackage
    path: Path
    size: int
    sha256: str


@dataclass(frozen=True)
class LeftOut:
    """A wheel that became no package. `exit_code` is 0 if it is for other systems than conda packages for Linux."""

    wheel: Path
    reason: str
    exit_code: int
