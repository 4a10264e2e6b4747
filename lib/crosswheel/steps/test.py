"""The step `test`: tests a wheel like a user: installed in a new environment in a new container, without sources.

It is the same for all engines. If no Docker host runs the architecture, the wheel stays untested, and the report gives
the reason.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from crosswheel.containers.environment import EMPTY, FOLDER, environment, python, site_packages
from crosswheel.containers.host import Container
from crosswheel.containers.images import Image
from crosswheel.engines.facts import Facts, reference_of
from crosswheel.engines.qemu_tests import HOW, QemuTest, find_qemu_test
from crosswheel.engines.services import Services
from crosswheel.engines.test_containers import TestContainer, early, test_container
from crosswheel.engines.venv_images import seed
from crosswheel.engines.worked_out import worked_out
from crosswheel.engines.workspace import Workspace, write_constraints
from crosswheel.errors import CrosswheelError, EmulatorCrashed, EngineUnavailable, TestFailed
from crosswheel.formats.project_archive import unpack_project
from crosswheel.formats.sdists import unpack_sdist
from crosswheel.formats.wheels import top_level_modules
from crosswheel.model.adoption import PROJECT
from crosswheel.model.config import Config
from crosswheel.model.job import Job, ProjectTree, Sdist
from crosswheel.model.targets import Target
from crosswheel.steps.build import with_whole_project
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
    # For the wheel of an earlier run nobody has tried to pull the image. An image that was asked for fails the test.
    with suppress(CrosswheelError):
        prepare_test(work.job.target, work.config, work.services)
    reason = untested(work.job.target, work.config, work.facts)
    return replace(work, untested=reason) if reason else None


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
    first, *others = _references(work.job.target, work.config)
    if work.first_test:
        _test_in(work.first_test(), work)
    else:
        others = [first, *others]
    for reference in others:
        prepared = _prepared(work) if reference == first else None
        with test_container(
            reference, work.job.target, work.sdist.name, work.config, work.services, prepared
        ) as opened:
            _test_in(opened, work)


def _prepared(work: Work) -> Image | None:
    """The image of the build with the results of `before-all`, where a test of cibuildwheel's runs, too."""
    if not (work.config.builds_in_containers and work.config.build.before_all):
        return None
    if work.opened:
        return _image_of(work.opened)
    engine = work.composition.engines[work.job.engine]
    with engine.open(work.job, work.sdist, work.config, work.services, work.folder / "job", work.log) as workspace:
        return _image_of(workspace)


def _image_of(workspace: Workspace) -> Image | None:
    whole = with_whole_project(workspace)
    return whole.container.image if whole else None


def _key(work: Work, entry: JournalEntry) -> str:
    return test_key(work.job, entry.sha256, work.sdist, work.config, work.facts)


@contextmanager
def first_container(
    job: Job, sdist: Sdist, config: Config, services: Services, workspace: Workspace
) -> Iterator[Callable[[], TestContainer] | None]:
    """Start the container of the first test during the build in `workspace`; None if there will be no test."""
    facts = services.facts
    if untested(job.target, config, facts) or _without_containers(job.target, config, facts):
        yield None
        return
    reference = reference_of(job.target, config)
    prepared = _image_of(workspace) if config.build.before_all else None
    with early(test_container(reference, job.target, sdist.name, config, services, prepared)) as opening:
        yield opening


def untested(target: Target, config: Config, facts: Facts) -> str:
    """The reason why wheels for a target cannot be tested; empty if they can."""
    if config.test.mode == "never":
        return "--test never"
    if _without_containers(target, config, facts):
        return ""
    return facts.without_containers(target, config)


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
    wheel, its_python = f"{_name(work)}{extras} @ file://{FOLDER / work.wheel.name}", str(python(tag))
    environ, project = {**opened.environ, **config.test.environment}, _project(opened, work)
    place = _folder(container, work)
    if config.test.command or config.test.before:
        seed(container, tag, opened.installer_environ, work.log, deadline)
        path = f"{python(tag).parent}:{MOUNT / 'bin'}:{container.image.environ.get('PATH', '/usr/bin:/bin')}"
        environ |= {"PATH": path, "VIRTUAL_ENV": str(environment(tag))}
        if mode := config.mode:
            environ |= worked_out(container, [*mode.environment, *mode.test_environment], environ, deadline)
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
        needs = [*work.read().metadata.get_all("Requires-Dist", []), *config.test.requires]
        installing = opened.for_installing(needs)
        for words in _installed(wheel, config, _constraints(container, work)):
            command_line = [UV, "pip", "install", "--python", its_python, *words]
            # With wheels from here, an sdist of a newer version must not win.
            building = run if installing != opened.installer_environ else None
            install(run, command_line, installing, without_secrets(installing), building)
    if container.emulated and _brings_more(work):
        put_bytecode_of_packages(container, site_packages(tag), tag, work.facts.host)
    what = "the test command failed" if config.test.command else "its modules could not be imported"
    with _explained(container, work, what):
        run(command, environ, place)


