"""Images with an empty environment (PEP 405) of one of their Pythons, made once for all containers.

They include results that are slow under QEMU: bytecode of the standard library, and uv's cached facts about both
interpreters. They contain nothing of a project.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from crosswheel import __version__
from crosswheel.containers.environment import EMPTY, environment, python
from crosswheel.containers.host import Container, Files
from crosswheel.containers.images import Image
from crosswheel.containers.layers import ensure_layer
from crosswheel.containers.ownership import KIND, LABEL
from crosswheel.containers.project_caches import PACKAGES
from crosswheel.engines.services import Services
from crosswheel.errors import BuildFailed
from crosswheel.model.job import Interpreter, chore
from crosswheel.model.targets import PythonTag
from crosswheel.system.installer import unreachable_index
from crosswheel.system.local_host import LocalHost
from crosswheel.system.memo import answers_in
from crosswheel.system.process import CommandFailed
from crosswheel.system.scratch import temporary_folder
from crosswheel.toolchains.bytecode import put_bytecode
from crosswheel.toolchains.pinned import version_of
from crosswheel.toolchains.toolbox import UV

_ONLY_PIP = 12  # the first minor version without setuptools in environments of venv and uv
_TIMEOUT = 600  # seconds; about ten are needed
_VENV = (UV, "venv", "--quiet", "--no-project", "--python")
# uv's cache while the layer is made: neither in a volume nor in the layer.
_ANSWERS = "/crosswheel/answers"


def with_environment(
    image: Image,
    tag: PythonTag,
    services: Services,
    find: Callable[[Container, float], Interpreter],
    *,
    fresh: bool,
    timeout: float,
    compilers: bool = False,
) -> Image:
    """The image with the environment in a layer; `find` returns the interpreter in a container, within a deadline.

    With `fresh`, a layer on a layer of this run's own is one of its own, too; making it may take `timeout` seconds.
    `compilers` selects the toolbox. Raises BuildFailed, and the errors of `find` and of containers.
    """
    facts, host = services.facts, services.facts.host
    emulated = not facts.running(image.arch).natively

    def make(repository: str, name: str) -> str:
        deadline = time.monotonic() + min(_TIMEOUT, timeout)
        where = f"{image.reference}{' with before-all' if image.layer else ''}"
        text = f"making an environment of {tag} in {where}, once"
        with chore(text, services.listener), _container(image, services, compilers=compilers) as container:
            answers = _make(container, find(container, deadline), host, deadline)
            # A layer over this run's own layer is removed with it.
            labels = {KIND: "environment"} if image.layer and fresh else {KIND: "environment", LABEL: ""}
            made = container.commit(repository, name, labels)
        answers_in(host.cache).keep(answers, "uv", made)
        return made

    has_bytecode = emulated and tag in host.interpreters
    ingredients = [__version__, version_of("uv"), str(environment(tag)), has_bytecode]
    return ensure_layer(facts.containers, image, "environment", ingredients, host.cache, host.processes, make)


def uv_knows(image: Image, host: LocalHost) -> Files:
    """Uv's cached facts about the interpreters from making the layer, for the uv cache of its containers."""
    answers: dict[str, str] = answers_in(host.cache).recall("uv", image.content) or {}
    return {PACKAGES / name: base64.b64decode(content) for name, content in answers.items()}


def _container(image: Image, services: Services, *, compilers: bool) -> AbstractContextManager[Container]:
    """A container without a project's cache, which is not trusted."""
    facts = services.facts
    toolbox, runs = services.toolbox(image, compilers=compilers), facts.running(image.arch)
    return facts.containers.running(
        image,
        facts.host.processes,
        timeout=_TIMEOUT,
        environ=runs.environ,
        volumes=toolbox.volumes,
        emulated=not runs.natively,
    )


def _make(container: Container, interpreter: Interpreter, host: LocalHost, deadline: float) -> dict[str, str]:
    """Make the environment; return the files of uv's cache by name, in base64."""
    home, environ = str(environment(interpreter.tag)), {"UV_PYTHON_DOWNLOADS": "never", "UV_CACHE_DIR": _ANSWERS}
    try:
        if container.emulated:
            put_bytecode(container, interpreter, host, deadline)
        container.run([*_VENV, str(interpreter.path), home], env=environ, deadline=deadline)
        # uv examines the environment's interpreter.
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
    """Install pip, and setuptools for old Pythons, in the environment: the project's commands may call them.

    Like ``uv venv --seed``, which would make the environment again: for CPython 3.10 and older, from itself.
    """
    packages = ["pip", *(["setuptools", "wheel"] if tag.minor < _ONLY_PIP else [])]
    command = [UV, "pip", "install", "--quiet", "--python", str(python(tag)), *packages]
    try:
        container.run(command, env=environ, log=log, deadline=deadline)
    except CommandFailed as error:
        if missing := unreachable_index(error, offline="UV_OFFLINE" in environ):
            raise missing from error
        raise BuildFailed(f"pip could not be installed: {error.ending}", hint=f"less {log}") from error
