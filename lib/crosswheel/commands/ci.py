"""`ci`: write the file of a CI system, or compare it with the one that would be written."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from crosswheel import __version__
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.engines import LADDER
from crosswheel.engines.needs import ladder_for
from crosswheel.errors import NothingToDo, Outdated, UsageError
from crosswheel.model.config import Config
from crosswheel.model.job import Listener
from crosswheel.model.targets import usual_pythons
from crosswheel.pipeline import source as sources
from crosswheel.pipeline.adoption import adopted
from crosswheel.pipeline.plan import promised_targets
from crosswheel.reporting.ci import ci_document, ci_text
from crosswheel.reporting.document import Document, write_text
from crosswheel.system.local_host import local_host
from crosswheel.workflows.groups import Group, group
from crosswheel.workflows.systems import SYSTEMS, System
from crosswheel.workflows.text import Project, file_text, is_ours

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import CiOptions, PathText


@dataclass(frozen=True)
class CIReport(Result):
    """The file of a CI system: the text that it had (`before`, empty without a file), and the one that it should have.

    `state` is `written`; without writing `missing` or `different`; otherwise `same`.
    """

    system: System
    path: Path
    groups: tuple[Group, ...]
    before: str = field(repr=False)
    after: str = field(repr=False)
    state: Literal["same", "written", "missing", "different"]
    environment: str = ""
    checked: bool = False

    @property
    def difference(self) -> list[str]:
        """The lines of a unified diff, from the text that the file had to the one that it should have."""
        name = self.system.path
        return list(difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), name, name, lineterm=""))

    @property
    def exit_code(self) -> int:
        """The code of Outdated if --check found a difference."""
        return Outdated.exit_code if self.failure else 0

    @property
    def failure(self) -> Outdated | None:
        if not self.checked or self.state == "same":
            return None
        what = "does not exist" if self.state == "missing" else f"is not the one that crosswheel {__version__} writes"
        return Outdated(f"{self.system.path} {what} for this project", hint=f"crosswheel ci {self.system.name}")

    def document(self) -> Document:
        return ci_document(self.system, self.state, self.groups, self.difference)

    def text(self, console: Console | None = None) -> str:
        return ci_text(self.system, self.state, self.groups, self.difference, self.environment, console)


@public
def ci(
    system: str | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    **options: Unpack[CiOptions],
) -> CIReport:
    """Write the file of a CI system: jobs that build, check, publish and verify the wheels of the plan.

    `system` is github, gitlab, circleci or travis; default: that of [tool.crosswheel.ci], otherwise github. `project`
    is the folder that the file belongs to; its pyproject.toml alone decides what is in it, and no fact of this machine
    does. Steps in the marked places of an existing file stay.

    Returns a CIReport: `.path`, `.state`, `.groups` (the jobs that build), `.difference`, `.document()`; with `check`,
    `.ok` is whether the file is as it should be.
    Raises UsageError for wrong options and for a file that crosswheel did not write, NothingToDo without a target.
    """
    return from_code(run, "ci", project, listener, {"system": system, **options})


def run(call: Call) -> CIReport:
    settings = call.config.ci.settings
    system = SYSTEMS[call.config.ci.system or settings.system]
    path = call.project / system.path
    before = _present(path, system)
    runners = _runners(system, settings.runners)
    groups, config = _groups(call, runners)
    project = Project(config.release.repository, config.release.tag_format, (call.project / ".gitmodules").is_file())
    after = file_text(system, groups, settings, project, runners, before)
    state: Literal["same", "written", "missing", "different"] = "different" if before else "missing"
    if before == after:
        state = "same"
    elif not (call.config.ci.check or call.config.output.dry_run):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, after)
        state = "written"
    return CIReport(system, path, groups, before, after, state, settings.environment, call.config.ci.check)


def _present(path: Path, system: System) -> str:
    """The text of the file; empty if there is none. Raises UsageError if crosswheel did not write it."""
    if not path.exists():
        return ""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        text = ""
    if not is_ours(text):
        raise UsageError(
            f"{system.path} exists, and crosswheel did not write it: it is left as it is",
            hint=f"git mv {system.path} {system.path}.old; crosswheel ci {system.name}",
        )
    return text


def _runners(system: System, own: Mapping[str, str]) -> dict[str, str]:
    """The runners of the system, with the project's own; an empty label removes one."""
    return {arch: label for arch, label in {**system.runners, **own}.items() if label}


def _groups(call: Call, runners: Mapping[str, str]) -> tuple[tuple[Group, ...], Config]:
    """The jobs that build, and the configuration with what is adopted from cibuildwheel's."""
    host = local_host(offline=call.config.build.offline, listener=call.listener)
    source = str(call.project)
    config = replace(call.config, build=replace(call.config.build, source=source))
    config = adopted(config, call.project, host, call.listener)
    targets = promised_targets(config, sources.requires_python_of(source, host), usual_pythons())
    ladder, _why = ladder_for(sources.needs_of(source, host), LADDER)
    groups = group(targets, config, ladder, runners)
    if not groups:
        raise NothingToDo(
            "no target is left for the CI system: requires-python, `python` and `policy` exclude all",
            hint="crosswheel plan",
        )
    return groups, config
