"""What the caller wants, in groups: each field is an option of data/options.toml, parsed.

`policy` is None where each architecture's widest floor is meant. `jobs` 0 means as many as there is room for. Times are
in seconds, `cache_size` is in GiB, and relative folders are the project's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from crosswheel.model.targets import Architecture, Policy, PythonTag, Target

ENGINES = ("auto", "native", "accelerated", "cross", "dockcross", "emulated")


@dataclass(frozen=True)
class Build:
    """What is built, for which targets, and how."""

    source: str
    arch: tuple[Architecture, ...]
    python: tuple[PythonTag, ...]
    policy: Policy | None
    target: Target | None
    engine: str
    engines: Mapping[str, str]
    jobs: int
    timeout: int
    download_python: str
    fail_fast: bool
    offline: bool
    fresh: bool
    twice: bool
    debug_info: bool
    strip: bool
    sysroots: Mapping[str, Path]
    before_all: str
    before_build: str
    environment: Mapping[str, str]
    config_settings: Mapping[str, str | list[str]]

    def sysroot(self, arch: Architecture) -> Path | None:
        return self.sysroots.get(arch.name)

    def engine_for(self, target: Target) -> str:
        """The engine that was asked for: for this target, by either name of its platform, or for all."""
        names = (str(target), f"{target.python}-{target.platform}")
        for pattern, engine in self.engines.items():
            if any(fnmatchcase(name, pattern) for name in names):
                return engine
        return self.engine


@dataclass(frozen=True)
class Containers:
    """The container engine, its images, and where emulators come from."""

    docker_host: str
    image: str
    images: Mapping[str, str]
    mirrors: tuple[str, ...]
    provider: str


@dataclass(frozen=True)
class Test:
    """How a finished wheel is tried."""

    mode: str
    command: str
    requires: tuple[str, ...]
    extras: tuple[str, ...]
    images: tuple[str, ...]


@dataclass(frozen=True)
class Audit:
    """`ignore` has the reason by the code of each rule that is switched off."""

    ignore: Mapping[str, str]
    rules: bool


@dataclass(frozen=True)
class Release:
    """The index that a release goes to, and what a release of this project looks like."""

    repository: str
    staging: str
    yes: bool
    index: Mapping[str, str]
    patience: int
    tag_format: str
    changelog: str
    sdist_first: bool
    allow_http: bool
    config_file: str


@dataclass(frozen=True)
class Output:
    """The folder that wheels go to, and what else is written; `wheels` are files and folders that were named."""

    folder: Path
    wheels: tuple[Path, ...]
    dry_run: bool
    json: Path | None
    sarif: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """What was named, or the folder that everything is in."""
        return self.wheels or (self.folder,)


@dataclass(frozen=True)
class Upkeep:
    """What is kept between runs, and what `doctor` may mend."""

    cache_size: int
    trim: bool
    fix: bool


@dataclass(frozen=True)
class Config:
    """Every option, in groups."""

    build: Build
    containers: Containers
    test: Test
    audit: Audit
    release: Release
    output: Output
    upkeep: Upkeep

    def family_for(self, target: Target) -> Literal["pypa", "dockcross"]:
        """Whose image --image names: that of the engine that was asked for."""
        return "dockcross" if self.build.engine_for(target) == "dockcross" else "pypa"

    def image_for(self, target: Target, family: str = "pypa") -> str:
        """The image of a family that was asked for instead of the pinned one; empty if none was."""
        if self.containers.image and family == self.family_for(target):
            return self.containers.image
        prefix = "" if family == "pypa" else f"{family}."
        names = (f"{prefix}{target.policy}_{target.arch}", f"{prefix}{target.platform}")
        return next((self.containers.images[name] for name in names if name in self.containers.images), "")
