"""Build one wheel from the sdist in the job's workspace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from crosswheel.backend import Settings, make_distribution, requirement_names
from crosswheel.config import Config
from crosswheel.errors import BuildFailed, WheelCount
from crosswheel.model import Sdist
from crosswheel.process import CommandFailed
from crosswheel.sdist import unpack
from crosswheel.steps.work import Work
from crosswheel.workspace import Workspace


def build(work: Work) -> Work:
    """Make the wheel inside the workspace; raises BuildFailed, WheelCount, DiskFull or TimeLimit."""
    return replace(work, wheel=build_wheel(work.workspace, work.sdist, work.config))


def build_wheel(workspace: Workspace, sdist: Sdist, config: Config) -> Path:
    """The wheel as the backend made it."""
    source = unpack(sdist.path, workspace.root / "source")
    workspace.put(source)
    for command in filter(None, (config.before_all, config.before_build)):
        _run_before(command, workspace, source)
    made = workspace.root / "made"
    made.mkdir()
    workspace.put(made)
    make_distribution(
        "wheel", source, workspace, made, lambda requires: _settings(requires, config, workspace.meson_options)
    )
    workspace.get(made)
    wheels = sorted(made.glob("*.whl"))
    if len(wheels) != 1:
        names = ", ".join(path.name for path in wheels) or "none"
        raise WheelCount(f"the build backend should make one wheel, and made {names}", hint=f"less {workspace.log}")
    return wheels[0]


def _run_before(command: str, workspace: Workspace, source: Path) -> None:
    """A command of the project's own, in its folder."""
    try:
        workspace.run_hook(["sh", "-c", command], cwd=str(source))
    except CommandFailed as error:
        first = command.strip().splitlines()[0]
        raise BuildFailed(f"{first!r} ended with {error.ending}", hint=f"less {workspace.log}") from error


def _settings(requires: set[str], config: Config, meson_options: tuple[str, ...]) -> Settings:
    """The project's own config-settings (PEP 517), and the cross file for Meson, which takes it no other way."""
    settings = dict(config.config_settings)
    if meson_options and "meson-python" in requirement_names(requires):
        given = settings.get("setup-args", [])
        settings["setup-args"] = [*([given] if isinstance(given, str) else given), *meson_options]
    return settings
