"""The configuration in groups: each field is a parsed option of data/options.toml.

`policy` None means the oldest policy of each architecture. `jobs` 0 means as many as processors and memory allow.
Times are in seconds, `cache_size` is in GiB, and relative folders are relative to the project.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Literal

from crosswheel.model.adoption import PROJECT, Adoption, ContainerMode
from crosswheel.model.ci import CISettings
from crosswheel.model.multibuild import Multibuild
from crosswheel.model.options import options
from crosswheel.model.targets import Architecture, Policy, PythonTag, Target, oldest_policy

STANDARD_OUTPUT = Path("-")
"""The value of `json` that stands for standard output."""

ENGINES = ("auto", "native", "accelerated", "cross", "dockcross", "emulated")


@dataclass(frozen=True)
class Build:
    """The source, the targets and the build."""

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
    download_rust: str
    fail_fast: bool
    offline: bool
    fresh: bool
    twice: bool
    debug_info: bool
    strip: bool
    wider_tags: bool
    sysroots: Mapping[str, Path]
    before_all: str
    before_build: str
    environment: Mapping[str, str]
    config_settings: Mapping[str, str | list[str]]
    build_constraint: tuple[str, ...]
    """The lines of the files."""

    def sysroot(self, arch: Architecture) -> Path | None:
        return self.sysroots.get(arch.name)

    def engine_for(self, target: Target) -> str:
        """The requested engine for this target, by either name of its platform, or for all targets."""
        names = (str(target), f"{target.python}-{target.platform}")
        for pattern, engine in self.engines.items():
            if any(fnmatchcase(name, pattern) for name in names):
                return engine
        return self.engine


@dataclass(frozen=True)
class Containers:
    """The container engine, its images, and the source of emulators."""

    docker_host: str
    container_host: str
    image: str
    images: Mapping[str, str]
    mirrors: tuple[str, ...]
    unpacked: bool
    provider: str
    command: str

    @property
    def is_engine_wanted(self) -> bool:
        """Whether containers must not run in namespaces: an engine was named, by its kind or its address."""
        return self.container_host in {"docker", "podman"} or (self.container_host == "auto" and bool(self.docker_host))


@dataclass(frozen=True)
class Test:
    """The test of a finished wheel."""

    mode: str
    command: str
    requires: tuple[str, ...]
    extras: tuple[str, ...]
    images: tuple[str, ...]
    environment: Mapping[str, str]
    before: str
    sources: tuple[str, ...]
    constraint: tuple[str, ...]
    """The lines of the files."""

    @property
    def has_arguments(self) -> bool:
        """Whether `requires` has options of ``uv pip install`` or files of the project."""
        return any(word.startswith(("-", ".", "/")) for word in self.requires)

    @property
    def needs_project(self) -> bool:
        """Whether the test uses files of the project."""
        return bool("{project}" in self.command or self.before or self.sources or self.has_arguments)


@dataclass(frozen=True)
class Audit:
    """`ignore` maps the code of each switched-off rule to the reason; `exclude` has patterns of library names."""

    ignore: Mapping[str, str]
    exclude: tuple[str, ...]
    rules: bool


@dataclass(frozen=True)
class Release:
    """The index for releases, and the conventions of this project's releases."""

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
class Trees:
    """The dependency trees to judge, and the platforms to judge them for."""

    requirements: tuple[str, ...]
    platforms: tuple[tuple[Policy, Architecture], ...]
    compare: Architecture | None
    advice: bool
    fail_on: str
    build_all: bool
    constraint: tuple[Path, ...]
    extra: tuple[str, ...]
    group: tuple[str, ...]


@dataclass(frozen=True)
class Output:
    """The wheelhouse and the other output files; `wheels` and `reports` are files and folders given by the caller."""

    folder: Path
    wheels: tuple[Path, ...]
    channel: Path
    dry_run: bool
    json: Path | None
    sarif: Path | None
    markdown: Path | None
    reports: tuple[Path, ...]
    page: Path | None
    trace: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """The given files and folders, otherwise the wheelhouse."""
        return self.wheels or (self.folder,)


