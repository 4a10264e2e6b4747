"""The engine `accelerated`: builds in a container of the target's architecture, with a native compiler of the host.

Python, configure scripts and their programs are emulated, and the project sees an ordinary native build. But the
names of the container's compilers start Zig's clang, a static native program of the Docker host. It is configured
like the container's compiler, with its triple, libstdc++, headers and C library, so its objects have the image's ABI,
and the wheel complies with the image's policy. The container's own gcc, emulated, gets the single commands that clang
cannot serve: OpenMP, Fortran, GNU-only code. The ABI is one, so the objects go together.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from crosswheel.engines import in_containers
from crosswheel.engines.container_workspace import COMMANDS, ContainerWorkspace
from crosswheel.engines.facts import Facts
from crosswheel.engines.services import Services
from crosswheel.engines.workspace import Workspace
from crosswheel.images.pins import Family
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Job, Sdist
from crosswheel.model.targets import Target
from crosswheel.toolchains.ccache import known_as
from crosswheel.toolchains.clang import ask_gcc, clang_configuration
from crosswheel.toolchains.gcc_fallback import notes_to
from crosswheel.toolchains.pinned import version_of
from crosswheel.toolchains.toolbox import CLANG_BIN, CLANG_CONFIGURATION, FORTRAN_BIN
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
            container, deadline = workspace.container, time.monotonic() + config.build.timeout
            gcc = ask_gcc(container, services.facts.host.cache, deadline)
            configuration = clang_configuration(gcc, container.image.arch, debug_info=config.build.debug_info)
            container.write({CLANG_CONFIGURATION: configuration.encode()})
            path = [str(FORTRAN_BIN)] if gcc.fortran else []
            environ = {
                **workspace.environ,
                **known_as(f"{self.toolchain} {configuration}"),
                **notes_to(folder / COMMANDS),
                "PATH": ":".join([*path, workspace.environ["PATH"]]),
            }
            return replace(workspace, environ=environ)

        path = (str(CLANG_BIN),)
        return in_containers.open_workspace(
            job, sdist, config, services, folder, log, compilers=True, path=path, equip=equip
        )
