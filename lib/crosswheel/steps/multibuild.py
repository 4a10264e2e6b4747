"""The step `build` of a folder with multibuild: its scripts build the wheel in the job's container."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from crosswheel.containers.project_caches import CACHE
from crosswheel.engines.container_workspace import ContainerWorkspace
from crosswheel.engines.workspace import MADE
from crosswheel.errors import BuildFailed, UsageError, WheelCount
from crosswheel.formats.sdists import unpack_sdist
from crosswheel.model.multibuild import FOLDER, Multibuild
from crosswheel.steps.build import explained
from crosswheel.steps.sequence import Step, Steps, name_of, step
from crosswheel.steps.work import Work
from crosswheel.system.process import CommandFailed

_SCRIPT = FOLDER / "multibuild" / "docker_build_wrap.sh"


def with_multibuild(steps: Steps[Work], multibuild: Multibuild) -> Steps[Work]:
    """The steps in which multibuild's scripts build the wheel."""
    own = build_with(multibuild)
    return Steps(own if name_of(each) == "build" else each for each in steps)


def build_with(multibuild: Multibuild) -> Step[Work]:
    """The step. Raises BuildFailed, WheelCount, DiskFull or TimeLimit."""

    @step(name="build", needs=["workspace"])
    def build(work: Work) -> Work:
        job, workspace = work.job, work.workspace
        if not isinstance(workspace, ContainerWorkspace):
            raise UsageError(f"multibuild needs containers, and {job.engine} has none", hint="--engine auto")
        try:
            made = run(multibuild, work, workspace)
        except BuildFailed as error:
            raise explained(error, workspace.log, job.engine, str(job.target.arch)) from error
        return replace(made, parsed=made.read(), usage=workspace.usage())

    return build


def run(multibuild: Multibuild, work: Work, workspace: ContainerWorkspace) -> Work:
    """The work with the wheel that multibuild's script has built and repaired in the container."""
    container, made = workspace.container, workspace.root / MADE
    container.put(unpack_sdist(work.sdist, workspace.root / "source"), to=PurePosixPath("/"))
    made.mkdir()
    workspace.put(made)
    try:
        container.run(
            ["bash", str(_SCRIPT)],
            env={**workspace.environ_without_python, **_caches(work), **multibuild.build_environ(work.job.target)},
            cwd=FOLDER,
            log=workspace.log,
            deadline=workspace.deadline,
        )
    except CommandFailed as error:
        raise BuildFailed(f"{_SCRIPT} ended with {error.ending}", hint=f"less {workspace.log}") from error
    finally:
        workspace.get(made)
    container.get(FOLDER / multibuild.wheels, made / "wheel")
    wheels = sorted((made / "wheel").glob("*.whl"))
    if len(wheels) != 1:
        names = ", ".join(path.name for path in wheels) or "none"
        raise WheelCount(f"multibuild must make one wheel, but made {names}", hint=f"less {workspace.log}")
    return work.with_wheel(wheels[0])


def _caches(work: Work) -> dict[str, str]:
    return {} if work.config.build.fresh else {"PIP_CACHE_DIR": str(CACHE / "pip")}
