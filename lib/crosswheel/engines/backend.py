"""Runs the hooks of a project's build backend (PEP 517) in a workspace."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from crosswheel.engines.workspace import Workspace
from crosswheel.errors import BuildFailed, CrosswheelError, DiskFull, explained
from crosswheel.system.installer import unreachable_index
from crosswheel.system.process import CommandFailed

if TYPE_CHECKING:
    from build import ProjectBuilder

Settings = Mapping[str, "str | list[str]"]


class Runner(Protocol):
    """Runs a hook's command (pyproject-hooks' SubprocessRunner)."""

    def __call__(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None: ...


def make_distribution(
    kind: Literal["sdist", "wheel"],
    project: Path,
    workspace: Workspace,
    folder: Path,
    settings: Callable[[set[str]], Settings] = lambda _requires: {},
    constraints: Sequence[str] = (),
) -> Path:
    """The distribution that the backend of `project` makes, in a new folder in `folder`.

    `settings` returns config-settings for its requirements, whose versions `constraints` limit.
    Raises BuildFailed, DiskFull, TimeLimit.
    """
    into = folder / kind
    into.mkdir(parents=True)
    hooks = _HooksInOne(workspace, kind, folder)
    with _explained(workspace):
        workspace.put(folder)
        builder = _builder(project, workspace, hooks.run)
        workspace.install(builder.build_system_requires, constraints)
        hooks.settings = chosen = settings(builder.build_system_requires)
        workspace.install(builder.get_requires_for_build(kind, chosen), constraints)
        made = Path(builder.build(kind, into, chosen))
        if not hooks.ended_together:
            workspace.get(folder)
        return made


def install_requirements(
    kind: Literal["sdist", "wheel"],
    project: Path,
    workspace: Workspace,
    settings: Callable[[set[str]], Settings],
    constraints: Sequence[str] = (),
) -> Settings:
    """Install the requirements of `make_distribution`; return its config-settings.

    Raises like `make_distribution`.
    """
    with _explained(workspace):
        builder = _builder(project, workspace, workspace.run_hook)
        workspace.install(builder.build_system_requires, constraints)
        chosen = settings(builder.build_system_requires)
        workspace.install(builder.get_requires_for_build(kind, chosen), constraints)
        return chosen


def requirement_names(requirements: Iterable[str]) -> set[str]:
    """The normalised project names of PEP 508 requirements."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    return {canonicalize_name(Requirement(text).name) for text in requirements}


def quieten_backends() -> None:
    """Silence warnings that pyproject-hooks repeats here; the log has them already."""
    import warnings

    import pyproject_hooks

    category = getattr(pyproject_hooks, "BuildBackendWarning", None)
    if category:
        warnings.filterwarnings("ignore", category=category)


def _builder(project: Path, workspace: Workspace, run: Runner) -> ProjectBuilder:
    from build import ProjectBuilder

    return ProjectBuilder(project, str(workspace.python), runner=run)


@dataclass
class _HooksInOne:
    """Runs the build hook together with the hook before it, which returns further requirements.

    Most backends have none, so they are started and imported only once (toolchains/inside/hooks.py). The order of the
    hooks, their arguments and results follow PEP 517; `settings` must be known before the first. `folder` contains
    their arguments, their results and the output, so that all are copied out of a container together.
    """

    workspace: Workspace
    kind: Literal["sdist", "wheel"]
    folder: Path
    settings: Settings = field(default_factory=dict)
    _failure: CommandFailed | None = None

    @property
    def ended_together(self) -> bool:
        """Whether the build hook ran together with the one before it."""
        return self._answer(self._last).is_file()

    def run(self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
        """The runner for `build.ProjectBuilder`."""
        *_, hook, folder = cmd
        if hook == self._last and (self._failure or self.ended_together):
            if self._failure:
                raise self._failure
            shutil.copy(self._answer(hook), folder)
        elif hook == self._first and (hooks := self.workspace.hooks):
            self._run_both(hooks, cmd, cwd, extra_environ)
        else:
            self.workspace.run_hook(cmd, cwd, extra_environ)

    @property
    def _first(self) -> str:
        return f"get_requires_for_build_{self.kind}"

    @property
    def _last(self) -> str:
        return f"build_{self.kind}"

    def _answer(self, hook: str) -> Path:
        return self.folder / hook / "output.json"

    def _run_both(
        self, hooks: Path, cmd: Sequence[str], cwd: str | None, extra_environ: Mapping[str, str] | None
    ) -> None:
        python, script, _, folder = cmd
        into = self.folder.absolute() / self.kind
        given = {f"{self.kind}_directory": str(into), "config_settings": self.settings}
        more = {"metadata_directory": None} if self.kind == "wheel" else {}
        inputs = {self._first: Path(folder, "input.json").read_text(), self._last: json.dumps({"kwargs": given | more})}
        for hook, text in inputs.items():
            (self.folder / hook).mkdir()
            (self.folder / hook / "input.json").write_text(text)
        try:
            self.workspace.run_hook(
                [python, str(hooks), script, str(self.folder.absolute()), *inputs], cwd, extra_environ
            )
        except CommandFailed as error:
            answered = self._answer(self._first).is_file()
            failed = [python, script, self._last if answered else self._first]
            self._failure = CommandFailed(failed, error.returncode, error.output)
            if not answered:
                raise self._failure from error
        shutil.copy(self._answer(self._first), folder)


@contextmanager
def _explained(workspace: Workspace) -> Iterator[None]:
    """Convert errors of hooks to ours; the library `build` wraps them in its own."""
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
        if isinstance(cause, OSError) and isinstance(full := explained(cause), DiskFull):
            raise full from error
        raise BuildFailed(f"the build backend failed: {error}", hint=hint) from error
    except CommandFailed as error:
        raise _failure(workspace, error) from error
    except BuildException as error:
        raise BuildFailed(str(error), hint=hint) from error
    except (TypeError, ValueError) as error:  # the library does not expect a missing answer
        text = f"the project's [build-system], or an answer of its backend, is invalid: {error}"
        raise BuildFailed(text, hint=hint) from error


def _failure(workspace: Workspace, error: CommandFailed) -> CrosswheelError:
    command = " ".join(Path(word).name if os.sep in word else word for word in error.argv[:3])
    if missing := unreachable_index(error, offline=workspace.host.index.offline):
        return missing
    if "No space left on device" in error.output:
        return DiskFull(
            f"{command} ran out of disk space", hint="df -h; then free some space, or set TMPDIR to another disk"
        )
    return BuildFailed(f"{command} failed with {error.ending}", hint=f"less {workspace.log}")
