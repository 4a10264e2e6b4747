"""Images with the results of `before-all`: made once per image, command and project content, then reused.

The command runs in a container like a build's, but without the environment of a Python, which each job has. Its
results become a layer over the image, without the project's sources and the caller's network settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from crosswheel.containers.environment import FOLDER
from crosswheel.containers.host import Container
from crosswheel.containers.images import Image
from crosswheel.containers.layers import ensure_layer
from crosswheel.containers.ownership import KIND, LABEL, PROJECT, labels
from crosswheel.engines.container_workspace import PREPARED, ContainerWorkspace
from crosswheel.engines.services import Services
from crosswheel.errors import BuildFailed
from crosswheel.formats.sdists import unpack_sdist
from crosswheel.model.adoption import PROJECT as TREE
from crosswheel.model.config import Config
from crosswheel.model.job import Job, Sdist, chore
from crosswheel.system.process import CommandFailed

_SOURCES = PurePosixPath("/etc/crosswheel/sources")
_CP39 = "/opt/python/cp39-cp39/bin"  # the `python` of before-all in cibuildwheel's way
_OF_ONE_BUILD = "CIBUILDWHEEL_BUILD_IDENTIFIER"

Open = Callable[[], AbstractContextManager[ContainerWorkspace]]


def prepared(
    image: Image, tools: str, job: Job, sdist: Sdist, config: Config, services: Services, start: Open
) -> Image:
    """The image with that layer; `tools` identifies the compilers in it, and `start` starts a container of it.

    Raises BuildFailed.
    """
    facts = services.facts
    # With --fresh it belongs to this run only, and the next run removes it.
    own = [labels()[LABEL]] if config.build.fresh else []
    variables = {name: value for name, value in config.build.environment.items() if name != _OF_ONE_BUILD}
    given = [tools, job.engine, config.build.before_all, sorted(variables.items()), sdist.content, *own]
    if config.builds_in_containers:
        given.append([repr(config.mode), sdist.tree.content if sdist.tree else ""])

    def make(repository: str, tag: str) -> str:
        with chore(f"running before-all in {image.reference}, once for this sdist", services.listener):
            return _make(repository, tag, sdist, config, start)

    return ensure_layer(facts.containers, image, "before-all", given, facts.host.cache, facts.host.processes, make)


def _make(repository: str, tag: str, sdist: Sdist, config: Config, start: Open) -> str:
    command = config.build.before_all
    with start() as workspace:
        if workspace.whole:
            _run_at_project(command, workspace)
        else:
            _run(command, sdist, workspace)
        ours = {KIND: "before-all", PROJECT: sdist.name}
        # Without the label of a run, it outlives the run.
        return workspace.container.commit(repository, tag, ours if config.build.fresh else {**ours, LABEL: ""})


@contextmanager
def _explained(command: str, log: Path) -> Iterator[None]:
    try:
        yield
    except CommandFailed as error:
        first = command.strip().splitlines()[0]
        raise BuildFailed(f"{first!r} ended with {error.ending}", hint=f"less {log}") from error


def _run_at_project(command: str, workspace: ContainerWorkspace) -> None:
    """In cibuildwheel's way: in the whole project, which stays in the layer, and with the image's CPython 3.9."""
    environ = {name: value for name, value in workspace.environ.items() if name != _OF_ONE_BUILD}
    with _explained(command, workspace.log):
        replace(workspace, environ=environ).run_own(command.replace("{project}", TREE), [_CP39])
    workspace.container.run(["rm", "-rf", *map(str, (workspace.root, _SOURCES.parent, FOLDER))])


def _run(command: str, sdist: Sdist, workspace: ContainerWorkspace) -> None:
    """In the sdist's folder, of which the layer keeps what the command made or changed."""
    source = unpack_sdist(sdist, workspace.root / "before-all")
    folder = PREPARED / source.name
    workspace.container.put(source, to=PREPARED)
    with _explained(command, workspace.log):
        workspace.container.run(
            ["sh", "-c", command.replace("{project}", str(folder))],
            env=workspace.environ_without_python,  # the layer serves all Pythons
            cwd=folder,
            log=workspace.log,
            deadline=workspace.deadline,
        )
    _clear(workspace.container, source, folder, workspace.root)


def _clear(container: Container, source: Path, folder: PurePosixPath, root: Path) -> None:
    """Remove unchanged sources, so that only files made or changed by the command stay in the project's folder."""
    files = (path for path in sorted(source.rglob("*")) if path.is_file() and not path.is_symlink())
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(source)}" for path in files)
    container.write({_SOURCES: "".join(f"{line}\n" for line in sums).encode("utf-8", "surrogateescape")})
    rest = (root, _SOURCES.parent, FOLDER)
    container.run(["sh", "-c", _CLEAR, "sh", str(folder), str(_SOURCES), *map(str, rest)])


_CLEAR = """
set -eu
cd "$1"
sha256sum -c "$2" 2>/dev/null | sed -n 's/: OK$//p' | while IFS= read -r name; do rm -f "./$name"; done
find . -depth -type d -exec rmdir {} + 2>/dev/null || :
shift 2
rm -rf "$@"
"""
