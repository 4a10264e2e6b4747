"""`shell`: open a shell in the build environment of a target."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.engines import LADDER, Engine, offers
from crosswheel.engines.backend import Settings, install_requirements, quieten_backends
from crosswheel.engines.facts import Facts, look_around, reference_of
from crosswheel.engines.image_pythons import fetch_python, with_image_pythons
from crosswheel.engines.needs import ladder_for
from crosswheel.engines.services import Services
from crosswheel.engines.workspace import Workspace
from crosswheel.errors import CrosswheelError, NothingToDo, UsageError
from crosswheel.images.pins import image_arch
from crosswheel.model.config import Config
from crosswheel.model.job import Job, LeftOut, Listener, Need, Note, Told, chore
from crosswheel.model.targets import Target
from crosswheel.pipeline import source as sources
from crosswheel.pipeline.adoption import adopted, pack_whole_project, with_project
from crosswheel.pipeline.plan import plan_job
from crosswheel.reporting.console import plain_console
from crosswheel.reporting.document import SCHEMA, Document
from crosswheel.reporting.run import shown
from crosswheel.reporting.untrusted import clean
from crosswheel.steps.build import put_source, run_before, settings_for
from crosswheel.system.interpreters import uv
from crosswheel.system.locks import at_work
from crosswheel.system.process import log_tail
from crosswheel.system.scratch import check_temporary_folder, clear_abandoned, scratch_folder, temporary_folder
from crosswheel.system.secrecy import conceal
from crosswheel.system.terminal import is_interactive

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import PathText, ShellOptions

_TAIL = 15  # lines of the log, which is gone when it could be read


@dataclass(frozen=True)
class ShellReport(Result):
    """The exit code of the shell."""

    target: Target
    code: int

    @property
    def exit_code(self) -> int:
        return self.code

    def document(self) -> Document:
        heading = {"schema": SCHEMA, "kind": "shell", "crosswheel": __version__}
        return {**heading, "target": str(self.target), "exit_code": self.code}

    def text(self, _console: Console | None = None) -> str:
        """Empty: the shell printed its own output."""
        return ""

    def __str__(self) -> str:
        return f"the shell for {self.target} ended with exit code {self.code}"


@dataclass(frozen=True)
class _Place:
    """The place of the shell: a workspace with the project's folder."""

    job: Job
    workspace: Workspace
    source: Path
    settings: Settings
    image: str

    def text(self, console: Console | None = None) -> str:
        """Engine, source, Python and the build command, one line each."""
        from rich.text import Text

        rows = (Text(clean(line), no_wrap=True, overflow="ignore") for line in _guide(self))
        return shown(console or plain_console(), rows)


@public
def shell(
    target: str | None = None,
    *,
    project: PathText = ".",
    listener: Listener | None = None,
    **options: Unpack[ShellOptions],
) -> ShellReport:
    """Open a shell where a target's wheel would be built; commands are typed, or read from standard input.

    `target` is written as cp313-manylinux_2_28_aarch64. `project` is the folder whose pyproject.toml counts.
    `listener` is called with events (`crosswheel.model.job`), the last of which says what is where.

    Returns a ShellReport when the shell ends: `.exit_code` is the shell's own, `.ok`, `.document()`. Leaves nothing
    behind. Raises UsageError for wrong options, NothingToDo where no engine serves the target, BuildFailed.
    """
    return from_code(run, "shell", project, listener, {"target": target, **options})


def run(call: Call) -> ShellReport:
    config = call.config
    if config.build.target is None:
        hint = "crosswheel shell cp313-manylinux_2_28_aarch64; crosswheel plan lists the targets"
        raise UsageError("no target was given", hint=hint)
    check_temporary_folder()
    conceal()
    quieten_backends()
    with temporary_folder() as folder, ExitStack() as stack:
        place = _prepare(call, config.build.target, Path(folder), stack)
        call.listener(Told(place))
        code = place.workspace.interact(["sh", "-c", _START, "sh", str(place.job.target)], place.source)
    return ShellReport(config.build.target, code)


# No startup files: the environment is that of the hooks.
_START = """
if [ -t 0 ] && [ -t 1 ]; then export PS1="$1 \\$ "; fi
if command -v bash >/dev/null 2>&1; then
  if [ -n "$PS1" ]; then PS1="$1 \\W \\$ "; fi
  exec bash --noprofile --norc
fi
exec sh
"""


def _prepare(call: Call, target: Target, folder: Path, stack: ExitStack) -> _Place:
    """Prepare the workspace like the pipeline, up to the hook that would build the wheel."""
    config, listener, engines = _for_one(call.config, target), call.listener, call.own.all_engines()
    facts = stack.enter_context(look_around(config, listener))
    config = _adopted(config, call.project, target, facts, listener)
    stack.enter_context(at_work(facts.host.cache))
    clear_abandoned()
    whole = pack_whole_project(config, folder)
    sdist = sources.fetch(
        config.build.source,
        facts.host,
        folder,
        listener,
        timeout=config.build.timeout,
        output=config.output.folder,
        constraints=config.sdist_constraint,
    )
    sdist = with_project(sdist, config, whole)
    facts = with_image_pythons(config, facts).dated(sdist.epoch)
    services, job = _plan(config, Services(facts, listener), target, engines, sdist.needs)
    stack.enter_context(services)
    engine, log = engines[job.engine], folder / "log"
    engine.prepare(target, config, services, cxx=sdist.cxx)
    with _with_its_log(log, config, target), chore(f"preparing {target} ({job.engine})", listener):
        place = stack.enter_context(scratch_folder(f"{sdist.name}-{target}"))
        workspace = stack.enter_context(engine.open(job, sdist, config, services, place, log))
        source_folder = put_source(workspace, sdist)
        settings = _install(workspace, source_folder, config, listener)
    image = reference_of(target, config, engine.family) if engine.family else ""
    return _Place(job, workspace, source_folder, settings, image)


