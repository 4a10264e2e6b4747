"""The step `test`: tests a wheel like a user: installed in a new environment in a new container, without sources.

It is the same for all engines. If no Docker host runs the architecture, the wheel stays untested, and the report gives
the reason.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from crosswheel.containers.environment import EMPTY, FOLDER, environment, python, site_packages
from crosswheel.containers.host import Container
from crosswheel.engines.facts import Facts, reference_of
from crosswheel.engines.qemu_tests import HOW, QemuTest, find_qemu_test
from crosswheel.engines.services import Services
from crosswheel.engines.test_containers import TestContainer, early, test_container
from crosswheel.engines.venv_images import seed
from crosswheel.errors import CrosswheelError, EmulatorCrashed, EngineUnavailable, TestFailed
from crosswheel.formats.sdists import unpack_sdist
from crosswheel.formats.wheels import top_level_modules
from crosswheel.model.config import Config
from crosswheel.model.job import Job, Sdist
from crosswheel.model.targets import Target
from crosswheel.steps.journal import JournalEntry
from crosswheel.steps.keys import test_key
from crosswheel.steps.sequence import step
from crosswheel.steps.work import Work
from crosswheel.system.installer import install, unreachable_index, without_secrets
from crosswheel.system.process import CommandFailed
from crosswheel.toolchains.bytecode import put_bytecode_of_packages
from crosswheel.toolchains.toolbox import MOUNT, UV

_IMPORT = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"


def _without(work: Work) -> Work | None:
    """The work of a wheel that cannot be tested, or has passed the same test before; None for others."""
    if reason := untested(work.job.target, work.config, work.facts):
        return replace(work, untested=reason)
    if work.entry and work.entry.passed(key := _key(work, work.entry)):
        return replace(work, untested="", tested_before=True, tested_how=work.entry.tested_how(key))
    return None


@step(instead=_without)
def test(work: Work) -> Work:
    """The work after the wheel has passed in every image. Raises TestFailed."""
    work, began = replace(work, parsed=work.read()), time.monotonic()
    if loose := _without_containers(work.job.target, work.config, work.facts):
        _test_loosely(loose, work)
        how = HOW
    else:
        test_in_images(work)
        how = work.facts.how(work.job.target.arch)
    if work.entry and (key := _key(work, work.entry)):
        work.entry.remember_test(key, time.monotonic() - began, how)
    return replace(work, untested="", tested_how=how)


def test_in_images(work: Work) -> None:
    """Install and test the wheel in each image. Raises TestFailed, and the errors of containers."""
    references = list(_references(work.job.target, work.config))
    if work.first_test:
        references = references[1:]
        _test_in(work.first_test(), work)
    for reference in references:
        with test_container(reference, work.job.target, work.sdist.name, work.config, work.services) as opened:
            _test_in(opened, work)


def _key(work: Work, entry: JournalEntry) -> str:
    return test_key(work.job, entry.sha256, work.sdist, work.config, work.facts)


@contextmanager
def first_container(
    job: Job, sdist: Sdist, config: Config, services: Services
) -> Iterator[Callable[[], TestContainer] | None]:
    """Start the container of the first test during the build; None if there will be no test."""
    facts = services.facts
    if untested(job.target, config, facts) or _without_containers(job.target, config, facts):
        yield None
        return
    reference = reference_of(job.target, config)
    with early(test_container(reference, job.target, sdist.name, config, services)) as opening:
        yield opening


def untested(target: Target, config: Config, facts: Facts) -> str:
    """The reason why wheels for a target cannot be tested; empty if they can."""
    if config.test.mode == "never":
        return "--test never"
    if _without_containers(target, config, facts):
        return ""
    try:
        facts.running(target.arch)
        facts.image_for(target, config)
    except CrosswheelError as error:
        return error.in_a_line
    return ""


def _without_containers(target: Target, config: Config, facts: Facts) -> QemuTest | None:
    """The test where containers are forbidden, if there is one; None also where there are containers."""
    try:
        _ = facts.containers
    except EngineUnavailable:
        found = find_qemu_test(target, config, facts)
        return found if isinstance(found, QemuTest) else None
    return None


def prepare_test(target: Target, config: Config, services: Services) -> None:
    """Pull the images of tests before the jobs; errors are reported by `untested`, or by the test itself."""
    if _without_containers(target, config, services.facts):
        return
    for reference in _references(target, config):
        services.toolbox(services.pull(reference, target.arch), compilers=False)


def _references(target: Target, config: Config) -> Iterator[str]:
    """The images, the policy's own first: it has the oldest C library that the wheel supports."""
    yield reference_of(target, config)
    yield from config.test.images


