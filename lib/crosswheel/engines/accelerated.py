"""The engine `accelerated`: builds in a container of the target's architecture, with a native compiler of the host.

Python, configure scripts and their programs are emulated, and the project sees an ordinary native build. But the
names of the container's compilers start Zig's clang, a static native program of the Docker host. It is configured
like the container's compiler, with its triple, libstdc++, headers and C library, so its objects have the image's ABI,
and the wheel complies with the image's policy.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from crosswheel.containers.host import Container
from crosswheel.engines import in_containers
from crosswheel.engines.container_workspace import ContainerWorkspace
from crosswheel.engines.facts import Facts
from crosswheel.engines.services import Services
from crosswheel.engines.workspace import Workspace
from crosswheel.errors import MissingTool
from crosswheel.images.pins import Family
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Job, Sdist
from crosswheel.model.targets import Target
from crosswheel.system.memo import answers_in
from crosswheel.system.process import CommandFailed
from crosswheel.toolchains.ccache import known_as
from crosswheel.toolchains.gcc import Gcc, clang_arguments
from crosswheel.toolchains.pinned import version_of
from crosswheel.toolchains.toolbox import CLANG_BIN, CLANG_CONFIGURATION, MOUNT, RESOURCES
from crosswheel.toolchains.zig import source_version


class Accelerated:
    family: Family | None = "pypa"

    @property
    def toolchain(self) -> dict[str, str]:
        return {"zig": version_of("zig"), "driver": source_version("clang")}

    def offer(self, target: Target, config: Config, facts: Facts) -> Interpreter | str:
        return in_containers.offer(target, config, facts, natively=False)

    def prepare(self, target: Target, config: Config, services: Services, *, cxx: bool) -> None:  # noqa: ARG002
        in_containers.prepare(target, config, services, compilers=True)

    def open(
        self,
        job: Job,
        sdist: Sdist,
        config: Config,
        services: Services,
        folder: Path,
        log: Path,
        *,
        bare: bool = False,  # noqa: ARG002
    ) -> AbstractContextManager[Workspace]:
        def equip(workspace: ContainerWorkspace) -> ContainerWorkspace:
            configuration = _configuration(workspace.container, config, services.facts)
            workspace.container.write({CLANG_CONFIGURATION: configuration.encode()})
            identity = known_as(f"{self.toolchain} {configuration}")
            return replace(workspace, environ={**workspace.environ, **identity})

        path = (str(CLANG_BIN),)
        return in_containers.open_workspace(
            job, sdist, config, services, folder, log, compilers=True, path=path, equip=equip
        )


def _configuration(container: Container, config: Config, facts: Facts) -> str:
    """The arguments that make clang act like the container's compiler, one per line."""
    gcc, arch = _ask_gcc(container, config, facts), container.image.arch
    arguments = clang_arguments(gcc, arch, resources=RESOURCES, programs=MOUNT / "bin")
    afterwards = [] if config.build.debug_info else ["> -g0"]
    return "".join(f"{argument}\n" for argument in (*arguments, *afterwards))


def _ask_gcc(container: Container, config: Config, facts: Facts) -> Gcc:
    """The container's gcc, asked once per image content."""
    kept, image = answers_in(facts.host.cache), container.image
    if answer := kept.recall("gcc", image.content):
        return Gcc(answer["triple"], PurePosixPath(answer["libgcc"]).parent)
    command = ["sh", "-c", "gcc -dumpmachine && gcc -print-libgcc-file-name"]
    try:
        triple, libgcc = container.run(command, deadline=time.monotonic() + config.build.timeout).split()
    except (CommandFailed, ValueError) as error:
        raise MissingTool(
            f"{container.image.reference} has no gcc with headers and libraries for clang",
            hint="--engine emulated, or another --image",
        ) from error
    kept.keep({"triple": triple, "libgcc": libgcc}, "gcc", image.content)
    return Gcc(triple, PurePosixPath(libgcc).parent)
