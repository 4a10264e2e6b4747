"""A project's build backend (PEP 517), its hooks run in a workspace: what it needs, what it makes, how it fails."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from crosswheel.errors import BuildFailed, CrosswheelError, DiskFull, IndexUnreachable
from crosswheel.process import CommandFailed, log_tail
from crosswheel.workspace import Workspace

if TYPE_CHECKING:
    from build import ProjectBuilder

Settings = Mapping[str, "str | list[str]"]

# How uv says that it could not reach an index, or that it was told not to.
_NETWORK = re.compile(r"error sending request|dns error|Failed to fetch|network was disabled|Connection refused")


def make_distribution(
    kind: Literal["sdist", "wheel"],
    project: Path,
    workspace: Workspace,
    folder: Path,
    settings: Callable[[set[str]], Settings] = lambda _requires: {},
) -> Path:
    """What the backend of `project` makes into `folder`; `settings` gives config-settings for its requirements.

    Raises BuildFailed, DiskFull, TimeLimit.
    """
    with _explained(workspace):
        builder = _builder(project, workspace)
        return Path(builder.build(kind, folder, _install(kind, builder, workspace, settings)))


def install_requirements(
    kind: Literal["sdist", "wheel"], project: Path, workspace: Workspace, settings: Callable[[set[str]], Settings]
) -> Settings:
    """Whatever `make_distribution` would install; gives the config-settings that it would pass on.

    Raises as it does.
    """
    with _explained(workspace):
        return _install(kind, _builder(project, workspace), workspace, settings)


def requirement_names(requirements: Iterable[str]) -> set[str]:
    """The normalised project names of PEP 508 requirements."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    return {canonicalize_name(Requirement(text).name) for text in requirements}


def quieten_backends() -> None:
    """Backends' warnings stand in the log, where they were printed; pyproject-hooks raises them here once more."""
    import warnings

    import pyproject_hooks

    category = getattr(pyproject_hooks, "BuildBackendWarning", None)
    if category:
        warnings.filterwarnings("ignore", category=category)


def _builder(project: Path, workspace: Workspace) -> ProjectBuilder:
    from build import ProjectBuilder

    return ProjectBuilder(project, str(workspace.python), runner=workspace.run_hook)


def _install(
    kind: Literal["sdist", "wheel"],
    builder: ProjectBuilder,
    workspace: Workspace,
    settings: Callable[[set[str]], Settings],
) -> Settings:
    workspace.install(builder.build_system_requires)
    chosen = settings(builder.build_system_requires)
    workspace.install(builder.get_requires_for_build(kind, chosen))
    return chosen


@contextmanager
def _explained(workspace: Workspace) -> Iterator[None]:
    """What goes wrong in hooks, as errors of ours: the library wraps them all in its own."""
    from build import BuildBackendException, BuildException

    hint = f"less {workspace.log}"
    try:
        yield
    except BuildBackendException as error:
        cause = error.exception
        if isinstance(cause, CommandFailed):
            raise _failure(workspace, cause) from error
        if isinstance(cause, CrosswheelError):
            raise cause from error
        raise BuildFailed(f"the build backend failed: {error}", hint=hint) from error
    except CommandFailed as error:
        raise _failure(workspace, error) from error
    except BuildException as error:
        raise BuildFailed(str(error), hint=hint) from error


def unreachable_index(error: CommandFailed, log: Path, *, offline: bool = False) -> IndexUnreachable | None:
    """What became of uv, if it was that the package index did not answer."""
    if Path(error.argv[0]).name != "uv" or not _NETWORK.search("\n".join(log_tail(log))):
        return None
    if offline:
        text = "requirements are not in uv's cache, and --offline forbids fetching them"
        return IndexUnreachable(text, hint="the same command without --offline, once")
    text = "requirements could not be fetched: the package index did not answer"
    return IndexUnreachable(text, hint="pip config list (is the index right?)")


def _failure(workspace: Workspace, error: CommandFailed) -> CrosswheelError:
    command = " ".join(Path(word).name if os.sep in word else word for word in error.argv[:3])
    if missing := unreachable_index(error, workspace.log, offline=workspace.host.index.offline):
        return missing
    if any("No space left on device" in line for line in log_tail(workspace.log)):
        return DiskFull(f"{command} ran out of disk space", hint="df -h; then free some, or set TMPDIR to another disk")
    return BuildFailed(f"{command} failed with {error.ending}", hint=f"less {workspace.log}")
