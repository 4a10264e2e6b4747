"""A container to try a wheel in: nothing of the build is in it, only an environment in which nothing is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crosswheel.containers.container import Container
from crosswheel.engines.containers import container_of, enter, make_environment
from crosswheel.engines.site import Site
from crosswheel.errors import TestFailed
from crosswheel.model import deaf
from crosswheel.process import CommandFailed
from crosswheel.targets import PythonTag, Target
from crosswheel.toolchains.bytecode import put_bytecode

_NOWHERE = PurePosixPath("/crosswheel/empty")


@dataclass(frozen=True)
class Trial:
    """`environ` is what a wheel's test sees of the caller's network, `installer_environ` what uv does.

    `nowhere` is an empty folder: what lies beside a test must not stand in for what was installed. `log` has what was
    done so far.
    """

    container: Container
    environ: Mapping[str, str]
    installer_environ: Mapping[str, str]
    nowhere: PurePosixPath
    log: Path


@contextmanager
def trial_of(reference: str, target: Target, project: str, site: Site, log: Path, deadline: float) -> Iterator[Trial]:
    """In a container of that image; raises TestFailed where it has no such Python, and what containers raise."""
    image = site.pull(reference, target.arch, deaf)
    with container_of(image, site, project, compilers=False, timeout=site.config.timeout) as container:
        environ, installer = enter(container, site)
        interpreter = _interpreter(container, target.python, site, deadline)
        # Commands of the project's own may call pip.
        make_environment(container, interpreter, installer, log, deadline, seed=bool(site.config.test_command))
        container.run(["mkdir", "-p", str(_NOWHERE)], deadline=deadline)
        yield Trial(container, environ, installer, _NOWHERE, log)


@contextmanager
def early(trial: AbstractContextManager[Trial]) -> Iterator[Callable[[], Trial]]:
    """Open it beside whatever the caller does; what is given waits for it, and raises what it raised."""
    with ThreadPoolExecutor(max_workers=1) as pool, ExitStack() as stack:
        opening = pool.submit(stack.enter_context, trial)
        try:
            yield opening.result
        finally:
            wait([opening])


def _interpreter(container: Container, tag: PythonTag, site: Site, deadline: float) -> Path:
    """The image's CPython of the wheel's version: of pypa's folders, or the one that its PATH names."""
    found = site.pythons_of(container.image).get(tag)
    if found:
        if container.emulated:
            put_bytecode(container, found, site.host, deaf)
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