def _for_one(config: Config, target: Target) -> Config:
    """The configuration for one target, without tests."""
    build = replace(
        config.build,
        arch=(target.arch,),
        python=(target.python,),
        policy=target.policy,
        engine=config.build.engine_for(target),
        engines={},
    )
    return replace(config, build=build, test=replace(config.test, mode="never"))


def _adopted(config: Config, project: Path, target: Target, facts: Facts, listener: Listener) -> Config:
    """The configuration with what the project's cibuildwheel asks for this target. Raises NothingToDo."""
    config = adopted(config, project, facts.host, listener)
    if config.multibuild:
        text = "a shell is where a build backend runs, and multibuild's scripts build the wheels of this folder"
        raise UsageError(text, hint=f"cd {config.multibuild.project}; crosswheel shell {target}")
    for stopped in config.adoption.left_out if config.adoption else ():
        if stopped.what == target.identifier:
            raise NothingToDo(f"{stopped.what}: {stopped.reason}", hint=stopped.hint)
    return config.for_target(target)


def _plan(
    config: Config, services: Services, target: Target, engines: Mapping[str, Engine], needs: Sequence[Need]
) -> tuple[Services, Job]:
    """The job that `wheels` would do for it, and services that know what had to be fetched to do it."""
    facts, engine, ladder = services.facts, config.build.engine, ladder_for(needs, LADDER)[0]
    planned = plan_job(target, engine, ladder, offers(config, facts, engines, needs))
    if isinstance(planned, LeftOut) and _may_fetch(config, facts, target):
        fetched = fetch_python(target.python, config, facts, services.listener)
        facts = facts.with_interpreters({target.python: fetched})
        services = replace(services, facts=facts)
        planned = plan_job(target, engine, ladder, offers(config, facts, engines, needs))
    if isinstance(planned, Job) and (family := engines[planned.engine].family):
        # If the pull fails, the plan gives the reason; if not, it knows the Pythons of the image.
        with suppress(CrosswheelError):
            services.pull(reference_of(target, config, family), image_arch(target, family))
        planned = plan_job(target, engine, ladder, offers(config, facts, engines, needs))
    if isinstance(planned, LeftOut):
        raise NothingToDo(f"{target}: {planned.reason}", hint=planned.hint or "crosswheel doctor")
    return services, planned


def _may_fetch(config: Config, facts: Facts, target: Target) -> bool:
    wanted = config.build.engine in {"auto", "cross"} and target.python not in facts.host.interpreters
    return wanted and config.build.download_python == "auto" and not config.build.offline


def _install(workspace: Workspace, source_folder: Path, config: Config, listener: Listener) -> Settings:
    """Install the build requirements. On a terminal, the shell opens even if that fails."""
    settings = settings_for(workspace, config)
    try:
        run_before(workspace, source_folder, config)
        return install_requirements("wheel", source_folder, workspace, settings, config.build.build_constraint)
    except CrosswheelError as error:
        if not is_interactive():
            raise
        for line in (*log_tail(workspace.log, _TAIL), error.message, "the shell opens anyway"):
            listener(Note(line))
        return settings(set())


@contextmanager
def _with_its_log(log: Path, config: Config, target: Target) -> Iterator[None]:
    try:
        yield
    except CrosswheelError as error:
        error.message = "\n".join([error.message, *log_tail(log, _TAIL)])
        if str(log) in error.hint:
            options = f"--arch {target.arch} --python {target.python} --policy {target.policy}"
            error.hint = f"crosswheel wheels {config.build.source} {options}, which keeps its log"
        raise


def _guide(place: _Place) -> Iterator[str]:
    """Engine, source, Python and the build command, one line each."""
    where = f"in a container of {place.image}" if place.image else "on this machine"
    version = place.job.interpreter.version if place.job.interpreter else place.job.target.python.version
    yield f"engine    {place.job.engine}, {where}"
    yield f"source    {place.source}"
    yield f"python    {place.workspace.python}: CPython {version} with the build requirements"
    yield f"to build  {shlex.join(_build_command(place))}"
    yield "exit ends the shell and discards all changes"


def _build_command(place: _Place) -> Iterator[str]:
    # In containers uv is in PATH. `python` is the workspace's.
    yield from ("uv" if place.image else uv(), "build", "--wheel", "--no-build-isolation", "--python", "python")
    for name, value in place.settings.items():
        for text in [value] if isinstance(value, str) else value:
            yield from ("--config-setting", f"{name}={text}")