@dataclass(frozen=True)
class Upkeep:
    """The caches, and the fixes that `doctor` may apply."""

    cache_size: int
    trim: bool
    fix: bool


@dataclass(frozen=True)
class Fleet:
    """The scheduler whose workers build (empty: this machine builds), and the folder of the certificates for it."""

    scheduler: str
    certificates: Path | None


@dataclass(frozen=True)
class CI:
    """The file of a CI system: `system` is the one that was asked for, empty if none was; `check` writes nothing."""

    system: str
    check: bool
    settings: CISettings


@dataclass(frozen=True)
class Config:
    """Every option, in groups; `given` has the names of those that a user has set.

    `adoption` is the project's configuration for cibuildwheel, if the run takes it over; `mode` is that of one target.
    `multibuild` is its folder for multibuild, if the run takes that over.
    """

    build: Build
    containers: Containers
    test: Test
    audit: Audit
    release: Release
    trees: Trees
    output: Output
    upkeep: Upkeep
    fleet: Fleet
    ci: CI
    given: frozenset[str] = frozenset()
    adoption: Adoption | None = None
    mode: ContainerMode | None = None
    multibuild: Multibuild | None = None

    @property
    def builds_in_containers(self) -> bool:
        """Whether the build has commands that only a container of the target's image can run."""
        return self.mode is not None and self.mode.builds

    @property
    def test_needs_project(self) -> bool:
        """Whether the test uses files of the project."""
        if self.test.needs_project or not self.mode:
            return self.test.needs_project
        named = any(PROJECT in text for text in (self.test.command, *self.test.environment.values()))
        return named or bool(self.mode.environment or self.mode.test_environment)

    @property
    def sdist_constraint(self) -> tuple[str, ...]:
        """The lines that limit the build requirements of the sdist: those that all targets have."""
        targets = self.adoption.targets if self.adoption else ()
        lines = {self.for_target(target).build.build_constraint for target in targets}
        return lines.pop() if len(lines) == 1 else self.build.build_constraint

    def for_target(self, target: Target) -> Config:
        """The configuration of one target: what is adopted for it stands in for options that are not given."""
        own = self.adoption.targets.get(target, {}) if self.adoption else {}
        mode = self.adoption.modes.get(target) if self.adoption else None
        config = replace(self, mode=mode) if mode else self
        if self.multibuild:
            environment = {**self.multibuild.test_environ(target), **self.test.environment}
            config = replace(config, test=replace(self.test, environment=environment))
        for name, value in own.items():
            if name not in self.given:
                option = options()[name]
                group = replace(getattr(config, option.group), **{option.field: value})
                config = replace(config, **{option.group: group})
        return config

    def targets(self, pythons: Iterable[PythonTag]) -> Iterator[Target]:
        """The requested targets for these CPythons: those adopted, otherwise one per architecture."""
        if self.adoption:
            chosen = set(pythons)
            yield from (target for target in self.adoption.targets if target.python in chosen)
            return
        for arch, python in product(self.build.arch, pythons):
            yield Target(python, arch, self.build.policy or oldest_policy(arch))

    def family_for(self, target: Target) -> Literal["pypa", "dockcross"]:
        """The image family that --image belongs to: that of the requested engine."""
        return "dockcross" if self.build.engine_for(target) == "dockcross" else "pypa"

    def image_for(self, target: Target, family: str = "pypa") -> str:
        """The requested image of a family instead of the pinned one; empty if there is none."""
        if self.containers.image and family == self.family_for(target):
            return self.containers.image
        prefix = "" if family == "pypa" else f"{family}."
        names = (f"{prefix}{target.policy}_{target.arch}", f"{prefix}{target.platform}")
        return next((self.containers.images[name] for name in names if name in self.containers.images), "")
