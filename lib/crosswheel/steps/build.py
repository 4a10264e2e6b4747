"""The step `build`: builds one wheel from the sdist in the job's workspace."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from crosswheel.engines.backend import Settings, make_distribution, requirement_names
from crosswheel.engines.container_workspace import ContainerWorkspace
from crosswheel.engines.workspace import MADE, UNCOMPILED, Workspace
from crosswheel.errors import BuildCycle, BuildFailed, WheelCount
from crosswheel.formats.build_logs import end_of, explain
from crosswheel.formats.sdists import unpack_sdist
from crosswheel.formats.uncompiled import read_uncompiled
from crosswheel.model.adoption import PROJECT
from crosswheel.model.config import Config
from crosswheel.model.job import Sdist
from crosswheel.steps.sequence import step
from crosswheel.steps.work import Work
from crosswheel.system.process import CommandFailed

_NEEDS_IMAGE = "--engine accelerated"


@step(needs=["workspace"])
def build(work: Work) -> Work:
    """The work with a new wheel. Raises BuildFailed, WheelCount, DiskFull or TimeLimit."""
    job, workspace = work.job, work.workspace
    try:
        wheel = build_wheel(workspace, work.sdist, work.config, job.processors)
    except BuildFailed as error:
        found = explained(error, workspace.log, job.engine, str(job.target.arch))
        found.hint = _followed(found.hint, work)
        raise found from error
    made = work.with_wheel(wheel)
    parsed, noted = made.read(), workspace.root / UNCOMPILED
    uncompiled = read_uncompiled(noted, workspace.log, parsed.members, job.engine, str(job.target.arch))
    return replace(
        made,
        parsed=parsed,
        uncompiled=tuple(replace(each, hint=_followed(each.hint, work)) for each in uncompiled),
        requirements=workspace.laid_over,
        usage=workspace.usage(),
    )


def _followed(hint: str, work: Work) -> str:
    """The advice, and if it names an engine that lacks its image here, what is in the way."""
    lacking = work.facts.without_containers(work.job.target, work.config) if _NEEDS_IMAGE in hint else ""
    return f"{hint}. That engine cannot be used yet: {lacking}" if lacking else hint


def explained(error: BuildFailed, log: Path, place: str, arch: str = "") -> BuildFailed:
    """The error with an explanation from its log, if the failure is a known one."""
    found = explain(f"{end_of(log)}\n{error.message}", place, arch)
    if not found:
        return error
    kind = BuildCycle if found.kind == "build requirements in a cycle" else BuildFailed
    return kind(f"{found.means} ({error.message})\n{found.evidence}", hint=found.hint or error.hint, cause=found.kind)


def build_wheel(workspace: Workspace, sdist: Sdist, config: Config, processors: int = 0) -> Path:
    """The wheel as the backend made it, with that many parallel compilers (0: the build system decides)."""
    source, made = put_source(workspace, sdist), workspace.root / MADE
    made.mkdir()
    workspace.put(made)  # compiles of the project's own commands are counted too
    run_before(workspace, source, config)
    if whole := with_whole_project(workspace):
        whole.get_build_files()
    # The returned path is not used: the backend is not trusted, and could name any file of this machine.
    make_distribution(
        "wheel", source, workspace, made, settings_for(workspace, config, processors), config.build.build_constraint
    )
    wheels = sorted((made / "wheel").glob("*.whl"))
    if len(wheels) != 1:
        names = ", ".join(path.name for path in wheels) or "none"
        raise WheelCount(f"the build backend must make one wheel, but made {names}", hint=f"less {workspace.log}")
    return wheels[0]


def put_source(workspace: Workspace, sdist: Sdist) -> Path:
    """Unpack the sdist into the workspace, unless it has the whole project; return the folder on this machine."""
    if whole := with_whole_project(workspace):
        return whole.get_build_files()
    source = unpack_sdist(sdist, workspace.root / "source")
    if sdist.needs_of("rust"):
        _renew(source)
    workspace.put(source)
    return source


def with_whole_project(workspace: Workspace) -> ContainerWorkspace | None:
    """The workspace if it is a container with the whole project at /project."""
    return workspace if isinstance(workspace, ContainerWorkspace) and workspace.whole else None


def _renew(folder: Path) -> None:
    """Date all files to now: Cargo rebuilds what is newer than what it has kept, and an sdist's files are all old."""
    for path in folder.rglob("*"):
        os.utime(path, follow_symlinks=False)


def run_before(workspace: Workspace, source: Path, config: Config) -> None:
    """Run the project's before-build commands in its folder."""
    if whole := with_whole_project(workspace):
        if command := config.build.before_build:
            with _explained(command, workspace):
                whole.run_own(command.replace("{project}", PROJECT))
        return
    if command := config.build.before_all:
        with _explained(command, workspace):
            workspace.before_all(command, source)
    if command := config.build.before_build:
        with _explained(command, workspace):
            workspace.run_hook(["sh", "-c", command.replace("{project}", str(source))], cwd=str(source))


@contextmanager
def _explained(command: str, workspace: Workspace) -> Iterator[None]:
    try:
        yield
    except CommandFailed as error:
        first = command.strip().splitlines()[0]
        raise BuildFailed(f"{first!r} ended with {error.ending}", hint=f"less {workspace.log}") from error


def settings_for(workspace: Workspace, config: Config, processors: int = 0) -> Callable[[set[str]], Settings]:
    """The project's config-settings (PEP 517), and those that Meson needs.

    Meson needs the cross file and the number of parallel compilers. Backends that build in a folder with a random name
    get a fixed one, because compiler caches identify files by path.
    """

    def settings(requires: set[str]) -> Settings:
        chosen, names = dict(config.build.config_settings), requirement_names(requires)
        # meson-python's older name, which all its releases accept.
        for backend, name in (("meson-python", "builddir"), ("scikit-build-core", "build-dir")):
            if backend in names and not chosen.keys() & {"builddir", "build-dir"}:
                chosen[name] = str(workspace.root / "build")
        if "meson-python" in names:
            given = chosen.get("setup-args", [])
            chosen["setup-args"] = [*([given] if isinstance(given, str) else given), *workspace.meson_options]
            if processors:
                chosen.setdefault("compile-args", [f"-j{processors}"])
        return chosen

    return settings
