"""Test one wheel as its users meet it: installed into a new environment in a new container, away from its sources.

Whatever engine built it. Where no Docker host runs the architecture, a wheel stays untested, and the report says why.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from crosswheel.backend import unreachable_index
from crosswheel.containers.container import Container
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.images import Image
from crosswheel.engines.containers import container_of, enter, make_environment
from crosswheel.engines.site import Site
from crosswheel.errors import CrosswheelError, EmulatorCrashed, TestFailed
from crosswheel.formats.wheels import top_level_modules
from crosswheel.model import Listener, deaf
from crosswheel.process import CommandFailed
from crosswheel.sdist import unpack
from crosswheel.steps.work import Work
from crosswheel.targets import Target
from crosswheel.toolchains.bytecode import put_bytecode
from crosswheel.toolchains.toolbox import MOUNT, UV

_FOLDER = PurePosixPath("/crosswheel")
_IMPORT = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"


def test(work: Work) -> Work:
    """The same work, once the wheel has passed in every image; raises TestFailed."""
    deadline = work.workspace.deadline
    for image in _images(work.job.target, work.site):
        with container_of(image, work.site, work.sdist.name, compilers=False, timeout=work.config.timeout) as container:
            _test_in(container, work, deadline if deadline is not None else time.monotonic() + work.config.timeout)
    return work


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


def _images(target: Target, site: Site) -> Iterator[Image]:
    for reference in _references(target, site):
        yield site.pull(reference, target.arch, deaf)


def _test_in(container: Container, work: Work, deadline: float) -> None:
    log, config, image = work.workspace.log, work.config, container.image
    hooks, installer = enter(container, work.site)
    python = Path(_FOLDER, "environment", "bin", "python")
    found, seed = _interpreter(container, work, deadline), bool(config.test_command)
    make_environment(container, found, python, installer, log, deadline, seed=seed)
    container.put(work.made, to=_FOLDER)
    extras = f"[{','.join(config.test_extras)}]" if config.test_extras else ""
    wheel = f"{work.sdist.name}{extras} @ file://{_FOLDER / work.made.name}"
    install = [UV, "pip", "install", "--python", str(python), "--", wheel, *config.test_requires]
    command, environ = [str(python), "-I", "-c", _IMPORT, *top_level_modules(work.made)], dict(hooks)
    if config.test_command:
        path = f"{python.parent}:{MOUNT / 'bin'}:{image.environ.get('PATH', '/usr/bin:/bin')}"
        environ |= {"PATH": path, "VIRTUAL_ENV": str(python.parent.parent)}
        command = ["sh", "-c", config.test_command.replace("{project}", str(_project(container, work)))]
    # An empty folder: what lies beside the tests must not stand in for what was installed.
    nowhere = _FOLDER / "empty"
    container.run(["mkdir", "-p", str(nowhere)], deadline=deadline)
    _run(container, work, install, installer, nowhere, "the wheel could not be installed", deadline)
    what = "the test command failed" if config.test_command else "its modules could not be imported"
    _run(container, work, command, environ, nowhere, what, deadline)


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


def _interpreter(container: Container, work: Work, deadline: float) -> Path:
    """The image's CPython of the wheel's version: of pypa's folders, or the one that its PATH names."""
    tag = work.job.target.python
    found = work.site.pythons_of(container.image).get(tag)
    if found:
        if container.emulated:
            put_bytecode(container, found, work.site.host, deaf)
        return found.path
    try:
        command = ["sh", "-c", _WHICH, "sh", tag.version]
        return Path(container.run(command, deadline=deadline).strip())
    except CommandFailed as error:
        raise TestFailed(
            f"{container.image.reference} has no CPython {tag.version} to test the wheel with",
            hint="leave it out of test-images, or take an image of that Python version",
        ) from error


_WHICH = """
for name in "python$1" python3 python; do
  path=$(command -v "$name") || continue
  if [ "$("$path" -c 'import sys; print("%d.%d" % sys.version_info[:2])')" = "$1" ]; then
    echo "$path"
    exit 0
  fi
done
exit 1
"""