def _name(work: Work) -> str:
    """The name of the wheel's project; for multibuild, the wheel is the first that knows it."""
    return work.read().name if work.sdist.needs_of("multibuild") else work.sdist.name


def _installed(wheel: str, config: Config, constraints: Sequence[str]) -> Iterator[list[str]]:
    """The arguments of ``uv pip install``: all requirements at once, or the wheel before arguments of the project."""
    if config.test.has_arguments:
        yield [*constraints, "--", wheel]
        yield [*constraints, *config.test.requires]
    else:
        yield [*constraints, "--", wheel, *config.test.requires]


def _constraints(container: Container, work: Work) -> list[str]:
    """The arguments of ``uv pip install`` for a copy of the constraints in the container; none if there are none."""
    file = write_constraints(work.folder, work.config.test.constraint)
    if not file:
        return []
    container.put(file, to=FOLDER)
    return ["--constraint", str(FOLDER / file.name)]


def _test_loosely(test: QemuTest, work: Work) -> None:
    """Install and test the wheel without a container. Raises TestFailed."""
    folder, config = work.folder / "loose", work.config
    if config.test.command:
        project = str(_unpacked(work)) if "{project}" in config.test.command else ""
        command = ["sh", "-c", config.test.command.replace("{project}", project)]
    else:
        command = ["python", "-c", _IMPORT, *top_level_modules(work.read())]
    extras = f"[{','.join(config.test.extras)}]" if config.test.extras else ""
    wheel = f"{work.sdist.name}{extras} @ file://{work.wheel}"
    try:
        requirements = [wheel, *config.test.requires]
        test.run(folder, requirements, command, work.log, work.deadline, config.test.constraint)
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


def _project(opened: TestContainer, work: Work) -> PurePosixPath:
    """The project's sources with their tests, copied into each image; an empty folder if the test needs none."""
    if not work.config.test_needs_project:
        return EMPTY
    if tree := _tree(work):
        if not opened.has_project:
            with tree.archive.open("rb") as archive:
                opened.container.put_archive(archive)
        return PurePosixPath(PROJECT)
    source = _unpacked(work)
    opened.container.put(source, to=FOLDER)
    return FOLDER / source.name


def _unpacked(work: Work) -> Path:
    """The project's files, unpacked once for all images: the sdist's, or the whole folder's in cibuildwheel's way."""
    root = work.folder / "tested"
    if root.is_dir():
        return next(root.iterdir())
    tree = _tree(work)
    return unpack_project(tree.archive, root) if tree else unpack_sdist(work.sdist, root)


def _tree(work: Work) -> ProjectTree | None:
    """The whole project, if the test is cibuildwheel's."""
    return work.sdist.tree if work.config.mode else None


def _holder(work: Work) -> str:
    return "the project" if _tree(work) else "the sdist"


def _folder(container: Container, work: Work) -> PurePosixPath:
    """The working folder of the test: empty but for `test-sources`. Raises TestFailed for a missing one."""
    if not (wanted := work.config.test.sources):
        return EMPTY
    root, source = work.folder / "test-sources", _unpacked(work)
    for name in wanted if not root.is_dir() else ():
        path = (source / name).resolve()
        if not path.exists() or not path.is_relative_to(source.resolve()):
            raise TestFailed(f"test-sources: {_holder(work)} has no {name}", hint="correct test-sources")
        to = root / name
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(path, to, dirs_exist_ok=True) if path.is_dir() else shutil.copy2(path, to)
    container.put(root, to=FOLDER)
    return FOLDER / root.name
