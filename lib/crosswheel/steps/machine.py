"""What the steps of PREPARE carry: a Docker host that is made ready for builds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.emulation import Running
from crosswheel.containers.images import Image
from crosswheel.errors import CannotRun, CrosswheelError
from crosswheel.images.store import UnpackedImage
from crosswheel.model.config import Config
from crosswheel.model.job import Listener, deaf
from crosswheel.model.targets import Architecture

Survey: TypeAlias = dict[Architecture, "Running | CannotRun"]


@dataclass(frozen=True)
class Registration:
    """Whether the Docker host ran each architecture `before` and runs it `after`.

    `provider` is the source of the emulators, empty if nothing was registered; `error` says what still does not run.
    """

    before: Survey
    after: Survey
    provider: str = ""
    error: CannotRun | None = None


@dataclass(frozen=True)
class PulledImage:
    """The state of one image: `there` before, pulled, missing (with --dry-run), or failed."""

    platform: str
    arch: Architecture
    reference: str = ""
    image: Image | UnpackedImage | None = None
    there: bool = False
    error: CrosswheelError | None = None

    @property
    def state(self) -> str:
        if self.error:
            return "failed"
        if self.image:
            return "there" if self.there else "pulled"
        return "missing"


@dataclass(frozen=True)
class Machine:
    """A Docker host on its way to builds. A step takes it and returns it with what the step found and did."""

    host: DockerHost
    config: Config
    listener: Listener = deaf
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    registration: Registration | None = None
    images: tuple[PulledImage, ...] = ()
