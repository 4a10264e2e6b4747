"""The engine `dockcross`: cross-compiles in an x86-64 dockcross image with its compiler, without emulation.

By default the Pythons of these images make useless wheels: compiled for the target, but tagged x86-64. So hooks run
like those of the engine `cross`: build requirements are installed for the image's Python, which then answers like the
target's, with values derived from its own.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from crosswheel.engines import in_containers
from crosswheel.engines.container_workspace import ContainerWorkspace
from crosswheel.engines.facts import Facts
from crosswheel.engines.services import Services
from crosswheel.engines.workspace import Workspace
from crosswheel.errors import CrosswheelError, MissingTool
from crosswheel.images.pins import Family
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Job, Sdist
from crosswheel.model.targets import Target
from crosswheel.toolchains.description import ASK, Description, derive, read_layout
from crosswheel.toolchains.dockcross import LIBRARY_FOLDERS, CrossTools, configure, environ_of, find_tools
from crosswheel.toolchains.startup import IMPERSONATE


class Dockcross:
    family: Family | None = "dockcross"

    @property
    def toolchain(self) -> dict[str, str]:
        return {}  # everything is in the image

    def offer(self, target: Target, config: Config, facts: Facts) -> Interpreter | str:
        if reason := _refusal(target, config):
            return reason
        offered = in_containers.offer(target, config, facts, natively=None, family="dockcross")
        if isinstance(offered, str):
            return offered
        try:
            if image := facts.image_for(target, config, "dockcross"):
                find_tools(image, target)
        except CrosswheelError as error:
            return error.in_a_line
        return offered

    def prepare(self, target: Target, config: Config, services: Services, *, cxx: bool) -> None:  # noqa: ARG002
        in_containers.prepare(target, config, services, compilers=False, family="dockcross")

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
            tools = find_tools(workspace.container.image, job.target)
            if not config.build.fresh:
                tools = replace(tools, wrappers=folder / "toolchain" / "compilers")
            description = _describe(workspace, tools, job.target)
            made = configure(folder / "toolchain", tools, job.target, description, workspace.python)
            workspace.container.put(made.folder, description.path.parent)
            environ = {
                **workspace.environ,
                **environ_of(made, tools),
                "CROSSWHEEL_TARGET": str(description.path),
                **config.build.environment,
            }
            return replace(
                workspace,
                environ={**environ, "PATH": f"{made.bin}:{workspace.environ['PATH']}"},
                installer_environ={**workspace.installer_environ, **tools.plain},
                meson_options=(f"--cross-file={made.meson}",),
                library_folders=LIBRARY_FOLDERS,
            )

        return in_containers.open_workspace(
            job, sdist, config, services, folder, log, family="dockcross", startup=(IMPERSONATE,), equip=equip
        )


def _refusal(target: Target, config: Config) -> str:
    if config.builds_in_containers:
        return "commands for cibuildwheel need containers of the target's architecture"
    if target.policy.libc == "musl":
        return "dockcross's Pythons and their compilers are for glibc"
    return ""


def _describe(workspace: ContainerWorkspace, tools: CrossTools, target: Target) -> Description:
    """The description of the target's CPython, derived from the image's of that version, which runs natively."""
    container, headers = workspace.container, workspace.root / "headers"
    layout = read_layout(container.run([str(workspace.python), *ASK], deadline=workspace.deadline))
    container.get(layout.include, headers)
    if not (headers / "Python.h").is_file():
        raise MissingTool(
            f"{container.image.reference} has CPython {target.python.version}, but not its headers",
            hint="another --image, or another --engine",
        )
    return derive(target, layout, headers, tools.compilers, workspace.root / "python")
