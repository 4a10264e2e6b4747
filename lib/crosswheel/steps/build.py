"""Build one wheel from the sdist, as PEP 517 says, with the backend's hooks run in the job's workspace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from crosswheel.config import Config
from crosswheel.errors import BuildFailed, CrosswheelError, DiskFull, WheelCount
from crosswheel.model import Sdist
from crosswheel.process import CommandFailed
from crosswheel.source import requirement_names, unpack
from crosswheel.steps.work import Work
from crosswheel.workspace import HostWorkspace


def build(work: Work) -> Work:
    """Make the wheel inside the workspace; raises BuildFailed, WheelCount, DiskFull or TimeLimit."""
    return replace(work, wheel=build_wheel(work.workspace, work.sdist, work.config))


def build_wheel(workspace: HostWorkspace, sdist: Sdist, config: Config) -> Path:
    """The wheel as the backend made it."""
    from build import ProjectBuilder

    source = unpack(sdist.path, workspace.root / "source")
    made = workspace.root / "made"
    made.mkdir()
    with _explained(workspace):
        builder = ProjectBuilder(source, str(workspace.python), runner=workspace.run_hook)
        workspace.install(builder.build_system_requires)
        settings = _settings(workspace, builder.build_system_requires, config)
        workspace.install(builder.get_requires_for_build("wheel", settings))
        builder.build("wheel", made, settings)
    wheels = sorted(made.glob("*.whl"))
    if len(wheels) != 1:
        names = ", ".join(path.name for path in wheels) or "none"
        raise WheelCount(f"the build backend should make one wheel, and made {names}", hint=f"less {workspace.log}")
    return wheels[0]


def _settings(workspace: HostWorkspace, requires: set[str], config: Config) -> dict[str, str | list[str]]:
    """The project's own config-settings (PEP 517), and the cross file for Meson, which takes it no other way."""
    settings: dict[str, str | list[str]] = dict(config.config_settings)
    if workspace.meson_options and "meson-python" in requirement_names(requires):
        given = settings.get("setup-args", [])
        settings["setup-args"] = [*([given] if isinstance(given, str) else given), *workspace.meson_options]
    return settings


@contextmanager
def _explained(workspace: HostWorkspace) -> Iterator[None]:
    """What goes wrong in hooks, as errors of ours: the library wraps them all in its own."""
    from build import BuildBackendException, BuildException

    try:
        yield
    except BuildBackendException as error:
        cause = error.exception
        if isinstance(cause, CommandFailed):
            raise _failure(workspace, cause) from error
        if isinstance(cause, CrosswheelError):
            raise cause from error
        raise BuildFailed(f"the build backend failed: {error}", hint=f"less {workspace.log}") from error
    except CommandFailed as error:
        raise _failure(workspace, error) from error
    except BuildException as error:
        raise BuildFailed(str(error), hint=f"less {workspace.log}") from error


def _failure(workspace: HostWorkspace, error: CommandFailed) -> CrosswheelError:
    command = " ".join(Path(word).name if os.sep in word else word for word in error.argv[:3])
    if any("No space left on device" in line for line in workspace.tail()):
        return DiskFull(
            f"{command} ran out of disk space", hint="df -h; then free some, or set TMPDIR to a larger disk"
        )
    return BuildFailed(
        f"{command} failed with {str(error).rsplit(' ended with ', 1)[-1]}", hint=f"less {workspace.log}"
    )


def quieten_backends() -> None:
    """Backends' warnings stand in the log, where they were printed; pyproject-hooks raises them here once more."""
    import warnings

    import pyproject_hooks

    category = getattr(pyproject_hooks, "BuildBackendWarning", None)
    if category:
        warnings.filterwarnings("ignore", category=category)
