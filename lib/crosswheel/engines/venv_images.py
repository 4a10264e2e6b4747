"""An image with an empty environment (PEP 405) of one of its Pythons: made once, and each container begins with it.

All that interpreters under QEMU find out slowly comes with it, and nothing of a project's: bytecode of the standard
library, and what uv has learnt of both interpreters.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from crosswheel import __version__
from crosswheel.containers.container import Container, Files, running
from crosswheel.containers.environment import EMPTY, environment, python
from crosswheel.containers.images import Image
from crosswheel.containers.layers import ensure_layer
from crosswheel.containers.ownership import KIND, LABEL
from crosswheel.containers.project_caches import PACKAGES
from crosswheel.engines.backend import unreachable_index
from crosswheel.engines.site import Site
from crosswheel.errors import BuildFailed
from crosswheel.model.job import Interpreter, chore
from crosswheel.model.targets import PythonTag
from crosswheel.system.memo import answers_in
from crosswheel.system.process import CommandFailed
from crosswheel.system.scratch import temporary_folder
from crosswheel.toolchains.bytecode import put_bytecode
from crosswheel.toolchains.pinned import version_of
from crosswheel.toolchains.toolbox import UV

_ONLY_PIP = 12  # the minor version since which venv and uv put no setuptools into environments
_TIMEOUT = 600  # seconds; it takes some ten
_VENV = (UV, "venv", "--quiet", "--no-project", "--python")
# Where uv keeps its answers while the layer is made: in no volume, and not in the layer either.
_ANSWERS = "/crosswheel/answers"


def furnished(
    image: Image,
    tag: PythonTag,
    site: Site,
    find: Callable[[Container, float], Interpreter],
    *,
    compilers: bool = False,
) -> Image:
    """The image with that environment in a layer; `find` says in a container of it, by a deadline, whose it is to be.

    `compilers` says which toolbox is there anyway. Raises BuildFailed, and what `find` and containers raise.
    """
    emulated = not site.running(image.arch).natively

    def make(repository: str, name: str) -> str:
        deadline = time.monotonic() + min(_TIMEOUT, site.config.build.timeout)
        where = f"{image.reference}{' with before-all' if image.layer else ''}"
        text = f"making an environment of {tag} in {where}, once"
        with chore(text, site.listener), _container(image, site, compilers=compilers) as container:
            answers = _furnish(container, find(container, deadline), site, deadline)
            # What lies on a layer of this run's own goes with it.
            labels = (
                {KIND: "environment"} if image.layer and site.config.build.fresh else {KIND: "environment", LABEL: ""}
            )
            made = container.commit(repository, name, labels)
        answers_in(site.host.cache).keep(answers, "uv", made)
        return made

    has_bytecode = emulated and tag in site.host.interpreters
    ingredients = [__version__, version_of("uv"), str(environment(tag)), has_bytecode]
    host = site.host
    return ensure_layer(site.engine, image, "environment", ingredients, host.cache, host.processes, make)


def uv_knows(image: Image, site: Site) -> Files:
    """What uv learnt of the interpreters when the layer was made, for the cache of a container of it."""
    answers: dict[str, str] = answers_in(site.host.cache).recall("uv", image.content) or {}
    return {PACKAGES / name: base64.b64decode(content) for name, content in answers.items()}


def _container(image: Image, site: Site, *, compilers: bool) -> AbstractContextManager[Container]:
    """Without a project's cache, in which anything may lie."""
    toolbox, runs = site.toolbox(image, compilers=compilers), site.running(image.arch)
    return running(
        site.engine,
        image,
        site.host.processes,
        timeout=_TIMEOUT,
        environ=runs.environ,
        volumes=toolbox.volumes,
        emulated=not runs.natively,
    )


def _furnish(container: Container, interpreter: Interpreter, site: Site, deadline: float) -> dict[str, str]:
    """Gives what uv has learnt: files of its cache, in base64, by their names there."""
    home, environ = str(environment(interpreter.tag)), {"UV_PYTHON_DOWNLOADS": "never", "UV_CACHE_DIR": _ANSWERS}
    try:
        if container.emulated:
            put_bytecode(container, interpreter, site.host, deadline)
        container.run([*_VENV, str(interpreter.path), home], env=environ, deadline=deadline)
        # It asks the environment's own interpreter.
        container.run([UV, "pip", "list", "--quiet", "--python", home], env=environ, deadline=deadline)
        with temporary_folder() as folder:
            container.get(_ANSWERS, Path(folder))
            found = {path: path.relative_to(folder) for path in Path(folder).glob("interpreter-*/**/*.msgpack")}
            answers = {str(name): base64.b64encode(path.read_bytes()).decode() for path, name in found.items()}
        container.run(["sh", "-c", f"rm -r {_ANSWERS} && mkdir -p {EMPTY}"], deadline=deadline)
    except CommandFailed as error:
        said = " ".join(error.output.split())
        raise BuildFailed(
            f"no environment of {interpreter.path} could be made in {container.image.reference}: {said}",
            hint="crosswheel doctor; or another image",
        ) from error
    return answers


def seed(container: Container, tag: PythonTag, environ: Mapping[str, str], log: Path, deadline: float) -> None:
    """Put pip into the environment, and what else those of its Python always had: the project's commands may call it.

    As ``uv venv --seed``, which would make the environment anew: of CPython 3.10 and older, out of itself.
    """
    packages = ["pip", *(["setuptools", "wheel"] if tag.minor < _ONLY_PIP else [])]
    command = [UV, "pip", "install", "--quiet", "--python", str(python(tag)), *packages]
    try:
        container.run(command, env=environ, log=log, deadline=deadline)
    except CommandFailed as error:
        if missing := unreachable_index(error, offline="UV_OFFLINE" in environ):
            raise missing from error
        raise BuildFailed(f"pip could not be installed: {error.ending}", hint=f"less {log}") from error
