"""Test one wheel as its users meet it: installed into a new environment in a new container, away from its sources.

Whatever engine built it. Where no Docker host runs the architecture, a wheel stays untested, and the report says why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from crosswheel.backend import unreachable_index
from crosswheel.containers.container import Container
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.environment import ENVIRONMENT, PYTHON, site_packages
from crosswheel.engines.site import Site
from crosswheel.engines.trial import Trial, early, trial_of
from crosswheel.errors import CrosswheelError, EmulatorCrashed, TestFailed
from crosswheel.formats.wheels import read_wheel, top_level_modules
from crosswheel.model import Job, Listener, Sdist
from crosswheel.process import CommandFailed
from crosswheel.sdist import unpack
from crosswheel.steps.work import Work
from crosswheel.targets import Target
from crosswheel.toolchains.bytecode import put_bytecode_of_packages
from crosswheel.toolchains.toolbox import MOUNT, UV

_FOLDER = PurePosixPath("/crosswheel")
_IMPORT = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"


def test(work: Work) -> Work:
    """The same work, once the wheel has passed in every image; raises TestFailed."""
    deadline, log = work.workspace.deadline, work.workspace.log
    deadline = deadline if deadline is not None else time.monotonic() + work.config.timeout
    references = list(_references(work.job.target, work.site))
    if work.trial:
        trial, references = work.trial(), references[1:]
        _append(trial.log, log)
        _test_in(trial, work, deadline)
    for reference in references:
        with trial_of(reference, work.job.target, work.sdist.name, work.site, log, deadline) as trial:
            _test_in(trial, work, deadline)
    return work


@contextmanager
def first_trial(job: Job, sdist: Sdist, site: Site, log: Path) -> Iterator[Callable[[], Trial] | None]:
    """The container that the test needs first, made ready while the wheel is built; None where no test will be.

    The build writes to `log` meanwhile; what is written here is added to that when the test begins.
    """
    if untested(job.target, site):
        yield None
        return
    deadline, apart = time.monotonic() + site.config.timeout, log.with_suffix(".test.log")
    with early(trial_of(site.reference(job.target), job.target, sdist.name, site, apart, deadline)) as trial:
        try:
            yield trial
        finally:
            # Of a build that failed there is no test, and only of a container that could not be had something to read.
            with suppress(CrosswheelError, OSError):
                trial()
                apart.unlink(missing_ok=True)


def _append(more: Path, log: Path) -> None:
    with log.open("ab") as file:
        file.write(more.read_bytes())
    more.unlink()


def untested(target: Target, site: Site) -> str:
    """Why wheels for a target cannot be tested; empty if they can."""
    if site.config.test == "never":
        return "--test never"
    if not isinstance(site.docker, DockerHost):
        return site.docker.message
    try:
        site.running(target.arch)
        site.image(target)
    except CrosswheelError as error:
        return error.in_a_line
    return ""


def prepare_test(target: Target, site: Site, listener: Listener) -> None:
    """Pull what the test needs, before the jobs; what goes wrong is told by `untested`, or by the test itself."""
    for reference in _references(target, site):
        site.toolbox(site.pull(reference, target.arch, listener), listener, compilers=False)


def _references(target: Target, site: Site) -> Iterator[str]:
    """The policy's own image first: it has the oldest C library that the wheel promises to work with."""
    yield site.reference(target)
    yield from site.config.test_images


def _test_in(trial: Trial, work: Work, deadline: float) -> None:
    container, config = trial.container, work.config
    container.put(work.made, to=_FOLDER)
    extras = f"[{','.join(config.test_extras)}]" if config.test_extras else ""
    wheel = f"{work.sdist.name}{extras} @ file://{_FOLDER / work.made.name}"
    install = [UV, "pip", "install", "--python", str(PYTHON), "--", wheel, *config.test_requires]
    command, environ = [str(PYTHON), "-I", "-c", _IMPORT, *top_level_modules(work.made)], dict(trial.environ)
    if config.test_command:
        path = f"{PYTHON.parent}:{MOUNT / 'bin'}:{container.image.environ.get('PATH', '/usr/bin:/bin')}"
        environ |= {"PATH": path, "VIRTUAL_ENV": str(ENVIRONMENT)}
        command = ["sh", "-c", config.test_command.replace("{project}", str(_project(container, work)))]
    nowhere, what = trial.nowhere, "the wheel could not be installed"
    _run(container, work, install, trial.installer_environ, nowhere, what, deadline)
    if container.emulated and _brings_more(work):
        tag = work.job.target.python
        put_bytecode_of_packages(container, site_packages(tag), tag, work.site.host)
    what = "the test command failed" if config.test_command else "its modules could not be imported"
    _run(container, work, command, environ, nowhere, what, deadline)


def _brings_more(work: Work) -> bool:
    """Whether more than the wheel was installed; of one alone, only what is imported is worth compiling."""
    requires = read_wheel(work.made).metadata.get_all("Requires-Dist", [])
    return bool(requires or work.config.test_requires)


def _run(
    container: Container,
    work: Work,
    command: list[str],
    environ: Mapping[str, str],
    cwd: PurePosixPath,
    what: str,
    deadline: float,
) -> None:
    log = work.workspace.log
    try:
        container.run(command, env=environ, cwd=cwd, log=log, deadline=deadline)
    except CommandFailed as error:
        if missing := unreachable_index(error, log, offline=work.site.host.index.offline):
            raise missing from error
        text = f"{what} in {container.image.reference}: {error.ending}"
        raise TestFailed(text, hint=f"less {log}; crosswheel shell {work.job.target}") from error
    except EmulatorCrashed as error:
        text = f"{what} in {container.image.reference}: {error.message}"
        hint = f"on a machine of {work.job.target.arch}, try whether it is the wheel or the emulator; less {log}"
        raise TestFailed(text, hint=hint) from error


def _project(container: Container, work: Work) -> PurePosixPath:
    """A copy of the sources, for the tests in them."""
    if "{project}" in work.config.test_command:
        container.put(unpack(work.sdist.path, work.workspace.root / "tested"), to=_FOLDER)
        (folder,) = (work.workspace.root / "tested").iterdir()
        return _FOLDER / folder.name
    return _FOLDER