def _test_in(opened: TestContainer, work: Work) -> None:
    container, config, tag, deadline = opened.container, work.config, work.job.target.python, work.deadline
    container.put(work.wheel, to=FOLDER)
    extras = f"[{','.join(config.test.extras)}]" if config.test.extras else ""
    wheel, its_python = f"{work.sdist.name}{extras} @ file://{FOLDER / work.wheel.name}", str(python(tag))
    environ, project = {**opened.environ, **config.test.environment}, _project(container, work)
    place = _folder(container, work)
    if config.test.command or config.test.before:
        seed(container, tag, opened.installer_environ, work.log, deadline)
        path = f"{python(tag).parent}:{MOUNT / 'bin'}:{container.image.environ.get('PATH', '/usr/bin:/bin')}"
        environ |= {"PATH": path, "VIRTUAL_ENV": str(environment(tag))}
    if config.test.command:
        filled = config.test.command.replace("{project}", str(project)).replace(
            "{wheel}", str(FOLDER / work.wheel.name)
        )
        command = ["sh", "-c", filled]
    else:
        command = [its_python, "-I", "-c", _IMPORT, *top_level_modules(work.read())]

    def run(words: Sequence[str], variables: Mapping[str, str], cwd: PurePosixPath = project) -> None:
        container.run(words, env=variables, cwd=cwd, log=work.log, deadline=deadline)

    if before := config.test.before:
        with _explained(container, work, "before-test failed"):
            run(["sh", "-c", before.replace("{project}", str(project))], environ)
    with _explained(container, work, "the wheel could not be installed"):
        for words in _installed(wheel, config):
            command_line = [UV, "pip", "install", "--python", its_python, *words]
            install(run, command_line, opened.installer_environ, without_secrets(opened.installer_environ))
    if container.emulated and _brings_more(work):
        put_bytecode_of_packages(container, site_packages(tag), tag, work.facts.host)
    what = "the test command failed" if config.test.command else "its modules could not be imported"
    with _explained(container, work, what):
        run(command, environ, place)


def _installed(wheel: str, config: Config) -> Iterator[list[str]]:
    """The arguments of ``uv pip install``: all requirements at once, or the wheel before arguments of the project."""
    if config.test.has_arguments:
        yield ["--", wheel]
        yield list(config.test.requires)
    else:
        yield ["--", wheel, *config.test.requires]


def _test_loosely(test: QemuTest, work: Work) -> None:
    """Install and test the wheel without a container. Raises TestFailed."""
    folder, config = work.folder / "loose", work.config
    if config.test.command:
        project = ""
        if "{project}" in config.test.command:
            project = str(unpack_sdist(work.sdist, work.folder / "tested"))
        command = ["sh", "-c", config.test.command.replace("{project}", project)]
    else:
        command = ["python", "-c", _IMPORT, *top_level_modules(work.read())]
    extras = f"[{','.join(config.test.extras)}]" if config.test.extras else ""
    wheel = f"{work.sdist.name}{extras} @ file://{work.wheel}"
    try:
        test.run(folder, [wheel, *config.test.requires], command, work.log, work.deadline)
    except CommandFailed as error:
        text = f"the test failed {HOW}: {error.ending}"
        hint = f"less {work.log}; or test where containers are allowed: crosswheel doctor"
        raise TestFailed(text, hint=hint) from error


def _brings_more(work: Work) -> bool:
    """Whether more than the wheel was installed; otherwise only imported modules are worth compiling to bytecode."""
    requires = work.read().metadata.get_all("Requires-Dist", [])
    return bool(requires or work.config.test.requires)


@contextmanager
def _explained(container: Container, work: Work, what: str) -> Iterator[None]:
    log = work.log
    try:
        yield
    except CommandFailed as error:
        if missing := unreachable_index(error, offline=work.facts.host.index.offline):
            raise missing from error
        text = f"{what} in {container.image.reference}: {error.ending}"
        raise TestFailed(text, hint=f"less {log}; crosswheel shell {work.job.target}") from error
    except EmulatorCrashed as error:
        text = f"{what} in {container.image.reference}: {error.message}"
        hint = f"test on a real {work.job.target.arch} machine: the emulator may be at fault; less {log}"
        raise TestFailed(text, hint=hint) from error


def _project(container: Container, work: Work) -> PurePosixPath:
    """The project's sources with their tests, copied into each image; an empty folder if the test needs none."""
    if not work.config.test.needs_project:
        return EMPTY
    source = _unpacked(work)
    container.put(source, to=FOLDER)
    return FOLDER / source.name


def _unpacked(work: Work) -> Path:
    """The sdist's content, unpacked once for all images."""
    root = work.folder / "tested"
    return next(root.iterdir()) if root.is_dir() else unpack_sdist(work.sdist, root)


def _folder(container: Container, work: Work) -> PurePosixPath:
    """The working folder of the test: empty but for `test-sources`. Raises TestFailed for a missing one."""
    if not (wanted := work.config.test.sources):
        return EMPTY
    root, source = work.folder / "test-sources", _unpacked(work)
    for name in wanted if not root.is_dir() else ():
        path = (source / name).resolve()
        if not path.exists() or not path.is_relative_to(source.resolve()):
            raise TestFailed(f"test-sources: the sdist has no {name}", hint=f"tar -tf {work.sdist.path}")
        to = root / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(path, to, dirs_exist_ok=True) if path.is_dir() else shutil.copy2(path, to)
    container.put(root, to=FOLDER)
    return FOLDER / root.name
