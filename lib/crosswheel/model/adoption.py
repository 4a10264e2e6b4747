"""The frozen values of a configuration that a run takes over from cibuildwheel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from crosswheel.model.job import LeftOut
from crosswheel.model.targets import Target

PROJECT = "/project"
"""The folder with the project in cibuildwheel's containers."""

Use: TypeAlias = Literal["taken", "without effect", "unsupported"]


@dataclass(frozen=True)
class OptionUse:
    """What becomes of an option of cibuildwheel for some build identifiers, and why.

    An unsupported option stops the targets of its identifiers.
    """

    option: str
    use: Use
    why: str = ""
    identifiers: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorkflowValue:
    """A literal CIBW_ variable in a CI workflow, which crosswheel does not interpret; `line` counts from 1."""

    file: str
    line: int
    name: str
    value: str


@dataclass(frozen=True)
class ContainerMode:
    """What only a container can do for a target in cibuildwheel's way, with the whole project at /project.

    `builds` says whether that concerns the build; otherwise it is only the test, and any engine may build.
    `environment` and `test_environment` are variables whose values a container works out: names and shell words, in
    order. `repair` is a command with {wheel} and {dest_dir} that repairs instead of crosswheel; empty for none.
    """

    builds: bool = False
    environment: tuple[tuple[str, str], ...] = ()
    test_environment: tuple[tuple[str, str], ...] = ()
    repair: str = ""


@dataclass(frozen=True)
class Adoption:
    """A project's configuration for cibuildwheel, as the reader of release `version` resolves it.

    `pinned_in` is the project's file that names the release, empty if none does. `targets` maps each target to
    options of crosswheel (as in options.toml, parsed) that count for it alone; `modes` has what no option says.
    """

    version: str
    pinned_in: str
    targets: Mapping[Target, Mapping[str, Any]]
    options: tuple[OptionUse, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    modes: Mapping[Target, ContainerMode] = field(default_factory=dict)
