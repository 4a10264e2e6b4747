"""Containers for testing wheels: with an empty environment, and nothing of the build."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from crosswheel.containers.host import Container
from crosswheel.containers.images import Image
from crosswheel.engines.in_containers import container_of
from crosswheel.engines.near_wheels import carried
from crosswheel.engines.network import network_of
from crosswheel.engines.services import Services
from crosswheel.engines.venv_images import with_environment
from crosswheel.errors import TestFailed
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter
from crosswheel.model.targets import PythonTag, Target
from crosswheel.system.pip_settings import PipSettings
from crosswheel.system.process import CommandFailed


@dataclass(frozen=True)
class TestContainer:
    """A test container; `environ` has the network settings for the test, `installer_environ` those for uv.

    `has_project`: its image has the results of `before-all`, and with them the whole project.
    """

    container: Container
    environ: Mapping[str, str]
    installer_environ: Mapping[str, str]
    target: Target
    settings: PipSettings
    has_project: bool = False

    def for_installing(self, requirements: Iterable[str]) -> Mapping[str, str]:
        """The variables of uv for these requirements; wheels of this machine that they need are copied before."""
        return {**self.installer_environ, **carried(self.container, self.settings, requirements, self.target)}


@contextmanager
def test_container(
    reference: str, target: Target, project: str, config: Config, services: Services, prepared: Image | None
) -> Iterator[TestContainer]:
    """Open a test container of the image, or of `prepared`: that of a build, with the results of `before-all`.

    Raises TestFailed if it lacks the Python, and the errors of containers.
    """
    image = prepared or services.pull(reference, target.arch)
    known = services.facts.pythons_of(image).get(target.python)

    def find(container: Container, deadline: float) -> Interpreter:
        return known or _find(container, target.python, deadline)

    timeout, fresh = config.build.timeout, config.build.fresh
    if not prepared:
        image = with_environment(image, target.python, services, find, fresh=fresh, timeout=timeout)
    with container_of(image, config, services, project, compilers=False, timeout=timeout) as container:
        network = network_of(services.facts.host)
        container.write(network.files)
        settings = services.facts.host.index.settings
        yield TestContainer(container, network.environ, network.installer_environ, target, settings, bool(prepared))


@contextmanager
def early(opened: AbstractContextManager[TestContainer]) -> Iterator[Callable[[], TestContainer]]:
    """Open it in the background; the returned function waits for it and raises its errors."""
    with ThreadPoolExecutor(max_workers=1) as pool, ExitStack() as stack:
        opening = pool.submit(stack.enter_context, opened)
        try:
            yield opening.result
        finally:
            wait([opening])


def _find(container: Container, tag: PythonTag, deadline: float) -> Interpreter:
    """The CPython of the wheel's version in the PATH of an image that is not pypa's."""
    try:
        path = container.run(["sh", "-c", _WHICH, "sh", tag.version], deadline=deadline).strip()
    except CommandFailed as error:
        raise TestFailed(
            f"{container.image.reference} has no CPython {tag.version} to test the wheel with",
            hint="remove it from test-images, or use an image with that Python version",
        ) from error
    return Interpreter(tag, tag.version, Path(path))


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
