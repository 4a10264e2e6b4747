"""An image with an empty environment (PEP 405) of one of its Pythons: made once, and each container begins with it.

All that interpreters under QEMU find out slowly is in it, and nothing of a project's: bytecode of the standard library,
and what uv has learnt of both interpreters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from crosswheel.backend import unreachable_index
from crosswheel.containers.caches import UV_ENVIRON
from crosswheel.containers.container import Container, running
from crosswheel.containers.environment import EMPTY, environment
from crosswheel.containers.images import Image
from crosswheel.containers.layers import ensure_layer
from crosswheel.containers.ownership import KIND, LABEL
from crosswheel.engines.site import Site
from crosswheel.errors import BuildFailed
from crosswheel.model import Interpreter, deaf
from crosswheel.process import CommandFailed
from crosswheel.targets import PythonTag
from crosswheel.toolchains.bytecode import put_bytecode
from crosswheel.toolchains.pinned import version_of
from crosswheel.toolchains.toolbox import UV

_TIMEOUT = 600  # seconds; it takes some ten
_VENV = (UV, "venv", "--quiet", "--no-project")


def furnished(image: Image, tag: PythonTag, site: Site, find: Callable[[Container], Interpreter]) -> Image:
    """The image with that environment in a layer; `find` says in a container of it whose it is to be.

    Raises BuildFailed, and what `find` and containers raise.
    """

    def make(repository: str, name: str) -> str:
        with _container(image, site) as container:
            _furnish(container, find(container), site)
            # What lies on a layer of this run's own goes with it.
            labels = {KIND: "environment"} if image.layer and site.config.fresh else {KIND: "environment", LABEL: ""}
            return container.commit(repository, name, labels)

    ingredients = [str(environment(tag)), version_of("uv")]
    return ensure_layer(site.engine, image, "environment", ingredients, site.host.cache, make)


def _container(image: Image, site: Site) -> AbstractContextManager[Container]:
    """Without a project's cache, in which anything may lie."""
    toolbox, runs = site.toolbox(image, deaf, compilers=False), site.running(image.arch)
    return running(
        site.engine,
        image,
        site.host.processes,
        timeout=_TIMEOUT,
        environ={**runs.environ, **UV_ENVIRON},
        volumes=toolbox.volumes,
        emulated=not runs.natively,
    )


def _furnish(container: Container, interpreter: Interpreter, site: Site) -> None:
    home = str(environment(interpreter.tag))
    try:
        if container.emulated:
            put_bytecode(container, interpreter, site.host)
        container.run([*_VENV, "--python", str(interpreter.path), home], env={"UV_PYTHON_DOWNLOADS": "never"})
        # It asks the environment's own interpreter, and the image has the answer thereafter.
        container.run([UV, "pip", "list", "--quiet", "--python", home])
    except CommandFailed as error:
        said = " ".join(error.output.split())
        raise BuildFailed(
            f"no environment of {interpreter.path} could be made in {container.image.reference}: {said}",
            hint="crosswheel doctor; another --image",
        ) from error
    container.run(["mkdir", "-p", str(EMPTY)])


def seed(container: Container, tag: PythonTag, environ: Mapping[str, str], log: Path, deadline: float) -> None:
    """Put pip into the environment: commands of a project's own may call it."""
    home = environment(tag)
    command = [*_VENV, "--seed", "--allow-existing", "--python", str(home / "bin" / "python"), str(home)]
    try:
        container.run(command, env=environ, log=log, deadline=deadline)
    except CommandFailed as error:
        if missing := unreachable_index(error, log, offline="UV_OFFLINE" in environ):
            raise missing from error
        raise BuildFailed(f"pip could not be installed: {error.ending}", hint=f"less {log}") from error
